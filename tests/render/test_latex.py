"""The module table in LaTeX."""

from __future__ import annotations

from dispatchcount.render.text.latex import escaped, latex_table
from tests.report import make


def test_a_table_has_the_rules_of_booktabs_and_a_line_for_each_module() -> None:
    report = make.cnn()
    lines = report.to_latex(depth=None).splitlines()
    table = [line for line in lines if not line.startswith("%")]
    assert table[0].startswith(r"\begin{tabular}{ll")
    assert [table[1], table[3], *table[-2:]] == [
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    rows = table[4:-2]
    assert len(rows) == len(report.by_module()) == 7
    assert all(row.endswith(r" \\") and row.count("&") == table[2].count("&") for row in rows)
    assert any(line.startswith("% flops: ") for line in lines)


def test_no_text_is_markup() -> None:
    assert escaped("a_b & 5 % \\x {y} #1 ~^$") == (
        r"a\_b \& 5 \% \textbackslash{}x \{y\} \#1 \textasciitilde{}\textasciicircum{}\$"
    )
    assert latex_table(["a", "b"], [["x_y", "≥1.0 k"]], [True, False]) == (
        "\\begin{tabular}{lr}\n\\toprule\na & b \\\\\n\\midrule\n"
        "x\\_y & $\\geq$1.0 k \\\\\n\\bottomrule\n\\end{tabular}\n"
    )
