"""Pieces of code with known costs, and the comparison of a law with direct runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.laws.figures import FIGURES
from dispatchcount.laws.row import columns_of


class Nothing(nn.Module):
    """A module without anything, for code that needs none."""


def meta(*sizes: int) -> Tensor:
    return torch.empty(*sizes, device="meta")


def product(rows: int, inner: int, columns: int) -> None:
    """Does ``rows · inner · columns`` MACs; nothing if one of them is 0."""
    if min(rows, inner, columns) > 0:
        meta(rows, inner) @ meta(inner, columns)


def tokens(b: int, s: int) -> Tensor:
    return torch.zeros(b, s, dtype=torch.long, device="meta")


def image(b: int, h: int, w: int) -> Tensor:
    return meta(b, 3, h, w)


def of(run: Callable[..., Any], **options: Any) -> dc.Law:
    """The law of code without a model."""
    return dc.law(Nothing(), run, **options)


def agree(law: dc.Law, model: nn.Module, run: Callable[..., Any], **sizes: int) -> None:
    """Every figure that the law has at these sizes, of every module, operator and phase, is that of a direct run."""
    with dc.profile(model, convention=law.convention) as prof:
        run(**sizes)
    report = prof.report
    same(law(**sizes), report.total)
    for pair in (
        (law.by_module(), report.by_module()),
        (law.by_operator(), report.by_operator()),
        (law.by_phase(), report.by_phase()),
    ):
        formulas, rows = pair
        for name, row in rows.items():
            if name in formulas:
                same(formulas[name](**sizes), row, name)
            else:
                absent_or_zero(law, row, sizes, name)


def absent_or_zero(law: dc.Law, row: dc.Stats, sizes: dict[str, int], name: str) -> None:
    """A row that the law does not know has only figures for which the law does not hold at these sizes."""
    for metric in FIGURES:
        if not law.reason(columns_of(metric, law.convention), sizes, of_operator=True):
            assert not getattr(row, metric), (name, metric)


def same(found: dc.Stats, row: dc.Stats, name: str = "") -> None:
    absent = getattr(found, "absent", {})
    for metric in FIGURES:
        if metric not in absent and (metric != "params" or not name):
            assert getattr(found, metric) == getattr(row, metric), (name, metric)
