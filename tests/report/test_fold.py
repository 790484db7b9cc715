"""Equal siblings are one row with their sum; those that differ in anything keep their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from dispatchcount.report.fold import Fold, folding
from dispatchcount.report.rows import (
    NO_MODULE,
    UNKNOWN,
    Memory,
    Module,
    ModuleCost,
    ModuleMemory,
    Path,
    Sample,
)
from dispatchcount.report_api import Report
from tests.report.make import META, cost, entry, reports, stack


def walk(report: Report, fold: bool = True) -> list[Fold]:
    """Every row, each above those below it."""
    rows = folding(report, fold)
    found: list[Fold] = []
    waiting = rows.below()[::-1]
    while waiting:
        row = waiting.pop()
        found.append(row)
        waiting += rows.below(row)[::-1]
    return found


def paths(report: Report) -> list[str]:
    return [f"{row.path} x{row.times}" for row in walk(report)]


def siblings(*names: str, macs: dict[str, int] | None = None, parts: bool = False) -> Report:
    """Modules below a root that do 5 MACs each, with a part of their own if asked for."""
    modules = [Module(NO_MODULE, ""), Module("", "Net")]
    calls = [Path(-1, 0), Path(0, 1, "", 1)]
    entries = []
    for name in names:
        modules.append(Module(name, "Block", 1))
        calls.append(Path(1, len(modules) - 1, "", 1))
        entries.append(entry(len(calls) - 1, "aten.mm", cost((macs or {}).get(name, 5))))
        if parts:
            modules.append(Module(f"{name}.part", "Linear", len(modules) - 1))
    return Report(META, "macs", tuple(modules), tuple(calls), tuple(entries))


def test_equal_blocks_are_one_row_and_their_parts_are_told_once() -> None:
    assert paths(stack(32, 2)) == [
        " x1",
        "encoder x1",
        "encoder.layers.0–31 x32",
        "encoder.layers.0–31.part0 x1",
        "encoder.layers.0–31.part1 x1",
    ]


def test_a_folded_row_has_the_sum_of_its_members() -> None:
    # A block does 64 · 1 + 64 · 2 + 64 · 3 = 384 MACs and holds 3 · 64 weights; there are 5.
    row = next(text for text in str(stack(5).table(exact=True)).split("\n") if "×5" in text)
    assert row.split() == ["layers.0–4", "×5", "Block", "5", "960", "1,920", "100.0", "%", "120"]
    assert "folded  5 equal modules as 1 row marked ×" in str(stack(5).table())


def test_without_folding_every_module_has_a_row() -> None:
    assert len(walk(stack(3), fold=False)) == len(stack(3).modules) - 1
    assert "×" not in str(stack(3).table(fold=False))
    assert "×3" not in stack(3).to_markdown(fold=False)


@pytest.mark.parametrize(
    ("names", "macs", "found"),
    [
        (("0", "1", "2"), {"1": 6}, ["0 x1", "1 x1", "2 x1"]),  # leaves fold side by side alone
        (("0", "1", "2"), {"2": 6}, ["0–1 x2", "2 x1"]),
        (("layer1", "layer2"), {}, ["layer1–2 x2"]),
        (("gate_proj", "up_proj"), {}, ["gate_proj x1", "up_proj x1"]),
        (("conv1", "norm1"), {}, ["conv1 x1", "norm1 x1"]),
    ],
)
def test_which_leaves_fold(names: tuple[str, ...], macs: dict[str, int], found: list[str]) -> None:
    assert paths(siblings(*names, macs=macs))[1:] == found


def test_equal_blocks_fold_wherever_they_stand() -> None:
    report = siblings(*map(str, range(8)), macs={"1": 6, "3": 6, "5": 6, "7": 6}, parts=True)
    assert [row for row in paths(report)[1:] if "part" not in row] == [
        "0, 2, … 6 x4",
        "1, 3, … 7 x4",
    ]


def test_whatever_differs_keeps_siblings_apart() -> None:
    report = siblings("0", "1")
    assert paths(report)[1:] == ["0–1 x2"]
    second = report.modules[3]
    apart = {
        "type": replace(report, modules=(*report.modules[:3], replace(second, type="Other"))),
        "names": replace(report, modules=(*report.modules[:3], replace(second, aliases=("a",)))),
        "fused": replace(report, modules=(*report.modules[:3], replace(second, fused=True))),
        "status": replace(
            report, entries=(report.entries[0], replace(report.entries[1], status=UNKNOWN))
        ),
        "memory": replace(report, memory=Memory((ModuleMemory(3, 8),), 8, "", "")),
        "samples": replace(
            report,
            samples=(Sample("a", 0), Sample("b", 1)),
            profiles=((ModuleCost(2, 1, cost(5)),), (ModuleCost(3, 1, cost(5)),)),
        ),
    }
    for what, other in apart.items():
        assert paths(other)[1:] == ["0 x1", "1 x1"], what


def test_time_does_not_keep_siblings_apart_and_is_added_up() -> None:
    report = siblings("0", "1")
    timed = replace(
        report, entries=tuple(replace(e, time_ns=100 + i) for i, e in enumerate(report.entries))
    )
    row = next(text for text in str(timed.table(exact=True)).split("\n") if "×2" in text)
    assert "201 ns" in row  # 100 + 101


@given(reports())
def test_every_module_is_a_member_of_one_row_or_a_container_within_it(report: Report) -> None:
    rows = walk(report)
    members = [index for row in rows for index in row.members]
    assert len(members) == len(set(members))
    shown = report.by_module()
    missing = {i for i, m in enumerate(report.modules) if m.name in shown} - set(members)
    assert all(report.modules[index].container for index in missing)
    unfolded = walk(report, fold=False)
    assert len(unfolded) == len(shown)
    assert not any(row.times > 1 for row in unfolded)
