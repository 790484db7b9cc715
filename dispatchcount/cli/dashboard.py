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
        description="Makes static pages of all reports in a folder: a table of models, trends with"
        " budgets, a page for each report and for each change. Reports whose labels agree, but for"
        " the commit, are a series. What is up to date is not written again. Needs no torch and no"
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
    parser.add_argument(
        "--along",
        metavar="LABEL,…",
        default="",
        help="labels that, like the commit, differ between the runs of one series (branch, step);"
        " all others tell series apart",
    )
    parser.add_argument(
        "--max",
        metavar="[MODEL:]LIMITS",
        action="append",
        default=[],
        help="draw what a model, or every model, may cost: flops=4.2G, or"
        " torchvision:resnet50:flops=4.2G,params=26M; may be given several times",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pages and say what is in them."""
    from dispatchcount.dashboard.series import parse_budget
    from dispatchcount.dashboard.site import build
    from dispatchcount.render.numbers import plural
    from dispatchcount.render.plain import clean

    folder, site = Path(named(args.folder, "folder")), Path(named(args.output, "folder"))
    along = [label.strip() for label in args.along.split(",") if label.strip()]
    budgets = [parse_budget(text) for text in args.max]
    made = build(folder, site, args.convention or "fvcore", along, budgets)
    for one in made.bad:
        complain(f"left out {one.file}: {one.error}")
    alone = sum(not series.runs[0].labelled for series in made.series)
    if alone:
        have = "report has" if alone == 1 else "reports have"
        complain(
            f"{alone} {have} no label model. Each is a series of its own, because models of one"
            " class may differ; label them with --label model=NAME or report.with_labels(model=…)"
        )
    index = clean(str(site / "index.html"))
    reports, left_out = plural(made.reports, "report"), plural(len(made.bad), "file")
    pages = plural(made.written, "page")
    emit(
        f"{index}: {reports} in {len(made.series)} series, {left_out} left out, {pages} written",
        None,
    )
    return 0
