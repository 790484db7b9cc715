"""The data of a diff's page is that of both reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn

import dispatchcount
from dispatchcount.render.html.diff_data import diff_data
from dispatchcount.report.rows import PHASES
from dispatchcount.report_api import Report
from tests.render.test_page_data import lines, names, totals
from tests.report import make

pytestmark = pytest.mark.torch_alone


def whole(data: dict[str, Any], run: dict[str, Any]) -> int:
    """The FLOPs of all rows of a run, as the script adds them up."""
    rows = totals(data, run, "flops")
    return sum(rows[row] for row, above in enumerate(data["rows"]["parent"]) if above < 0)


def by_operators(data: dict[str, Any], run: dict[str, Any]) -> int:
    """The FLOPs of all operators of a run."""
    found = [line for done in lines(data, run) for line in done["line"]]
    return sum(int(data["figures"]["flops"][line]) for line in found)


def flops(data: dict[str, Any]) -> list[list[int]]:
    """For each run the FLOPs of each row."""
    return [totals(data, run, "flops") for run in data["runs"]]


def step(width: int, *, backward: bool = True, frozen: bool = False) -> Report:
    """Two samples through two layers without biases, and back; to the second alone if `frozen`."""
    model = nn.Sequential(nn.Linear(8, width, bias=False), nn.Linear(width, 4, bias=False))
    model[0].requires_grad_(not frozen)
    with dispatchcount.profile(model, convention="macs") as prof:
        loss = model(torch.zeros(2, 8)).sum()
        if backward:
            loss.backward()
    return prof.report


@settings(max_examples=60, deadline=None)
@given(make.reports(), make.reports())
def test_each_run_has_the_figures_of_its_report(old: Report, new: Report) -> None:
    diff = old.diff(new)
    data = diff_data(diff, "x")
    for run, report in zip(data["runs"][:2], (diff.old, diff.new), strict=True):
        assert whole(data, run) == report.flops
        assert by_operators(data, run) == report.flops


@settings(max_examples=60, deadline=None)
@given(make.reports(), make.reports())
def test_the_phases_of_each_side_add_up_to_its_block(old: Report, new: Report) -> None:
    diff = old.diff(new)
    data = diff_data(diff, "x")
    ran = [*diff.old.by_phase(), *diff.new.by_phase()]
    wanted = [phase for phase in PHASES if phase in ran] if len(set(ran)) > 1 else []
    for side, report in enumerate((diff.old, diff.new)):
        _, *runs = data["runs"][side::2]
        assert [run["label"] for run in runs] == wanted
        # Figures that belong to modules are those of the report's own block.
        assert {run["base"] for run in runs} <= {side}
        phases = report.by_phase()
        for run in runs:
            spent = phases[run["label"]].flops if run["label"] in phases else 0
            assert whole(data, run) == spent
            assert by_operators(data, run) == spent
            assert bool(run["done"]["row"]) == (run["label"] in phases)
        if runs:
            assert sum(whole(data, run) for run in runs) == report.flops


def test_the_phases_of_a_step_of_training() -> None:
    data = diff_data(step(16).diff(step(32)), "x")
    assert [(run["label"], run["kind"], run["base"]) for run in data["runs"]] == [
        ("Whole block", "block", None),
        ("Whole block", "block", None),
        ("forward", "phase", 0),
        ("forward", "phase", 1),
        ("backward", "phase", 0),
        ("backward", "phase", 1),
    ]
    figures = dict(zip(names(data["rows"]), zip(*flops(data), strict=True), strict=True))
    # Two samples through 8 → 16 → 4, then through 8 → 32 → 4, a MAC a FLOP. Backward has the
    # gradient of each weight, and that of the second layer's input; the input needs none.
    first, second = (2 * 8 * 16, 2 * 8 * 32), (2 * 16 * 4, 2 * 32 * 4)
    assert (first, second) == ((256, 512), (128, 256))
    assert figures["0"] == (2 * 256, 2 * 512, 256, 512, 256, 512)
    assert figures["1"] == (3 * 128, 3 * 256, 128, 256, 2 * 128, 2 * 256)
    assert figures[""] == (896, 1792, 384, 768, 512, 1024)
    assert (384 + 512, 768 + 1024) == (896, 1792)


def test_a_phase_that_one_report_has_alone() -> None:
    for sides in ((step(16, backward=False), step(32)), (step(32), step(16, backward=False))):
        data = diff_data(sides[0].diff(sides[1]), "x")
        assert [run["label"] for run in data["runs"][4:]] == ["backward", "backward"]
        ran = [bool(run["done"]["row"]) for run in data["runs"][4:]]
        assert ran == ["backward" in report.by_phase() for report in sides]
        none = data["runs"][4 + ran.index(False)]
        assert none["done"] == {"row": [], "line": [], "operator": []}


def test_reports_of_one_phase_have_no_runs_but_the_block() -> None:
    old, new = step(16, backward=False), step(32, backward=False)
    assert len(diff_data(old.diff(new), "x")["runs"]) == 2


def test_phases_have_the_figures_of_the_older_reports_convention() -> None:
    data = diff_data(step(16).with_convention("torch").diff(step(32)), "x")
    top = names(data["rows"]).index("")
    assert tuple(rows[top] for rows in flops(data)) == (
        2 * 896,
        2 * 1792,
        2 * 384,
        2 * 768,
        2 * 512,
        2 * 1024,
    )


def test_layers_fold_that_are_alike_in_both() -> None:
    data = diff_data(make.stack(3).diff(make.stack(5)), "x")
    full = names(data["rows"])
    folds = [[full[row] for row in members] for members in data["rows"]["folds"]["members"]]
    assert folds == [
        [f"encoder.layers.{i}" for i in range(3)],  # of both
        [f"encoder.layers.{i}" for i in (3, 4)],  # added
    ]
    assert data["rows"]["folds"]["label"] == ["0–2", "3–4"]
    assert not data["rows"]["folds"]["merged"]
    same = diff_data(make.stack(3).diff(make.stack(3)), "x")
    assert [names(same["rows"])[row] for row in same["rows"]["folds"]["merged"]] == [
        "encoder.layers"
    ]


def test_layers_that_are_gone_fold() -> None:
    data = diff_data(make.stack(5).diff(make.stack(3)), "x")
    assert data["rows"]["folds"]["label"] == ["0–2", "3–4"]
    changes = [data["changes"][change] for change in data["change"]]
    assert changes.count("removed") == 2 * 4  # two layers of four modules each


def test_a_class_that_changed_is_named() -> None:
    old = make.cnn()
    modules = tuple(replace(m, type="Conv1d") if m.name == "features.0" else m for m in old.modules)
    data = diff_data(old.diff(replace(old, modules=modules)), "x")
    assert "Conv2d → Conv1d" in data["rows"]["types"]
    assert [names(data["rows"])[row] for row in data["retyped"]] == ["features.0"]


def test_a_module_that_one_report_has_alone_has_no_other_class() -> None:
    data = diff_data(make.stack(3).diff(make.stack(5)), "x")
    assert data["retyped"] == []


def test_figures_of_one_report_alone_are_no_part_of_the_page() -> None:
    timed = make.training()
    entries = tuple(replace(entry, time_ns=0) for entry in timed.entries)
    data = diff_data(timed.diff(replace(timed, entries=entries, memory=None)), "page")
    keys = {metric["key"] for metric in data["metrics"]}
    assert keys.isdisjoint({"time_ns", *(key for key in keys if key.startswith("memory_"))})
    assert data["uncompared"] == [
        "the old report alone has memory",
        "the old report alone has time",
    ]
    assert {"time_ns", "memory_saved"} <= {
        metric["key"] for metric in diff_data(timed.diff(timed), "page")["metrics"]
    }
