"""Tables for papers: LaTeX with the rules of booktabs and the columns of siunitx."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.render.plain import clean
from dispatchcount.render.text.module_texts import ModuleTexts
from dispatchcount.render.text.numeric_columns import numeric

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "…": r"\dots{}",
    "[": "{[}",  # at the beginning of a line it would be an option of the line break before it
    "µ": r"$\mu$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def latex_table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    """A ``tabular`` with the rules of booktabs, whose figures siunitx aligns.

    Args:
        headers: what stands over the columns.
        rows: the cells, line by line.
        left: for each column, True if it is text, which is aligned on the left.
    """
    formats, heads, columns = [], [], []
    # Each column by itself: its texts are figures, or stay what they are.
    for place, (header, is_text) in enumerate(zip(headers, left, strict=True)):
        texts = [row[place] for row in rows]
        figures = None if is_text else numeric(texts)
        if figures is None:
            formats.append("l" if is_text else "r")
            heads.append(escaped(header))
            columns.append([escaped(text) for text in texts])
        else:
            unit = f" / {figures.unit}" if figures.unit else ""
            formats.append(figures.format)
            heads.append(f"{{{escaped(header)}{unit}}}")
            columns.append(figures.cells)
    lines = [
        r"% \usepackage{booktabs,siunitx}",
        rf"\begin{{tabular}}{{{''.join(formats)}}}",
        r"\toprule",
        _line(heads),
        r"\midrule",
        *(_line([column[place] for column in columns]) for place in range(len(columns[0]))),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def to_latex(table: ModuleTexts) -> str:
    """The module table, and as comments above it what the numbers mean and leave out."""
    notes = [f"% {about}: {clean(text)}\n" for about, text, _ in table.notes]
    return "".join(notes) + latex_table(table.headers, table.rows, table.left)


def escaped(text: str) -> str:
    """`text` as it stands, whatever LaTeX would make of it."""
    return "".join(_SPECIAL.get(character, character) for character in clean(text))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
