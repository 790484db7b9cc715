"""Many reports as one: what their rows have in common, and what they cannot share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatchcount.report.merge import MAX_OUTPUTS, OTHER
from dispatchcount.report_api import Report
from tests.report.make import cnn, routed

pytestmark = pytest.mark.torch_alone


def test_nothing_has_no_sum() -> None:
    with pytest.raises(ValueError, match="there is no report to merge"):
        Report.merge([])


def test_a_module_that_was_fused_in_one_run_was_in_all() -> None:
    plain = cnn()
    modules = tuple(replace(module, fused=module.name == "aux") for module in plain.modules)
    for reports in (
        [plain, replace(plain, modules=modules)],
        [replace(plain, modules=modules), plain],
    ):
        merged = Report.merge(reports)
        assert [module.name for module in merged.modules if module.fused] == ["aux"]
        assert "aux" not in merged.uncalled_modules


def test_results_of_many_shapes_are_cut() -> None:
    """Each run's root returns one more shape; beyond the limit they are not listed."""

    def returning(number: int) -> Report:
        report = cnn()
        root = replace(report.paths[1], outputs=(f"({number}, 10)",))
        return replace(report, paths=(report.paths[0], root, *report.paths[2:]))

    shapes = [f"({number}, 10)" for number in range(MAX_OUTPUTS + 1)]
    merged = Report.merge([returning(number) for number in range(MAX_OUTPUTS + 1)])
    assert merged.paths[1].outputs == tuple(shapes)
    merged = Report.merge([returning(number) for number in range(MAX_OUTPUTS + 5)])
    assert merged.paths[1].outputs == (*shapes[:MAX_OUTPUTS], OTHER)
    assert merged.paths[1].calls == MAX_OUTPUTS + 5


def test_other_modules_go_below_their_own_parents() -> None:
    merged = Report.merge([cnn(), routed()])
    parents = {module.name: merged.modules[module.parent].name for module in merged.modules[2:]}
    assert parents["features.0"] == "features"
    assert parents["right"] == ""
    assert merged.macs == cnn().macs + routed().macs
