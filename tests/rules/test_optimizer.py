"""Fused optimizer steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.rules.util import S, ask, only


@pytest.mark.parametrize(
    ("make", "each"),
    [
        (lambda p: torch.optim.Adam(p, fused=True), 14),
        (lambda p: torch.optim.AdamW(p, fused=True, amsgrad=True), 15),
        (lambda p: torch.optim.SGD(p, lr=0.1, fused=True), 4),
        (
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, fused=True),
            6,
        ),  # the first step copies
        (lambda p: torch.optim.Adagrad(p, fused=True), 8),
    ],
)
def test_fused_optimizers_per_parameter(make: Any, each: int) -> None:
    parameters = [torch.nn.Parameter(torch.rand(3, 4)), torch.nn.Parameter(torch.rand(5))]
    for p in parameters:
        p.grad = torch.rand_like(p)
    optimizer = make(parameters)
    name = "aten::_fused_" + type(optimizer).__name__.lower() + "_"
    assert only(optimizer.step, name=name).arithmetic == 17 * each


def test_momentum_after_the_first_step() -> None:
    xs = (S(4),)
    later = ask("aten::_fused_sgd_", xs, xs, xs, nesterov=True, maximize=False, is_first_step=False)
    assert later.arithmetic == 4 * (4 + 3 + 2)
