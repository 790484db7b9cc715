"""Sorting, optimizers, quantised, vision and collective operators."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core import sizes
from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total


@given(st.integers(1, 3), st.integers(1, 70))
def test_sort_is_n_log_n_and_an_estimate(rows: int, row: int) -> None:
    found = total(lambda: torch.rand(rows, row).sort(1))
    assert found.arithmetic == rows * row * ceil(log2(row))
    assert found.estimate


@given(st.integers(1, 10**6))
def test_log2_rounds_up(n: int) -> None:
    assert 2 ** sizes.log2(n) >= n > 2 ** (sizes.log2(n) - 1) or n == 1


def test_search_is_a_binary_search_a_value() -> None:
    """Seven boundaries make eight places: three comparisons."""
    edges = torch.arange(7.0)
    assert total(lambda: torch.bucketize(torch.zeros(10), edges)).arithmetic == 30
    assert total(lambda: torch.searchsorted(edges, torch.zeros(10))).arithmetic == 30


def test_counting() -> None:
    assert total(lambda: torch.bincount(torch.randint(9, (20,)))).arithmetic == 20
    assert total(lambda: torch.histc(torch.rand(20), 4)).arithmetic == 140


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


def test_quantised_elementwise_counts_what_the_float_one_does() -> None:
    q = S(3, 4, dtype="quint8")
    assert ask("quantized::add", q, q, None, 0, out=q) == Cost(arithmetic=12)
    assert ask("quantized::add_relu", q, q, None, 0, out=q) == Cost(arithmetic=24)
    assert ask("quantized::sigmoid", q, None, 0, out=q) == ask("aten::sigmoid", q, out=q)
    assert ask("onednn::qmul", q, None, 0, q, None, 0, None, 0, None, out=q) == Cost(arithmetic=12)


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_quantise_and_back() -> None:
    """Divide, round, shift, two bounds; shift and scale back."""
    x = torch.rand(3, 4)
    assert total(lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)).arithmetic == 60
    q = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
    assert total(q.dequantize).arithmetic == 24
    assert total(lambda: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)).arithmetic == 84


def test_roi_align_samples_bilinearly() -> None:
    """4 regions, 3 channels, 2 x 2 bins of 2 x 2 samples: 9 for each and its sum, and a division."""
    args = (S(1, 3, 8, 8), S(4, 5), None, 2, 2)
    found = ask("torchvision::roi_align", *args, 2, False, out=S(4, 3, 2, 2))
    assert found == Cost(arithmetic=48 * (4 * 10 + 1))
    assert ask("torchvision::roi_align", *args, 0, False, out=S(4, 3, 2, 2)).estimate


def test_nms_compares_every_pair() -> None:
    found = ask("torchvision::nms", S(10, 4), S(10), None, out=S(3, dtype="int64"))
    assert found == Cost(arithmetic=13 * 45, estimate=True)


def test_collectives_count_bytes_and_reductions() -> None:
    x = S(8)
    assert ask("_c10d_functional::all_reduce", x, "sum", "0", out=x) == Cost(arithmetic=8)
    assert ask("_c10d_functional::all_gather_into_tensor", x, 2, "0", out=S(16)) == Cost()
    gather = ask("c10d::_allgather_base_", S(16), x, None, out=(S(16), None))
    assert (gather.bytes_read, gather.bytes_written, gather.arithmetic) == (32, 64, 0)
    scatter = ask("c10d::_reduce_scatter_base_", S(4), x, None, None, out=(S(4), None))
    assert (scatter.bytes_read, scatter.bytes_written, scatter.arithmetic) == (32, 16, 8)
    assert ask("c10d::barrier", S(1), None, ()) == Cost()


def test_random_numbers_are_free_but_written() -> None:
    x = torch.rand(6)
    found = total(lambda: torch.bernoulli(x))
    assert found == Cost()  # the probabilities read and the draws written, as the caller derives it
    assert total(lambda: torch.normal(x, x)).arithmetic == 12  # scaled and shifted
    assert only(lambda: x.bernoulli_(0.5), name="aten::bernoulli_").bytes_written == 24


def test_prims_are_their_twins() -> None:
    x = torch.rand(3, 4)
    for name in ("exp", "sqrt", "neg", "sin"):
        assert total(getattr(torch.ops.prims, name).default, x) == total(getattr(torch, name), x)
    assert total(lambda: torch.ops.prims.sum(x, [1])).arithmetic == 12
    assert total(lambda: torch.ops.prims.broadcast_in_dim(x, [2, 3, 4], [1, 2])) == Cost()
