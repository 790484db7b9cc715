"""Trees kept as rows: what is added up, listed and visited, against recursion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.report.rows import Path
from dispatchcount.report.tree import children, depth_first, upward

pytestmark = pytest.mark.torch_alone


@st.composite
def trees(draw: st.DrawFn) -> list[Path]:
    """Rows of which each has an earlier one as its parent, or none."""
    size = draw(st.integers(0, 12))
    return [Path(draw(st.integers(-1, index - 1)), 0) for index in range(size)]


@given(trees())
def test_upward_adds_up_whole_branches(rows: list[Path]) -> None:
    def branch(index: int) -> int:
        return 10**index + sum(branch(i) for i, row in enumerate(rows) if row.parent == index)

    totals = [10**index for index in range(len(rows))]
    for index, parent in upward(rows):
        totals[parent] += totals[index]
    assert totals == [branch(index) for index in range(len(rows))]


@given(trees())
def test_depth_first_enters_before_and_leaves_after_a_branch(rows: list[Path]) -> None:
    def visit(index: int) -> list[tuple[int, bool]]:
        inside = [step for i, row in enumerate(rows) if row.parent == index for step in visit(i)]
        return [(index, True), *inside, (index, False)]

    tops = [i for i, row in enumerate(rows) if row.parent < 0]
    assert list(depth_first(children(rows))) == [step for top in tops for step in visit(top)]


@given(trees(), st.sets(st.integers(0, 11)))
def test_children_are_those_wanted(rows: list[Path], wanted: set[int]) -> None:
    below = children(rows, wanted.__contains__)
    for parent in range(-1, len(rows)):
        expected = [i for i, row in enumerate(rows) if row.parent == parent and i in wanted]
        assert below.get(parent, []) == expected
        assert expected or parent not in below


def test_a_chain_of_any_depth_is_visited() -> None:
    chain = [Path(index - 1, 0) for index in range(100_000)]
    steps = list(depth_first(children(chain)))
    assert steps[0] == (0, True)
    assert steps[-1] == (0, False)
    assert len(steps) == 200_000
