"""The data of a page of ranks: each rank's figures are those of its report and of `Ranks.heat`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.render.html import ranks_data as pages
from dispatchcount.render.html.groups import Groups, split
from dispatchcount.render.html.ranks_data import ranks_data
from dispatchcount.report.rows import Entry
from dispatchcount.report_api import Ranks, Report
from tests.render.test_collectives import spread
from tests.render.test_page_data import lines, names
from tests.report import make

pytestmark = pytest.mark.torch_alone


def totals(data: dict[str, Any], key: str) -> dict[str, tuple[int, ...]]:
    """What the script works out: for each module and rank its figure with what is below it."""
    ranks = data["ranks"]
    count = len(ranks["rank"])
    rows = [
        [int(one[rank] if isinstance(one, list) else one) for rank in range(count)]
        for one in ranks["own"][key]
    ]
    if key != "calls":
        for row in range(len(rows) - 1, -1, -1):
            above = data["rows"]["parent"][row]
            if above >= 0:
                rows[above] = [a + b for a, b in zip(rows[above], rows[row], strict=True)]
    return {name: tuple(row) for name, row in zip(names(data["rows"]), rows, strict=True)}


@settings(max_examples=40, deadline=None)
@given(make.reports(), st.lists(st.integers(0, 3), min_size=1, max_size=3))
def test_the_figures_are_those_of_the_heat_map(report: Report, times: list[int]) -> None:
    """Any report at all, on ranks that do it so many times; 0 times are modules that never ran."""
    reports = tuple(scaled(report, each) for each in times)
    ranks = Ranks(len(times), tuple(range(len(times))), reports)
    data = ranks_data(ranks, "x")
    for key in data["ranks"]["own"]:
        heat = ranks.heat(key)
        found = totals(data, key)
        assert {name: found[name] for name in heat.modules} == dict(
            zip(heat.modules, heat.values, strict=True)
        ), key


def scaled(report: Report, times: int) -> Report:
    """The same run with so many times the work."""
    return replace(
        report,
        entries=tuple(
            replace(e, calls=e.calls * times, cost=e.cost * times) for e in report.entries
        ),
    )


def test_a_module_that_a_rank_lacks_is_0_there() -> None:
    ranks = Ranks(2, (0, 1), (make.cnn(), make.routed()))
    data = ranks_data(ranks, "x")
    for key in ("flops", "macs", "bytes", "calls", "params"):
        heat = ranks.heat(key)
        assert totals(data, key) == dict(zip(heat.modules, heat.values, strict=True)), key


def test_a_figure_that_all_ranks_have_stands_once() -> None:
    """Two ranks do what `training` does, and one does three times as much."""
    ranks = Ranks(3, (0, 1, 2), (make.training(), make.training(), scaled(make.training(), 3)))
    data = ranks_data(ranks, "x")
    own = data["ranks"]["own"]
    place = names(data["rows"]).index("features.0")
    macs = 3 * 512 * 27  # forward, and twice as many backward
    assert own["macs"][place] == [macs, macs, 3 * macs]
    assert own["params"][place] == 224  # 8·27 weights and 8 biases on each rank
    assert own["memory_optimizer"][place] == 1792
    assert data["ranks"]["of"] == [1, 1, 0]  # the rank with the most flops comes first
    assert [peak["peak"] for peak in data["ranks"]["peak"]] == [9_876_543] * 3
    assert data["runs"][0]["label"] == "All ranks"
    own = [line for done in lines(data, data["runs"][0]) for line in done["line"]]
    assert (
        sum(data["figures"]["flops"][line] for line in own) == ranks.sum.flops == ranks.spread().sum
    )


def test_ranks_that_do_the_same_in_groups_of_their_own_share_a_list() -> None:
    first = spread()
    other = tuple(replace(group, ranks=tuple(r + 8 for r in group.ranks)) for group in first.groups)
    ranks = Ranks(16, (0, 8), (first, replace(first, groups=other)))
    found = ranks_data(ranks, "x")
    assert found["ranks"]["of"] == [0, 0]
    assert found["ranks"]["missing"] == [*range(1, 8), *range(9, 16)]
    numbers = found["ranks"]["groups"]
    shown = found["collectives"]["groups"]["ranks"]
    assert [[shown[number] for number in row] for row in numbers] == [
        ["0–7", "0, 9"],
        ["8–15", "8, 17"],
    ]
    assert "groups" not in found["ranks"]["collectives"][0]


def test_a_rank_that_stopped_says_where() -> None:
    meta = replace(make.META, stopped_in="head", error="ValueError: no such expert")
    ranks = Ranks(2, (0, 1), (make.cnn(), replace(make.cnn(), meta=meta)))
    stopped = ranks_data(ranks, "x")["ranks"]["stopped"]
    assert stopped == {"1": {"module": "head", "error": "ValueError: no such expert"}}


def test_siblings_stand_as_one_only_if_each_rank_has_them_alike() -> None:
    """Six equal layers in two stages: each rank runs three of them, and the sums are equal."""
    whole = make.stack(6, 1)
    stages = []
    for first in (0, 3):
        mine = {f"encoder.layers.{i}" for i in range(first, first + 3)}
        kept: list[Entry] = []
        for entry in whole.entries:
            name = whole.modules[whole.paths[entry.path].module].name
            if not name.startswith("encoder.layers.") or ".".join(name.split(".")[:3]) in mine:
                kept.append(entry)
        stages.append(replace(whole, entries=tuple(kept)))
    both = ranks_data(Ranks(2, (0, 1), (whole, whole)), "x")["rows"]["folds"]["label"]
    split_up = ranks_data(Ranks(2, (0, 1), tuple(stages)), "x")["rows"]["folds"]["label"]
    assert "0–5" in both
    assert "0–5" not in split_up
    assert {"0–2", "3–5"} <= set(split_up)


def test_a_fold_whose_members_hold_other_kinds_falls_apart() -> None:
    """root → a list → 0, 1, 2 with a child each; that of 2 is of another kind."""
    groups = Groups([[2, 4, 6]], ["0–2"], {1})
    parents = [-1, 0, 1, 2, 1, 4, 1, 6]
    tags = ["", "layers", "0", "mlp", "1", "mlp", "2", "mlp"]
    same = split(groups, parents, tags, [0, 0, 1, 2, 1, 2, 1, 2])
    assert (same.members, same.labels, same.merged) == ([[2, 4, 6]], ["0–2"], {1})
    apart = split(groups, parents, tags, [0, 0, 1, 2, 1, 2, 1, 3])
    assert (apart.members, apart.labels, apart.merged) == ([[2, 4]], ["0–1"], set())


def test_what_there_is_no_room_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 300 letters: calls and flops stay whatever they take, and small figures that fit."""
    ranks = Ranks(2, (0, 1), (make.training(), scaled(make.training(), 3)))
    monkeypatch.setattr(pages, "MOST_LETTERS", 300)
    found = ranks_data(ranks, "x")["ranks"]
    assert {"calls", "flops"} <= set(found["own"])
    assert "bytes" in found["left_out"]
    assert not set(found["own"]) & set(found["left_out"])


def test_lists_for_which_there_is_no_room_are_those_of_the_fastest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranks = Ranks(2, (0, 1), (make.training(), scaled(make.training(), 3)))
    monkeypatch.setattr(pages, "MOST_PAIRS", len(make.training().entries))
    found = ranks_data(ranks, "x")["ranks"]
    assert found["of"] == [-1, 0]
    assert len(found["operators"]) == 1


def test_reports_of_other_conventions_are_refused() -> None:
    ranks = Ranks(2, (0, 1), (make.cnn(), make.cnn().with_convention("torch")))
    with pytest.raises(ValueError, match=r"different conventions \(fvcore, torch\)"):
        ranks.to_html()
