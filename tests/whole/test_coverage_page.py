"""`benchmarks/coverage_page.py`: what the page of unreached code lists of a file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

LINES = """\
def sign(x):
    if x < 0:
        print(x)
        return -1
    for y in range(x):
        print(y)
    if x:
        return 1
    print("x | 0")
""".splitlines()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("coverage_page")


def found(
    page: Any, executed: list[int], missing: list[int], branches: list[list[int]]
) -> list[str]:
    functions = {
        "": {"executed_lines": [1], "missing_lines": [], "missing_branches": []},
        "sign": {
            "executed_lines": executed,
            "missing_lines": missing,
            "missing_branches": branches,
        },
    }
    gaps = list(page.gaps("report/sign.py", LINES, functions))
    assert {gap.place for gap in gaps} <= {"report/sign.py: sign"}
    return [f"{gap.line}: {gap.text}" for gap in gaps]


def test_neighbouring_lines_are_one_gap(page: Any) -> None:
    missing = found(page, [2, 5, 7, 8], [3, 4, 6, 9], [[2, 3], [5, 6], [7, 9]])
    assert missing == [
        "3: `print(x)` and 1 more",
        "6: `print(y)`",
        '9: `print("x | 0")`',
    ]
    assert found(page, [2, 3, 4], [5, 6, 7, 8, 9], [[2, 5]]) == [
        "5: `for y in range(x):` and 4 more"
    ]


def test_a_branch_between_lines_that_ran_is_a_gap_of_its_own(page: Any) -> None:
    assert found(page, [2, 3, 4, 5, 6, 7, 8, 9], [], []) == []
    assert found(page, [2, 3, 4, 5, 6, 7, 9], [8], [[7, 8], [5, 7]]) == [
        "8: `return 1`",
        "5: `for y in range(x):` never goes on to `if x:`",
    ]
    assert found(page, [2, 3, 4, 5, 6, 7, 8], [], [[5, -1]]) == [
        "5: `for y in range(x):` never goes on to the end"
    ]


def test_every_place_with_a_reason_is_there(page: Any) -> None:
    for places in page.REASONS.values():
        for place in places:
            assert (BENCHMARKS.parent / "dispatchcount" / place.partition(":")[0]).exists(), place
