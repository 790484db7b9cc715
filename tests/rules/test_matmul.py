"""Matrix products against counting loops, in every form."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.group import Group
from tests.rules.util import S, ask, loops, only, total, watch, whole

R = torch.randn


SIZE = st.integers(0, 4)


@given(SIZE, SIZE, SIZE)
def test_mm(m: int, k: int, n: int) -> None:
    expected = Cost(macs=loops(m, n, k), activations=m * n)
    assert total(torch.mm, torch.ones(m, k), torch.ones(k, n)) == expected
    assert (
        total(torch.mm, torch.ones(m, k, device="meta"), torch.ones(k, n, device="meta"))
        == expected
    )


@given(SIZE, SIZE, SIZE, SIZE)
def test_batched(b: int, m: int, k: int, n: int) -> None:
    x, y = torch.ones(b, m, k), torch.ones(b, k, n)
    assert total(torch.bmm, x, y) == Cost(macs=loops(b, m, n, k), activations=b * m * n)
    z = torch.ones(b, m, n)
    plus = Cost(macs=loops(b, m, n, k), arithmetic=b * m * n, activations=b * m * n)
    assert total(torch.baddbmm, z, x, y) == total(z.baddbmm_, x, y) == plus
    summed = Cost(macs=loops(b, m, n, k), arithmetic=m * n, activations=m * n)
    assert total(torch.addbmm, torch.ones(m, n), x, y) == summed


@given(SIZE, SIZE, SIZE)
def test_addmm_adds_its_input_once(m: int, k: int, n: int) -> None:
    x, y, z = torch.ones(m, k), torch.ones(k, n), torch.ones(m, n)
    expected = Cost(macs=loops(m, n, k), arithmetic=m * n, activations=m * n)
    assert total(torch.addmm, z, x, y) == total(z.addmm_, x, y) == expected
    assert total(lambda: torch.addmm(torch.ones(n), x, y, beta=0.5, alpha=2)).macs == expected.macs
    assert total(lambda: torch.mm(x, y, out=z)).macs == expected.macs


@given(SIZE, SIZE)
def test_vectors(m: int, k: int) -> None:
    a, v, u = torch.ones(m, k), torch.ones(k), torch.ones(m)
    assert total(torch.mv, a, v) == Cost(macs=loops(m, k), activations=m)
    assert total(torch.addmv, u, a, v) == Cost(macs=loops(m, k), arithmetic=m, activations=m)
    assert total(torch.dot, v, v) == total(torch.vdot, v, v) == Cost(macs=k, activations=1)
    assert total(torch.addr, a, u, v) == Cost(macs=loops(m, k), arithmetic=m * k, activations=m * k)


BATCH = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), max_size=2)


@given(BATCH, st.integers(0, 2), st.integers(0, 2), SIZE, SIZE, SIZE)
@settings(max_examples=60)
def test_matmul_broadcasts(batch: Any, drop_a: int, drop_b: int, m: int, k: int, n: int) -> None:
    left = [1 if one else size for size, one, _ in batch][drop_a:]
    right = [1 if one else size for size, _, one in batch][drop_b:]
    a, b = torch.ones(*left, m, k), torch.ones(*right, k, n)
    rows = torch.broadcast_shapes(tuple(left), tuple(right))
    expected = loops(*rows, m, n, k)
    assert whole(torch.matmul, a, b).macs == total(torch.matmul, a, b).macs == expected
    assert (
        whole(torch.matmul, torch.ones(k), b).macs
        == total(torch.matmul, torch.ones(k), b).macs
        == loops(*right, n, k)
    )
    assert (
        whole(torch.matmul, a, torch.ones(k)).macs
        == total(torch.matmul, a, torch.ones(k)).macs
        == loops(*left, m, k)
    )


def test_matmul_of_one_matrix_with_a_batch() -> None:
    assert whole(torch.matmul, R(3, 4), R(7, 4, 5)).macs == 7 * 3 * 4 * 5
    assert whole(torch.matmul, R(2, 1, 4, 8), R(3, 8, 5)).macs == 2 * 3 * 4 * 8 * 5


@pytest.mark.parametrize("run", [torch.outer, torch.ger])
def test_outer_sums_nothing(run: Any) -> None:
    assert total(run, R(3), R(4)) == whole(run, R(3), R(4)) == Cost(arithmetic=12)


def test_inner() -> None:
    assert whole(torch.inner, R(2, 3, 5), R(4, 5)) == Cost(macs=2 * 3 * 4 * 5, activations=24)
    assert total(torch.inner, R(2, 3, 5), R(4, 5)).macs == 120
    assert whole(torch.inner, R(2, 3), torch.tensor(2.0)) == Cost(arithmetic=6)


def test_complex_products_are_four_real_ones() -> None:
    x, y = R(2, 3, dtype=torch.complex64), R(3, 4, dtype=torch.complex64)
    assert total(torch.mm, x, y) == Cost(macs=4 * 24, activations=8)
    assert total(torch.vdot, y[0], y[1]).macs == 4 * 4


def test_integer_and_low_precision_kernels() -> None:
    ones = torch.ones(32, 16, dtype=torch.int8)
    assert total(torch._int_mm, ones, ones.t().contiguous()).macs == 32 * 16 * 32
    expected = Cost(macs=4 * 64 * 32, activations=4 * 32)
    x, w, scale = S(4, 64, dtype="bfloat16"), S(32, 64, dtype="int8"), S(32)
    out = S(4, 32, dtype="bfloat16")
    assert ask("aten::_weight_int8pack_mm", x, w, scale, out=out) == expected
    assert (
        ask("aten::_weight_int4pack_mm", x, S(4, 2, 32, 4, dtype="int32"), 32, S(2, 32, 2), out=out)
        == expected
    )
    assert (
        ask(
            "aten::_weight_int4pack_mm_for_cpu",
            x,
            S(32, 32, dtype="uint8"),
            32,
            S(2, 32, 2),
            out=out,
        )
        == expected
    )
    assert (
        ask("aten::_dyn_quant_matmul_4bit", x, S(2048, dtype="uint8"), 32, 64, 32, out=out)
        == expected
    )
    with_bias = Cost(macs=expected.macs, arithmetic=128, activations=128)
    assert (
        ask("aten::_mixed_dtypes_linear", x, S(32, 64, dtype="uint8"), scale, bias=scale, out=out)
        == with_bias
    )
    fp8 = S(4, 64, dtype="float8_e4m3fn"), S(64, 32, dtype="float8_e4m3fn")
    assert ask("aten::_scaled_mm", *fp8, S(), S(), scale, out=out) == with_bias
    assert (
        ask(
            "aten::_scaled_mm_v2",
            *fp8,
            (S(),),
            (0,),
            (0,),
            (S(),),
            (0,),
            (0,),
            scale,
            None,
            out=out,
        )
        == with_bias
    )
    fp4 = (
        S(4, 32, dtype="float4_e2m1fn_x2"),
        S(32, 32, dtype="float4_e2m1fn_x2"),
    )  # two numbers in each element
    assert ask("aten::_scaled_mm", *fp4, S(), S(), out=out) == expected


def test_int8_kernel_runs_here() -> None:
    x, w = torch.ones(4, 64, dtype=torch.bfloat16), torch.ones(32, 64, dtype=torch.int8)
    assert (
        total(torch._weight_int8pack_mm, x, w, torch.ones(32, dtype=torch.bfloat16)).macs
        == 4 * 64 * 32
    )


def test_grouped_products_count_the_rows_that_belong_to_a_group() -> None:
    x, w = S(10, 8), S(3, 8, 5)
    name = "aten::_grouped_mm"
    assert ask(name, x, w, (2, 2, 7), out=S(10, 5)) == Cost(
        macs=sum([2, 0, 5]) * 8 * 5, activations=50
    )
    assert ask(name, x, w, S(3, dtype="int32"), out=S(10, 5)) == Cost(
        macs=10 * 8 * 5, activations=50, estimate=True
    )
    assert ask(name, S(3, 4, 8), S(3, 8, 5), out=S(3, 4, 5)) == Cost(
        macs=3 * 4 * 8 * 5, activations=60
    )
    assert ask(name, S(3, 4, 8), S(8, 9), (2, 5, 9), out=S(4, 9)).macs == 4 * 8 * (2 + 3 + 4)
    assert ask(name, S(4, 9), S(9, 5), (2, 5, 8), out=S(3, 4, 5)).macs == 4 * (2 + 3 + 3) * 5
    scaled = ask("aten::_scaled_grouped_mm", x, w, S(10), S(3, 5), (2, 2, 7), out=S(10, 5))
    newer = ask(
        "aten::_scaled_grouped_mm_v2",
        x,
        w,
        (S(10),),
        (0,),
        (0,),
        (S(15),),
        (0,),
        (0,),
        (2, 2, 7),
        out=S(10, 5),
    )
    assert scaled == newer == ask(name, x, w, (2, 2, 7), out=S(10, 5))


def test_fused_activations_cost_what_they_cost_alone() -> None:
    x, y, b = R(2, 3), R(3, 4), R(4)
    plain = total(torch.addmm, b, x, y)
    relu, gelu = (
        total(torch.relu, R(2, 4)),
        total(lambda: torch.nn.functional.gelu(torch.ones(2, 4), approximate="tanh")),
    )
    assert total(lambda: torch._addmm_activation(b, x, y)) == plain + relu
    fused = total(lambda: torch._addmm_activation(b, x, y, use_gelu=True))
    assert (fused.macs, fused.arithmetic, fused.transcendentals) == (
        24,
        plain.arithmetic + gelu.arithmetic,
        gelu.transcendentals,
    )


def test_lists_and_sums_of_products() -> None:
    a, b = (S(2, 3), S(4, 5)), (S(3, 6), S(5, 7))
    assert ask("aten::_foreach_mm", a, b, out=(S(2, 6), S(4, 7))) == Cost(
        macs=36 + 140, activations=12 + 28
    )
    assert ask("inductor::_mm_plus_mm", a[0], b[0], S(2, 5), S(5, 6), S(2, 6)) == Cost(
        macs=36 + 60, activations=12
    )
    assert (
        ask("aten::_compute_linear_combination", S(5, 3, 3), S(2, 5), out=S(2, 3, 3)).macs
        == 2 * 5 * 9
    )


def test_products_with_communication_count_the_local_work() -> None:
    name = "symm_mem::fused_all_gather_matmul"  # two ranks: a shard of 4 rows, 8 after gathering
    assert ask(
        name, S(4, 6), (S(6, 5), S(6, 3)), 0, Group("g", (0, 1)), out=(S(8, 6), (S(8, 5), S(8, 3)))
    ).macs == 8 * 6 * (5 + 3)
    assert (
        ask(
            "symm_mem::fused_matmul_reduce_scatter",
            S(8, 6),
            S(6, 5),
            "sum",
            0,
            Group("g", (0, 1)),
            out=S(4, 5),
        ).macs
        == 8 * 6 * 5
    )


def test_nested_operands_are_counted_item_by_item() -> None:
    items = [R(3, 8), R(5, 8)]
    x = torch.nested.nested_tensor(items)
    layer = torch.nn.Linear(8, 4)
    with torch.no_grad():
        calls = watch(layer, x)
    assert any(c.args[0].lengths for c in calls if c.args and hasattr(c.args[0], "lengths"))
    assert (
        only(torch.nn.functional.linear, x, layer.weight, name="aten::linear").macs
        == (3 + 5) * 8 * 4
    )
    y = torch.nested.nested_tensor([t.t().contiguous() for t in items])
    assert only(torch.bmm, x, y, name="aten::bmm").macs == 3 * 8 * 3 + 5 * 8 * 5
