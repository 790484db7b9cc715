"""``dispatchcount demo``: counts a small model that comes with the package.

It runs on two inputs that take different ways through it.
"""

from __future__ import annotations

import argparse
from typing import Any

from dispatchcount.cli.common import (
    ROW_OPTIONS,
    add_convention,
    add_row_options,
    emit,
    given,
    how_many,
    load_torch,
    show,
    usage,
)
from dispatchcount.cli.paths import output


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "demo",
        help="count a small model and show all there is to see",
        description="Counts a small model with a loop, an early exit and routed experts on two"
        " inputs. Needs no download.",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also save the report there; - prints it instead"
    )
    add_row_options(parser)
    parser.add_argument(
        "--top",
        type=how_many,
        default=8,
        metavar="N",
        help="how many operators, or all; 8 by default",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    written = output(args.json, ())
    torch = load_torch()
    from dispatchcount import demo, profile
    from dispatchcount.render.plain import clean

    model = demo.model()
    with torch.no_grad(), profile(model, convention=args.convention or "fvcore") as prof:
        for label, features in demo.inputs().items():
            with prof.sample(label):
                model(features)
    report = prof.report
    if args.json is not None:
        emit(report.to_json(), written)
        if written is None:
            # Standard output holds the report: a program that reads it must find nothing else.
            return 0
    options = given(args, ROW_OPTIONS)
    with usage():
        show(report.side_by_side(**{"depth": 3, **options}))
        emit("", None)
        show(report.operators(top=args.top, exact="exact" in options, notes=False))
    if written is not None:
        name = clean(written)
        emit(f"\nsaved {name}; see it again with: dispatchcount show {name}", None)
    return 0
