"""The module table in LaTeX."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.render.numbers import (
    ABSENT,
    AT_LEAST,
    ESTIMATE,
    duration,
    human,
    nbytes,
    percent,
)
from dispatchcount.render.text.latex import escaped, latex_table
from dispatchcount.render.text.numeric_columns import numeric
from tests.report import make

pytestmark = pytest.mark.torch_alone

CELL = re.compile(r"(?:\\geq |\\approx |< )?-?(\d+)(?:\.(\d+))?|\{--\}")
"""What siunitx reads as a number in a column ``S``, or a text in braces."""


def parts(latex: str) -> tuple[list[str], list[list[str]]]:
    """The formats of the columns, and the cells of each row."""
    table = [line for line in latex.splitlines() if not line.startswith("%")]
    begin = re.fullmatch(r"\\begin\{tabular\}\{(.*)\}", table[0])
    assert begin is not None
    assert [table[1], table[3], *table[-2:]] == [
        r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    rows = [line.removesuffix(r" \\").split(" & ") for line in (table[2], *table[4:-2])]
    assert all(line.endswith(r" \\") for line in (table[2], *table[4:-2]))
    return re.findall(r"[lr]|S\[[^\]]*\]", begin[1]), rows


@pytest.mark.parametrize("make_report", [make.cnn, make.training, make.routed, make.huge])
@pytest.mark.parametrize("exact", [False, True])
def test_every_column_has_figures_that_siunitx_reads(make_report, exact: bool) -> None:
    formats, rows = parts(make_report().to_latex(depth=None, exact=exact))
    assert all(len(row) == len(formats) for row in rows)
    assert sum(one.startswith("S") for one in formats) >= 4
    for place, one in enumerate(formats):
        if not one.startswith("S"):
            continue
        room = re.fullmatch(r"S\[table-format=>?-?(\d+)(?:\.(\d+))?\]", one)
        assert room is not None
        for row in rows[1:]:
            cell = CELL.fullmatch(row[place])
            assert cell is not None, row[place]
            assert len(cell[1] or "") <= int(room[1])
            assert len(cell[2] or "") <= int(room[2] or 0)


def test_a_line_for_each_module_and_the_unit_in_the_header() -> None:
    report = make.cnn()
    latex = report.to_latex(depth=None)
    _, rows = parts(latex)
    assert rows[0] == ["module", "type", "{calls}", "{params}", "{flops / k}", r"{share / \%}", "{activations}"]  # fmt: skip
    assert len(rows) == 1 + 7
    # 512 outputs of 27 MACs are 13,824 of 14,928 flops.
    assert rows[3] == ["features.0", "Conv2d", "1", "224", "13.8", "92.6", "512"]
    assert "% flops: " in latex
    assert r"% \usepackage{booktabs,siunitx}" in latex


def test_columns_and_order_can_be_chosen() -> None:
    _, rows = parts(make.cnn().to_latex(None, columns=["macs", "bytes_read"], sort="macs"))
    assert rows[0] == ["module", "{MACs / k}", "{bytes read / kB}"]


def test_no_text_is_markup() -> None:
    assert escaped("a_b & 5 % \\x {y} #1 ~^$ [z") == (
        r"a\_b \& 5 \% \textbackslash{}x \{y\} \#1 \textasciitilde{}\textasciicircum{}\$ {[}z"
    )
    assert latex_table(["a", "b"], [["x_y", "≥1.00 k"], ["[z]", ABSENT]], [True, False]) == (
        "% \\usepackage{booktabs,siunitx}\n"
        "\\begin{tabular}{lS[table-format=>1.2]}\n\\toprule\na & {b / k} \\\\\n\\midrule\n"
        "x\\_y & \\geq 1.00 \\\\\n{[}z] & {--} \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_a_column_that_is_not_all_figures_stays_text() -> None:
    assert numeric(["1.00 k", "many"]) is None
    assert numeric(["1.00 kB", "3.00 ms"]) is None
    assert numeric([ABSENT, ABSENT]) is None
    assert latex_table(["a"], [["many"], ["1"]], [False]).count("{r}") == 1


def test_figures_of_a_column_are_in_the_unit_of_the_largest() -> None:
    column = numeric(["4.11 G", "118 M", "9.41 k", "128", "0", ABSENT, f"{ESTIMATE}2.00 M"])
    assert column is not None
    assert column.unit == "G"
    assert column.cells == ["4.11", "0.118", "0.00000941", "0.000000128", "0", "{--}", r"\approx 0.00200"]  # fmt: skip
    assert column.format == "S[table-format=>1.9]"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([human, nbytes, duration, lambda value: percent(value / 10**9)]),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
    st.sampled_from(["", AT_LEAST]),
)
def test_the_order_of_figures_is_kept(write, values: list[int], mark: str) -> None:
    texts = [write(value) for value in values]
    column = numeric([text if "<" in text else mark + text for text in texts])
    assert column is not None
    numbers = [float(re.sub(r"^(\\geq |< )", "", cell)) for cell in column.cells]
    for a, x in zip(values, numbers, strict=True):
        for b, y in zip(values, numbers, strict=True):
            assert x <= y or a >= b or write(a) == write(b) or x - y < 1e-9
