"""``dispatchcount dashboard``: static pages of many reports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dispatchcount.cli.common import add_convention


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "dashboard",
        help="static pages of many reports: models, trends, links",
        description="Makes static pages of all reports in a folder, by their labels model, input and commit: a table of models,"
        " trend lines, a page for each report. Needs no torch and no server.",
    )
    parser.add_argument("folder", metavar="DIR", help="a folder with reports as JSON, also in folders below it")
    parser.add_argument(
        "-o", "--output", metavar="SITE", required=True, help="the folder for the pages; it is made if it is not there"
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pages and say what is in them."""
    from dispatchcount.dashboard.site import build
    from dispatchcount.render.numbers import plural

    runs, bad = build(Path(args.folder), Path(args.output), args.convention or "fvcore")
    for one in bad:
        print(f"dispatchcount: left out {one.file}: {one.error}", file=sys.stderr)
    series = len({(run.model, run.input) for run in runs})
    index = Path(args.output) / "index.html"
    print(f"{index}: {plural(len(runs), 'report')} in {series} series, {plural(len(bad), 'file')} left out")
    return 0
