"""What a package that uses dispatchcount writes; type checkers read this and nothing runs it.

CI checks it against the installed wheel under mypy and pyright, both strict, so that annotations
reach users as they are meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn
from typing_extensions import assert_type

import dispatchcount as dc
from dispatchcount.compat.fvcore import FlopCountAnalysis


def count(model: nn.Module, x: torch.Tensor) -> dc.Report:
    with dc.profile(model, convention="torch", memory=True) as prof, prof.sample("one"):
        model(x)
    assert_type(prof, dc.Profile)
    return prof.report


def read(report: dc.Report) -> None:
    assert_type(report.flops, int)
    rows: Mapping[str, dc.Stats] = report.by_module()
    assert_type(rows["layer1"].macs, int)
    assert_type(report.with_convention("macs"), dc.Report)
    assert_type(report.diff(report), dc.Diff)
    assert_type(dc.Report.from_json(Path("run.json")), dc.Report)
    assert_type(dc.Report.merge([report, report]), dc.Report)
    issue = next(iter(report.unknown_ops.values()))
    assert_type(issue.calls, int)


def formula(model: nn.Module) -> int:
    def run(b: int, s: int) -> torch.Tensor:
        result: torch.Tensor = model(torch.zeros(b, s, dtype=torch.long))
        return result

    law = dc.law(model, run, b=2, s=16)
    assert_type(law, dc.Law)
    figures: dc.Stats = law(b=8, s=4096)
    assert_type(figures.macs, int)
    return law(b=8, s=4096).macs


def hardware(report: dc.Report) -> float | None:
    device = dc.device("h100-sxm")
    assert_type(device, dc.Device)
    assert_type(report.roofline(device), dc.Roofline)
    return report.utilization(device, seconds=0.5).mfu


def training(model: nn.Module, batches: list[dict[str, torch.Tensor]]) -> float | None:
    meter = dc.Meter(model, device=dc.device("h100-sxm"))
    for batch in batches:
        with meter.step(batch):
            model(**batch)
    assert_type(meter.last, dc.Throughput)
    return meter.total.mfu


def ranks(reports: list[dc.Report]) -> int:
    merged = dc.Report.merge(reports, axis="rank")
    assert_type(merged, dc.Ranks)
    assert_type(merged.of(0), dc.Report)
    return merged.sum.flops


def planned(build: Callable[[], nn.Module], tokens: torch.Tensor) -> int:
    plan = dc.distributed.plan(build, None, lambda model: model(tokens), mesh={"dp": 8})
    assert_type(plan, dc.distributed.Plan)
    assert_type(plan.report, dc.Report)
    return plan.report.wire_bytes


@dc.register("aten::bincount")
def rule(x: dc.Shape, *, out: dc.Shape) -> dc.Cost:
    return dc.Cost(arithmetic=x.numel)


def drop_in(model: nn.Module, x: torch.Tensor) -> None:
    FlopCountAnalysis(model, x).total()
    try:
        count(model, x)
    except dc.UncountedError as error:
        assert_type(error, dc.UncountedError)
