"""``dispatchcount html``: one page of a report, or of the reports of a job's ranks."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import add_convention, emit, load, usage
from dispatchcount.cli.paths import STANDARD, inputs, output
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.report_api import Ranks

_RANKS = "ranks.html"
"""The page of several files, in the folder of the first, if no name is given."""


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "html",
        help="one HTML page of a report or of all ranks, for any browser, offline",
        description="Makes one self-contained page of a report, which works offline. The reports of"
        " several ranks, or the file that has all of them, make a page of the job. Needs no torch.",
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a report as JSON, or those of all ranks; - reads standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write; by default FILE with the ending .html, or ranks.html beside them",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="also show the run on the roofline of this device"
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from dispatchcount.render.plain import clean

    files = list(inputs(*args.files))
    first = files[0]
    if args.output is None and first == STANDARD:
        raise UsageError(
            "a report from standard input has no name; "
            "say where to write the page with -o page.html"
        )
    beside = f"{os.path.splitext(first)[0]}.html"
    if len(files) > 1:
        beside = os.path.join(os.path.dirname(first), _RANKS)
    written = output(beside if args.output is None else args.output, files)
    ranks = _ranks(files, args.convention)
    if ranks is None:
        chosen = None
        if args.device is not None:
            from dispatchcount.hardware.find import device

            chosen = device(args.device)
        emit(load(first, args.convention).to_html(device=chosen), written)
    elif args.device is not None:
        raise UsageError("--device shows the roofline of one report; give one FILE with it")
    else:
        with usage():
            emit(ranks.to_html(), written)
    if written is not None:
        emit(clean(written), None)
    return 0


def _ranks(files: list[str], convention: str | None) -> Ranks | None:
    """The job that the files are of; None for one file that has one report.

    Raises:
        dispatchcount.ReportError: a file holds no report.
        UsageError: the files are not of one job.
    """
    from dispatchcount.report.json.ranks_file import is_ranks
    from dispatchcount.report_api import Ranks, Report

    if len(files) > 1:
        reports = [load(file, convention) for file in files]
        with usage():
            return Report.merge(reports, axis="rank")
    if files[0] == STANDARD or not os.path.isfile(files[0]) or not is_ranks(files[0]):
        return None
    ranks = Ranks.from_json(files[0])
    if convention is None:
        return ranks
    reports = [report.with_convention(convention) for report in ranks.reports]
    return Ranks(ranks.world, ranks.ranks, tuple(reports))
