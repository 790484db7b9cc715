"""Saves a report in the form that the ending of a file's name asks for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import emit, usage
from dispatchcount.cli.paths import output
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.report_api import Report

# The longer of two endings that fit a name stands first.
ENDINGS: dict[str, tuple[str, Callable[[Report], str | bytes]]] = {
    ".speedscope.json": ("speedscope", lambda report: report.to_speedscope()),
    ".trace.json": ("a trace", lambda report: report.to_chrome_trace()),
    ".trace": ("a Chrome and Perfetto trace", lambda report: report.to_chrome_trace()),
    ".json": ("the report itself", lambda report: report.to_json()),
    ".jsonl": ("a line a module", lambda report: report.to_jsonl()),
    ".html": ("a page", lambda report: report.to_html()),
    ".md": ("Markdown", lambda report: report.to_markdown()),
    ".tex": ("LaTeX", lambda report: report.to_latex()),
    ".csv": ("CSV", lambda report: report.to_csv()),
    ".prom": ("OpenMetrics", lambda report: report.to_openmetrics()),
    ".txt": ("what is shown", lambda report: f"{report.overview()}\n"),
}
"""What a file holds, and how it is made, by the ending of its name."""

Saving = list[tuple[str, Callable[["Report"], "str | bytes"]]]
"""Files to write, by full name, and what makes the content of each."""


def add_output_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``-o``, which may be given several times."""
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="save the report there, in the form of the name's ending: "
        f"{' '.join(ENDINGS)}; repeat for more",
    )


def saving(names: Sequence[str], reads: Sequence[str], form: str | None = None) -> Saving:
    """Check the names of files to write.

    Args:
        names: the files.
        reads: files that are read, none of which may be written.
        form: the ending whose form the files have, whatever they are called.

    Raises:
        UsageError: an ending is not known, or a name is not one of a file.
        OSError: no file can be written there.
    """
    checked = []
    for name in names:
        ending = form or next((one for one in ENDINGS if name.endswith(one)), None)
        if ending is None:
            known = ", ".join(f"{one} ({what})" for one, (what, _) in ENDINGS.items())
            raise UsageError(
                f"-o {name}: the name's ending says what to write, and is one of {known}"
            )
        # Foreign code may change the folder before the file is written.
        checked.append((os.path.abspath(str(output(name, reads))), ENDINGS[ending][1]))
    return checked


def save(report: Any, files: Saving) -> None:
    """Write a report to its files.

    Raises:
        OSError: one cannot be written.
    """
    for name, make in files:
        with usage():
            emit(make(report), name)
