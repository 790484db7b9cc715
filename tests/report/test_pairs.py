"""Modules of two reports beside each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from dispatchcount.report.pairs import SAME, pairs
from dispatchcount.report_api import Report
from tests.report import make

pytestmark = pytest.mark.torch_alone


def named(old: Report, new: Report) -> dict[tuple[str | None, str | None], str]:
    return {
        (
            None if pair.old is None else old.modules[pair.old].name,
            None if pair.new is None else new.modules[pair.new].name,
        ): pair.change
        for pair in pairs(old.diff(new))
    }


def renamed(report: Report, names: dict[str, str]) -> Report:
    modules = []
    for module in report.modules:
        name = module.name
        for old, new in names.items():
            if name == old or name.startswith(f"{old}."):
                name = new + name[len(old) :]
        modules.append(replace(module, name=name))
    return replace(report, modules=tuple(modules))


@settings(max_examples=60, deadline=None)
@given(make.reports(), make.reports())
def test_every_module_of_both_is_in_one_pair(old: Report, new: Report) -> None:
    diff = old.diff(new)
    found = pairs(diff)
    for report, side in ((diff.old, "old"), (diff.new, "new")):
        places = [getattr(pair, side) for pair in found if getattr(pair, side) is not None]
        assert sorted(places) == [
            i for i, module in enumerate(report.modules) if module.name in report.by_module()
        ]
    assert all(pair.parent < place for place, pair in enumerate(found))
    assert all(pair.old is not None or pair.new is not None for pair in found)


@settings(max_examples=30, deadline=None)
@given(make.reports())
def test_a_report_beside_itself_is_the_same(report: Report) -> None:
    assert {pair.change for pair in pairs(report.diff(report))} <= {SAME}


def test_a_renamed_branch_stays_one() -> None:
    old = make.cnn()
    new = renamed(old, {"features": "backbone"})
    found = named(old, new)
    assert found[("features", "backbone")] == "renamed"
    assert found[("features.0", "backbone.0")] == "renamed"
    assert found[("head", "head")] == SAME
    assert len(found) == len(old.by_module())


def test_what_was_added_and_removed_stands_alone() -> None:
    few, many = make.stack(2), make.stack(3)
    found = named(few, many)
    assert found[(None, "encoder.layers.2")] == "added"
    assert found[("encoder.layers.0", "encoder.layers.0")] == SAME
    assert found[("encoder", "encoder")] == "changed"
    back = named(many, few)
    assert back[("encoder.layers.2.part0", None)] == "removed"
