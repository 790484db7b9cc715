"""Tables for papers: LaTeX with the rules of the package booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dispatchcount.render.columns import MODULE_COLUMNS, measured, telling
from dispatchcount.render.console.table import COLUMNS, LEFT
from dispatchcount.render.plain import clean
from dispatchcount.render.select import select
from dispatchcount.render.summary import summary
from dispatchcount.report.model import ReportData

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "µ": r"$\mu$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def latex_table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[bool]) -> str:
    """A ``tabular`` of texts, which needs the package booktabs.

    Args:
        headers: what stands over the columns.
        rows: the cells, line by line.
        left: for each column, True if it is text, which is aligned on the left.
    """
    lines = [
        rf"\begin{{tabular}}{{{''.join('l' if one else 'r' for one in left)}}}",
        r"\toprule",
        _line(headers),
        r"\midrule",
        *map(_line, rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def to_latex(report: ReportData, depth: int | None = 3) -> str:
    """The module table, and as comments above it what the numbers mean and leave out.

    Raises:
        ValueError: `depth` is negative.
    """
    names = ("path", *COLUMNS[1:], *measured(report))
    columns = {name: MODULE_COLUMNS[name] for name in names}
    notes = [f"% {about}: {clean(text)}\n" for about, text, _ in summary(report)]
    return "".join(notes) + latex_table(
        ["module", *(columns[name].header for name in names[1:])],
        [
            [column.text(row, False) for column in columns.values()]
            for row in telling(select(report, depth).rows, columns)
        ],
        [name in LEFT for name in names],
    )


def escaped(text: str) -> str:
    """`text` as it stands, whatever LaTeX would make of it."""
    return "".join(_SPECIAL.get(character, character) for character in clean(text))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"
