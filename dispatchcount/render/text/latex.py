"""Tables for papers: LaTeX with the rules of the package booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dispatchcount.render.plain import clean
from dispatchcount.render.select import AUTO, Depth
from dispatchcount.render.text.module_texts import module_texts
from dispatchcount.report.model import ReportData

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "…": r"\dots{}",
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


def to_latex(
    report: ReportData,
    depth: Depth = AUTO,
    *,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    exact: bool = False,
    fold: bool = True,
    batch: int | None = None,
) -> str:
    """The module table, and as comments above it what the numbers mean and leave out.

    The arguments are those of `module_table`; the full name always comes first.

    Raises:
        ValueError: `depth` is no depth, a column or `sort` is not known, or `batch` is no number of
            items.
    """
    table = module_texts(
        report, depth, columns=columns, sort=sort, exact=exact, fold=fold, batch=batch
    )
    notes = [f"% {about}: {clean(text)}\n" for about, text, _ in table.notes]
    return "".join(notes) + latex_table(table.headers, table.rows, table.left)


def escaped(text: str) -> str:
    """`text` as it stands, whatever LaTeX would make of it."""
    return "".join(_SPECIAL.get(character, character) for character in clean(text))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"
