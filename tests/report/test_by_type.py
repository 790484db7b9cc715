"""Totals by class of module add up to the block, and nested modules of one class count once."""

from dataclasses import replace

from hypothesis import given

from dispatchcount.report.rows import NO_MODULE
from dispatchcount.report_api import Report
from tests.report.make import reports, stack, training


def test_figures_are_those_of_all_modules_of_a_class() -> None:
    rows = stack(3).by_type()
    assert list(rows) == ["Linear", "Block", "Encoder", "ModuleList", "Net"]
    # 3 blocks of 64 · 1 + 64 · 2 + 64 · 3 = 384 MACs; 9 weights of 8 · 8
    assert (rows["Linear"].flops, rows["Linear"].params, rows["Linear"].calls) == (1152, 576, 9)
    assert (rows["Block"].flops, rows["Block"].params, rows["Block"].calls) == (1152, 576, 3)
    assert rows["Block"].self_ is not None
    assert (rows["Block"].self_.flops, rows["Block"].self_.params) == (0, 0)


def test_a_class_within_itself_counts_once() -> None:
    report = stack(3)
    nested = replace(report, modules=tuple(replace(m, type="Same") for m in report.modules))
    assert (nested.by_type()["Same"].flops, nested.by_type()["Same"].params) == (1152, 576)


def test_work_outside_every_module_has_a_row() -> None:
    assert NO_MODULE in training().by_type()
    assert NO_MODULE not in stack(1).by_type()


@given(reports())
def test_own_work_of_all_classes_adds_up_to_the_block(report: Report) -> None:
    own = [row.self_ for row in report.by_type().values()]
    assert sum(row.macs for row in own if row is not None) == report.macs
