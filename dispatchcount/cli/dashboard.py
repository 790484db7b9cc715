"""``dispatchcount dashboard``: static pages of many reports."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dispatchcount.cli.common import add_convention, emit
from dispatchcount.cli.paths import named
from dispatchcount.cli.streams import complain


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "dashboard",
        help="static pages of many reports: models, trends, links",
        description="Makes static pages of all reports in a folder, by their labels model, input"
        " and commit: a table of models, trend lines, a page for each report. Needs no torch and no"
        " server.",
    )
    parser.add_argument(
        "folder", metavar="DIR", help="a folder with reports as JSON, also in folders below it"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="SITE",
        required=True,
        help="the folder for the pages; it is made if it is not there",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pages and say what is in them."""
    from dispatchcount.dashboard.site import build
    from dispatchcount.render.numbers import plural
    from dispatchcount.render.plain import clean

    folder, site = Path(named(args.folder, "folder")), Path(named(args.output, "folder"))
    runs, bad = build(folder, site, args.convention or "fvcore")
    for one in bad:
        complain(f"left out {one.file}: {one.error}")
    series = len({(run.model, run.input) for run in runs})
    index = clean(str(site / "index.html"))
    reports, left_out = plural(len(runs), "report"), plural(len(bad), "file")
    emit(f"{index}: {reports} in {series} series, {left_out} left out", None)
    return 0
