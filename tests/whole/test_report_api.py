"""The public `Report` and `Diff`: data of one floor, presentation of another, one class to users."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.report.diff import DiffData
from dispatchcount.report.model import ReportData

pytestmark = pytest.mark.torch_alone


def profiled() -> dc.Report:
    model = nn.Linear(3, 5)
    with dc.profile(model) as prof:
        model(torch.ones(2, 3))
    return prof.report


class Mine(dc.Report):
    """A report with a figure of the user's own."""

    @property
    def per_parameter(self) -> float:
        return self.flops / self.params


def test_what_makes_a_report_makes_the_public_class() -> None:
    report = profiled()
    made = [
        report,
        report.with_convention("torch"),
        report.with_labels(run="1"),
        report + report,
        dc.Report.merge([report]),
        dc.Report.from_json(report.to_json()),
        pickle.loads(pickle.dumps(report)),
        copy.copy(report),
        copy.deepcopy(report),
    ]
    assert {type(one) for one in made} == {dc.Report}
    assert isinstance(report, ReportData)
    assert pickle.loads(pickle.dumps(report)) == report
    assert hash(copy.deepcopy(report)) == hash(report)


def test_a_subclass_stays_one() -> None:
    report = profiled()
    mine = Mine.from_json(report.to_json())
    assert isinstance(mine, Mine)
    assert mine.per_parameter == 2 * 3 * 5 / (3 * 5 + 5)
    assert isinstance(mine.with_convention("torch"), Mine)
    assert isinstance(Mine.merge([report, mine]), Mine)
    assert Mine.merge([report, mine]).flops == 2 * 2 * 3 * 5


def test_a_diff_is_of_the_public_class() -> None:
    report = profiled()
    diff = report.diff(report + report)
    assert type(diff) is dc.Diff
    assert isinstance(diff, DiffData)
    assert (diff.old, diff.new.flops) == (report, 2 * 2 * 3 * 5)
    assert type(pickle.loads(pickle.dumps(diff))) is dc.Diff


def test_what_is_not_a_report_is_not_added() -> None:
    assert profiled().__add__(1) is NotImplemented  # type: ignore[operator]


@pytest.mark.parametrize("other", [None, "run.json", dc.profile()])
def test_what_is_not_a_report_is_told_apart_from_one(other: object) -> None:
    report = profiled()
    hint = f"takes reports, got {type(other).__name__}; `prof.report` is the report of a block"
    with pytest.raises(TypeError, match=hint):
        report.diff(other)  # type: ignore[arg-type]
    for axis in ("run", "rank"):
        with pytest.raises(TypeError, match=hint):
            dc.Report.merge([report, other], axis=axis)  # type: ignore[call-overload]


def test_a_report_alone_is_not_merged() -> None:
    with pytest.raises(TypeError, match=r"in a list: Report\.merge\(\[first, second\]\)"):
        dc.Report.merge(profiled())  # type: ignore[call-overload]


def test_the_floor_of_data_loads_no_other() -> None:
    """Whatever of `report/` is imported, neither a renderer nor capture nor torch comes with it."""
    folder = Path(dc.__file__).parent / "report"
    files = [path.relative_to(folder).with_suffix("") for path in folder.rglob("[a-z]*.py")]
    names = [".".join(("dispatchcount.report", *path.parts)) for path in files]
    code = (
        f"import sys\nfor name in {names!r}:\n    __import__(name)\n"
        "print(*(name for name in sys.modules if name.startswith("
        "('dispatchcount.render', 'dispatchcount.capture', 'rich', 'torch'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
