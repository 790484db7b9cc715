from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.pointwise import GELU, GELU_BACKWARD, POINTWISE
from tests.rules.util import S, ask, only, total

SIZES = st.lists(st.integers(1, 5), min_size=0, max_size=3)


@pytest.mark.parametrize(
    ("run", "arithmetic", "transcendentals"),
    [
        (lambda x: x + x, 12, 0),
        (lambda x: torch.add(x, x, alpha=2), 24, 0),  # a product and a sum each
        (lambda x: torch.sub(x, 1, alpha=2), 24, 0),
        (lambda x: x.mul_(2), 12, 0),
        (lambda x: x / x, 12, 0),
        (lambda x: torch.div(x, x, rounding_mode="floor"), 24, 0),
        (lambda x: x < 0, 12, 0),
        (lambda x: x.clamp(0, 6), 24, 0),
        (lambda x: x.clamp(min=0), 12, 0),
        (lambda x: x.clamp_min(0), 12, 0),
        (lambda x: torch.where(x > 0, x, x), 24, 0),  # the comparison and the select
        (lambda x: x.exp(), 0, 12),
        (lambda x: x.abs().rsqrt(), 12, 12),
        (lambda x: x**2, 12, 0),
        (lambda x: x**3, 24, 0),
        (lambda x: x**0.5, 0, 12),
        (lambda x: 2.0**x, 0, 12),
        (lambda x: x**-1, 12, 0),
        (lambda x: torch.addcmul(x, x, x), 24, 0),
        (lambda x: torch.addcmul(x, x, x, value=2), 36, 0),
        (lambda x: torch.lerp(x, x, 0.5), 36, 0),
        (lambda x: torch.round(x, decimals=2), 36, 0),
        (lambda x: torch.logit(x), 24, 12),
        (lambda x: torch.logit(x, eps=1e-6), 48, 12),
        (lambda x: torch.nn.functional.gelu(x), 48, 12),
        (lambda x: torch.nn.functional.gelu(x, approximate="tanh"), 96, 12),
        (lambda x: torch.nn.functional.relu_(x), 12, 0),
        (lambda x: torch.mvlgamma(x + 3, 2), 12 + 48, 24),
    ],
)  # fmt: skip
def test_per_element(run: Any, arithmetic: int, transcendentals: int) -> None:
    """On 3 x 4 = 12 elements."""
    found = total(run, torch.rand(3, 4))
    assert (found.arithmetic, found.transcendentals) == (arithmetic, transcendentals)
    assert (found.macs, found.activations, found.fvcore) == (0, 0, 0)


def test_silu_is_sigmoid_and_a_product() -> None:
    x = torch.rand(2, 5)
    assert (
        total(torch.nn.functional.silu, x)
        == total(lambda t: t * torch.sigmoid(t), x)
        == Cost(arithmetic=30, transcendentals=10)
    )


def test_glu_counts_the_half_that_comes_out() -> None:
    x = torch.rand(2, 6)
    assert total(torch.nn.functional.glu, x) == total(
        lambda t: t[:, :3] * torch.sigmoid(t[:, 3:]), x
    )


def test_fused_dropout_is_its_parts() -> None:
    x = torch.rand(4, 5)
    parts = total(lambda t: torch.nn.functional.dropout(t, 0.5, True), x)
    fused = total(lambda t: torch.native_dropout(t, 0.5, True), x)
    assert parts.arithmetic == fused.arithmetic == 40  # the mask scaled, and its product
    assert ask("aten::native_dropout", S(4, 5), None, False, out=(S(4, 5), S(4, 5))) == Cost()


def test_backward_of_elu_needs_the_exponential_only_without_the_result() -> None:
    assert (
        ask("aten::elu_backward", S(8), None, None, None, False, S(8), out=S(8)).transcendentals
        == 8
    )
    assert (
        ask("aten::elu_backward", S(8), None, None, None, True, S(8), out=S(8)).transcendentals == 0
    )


def test_scalars_that_were_not_kept() -> None:
    """A given alpha or value counts even if its number was not kept.

    An exponent that was not kept is a transcendental.
    """
    assert ask("aten::add.Tensor", S(4), S(4), alpha=None, out=S(4)).arithmetic == 8
    assert ask("aten::pow.Tensor_Scalar", S(4), None, out=S(4)).transcendentals == 4
    assert ask("aten::clamp", S(4), None, None, out=S(4)).arithmetic == 8


