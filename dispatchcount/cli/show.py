"""``dispatchcount show``: a report in any of its forms."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import (
    ROW_OPTIONS,
    TABLE_OPTIONS,
    add_convention,
    add_table_options,
    emit,
    given,
    load,
    module_view,
    option_of,
    show,
    usage,
)
from dispatchcount.cli.model_options import number
from dispatchcount.cli.paths import inputs, output
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.report_api import Report

Options = dict[str, Any]

_TREE_OPTIONS = ("depth", "min_share", "exact", "fold")
_TEXT_OPTIONS = ("depth", "columns", "sort", "exact", "fold", "batch")

SHOWN: dict[str, tuple[Callable[[Report, Options], ConsoleRenderable], tuple[str, ...]]] = {
    "table": (module_view, (*TABLE_OPTIONS, "batch")),
    "tree": (lambda report, options: report.tree(**options), _TREE_OPTIONS),
    "operators": (lambda report, options: report.operators(**options), ("top", "sort", "exact")),
    "collectives": (lambda report, options: report.collectives(**options), ("top", "exact")),
    "memory": (lambda report, options: report.memory_table(**options), ROW_OPTIONS),
    "samples": (lambda report, options: report.samples_table(**options), ("top", *ROW_OPTIONS)),
    "side-by-side": (
        lambda report, options: report.side_by_side(**options),
        ("columns", *ROW_OPTIONS),
    ),
    "arch": (lambda report, options: report.arch(**options), ("fold",)),
}
"""Forms for a console: how to make one, and the options that it takes."""

WRITTEN: dict[str, tuple[Callable[[Report, Options], str | bytes], tuple[str, ...]]] = {
    "csv": (lambda report, _: report.to_csv(), ()),
    "markdown": (lambda report, options: report.to_markdown(**options), _TEXT_OPTIONS),
    "latex": (lambda report, options: report.to_latex(**options), _TEXT_OPTIONS),
    "json": (lambda report, _: report.to_json(), ()),
    "jsonl": (lambda report, _: report.to_jsonl(), ()),
    "openmetrics": (lambda report, _: report.to_openmetrics(), ()),
    "chrome": (lambda report, options: report.to_chrome_trace(**options), ("metric",)),
    "speedscope": (lambda report, _: report.to_speedscope(), ()),
}
"""Forms for files and other programs: how to make one, and the options that it takes."""

_OPTIONS = (*TABLE_OPTIONS, "metric", "batch")


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "show",
        help="show a report as a table, tree, CSV, trace …",
        description="Shows a report that was saved as JSON, in any form. Needs no torch.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument(
        "--format", choices=[*SHOWN, *WRITTEN], default="table", help="the form; table by default"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write there instead of to standard output"
    )
    add_table_options(parser)
    parser.add_argument(
        "--batch",
        type=number(1),
        default=argparse.SUPPRESS,
        metavar="N",
        help="how many samples ran, for columns such as flops_per_sample; by default what the "
        "shapes of the inputs say",
    )
    parser.add_argument(
        "--metric",
        default=argparse.SUPPRESS,
        help="what the slices of a Chrome trace are as wide as: flops, macs, bytes …",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the report."""
    options: Options = given(args, _OPTIONS)
    takes = (SHOWN.get(args.format) or WRITTEN[args.format])[1]
    for name in options:
        if name not in takes:
            known = " ".join(option_of(option) for option in takes) or "none of these options"
            raise UsageError(
                f"{option_of(name)} does not apply to --format {args.format}, which takes {known}"
            )
    written = output(args.output, inputs(args.file))
    report = load(args.file, args.convention)
    with usage():
        if args.format in SHOWN:
            show(SHOWN[args.format][0](report, options), written)
        else:
            emit(WRITTEN[args.format][0](report, options), written)
    return 0
