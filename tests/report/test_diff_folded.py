"""A diff in few rows: trees that came or went, and changes that are alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from dispatchcount.report.diff_folded import FoldedChange, folded_modules
from dispatchcount.report.metrics import COMPARED
from dispatchcount.report_api import Report
from dispatchcount.rules.core.cost import Cost
from tests.report import make

pytestmark = pytest.mark.torch_alone


def told(rows: list[FoldedChange]) -> list[tuple[str, str, int, int]]:
    return [(one.change.change, one.change.name, one.times, one.inside) for one in rows]


def wider(report: Report, part: str) -> Report:
    """The report with 10 MACs more in every module whose name ends so."""
    entries = tuple(
        replace(e, cost=e.cost + Cost(macs=10))
        if report.modules[report.paths[e.path].module].name.endswith(part)
        else e
        for e in report.entries
    )
    return replace(report, entries=entries)


def test_a_tree_that_came_or_went_is_one_row() -> None:
    few, many = make.stack(2), make.stack(3)
    # The third block and its three parts.
    assert ("added", "encoder.layers.2", 1, 3) in told(folded_modules(few.diff(many)))
    assert ("removed", "encoder.layers.2", 1, 3) in told(folded_modules(many.diff(few)))
    assert sum(one.change.change == "added" for one in folded_modules(few.diff(many))) == 1


def test_equal_trees_that_came_are_one_row_with_their_sum() -> None:
    rows = folded_modules(make.stack(2).diff(make.stack(34)))
    (added,) = [one for one in rows if one.change.change == "added"]
    assert told([added]) == [("added", "encoder.layers.2–33", 32, 32 * 3)]
    # parts of 64, 128 and 192 MACs
    assert added.change.new.flops == added.change.delta("flops") == 32 * (64 + 128 + 192)
    assert added.change.new.params == 32 * 3 * 64
    text = str(make.stack(2).diff(make.stack(34)))
    assert "encoder.layers.2–33 ×32 with 96 modules inside" in text
    assert "fold=False shows every one" in text


def test_equal_changes_in_equal_layers_are_one_row() -> None:
    old = make.stack(32)
    rows = told(folded_modules(old.diff(wider(old, ".part1"))))
    assert rows == [
        ("changed", "", 1, 0),
        ("changed", "encoder", 1, 0),
        ("changed", "encoder.layers", 1, 0),
        ("changed", "encoder.layers.0–31", 32, 0),
        ("changed", "encoder.layers.0–31.part1", 32, 0),
    ]


def test_changes_that_differ_stay_apart() -> None:
    old = make.stack(4)
    new = wider(wider(old, "layers.2.part1"), "layers.3.part1")
    new = wider(new, "layers.3.part1")
    rows = [one.change.name for one in folded_modules(old.diff(new))]
    assert "encoder.layers.2.part1" in rows
    assert "encoder.layers.3.part1" in rows


def test_a_renamed_module_keeps_its_row_and_its_old_name() -> None:
    old = make.stack(2)
    modules = tuple(replace(m, name=m.name.replace("layers", "blocks")) for m in old.modules)
    (row,) = folded_modules(old.diff(replace(old, modules=modules)))
    assert (row.change.name, row.change.old_name) == ("encoder.blocks", "encoder.layers")


def test_what_is_gone_shows_what_it_cost() -> None:
    text = str(make.stack(2).diff(make.stack(1)))
    (line,) = [one for one in text.split("\n") if one.startswith("removed")]
    # removed, name, "with 3 modules inside", type, flops before and after, and the difference
    assert line.split()[6:10] == ["Block", "384", "–", "-384"]
    (line,) = [t for t in str(make.stack(1).diff(make.stack(2))).split("\n") if t[:5] == "added"]
    assert line.split()[6:10] == ["Block", "–", "384", "+384"]


def test_without_folding_every_change_has_a_row() -> None:
    diff = make.stack(2).diff(make.stack(34))
    assert "with 96 modules inside" not in str(diff.table(None, fold=False))
    assert str(diff.table(None, fold=False)).count("part0") == 32
    assert diff.to_markdown(None, fold=False).count("part0") == 32
    assert "`encoder.layers.2–33 ×32` with 96 modules inside" in diff.to_markdown()


def test_figures_are_in_their_units() -> None:
    # 2 and 34 blocks of 3 products that read 288 bytes each
    text = str(make.stack(2).diff(make.stack(34)))
    assert "1.73 kB  29.4 kB  +27.6 kB" in text
    assert 2 * 3 * 288 == 1728


@settings(max_examples=60, deadline=None)
@given(make.reports(), make.reports())
def test_no_change_is_lost(old: Report, new: Report) -> None:
    diff = old.diff(new)
    rows = folded_modules(diff)
    assert sum(one.times + one.inside for one in rows) == len(diff.modules)
    outer = [one for one in rows if one.change.change not in ("added", "removed")]
    plain = [row for row in diff.modules if row.change not in ("added", "removed")]
    for metric in COMPARED:
        there = sum(one.change.delta(metric.key) for one in outer)
        assert there == sum(row.delta(metric.key) for row in plain)
    str(diff.table(fold=True))
    diff.to_markdown(fold=True).encode()