def test_sparse_counts_stored_elements() -> None:
    assert (
        ask(
            "aten::mul.Tensor",
            S(10, 10, nnz=7, layout="sparse_coo"),
            None,
            out=S(10, 10, nnz=7, layout="sparse_coo"),
        ).arithmetic
        == 7
    )


@given(SIZES, SIZES)
def test_broadcast_counts_the_result(a: list[int], b: list[int]) -> None:
    """Operands stretched to (…, *a, *b) cost what the result has."""
    x, y = torch.ones([*a, *[1] * len(b)]), torch.ones(b)
    assert total(torch.mul, x, y).arithmetic == (x * y).numel()


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=4),
    st.sampled_from(["add", "exp", "sqrt", "tanh", "lerp", "addcmul"]),
)
def test_list_operators_are_the_sum_over_the_list(sizes: list[list[int]], name: str) -> None:
    tensors = [torch.ones(s) for s in sizes]
    operands = {"add": 2, "lerp": 3, "addcmul": 3}.get(name, 1)
    together = only(
        getattr(torch, f"_foreach_{name}"), *[tensors] * operands, name=f"aten::_foreach_{name}"
    )
    apart = sum((total(getattr(torch, name), *[t] * operands) for t in tensors), Cost())
    assert together == apart


def test_list_operators_in_place_and_scaled() -> None:
    xs = [torch.ones(2, 3), torch.ones(4)]
    assert total(lambda: torch._foreach_add_(xs, xs)).arithmetic == 10
    assert total(lambda: torch._foreach_add_(xs, xs, alpha=2)).arithmetic == 20
    assert total(lambda: torch._foreach_addcdiv_(xs, xs, xs, value=2)).arithmetic == 30
    assert total(lambda: torch._foreach_pow(xs, 2)).arithmetic == 10
    norms = total(lambda: torch._foreach_norm(xs))
    assert (norms.arithmetic, norms.transcendentals) == (20, 2)


def test_table_is_all_registered_and_positive() -> None:
    for name, costs in POINTWISE.items():
        entry = RULES.get(f"aten::{name}")
        assert entry is not None
        assert min(costs) >= 0
        assert max(costs) > 0
    assert set(GELU) == {"none", "tanh"}


def test_gradients_with_a_rule_of_their_own() -> None:
    x = torch.rand(3, 4, requires_grad=True)
    gelu = torch.nn.functional.gelu(x, approximate="tanh").sum()
    found = only(gelu.backward, name="aten::gelu_backward")
    assert (found.arithmetic, found.transcendentals) == (12 * GELU_BACKWARD["tanh"][0], 12)
    glu = torch.nn.functional.glu(x).sum()
    # 6 results: a sigmoid s, then g * s (1 + 1 - s, …) and g * s * (1 - s) * a.
    assert only(glu.backward, name="aten::glu_backward") == Cost(arithmetic=36, transcendentals=6)
    half, whole = S(3, 2), S(3, 4)
    args = (whole, half, whole, half, whole, 1)
    tangents = ask("aten::glu_backward_jvp", *args, out=whole)
    assert tangents == Cost(arithmetic=6 * 14, transcendentals=6)


def test_a_division_that_is_not_rounded_says_so_or_nothing() -> None:
    x = S(3, 4)
    alone = ask("aten::div.Tensor_mode", x, x, rounding_mode=None, out=x)
    assert alone == ask("aten::div", x, x, out=x) == Cost(arithmetic=12)
    assert ask("aten::div.Tensor_mode", x, x, rounding_mode="floor", out=x) == Cost(arithmetic=24)


def test_query_key_and_value_get_their_biases_and_the_query_a_scale() -> None:
    """2 tokens of width 8: 3 x 16 sums and 16 products."""
    out = (S(1, 2, 2, 4),) * 3
    found = ask("aten::_transform_bias_rescale_qkv", S(1, 2, 24), S(24), 2, out=out)
    assert found == Cost(arithmetic=3 * 16 + 16)
