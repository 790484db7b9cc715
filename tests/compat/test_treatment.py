"""Each kind of operator is counted in one way, and what is counted is not listed as unsupported."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from dispatchcount.capture import record
from dispatchcount.compat._jit.handles import matmul_flop_jit
from dispatchcount.compat._jit.treatment import Reading, Settings, Treatment
from dispatchcount.compat.fvcore import ActivationCountAnalysis, FlopCountAnalysis

READING = Reading(unhandled=lambda tally: tally.macs, measured=lambda tally: tally.macs)


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ({}, Treatment.UNSUPPORTED),
        ({"free"}, Treatment.DROPPED),
        ({"found"}, Treatment.SPARE),
        ({"found", "free"}, Treatment.SPARE),
        ({"handles"}, Treatment.HANDLE),
        ({"handles", "free", "found"}, Treatment.HANDLE),
        ({"handles", "own"}, Treatment.MEASURED),
        ({"dropped"}, Treatment.DROPPED),
        ({"dropped", "found", "free"}, Treatment.DROPPED),
    ],
)
def test_one_decision_a_kind(sets: set[str], expected: Treatment) -> None:
    kind = "aten::mm"
    settings = Settings(
        handles={kind: matmul_flop_jit} if "handles" in sets else {},
        own={kind} if "own" in sets else (),
        dropped={kind} if "dropped" in sets else (),
        free={kind} if "free" in sets else (),
        reading=READING,
        owner=True,
    )
    assert settings.treatment(kind, {kind} if "found" in sets else ()) is expected


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.mm(x, x) + 1

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class Apply(nn.Module):
    def __init__(self, *functions: type[torch.autograd.Function]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for function in self.functions:
            x = function.apply(x)
        return x


def test_a_custom_function_counts_by_its_parts_or_as_a_whole_never_both() -> None:
    inputs = torch.ones(3, 3)
    # The product has 3*3 elements. The function hands them on, which does not count again.
    assert ActivationCountAnalysis(Apply(Product), inputs).by_operator() == Counter(mm=9)
    flops = FlopCountAnalysis(Apply(Product), inputs)
    assert flops.by_operator() == Counter(mm=27)
    assert flops.unsupported_ops() == Counter()
    flops.set_op_handle("prim::PythonOp.Product", lambda inputs, outputs: 5)
    assert flops.by_operator() == Counter({"PythonOp.Product": 5})


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(x)


class Scripted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scripted(x)


def test_an_operator_with_a_handle_is_not_listed_as_unsupported() -> None:
    flops = FlopCountAnalysis(Scripted(), torch.ones(3, 3))
    assert flops.total() == 0
    assert flops.unsupported_ops() == Counter({"aten::sigmoid": 1, "prim::CallFunction": 1})
    flops.set_op_handle("aten::sigmoid", lambda inputs, outputs: 7)
    assert flops.by_operator() == Counter(sigmoid=7)
    assert flops.unsupported_ops() == Counter({"prim::CallFunction": 1})


def made(name: str) -> type[torch.autograd.Function]:
    """Functions whose `forward` share a code object: only their contexts tell them apart."""

    class Made(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.cos()

    Made.__name__ = name
    return Made


class Replaces(nn.Module):
    """Its first result goes as soon as the name stands for the second one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.cos()
        first = weakref.ref(y)
        y = y.sin()
        assert first() is None
        return y.tan()


def test_no_result_is_kept_alive() -> None:
    FlopCountAnalysis(Replaces(), torch.ones(3)).total()


def test_classes_of_models_are_not_kept() -> None:
    class Short(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return made("Once").apply(x)

    FlopCountAnalysis(Short(), torch.ones(3)).total()
    gone = weakref.ref(Short)
    del Short
    gc.collect()
    assert gone() is None


def test_functions_that_share_their_code_are_told_apart() -> None:
    model = Apply(made("One"), made("Two"), made("Two"))
    flops = FlopCountAnalysis(model, torch.ones(3))
    flops.total()
    assert flops.unsupported_ops() == Counter({"prim::PythonOp.One": 1, "prim::PythonOp.Two": 2})


@torch.jit.script
def scripted_product(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x @ x)


class Mixed(nn.Module):
    """Layers of many sizes, a custom function and scripted code."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n, n + 1) for n in range(1, 9))
        self.norm = nn.LayerNorm(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        x = self.norm(x)
        return scripted_product(Product.apply(x[:9]))


def counted(handle: str | None) -> tuple[Any, ...]:
    flops = FlopCountAnalysis(Mixed(), torch.ones(9, 1)).unsupported_ops_warnings(False)
    if handle is not None:
        flops.set_op_handle(handle, lambda inputs, outputs: 3)
    return flops.by_module_and_operator(), flops.unsupported_ops(), flops.uncalled_modules()


@pytest.mark.parametrize("handle", [None, "aten::relu", "prim::PythonOp.Product"])
@pytest.mark.parametrize("limit", ["MAX_RECORDS", "MAX_DISTINCT"])
def test_nothing_is_lost_where_records_are_folded(
    handle: str | None, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = counted(handle)
    # 9 rows, through n by n+1 for n of 1 to 8; twice a product of 9 by 9 by 9, unless a handle stands for one.
    products = 9 * sum(n * (n + 1) for n in range(1, 9))
    assert whole[0][""]["linear"] == products
    for most in (1, 3, 10):
        monkeypatch.setattr(record, limit, most)
        assert counted(handle) == whole
