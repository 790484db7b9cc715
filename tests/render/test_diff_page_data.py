"""The data of a diff's page is that of both reports."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from dispatchcount.render.html.diff_data import diff_data
from dispatchcount.report_api import Report
from tests.render.test_page_data import names, totals
from tests.report import make

pytestmark = pytest.mark.torch_alone


@settings(max_examples=60, deadline=None)
@given(make.reports(), make.reports())
def test_each_run_has_the_figures_of_its_report(old: Report, new: Report) -> None:
    diff = old.diff(new)
    data = diff_data(diff, "x")
    for run, report in zip(data["runs"], (diff.old, diff.new), strict=True):
        flops = totals(data, run, "flops")
        tops = [row for row, above in enumerate(data["rows"]["parent"]) if above < 0]
        assert sum(flops[row] for row in tops) == report.flops
        assert sum(int(data["figures"]["flops"][line]) for line in run["operators"]["line"]) == (
            report.flops
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
    import dataclasses

    old = make.cnn()
    modules = tuple(
        dataclasses.replace(m, type="Conv1d") if m.name == "features.0" else m for m in old.modules
    )
    data = diff_data(old.diff(dataclasses.replace(old, modules=modules)), "x")
    assert "Conv2d → Conv1d" in data["rows"]["types"]
