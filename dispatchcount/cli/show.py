"""``dispatchcount show``: a report in any of its forms."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import add_convention, depth, emit, load, share, show, usage
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.report.model import Report

Options = dict[str, Any]

SHOWN: dict[str, tuple[Callable[[Report, Options], ConsoleRenderable], tuple[str, ...]]] = {
    "table": (lambda report, given: report.table(**given), ("depth", "columns", "sort", "min_share", "exact")),
    "tree": (lambda report, given: report.tree(**given), ("depth", "min_share", "exact")),
    "operators": (lambda report, given: report.operators(**given), ("top", "sort", "exact")),
    "arch": (lambda report, _: report.arch(), ()),
}
"""Forms for a console: how to get one, and the options that it takes."""

WRITTEN: dict[str, tuple[Callable[[Report, Options], str | bytes], tuple[str, ...]]] = {
    "csv": (lambda report, _: report.to_csv(), ()),
    "markdown": (lambda report, given: report.to_markdown(**given), ("depth",)),
    "json": (lambda report, _: report.to_json(), ()),
    "jsonl": (lambda report, _: report.to_jsonl(), ()),
    "openmetrics": (lambda report, _: report.to_openmetrics(), ()),
    "chrome": (lambda report, given: report.to_chrome_trace(**given), ("metric",)),
    "speedscope": (lambda report, _: report.to_speedscope(), ()),
}
"""Forms for files and other programs, likewise."""

_OPTIONS = ("depth", "columns", "sort", "min_share", "exact", "top", "metric")


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "show",
        help="show a report as a table, tree, CSV, trace …",
        description="Shows a report that was saved as JSON, in any form. Needs no torch.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument("--format", choices=[*SHOWN, *WRITTEN], default="table", help="the form; table by default")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of to standard output")
    parser.add_argument("--depth", type=depth, default=argparse.SUPPRESS, metavar="N", help="levels of modules, or all")
    parser.add_argument(
        "--columns", default=argparse.SUPPRESS, metavar="A,B", help="columns of the table: type,params,flops,share,self_flops …"
    )
    parser.add_argument("--sort", default=argparse.SUPPRESS, metavar="COLUMN", help="biggest first by this column")
    parser.add_argument(
        "--min-share",
        type=share,
        default=argparse.SUPPRESS,
        metavar="SHARE",
        help="hide modules below this share of all flops: 1%%",
    )
    parser.add_argument("--exact", action="store_true", default=argparse.SUPPRESS, help="every digit")
    parser.add_argument("--top", type=depth, default=argparse.SUPPRESS, metavar="N", help="how many operators, or all")
    parser.add_argument(
        "--metric", default=argparse.SUPPRESS, help="what the slices of a Chrome trace are as wide as: flops, macs, bytes …"
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the report."""
    given: Options = {name: getattr(args, name) for name in _OPTIONS if hasattr(args, name)}
    takes = (SHOWN.get(args.format) or WRITTEN[args.format])[1]
    for name in given:
        if name not in takes:
            known = " ".join(f"--{option.replace('_', '-')}" for option in takes) or "none of these options"
            raise UsageError(f"--{name.replace('_', '-')} does not apply to --format {args.format}, which takes {known}")
    if "columns" in given:
        given["columns"] = [name.strip() for name in given["columns"].split(",") if name.strip()]
    report = load(args.file, args.convention)
    with usage():
        if args.format in SHOWN:
            show(SHOWN[args.format][0](report, given), args.output)
        else:
            emit(WRITTEN[args.format][0](report, given), args.output)
    return 0
