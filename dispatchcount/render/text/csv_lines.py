"""Rows as CSV, which every reader of CSV can read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

_WRITTEN_OUT = str.maketrans({"\0": r"\x00", "\r": r"\r"})
"""Characters that not every reader takes, and that some of Python's writers refuse (NUL, before
3.11) or do not quote (a carriage return, where lines end in line feeds alone).
"""


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    r"""The rows as CSV, a line feed after each; ``\x00`` and ``\r`` stand for those characters."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [cell.translate(_WRITTEN_OUT) if isinstance(cell, str) else cell for cell in row]
        )
    return stream.getvalue()
