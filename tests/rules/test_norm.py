"""Normalizations, against loops that count what they do."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from tests.rules.counted import Number, Tally, total
from tests.rules.util import S, ask, only
from tests.rules.util import total as cost_of


def _normalise(row: list[Number], weight: bool, bias: bool) -> None:
    mean = total(row) / len(row)
    var = total([(d := x - mean) * d for x in row]) / len(row)
    scale = (var + 1e-5).rsqrt()
    for x in row:
        y = (x - mean) * scale
        y = y * 2.0 if weight else y
        y = y + 1.0 if bias else y


def _loop(rows: int, size: int, weight: bool, bias: bool) -> Tally:
    tally = Tally()
    for _ in range(rows):
        _normalise(tally.numbers(size), weight, bias)
    return tally


def _same(cost: Cost, tally: Tally) -> bool:
    return (cost.arithmetic, cost.transcendentals) == (tally.arithmetic, tally.transcendentals)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_layer_norm_against_a_loop(batch: int, length: int, width: int, affine: bool) -> None:
    x = torch.rand(batch, length, width)
    norm = torch.nn.LayerNorm(width, elementwise_affine=affine)
    cost = cost_of(norm, x)
    assert _same(cost, _loop(batch * length, width, affine, affine))
    assert cost.fvcore == x.numel() * (5 if affine else 4)


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(2, 3), st.booleans())
def test_group_norm_against_a_loop(
    batch: int, groups: int, per_group: int, side: int, affine: bool
) -> None:
    channels = groups * per_group
    x = torch.rand(batch, channels, side, side)
    cost = cost_of(torch.nn.GroupNorm(groups, channels, affine=affine), x)
    assert _same(cost, _loop(batch * groups, x.numel() // (batch * groups), affine, affine))
    assert cost.fvcore == x.numel() * (5 if affine else 4)


@given(st.integers(2, 3), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_batch_norm_in_training_against_a_loop(
    batch: int, channels: int, side: int, affine: bool
) -> None:
    x = torch.rand(batch, channels, side, side)
    norm = torch.nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)
    cost = only(norm, x, name="aten::native_batch_norm")
    assert _same(cost, _loop(channels, batch * side * side, affine, affine))


@pytest.mark.parametrize(
    ("training", "affine", "fvcore", "arithmetic"),
    [
        (
            True,
            True,
            80,
            8 * 16 + 3 * 2,
        ),  # mean 1, variance 3, normalise 2, affine 2; per channel 2 divisions and eps
        (True, False, 64, 6 * 16 + 3 * 2),
        (False, True, 32, 4 * 16 + 2),
        (False, False, 16, 2 * 16 + 2),
    ],
)
def test_batch_norm_on_two_by_two_by_two_by_two(
    training: bool, affine: bool, fvcore: int, arithmetic: int
) -> None:
    """fvcore: 5 and 4 per element in training, 2 and 1 in evaluation."""
    cost = only(
        torch.nn.BatchNorm2d(2, affine=affine).train(training),
        torch.rand(2, 2, 2, 2),
        name="aten::native_batch_norm",
    )
    assert (cost.fvcore, cost.arithmetic, cost.transcendentals) == (fvcore, arithmetic, 2)


def test_every_batch_norm_kernel_agrees() -> None:
    """One layer has many names: on CPU, CUDA, ROCm, in export, and in torch's newer form."""
    x, c, out = S(2, 3, 4, 4), S(3), (S(2, 3, 4, 4), S(3), S(3))
    train = {
        ask("aten::native_batch_norm", x, c, c, c, c, True, None, None, out=out),
        ask("aten::cudnn_batch_norm", x, c, c, c, c, True, None, None, out=out),
        ask("aten::miopen_batch_norm", x, c, c, c, c, True, None, None, out=out),
        ask("aten::_native_batch_norm_legit", x, c, c, c, c, True, None, None, out=out),
        ask("aten::_native_batch_norm_legit.no_stats", x, c, c, True, None, None, out=out),
        ask("aten::_native_batch_norm_legit_functional", x, c, c, c, c, True, None, None, out=out),
        ask("aten::_batch_norm_with_update", x, c, c, c, c, None, None, out=out),
        ask("aten::_batch_norm_with_update_functional", x, c, c, c, c, None, None, out=out),
    }
    assert {t.fvcore for t in train} == {96 * 5}
    assert len(train) == 1
    evaluation = {
        ask("aten::native_batch_norm", x, c, c, c, c, False, None, None, out=out),
        ask("aten::cudnn_batch_norm", x, c, c, c, c, False, None, None, out=out),
        ask("aten::_native_batch_norm_legit_no_training", x, c, c, c, c, None, None, out=out),
        ask("aten::_batch_norm_no_update", x, c, c, c, c, None, None, out=out),
        ask("quantized::batch_norm2d", x, c, c, c, c, None, None, 0, out=S(2, 3, 4, 4)),
        ask(
            "onednn::qbatch_norm2d", x, None, 0, c, c, c, c, None, None, 0, None, out=S(2, 3, 4, 4)
        ),
    }
    assert len(evaluation) == 1
    assert evaluation.pop().fvcore == 96 * 2


