"""``dispatchcount diff``: what changed between two reports."""

from __future__ import annotations

import argparse
from typing import Any

from dispatchcount.cli.common import add_convention, emit, how_many, load, show, usage
from dispatchcount.cli.paths import html_output, inputs, output
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError
from dispatchcount.report.budget import parse_limits


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "diff",
        help="what changed from one report to another",
        description="Shows modules and operators that were added, removed, renamed or changed, the"
        " biggest change first, by the older report's convention. Needs no torch.",
    )
    parser.add_argument("old", metavar="OLD", help="the report to compare with, as JSON")
    parser.add_argument("new", metavar="NEW", help="the other; - reads standard input")
    parser.add_argument(
        "--fail-over", metavar="LIMITS", help="exit 1 if a total grew by more: flops=1%%,params=0"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="as Markdown, for a comment on a pull request"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="also write a page of both reports there, for any browser"
    )
    parser.add_argument(
        "--page", metavar="ADDRESS", help="with --markdown: link the page of both reports there"
    )
    parser.add_argument(
        "--top",
        type=how_many,
        default=30,
        metavar="N",
        help="how many modules and operators, or all; 30 by default",
    )
    parser.add_argument("--exact", action="store_true", help="every digit")
    parser.add_argument(
        "--unfold",
        dest="fold",
        action="store_false",
        help="a row for each change, also where changes are equal or lie in what came or went",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write there instead of to standard output"
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the diff; 1 if anything grew over its limit."""
    if args.page is not None and not args.markdown:
        raise UsageError("--page is a link in Markdown; give --markdown with it")
    limits = None if args.fail_over is None else parse_limits(args.fail_over)
    reads = inputs(args.old, args.new)
    written = output(args.output, reads)
    page = html_output(args.html, reads, written)
    diff = load(args.old, args.convention).diff(load(args.new))
    breaches = diff.over(limits) if limits else ()
    with usage():
        if args.markdown:
            emit(diff.to_markdown(args.top, fold=args.fold, page=args.page), written)
        else:
            show(diff.table(args.top, exact=args.exact, fold=args.fold), written)
    if page is not None:
        emit(diff.to_html(), page)
    for breach in breaches:
        complain(str(breach))
    return 1 if breaches else 0
