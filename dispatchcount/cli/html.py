"""``dispatchcount html``: one page of a report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dispatchcount.cli.common import STANDARD_INPUT, add_convention, load
from dispatchcount.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "html",
        help="one HTML page of a report, for any browser, offline",
        description="Makes one self-contained page of a report, which works offline. Needs no torch.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write; by default FILE with the ending .html")
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    if args.output is None and args.file == STANDARD_INPUT:
        raise UsageError("a report from standard input has no name; say where to write the page with -o page.html")
    target = args.output or str(Path(args.file).with_suffix(".html"))
    if args.file != STANDARD_INPUT and Path(target).resolve() == Path(args.file).resolve():
        raise UsageError(f"the page would overwrite the report {args.file}; give another name with -o")
    load(args.file, args.convention).to_html(target)
    print(target)
    return 0