def test_instance_norm_is_a_batch_norm_over_one_item() -> None:
    """fvcore: 5 per element with a weight."""
    cost = cost_of(torch.nn.InstanceNorm2d(3, affine=True), torch.rand(2, 3, 4, 4))
    assert cost.fvcore == 96 * 5
    assert (
        only(
            torch.nn.InstanceNorm2d(3), torch.rand(2, 3, 4, 4), name="aten::native_batch_norm"
        ).fvcore
        == 96 * 4
    )


@given(st.integers(1, 4), st.integers(1, 6), st.booleans())
def test_fused_rms_norm_is_its_parts(rows: int, width: int, affine: bool) -> None:
    """pow, mean, add, rsqrt, mul, mul: fvcore counts none of them."""
    x = torch.rand(rows, width)
    parts = cost_of(torch.nn.RMSNorm(width, elementwise_affine=affine), x)
    weight = S(width) if affine else None
    fused = ask(
        "aten::_fused_rms_norm",
        S(rows, width),
        (width,),
        weight,
        None,
        out=(S(rows, width), S(rows, 1)),
    )
    assert (parts.arithmetic, parts.transcendentals, parts.fvcore) == (
        fused.arithmetic,
        fused.transcendentals,
        0,
    )
    assert fused.fvcore == 0


def test_synchronised_batch_norm_is_the_parts_of_one() -> None:
    x, c = S(2, 3, 4, 4), S(3)
    apart = ask("aten::batch_norm_stats", x, None, out=(c, c)) + ask(
        "aten::batch_norm_elemt", x, c, c, c, c, None, out=x
    )
    whole = ask("aten::native_batch_norm", x, c, c, c, c, True, None, None, out=(x, c, c))
    assert (apart.arithmetic, apart.transcendentals, apart.fvcore) == (
        whole.arithmetic,
        whole.transcendentals,
        whole.fvcore,
    )


def test_weight_norm_is_a_norm_a_division_and_a_product() -> None:
    v, g = torch.rand(4, 5), torch.rand(4, 1)
    cost: Any = only(
        lambda: torch._weight_norm_interface(v, g, 0), name="aten::_weight_norm_interface"
    )
    assert (cost.arithmetic, cost.transcendentals) == (3 * prod(v.shape) + 4, 4)


def test_composite_norms_cost_what_their_kernels_do() -> None:
    """Torch runs these as other operators, but rules of users and quantized twins ask for them."""
    x, c = S(2, 6, 3), S(6)
    group = ask("aten::native_group_norm", x, c, c, 2, 6, 3, 3, 1e-5, out=(x, S(2, 3), S(2, 3)))
    assert ask("aten::group_norm", x, 3, c, c, 1e-5, True, out=x).arithmetic == group.arithmetic
    instance = ask("aten::native_group_norm", x, c, c, 2, 6, 3, 6, 1e-5, out=(x, S(2, 6), S(2, 6)))
    found = ask("quantized::instance_norm", x, c, c, 1e-5, 1.0, 0, out=x)
    assert found.arithmetic == instance.arithmetic


def test_quantized_batch_norm_with_a_relu_compares_each_element_too() -> None:
    x, c = S(2, 3, 4, 4), S(3)
    alone = ask("quantized::batch_norm2d", x, c, c, c, c, 1e-5, 1.0, 0, out=x)
    relu = ask("quantized::batch_norm2d_relu", x, c, c, c, c, 1e-5, 1.0, 0, out=x)
    assert relu == alone + Cost(arithmetic=96)


def test_renorm_takes_a_norm_for_each_slice() -> None:
    """5 rows of 4: square and add, a root; compare and divide for each row; a product each."""
    found = only(lambda: torch.renorm(torch.rand(5, 4), 2, 0, 1.0), name="aten::renorm")
    assert found == Cost(arithmetic=20 * 3 + 5 * 2, transcendentals=5)


def test_the_moments_of_all_ranks_are_merged() -> None:
    """2 ranks of 3 channels, of whose input nothing is read: 11 for each, and a root; 3 roots at the end."""
    found = ask(
        "aten::batch_norm_gather_stats_with_counts",
        S(4, 3, 8), S(2, 3), S(2, 3), None, None, 0.1, 1e-5, S(2), out=(S(3), S(3)),
    )  # fmt: skip
    assert found == Cost(arithmetic=6 * 11, transcendentals=6 + 3, bytes_read=(6 + 6) * 4)
