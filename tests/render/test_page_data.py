"""The data of a page is the report: every run's lines add up to what the report says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from dispatchcount.render.html import runs
from dispatchcount.render.html.data import page_data
from dispatchcount.report.fold import Fold, Folding, folding
from dispatchcount.report.metrics import CONDENSED
from dispatchcount.report.rows import ModuleCost, Sample
from dispatchcount.report.samples import profile_stats
from dispatchcount.report_api import Report
from tests.render.test_collectives import NAME, spread
from tests.report import make

pytestmark = pytest.mark.torch_alone


def lines(data: dict[str, Any], run: dict[str, Any]) -> list[dict[str, Any]]:
    """The lists of lines of a run: its own, or those of the runs that it is the sum of."""
    done = run["done"]
    return [data["runs"][place]["done"] for place in done["runs"]] if "runs" in done else [done]


def totals(data: dict[str, Any], run: dict[str, Any], key: str) -> list[int]:
    """What the script works out: each row with the rows below it."""
    rows = [0] * len(data["rows"]["name"])
    modules = run["modules"]
    if modules and (key == "calls" or key in modules["held"]):
        column = modules["calls"] if key == "calls" else modules["held"][key]
        for row, figure in zip(modules["row"], column, strict=True):
            rows[row] += int(figure)
    else:
        for done in lines(data, run):
            for row, line in zip(done["row"], done["line"], strict=True):
                rows[row] += int(data["figures"][key][line])
    if key != "calls":
        for row in range(len(rows) - 1, -1, -1):
            if data["rows"]["parent"][row] >= 0:
                rows[data["rows"]["parent"][row]] += rows[row]
    return rows


def names(rows: dict[str, Any]) -> list[str]:
    """Full names, put together as the script does."""
    found: list[str] = []
    for row, name in enumerate(rows["name"]):
        above = found[rows["parent"][row]] if rows["parent"][row] >= 0 else ""
        found.append(name if not above or row in rows["whole"] else f"{above}.{name}")
    return found


@settings(max_examples=60, deadline=None)
@given(make.reports())
def test_rows_and_runs_are_those_of_the_report(report: Report) -> None:
    data = page_data(report, "x")
    modules = report.by_module()
    assert names(data["rows"]) == list(modules)
    shown = {metric["key"] for metric in data["metrics"]}
    for metric in CONDENSED:
        if metric.key in shown or metric.key == "calls":
            wanted = [metric.value(row) for row in modules.values()]
            assert totals(data, data["runs"][0], metric.key) == wanted
        else:
            assert not metric.value(report.total)


@settings(max_examples=40, deadline=None)
@given(make.reports())
def test_phases_add_up_to_the_block(report: Report) -> None:
    data = page_data(report, "x")
    phases = {run["label"]: run for run in data["runs"] if run["kind"] == "phase"}
    for name, run in phases.items():
        tops = [row for row, above in enumerate(data["rows"]["parent"]) if above < 0]
        flops = totals(data, run, "flops")
        assert sum(flops[row] for row in tops) == report.by_phase()[name].flops
    assert len(phases) != 1


@settings(max_examples=40, deadline=None)
@given(make.reports())
def test_operators_of_each_run_are_those_of_the_report(report: Report) -> None:
    data = page_data(report, "x")
    found: dict[str, int] = {}
    for done in lines(data, data["runs"][0]):
        for operator, line in zip(done["operator"], done["line"], strict=True):
            name = data["operators"]["name"][operator]
            found[name] = found.get(name, 0) + int(data["figures"]["flops"][line])
    assert found == {name: row.flops for name, row in report.by_operator().items()}


def test_a_sample_has_the_run_of_its_profile() -> None:
    report = make.routed()
    data = page_data(report, "x")
    assert data["samples"]["run"] == [1, 1, 2, 1]  # after the block: image-2 took the other branch
    for place, profile in ((1, 0), (2, 1)):
        flops = totals(data, data["runs"][place], "flops")
        wanted = profile_stats(report, profile)
        assert flops == [wanted[name].flops for name in report.by_module()]


def walk(rows: Folding) -> list[Fold]:
    found: list[Fold] = []
    waiting = rows.below()
    while waiting:
        row = waiting.pop()
        found.append(row)
        waiting += rows.below(row)
    return found


def test_folds_are_those_of_every_other_renderer() -> None:
    report = make.stack(3)
    rows = page_data(report, "x")["rows"]
    full = names(rows)
    [members] = rows["folds"]["members"]
    assert [full[row] for row in members] == [f"encoder.layers.{i}" for i in range(3)]
    assert rows["folds"]["label"] == ["0–2"]
    assert [full[row] for row in rows["folds"]["merged"]] == ["encoder.layers"]
    titles = [row.title for row in walk(folding(report)) if row.times > 1]
    assert titles == ["layers.0–2 ×3"]


def test_equal_modules_share_their_figures() -> None:
    few, many = (page_data(make.stack(number), "x") for number in (10, 1000))
    # Linears of layers, their holders and the rest: as many lines as there are kinds of rows.
    kinds = [len(data["figures"]["flops"]) for data in (few, many)]
    assert kinds[0] == kinds[1] < 20


def test_memory_and_its_peak() -> None:
    report = make.training()
    data = page_data(report, "x")
    assert data["memory"] == {
        "peak": 9_876_543,
        "module": "features.0",
        "operator": "aten.convolution",
    }
    held = totals(data, data["runs"][0], "memory_saved")
    assert max(held) == 2048 + 32  # features.0 and head


def test_calls_have_their_shapes() -> None:
    signatures = page_data(make.cnn(), "x")["signatures"]
    assert [signatures["texts"][text] for text in signatures["text"]] == [
        *["(1, 3, 8, 8)"] * 3,
        *["(1, 8, 8, 8)"] * 2,
        "(1, 8)",
    ]
    assert signatures["calls"] == [1] * 6
    assert signatures["line"] == [-1] * 6  # each was always called alike


def test_what_was_sent_is_that_of_the_report() -> None:
    """Two all-reduces of 80 bytes in all, 140 on the wire, and a barrier without data."""
    report = spread()
    data = page_data(report, "x")
    kinds = data["collectives"]
    assert kinds["op"] == ["c10d.allreduce_", "c10d.barrier"]
    assert kinds["pattern"] == ["all-reduce", "barrier"]
    assert kinds["side"] == [row.payload_of for row in report.by_collective()]
    assert kinds["control"] == [False, True]
    assert kinds["groups"] == {
        "label": ["dp", "group 0"],
        "size": [8, 2],
        "ranks": ["0–7", "0, 9"],
    }
    place = names(data["rows"])
    for run, calls in zip(
        data["runs"], ([2, 1], [1], [2]), strict=True
    ):  # block, forward, backward
        sent = run["collectives"]
        assert [data["figures"]["calls"][line] for line in sent["line"]] == calls, run["label"]
    sent = data["runs"][0]["collectives"]
    assert [place[row] for row in sent["row"]] == [NAME, make.NO_MODULE]
    assert [place[row] for row in sent["issuer"]] == [make.NO_MODULE, make.NO_MODULE]
    assert [sent["groups"][group] for group in sent["group"]] == [0, 1]
    figures = {
        key: [data["figures"][key][line] for line in sent["line"]]
        for key in ("payload_bytes", "wire_bytes")
    }
    assert figures == {"payload_bytes": [80, 0], "wire_bytes": [140, 0]}


def test_a_report_without_collectives_says_so() -> None:
    data = page_data(make.training(), "x")
    assert data["collectives"] is None
    assert {run["collectives"] for run in data["runs"]} == {None}


def many_samples(flops: Sequence[int]) -> Report:
    """A report of samples that each have a profile of their own: two modules, of so many MACs."""
    report = make.stack(2)
    profiles = tuple(
        (ModuleCost(1, 1, make.cost(macs - 1)), ModuleCost(2, 1, make.cost(1))) for macs in flops
    )
    samples = tuple(Sample(f"image-{i}", i) for i in range(len(flops)))
    return replace(report, convention="macs", samples=samples, profiles=profiles)


def test_samples_beyond_the_room_have_their_flops_and_those_that_tell_most_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Five of these profiles of two rows fit into 10: the least, the median and the most flops, and
    # then the first two of the others.
    monkeypatch.setattr(runs, "MOST_SAMPLE_ROWS", 10)
    flops = [50, 60, 70, 80, 90, 10, 30, 20, 99]
    data = page_data(many_samples(flops), "many")
    places = data["samples"]["run"]
    assert data["samples"]["flops"] == flops
    assert [i for i, place in enumerate(places) if place is not None] == [0, 1, 2, 5, 8]
