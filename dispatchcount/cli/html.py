"""``dispatchcount html``: one page of a report."""

from __future__ import annotations

import argparse
import os
from typing import Any

from dispatchcount.cli.common import add_convention, emit, load
from dispatchcount.cli.paths import STANDARD, inputs, output
from dispatchcount.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "html",
        help="one HTML page of a report, for any browser, offline",
        description="Makes one self-contained page of a report, which works offline."
        " Needs no torch.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write; by default FILE with the ending .html",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="also show the run on the roofline of this device"
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from dispatchcount.render.plain import clean

    (file,) = inputs(args.file)
    if args.output is None and file == STANDARD:
        raise UsageError(
            "a report from standard input has no name; "
            "say where to write the page with -o page.html"
        )
    beside = f"{os.path.splitext(file)[0]}.html"
    written = output(beside if args.output is None else args.output, [file])
    chosen = None
    if args.device is not None:
        from dispatchcount.hardware.find import device

        chosen = device(args.device)
    emit(load(file, args.convention).to_html(device=chosen), written)
    if written is not None:
        emit(clean(written), None)
    return 0
