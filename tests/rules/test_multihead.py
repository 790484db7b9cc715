"""Whole attention layers in one kernel cost what their parts do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.rules.util import S, ask, only, total, watch

R = torch.randn


def layer(**kwargs: Any) -> torch.nn.Module:
    return torch.nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, **kwargs).eval()


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_fast_path_costs_what_the_slow_one_does(activation: str, norm_first: bool) -> None:
    model, x = layer(activation=activation, norm_first=norm_first), R(2, 5, 16)
    with torch.no_grad():
        fast = watch(model, x)
        cost = total(model, x)
    assert {c.packet for c in fast} == {"aten::_transformer_encoder_layer_fwd"}
    slow = total(model, x)  # parameters that want a gradient
    assert cost.macs == slow.macs == 10 * 16 * (3 * 16 + 16 + 2 * 24) + 2 * 5 * 5 * 16 * 2
    assert (cost.arithmetic, cost.transcendentals, cost.fvcore) == (
        slow.arithmetic,
        slow.transcendentals,
        slow.fvcore,
    )
    assert cost.activations == x.numel()


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_fast_path(need_weights: bool) -> None:
    model, x = torch.nn.MultiheadAttention(16, 4, batch_first=True).eval(), R(2, 5, 16)
    run = lambda: model(x, x, x, need_weights=need_weights)  # noqa: E731
    with torch.no_grad():
        fast = only(run, name="aten::_native_multi_head_attention")
    slow = total(run)
    assert fast.macs == slow.macs == 10 * 16 * 64 + 2 * 25 * 16 * 2
    assert (fast.arithmetic, fast.transcendentals) == (slow.arithmetic, slow.transcendentals)


def test_cross_attention_and_nested_multihead() -> None:
    q, k = S(2, 3, 16), S(2, 7, 16)
    tail = (16, 4, S(48, 16), S(48), S(16, 16), S(16))
    cost = ask("aten::_native_multi_head_attention", q, k, k, *tail, None, False, out=(q, None))
    assert cost.macs == (6 + 14 + 14 + 6) * 256 + 2 * 3 * 7 * 16 * 2
    assert ask("aten::_triton_multi_head_attention", q, k, k, *tail, out=q) == cost
    x = torch.nested.nested_tensor([R(3, 16), R(5, 16)])
    with torch.no_grad():
        nested = only(layer(), x, name="aten::_transformer_encoder_layer_fwd")
    assert nested.macs == 8 * 16 * (64 + 48) + (9 + 25) * 16 * 2
