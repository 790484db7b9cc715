"""Convolutions against a walk over every tap, and every library's kernel against the operator."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total, whole

R = torch.randn
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def walk(
    batch: int, out: int, into: int, groups: int, spans: list[tuple[int, int, int, int, int]]
) -> tuple[int, int]:
    """Multiply-adds and results of a convolution.

    They are counted by stepping a window through the padded input of each dimension.
    """
    positions = []
    for size, kernel, stride, padding, dilation in spans:
        starts = range(0, size + 2 * padding - (kernel - 1) * dilation, stride)
        positions.append([[start + tap * dilation for tap in range(kernel)] for start in starts])
    macs = results = 0
    for _item, channel, *windows in product(range(batch), range(out), *positions):
        results += 1
        own = range(into)[channel // (out // groups) * (into // groups) :][: into // groups]
        macs += sum(1 for _ in product(own, *windows))
    return macs, results


SPAN = st.tuples(
    st.integers(4, 6), st.integers(1, 2), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
)


@given(
    st.lists(SPAN, min_size=1, max_size=3),
    st.integers(0, 2),
    st.sampled_from([(2, 4, 1), (2, 4, 2), (3, 3, 3)]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_forward(spans: Any, batch: int, channels: Any, bias: bool) -> None:
    into, out, groups = channels
    sizes, kernel, stride, padding, dilation = (list(column) for column in zip(*spans, strict=True))
    macs, results = walk(batch, out, into, groups, spans)
    x, w = torch.ones(batch, into, *sizes), torch.ones(out, into // groups, *kernel)
    b = torch.ones(out) if bias else None
    expected = Cost(macs=macs, arithmetic=results * bias, activations=results)
    conv = CONV[len(sizes)]
    for run in (total, whole):
        assert run(conv, x, w, b, stride, padding, dilation, groups) == expected


@given(st.lists(SPAN, min_size=1, max_size=2), st.sampled_from([(2, 4, 1), (4, 2, 2), (3, 3, 3)]))
@settings(max_examples=40, deadline=None)
def test_transposed_walks_over_its_input(spans: Any, channels: Any) -> None:
    into, out, groups = channels
    sizes, kernel, stride, _padding, dilation = (
        list(column) for column in zip(*spans, strict=True)
    )
    x, w = torch.ones(2, into, *sizes), torch.ones(into, out // groups, *kernel)
    expected = sum(
        1
        for _ in product(
            range(2), range(into), *map(range, sizes), range(out // groups), *map(range, kernel)
        )
    )
    conv = TRANSPOSE[len(sizes)]
    for run in (total, whole):
        cost = run(conv, x, w, torch.ones(out), stride, 0, 0, groups, dilation)
        assert cost.macs == expected
        assert (
            cost.activations
            == cost.arithmetic
            == conv(x, w, None, stride, 0, 0, groups, dilation).numel()
        )


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_name_and_no_batch(padding: str) -> None:
    x, w = R(3, 9, 9), R(8, 3, 3, 3)
    side = 9 if padding == "same" else 7
    for run in (total, whole):
        assert run(F.conv2d, x, w, None, 1, padding) == Cost(
            macs=8 * side**2 * 27, activations=8 * side**2
        )
    assert whole(F.conv_transpose2d, R(3, 5, 5), R(3, 4, 2, 2)).macs == 3 * 25 * 4 * 4


def test_meta_and_the_examples_of_torch() -> None:
    x, w = R(2, 3, 6, 6, device="meta"), R(6, 3, 4, 4, device="meta")
    assert total(F.conv2d, x, w, None, 1, 1).macs == 28_800 // 2
    assert total(F.conv_transpose2d, R(1, 32, 1, 1), R(32, 1, 3, 3)).macs == 32 * 9
    assert (
        total(F.conv_transpose2d, R(2, 4, 8, 8), R(4, 1, 3, 3), None, 2, 1, 1, 4).macs
        == 2 * 4 * 64 * 9
    )


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_backward_takes_the_forward_for_each_gradient(transposed: bool, groups: int) -> None:
    conv = F.conv_transpose2d if transposed else F.conv2d
    x, w = R(2, 4, 6, 6, requires_grad=True), R(4, 4 // groups, 3, 3, requires_grad=True)
    b = R(4 // groups * groups, requires_grad=True)
    y = conv(x, w, b, groups=groups)
    forward = total(
        conv, x, w, b, 1, 0, *([0] if transposed else []), *([] if transposed else [1]), groups
    ).macs
    cost = only(lambda: y.sum().backward(), name="aten::convolution_backward")
    assert cost == Cost(macs=2 * forward, arithmetic=y.numel())
    frozen = conv(x.detach(), w, None, groups=groups)
    assert only(lambda: frozen.sum().backward(), name="aten::convolution_backward") == Cost(
        macs=forward
    )
    if groups == 1:  # torch's counter is wrong for the gradient of a grouped weight
        with FlopCounterMode(display=False) as counter:
            conv(x, w, b).sum().backward()
        assert counter.get_total_flops() == 2 * (forward + 2 * forward)


def test_complex() -> None:
    x, w = R(1, 2, 5, 5, dtype=torch.complex64), R(3, 2, 3, 3, dtype=torch.complex64)
    assert whole(F.conv2d, x, w).macs == 4 * 27 * 18


def test_time_batch_channel() -> None:
    x, w, b = (
        R(7, 2, 3, requires_grad=True),
        R(5, 3, 4, requires_grad=True),
        R(4, requires_grad=True),
    )
    assert total(torch.conv_tbc, x, w, b, 1) == Cost(
        macs=5 * 2 * 4 * 5 * 3, arithmetic=40, activations=40
    )
    assert ask("aten::conv_tbc_backward", S(5, 2, 4), S(7, 2, 3), S(5, 3, 4), S(4), 1) == Cost(
        macs=2 * 600, arithmetic=40
    )


def test_kernels_that_run_here() -> None:
    x, w, b = R(2, 3, 8, 8), R(4, 3, 3, 3), R(4)
    expected = whole(F.conv2d, x, w, b)
    assert expected == Cost(macs=2 * 4 * 36 * 27, arithmetic=288, activations=288)
    aten = torch.ops.aten
    if torch.backends.mkldnn.is_available():
        assert total(aten.mkldnn_convolution, x, w, b, [0, 0], [1, 1], [1, 1], 1) == expected
        relu = total(
            torch.ops.mkldnn._convolution_pointwise,
            x,
            w,
            b,
            [0, 0],
            [1, 1],
            [1, 1],
            1,
            "relu",
            [],
            None,
        )
        assert relu == expected + Cost(arithmetic=288)
    assert whole(aten.thnn_conv2d, x, w, [3, 3], b) == expected
    assert total(aten._slow_conv2d_forward, x, w, [3, 3], b, [1, 1], [0, 0]) == expected
    assert total(aten.slow_conv_dilated2d, x, w, [3, 3], b) == expected
    assert whole(aten._convolution_mode, x, w, b, [1, 1], "valid", [1, 1], 1) == expected
    volume, filters = R(1, 2, 4, 4, 4), R(3, 2, 2, 2, 2)
    assert (
        total(aten.slow_conv3d_forward, volume, filters, [2, 2, 2], None, [1] * 3, [0] * 3).macs
        == 3 * 27 * 16
    )
    turned = R(3, 4, 3, 3)
    assert total(aten.slow_conv_transpose2d, x, turned, [3, 3], b) == whole(
        F.conv_transpose2d, x, turned, b
    )
    wide = R(2, 3, 8, 8), R(2, 4, 6, 6), w
    masks = [True, True, True]
    assert total(aten._slow_conv2d_backward, wide[1], x, w, [3, 3], [1, 1], [0, 0], masks) == Cost(
        macs=2 * expected.macs, arithmetic=288
    )


def test_kernels_of_other_devices_agree_with_the_plain_operator() -> None:
    x, w, b, out = S(2, 4, 8, 8), S(6, 2, 3, 3), S(6), S(2, 6, 6, 6)
    one, zero = (1, 1), (0, 0)
    plain = ask("aten::convolution", x, w, b, one, zero, one, False, zero, 2, out=out)
    bare = ask("aten::convolution", x, w, None, one, zero, one, False, zero, 2, out=out)
    add = relu = Cost(arithmetic=432)
    assert plain == Cost(macs=2 * 6 * 36 * 18, arithmetic=432, activations=432)
    assert (
        ask("aten::convolution_overrideable", x, w, b, one, zero, one, False, zero, 2, out=out)
        == plain
    )
    assert (
        ask(
            "aten::_convolution",
            x,
            w,
            b,
            one,
            zero,
            one,
            False,
            zero,
            2,
            False,
            False,
            True,
            True,
            out=out,
        )
        == plain
    )
    assert (
        ask("aten::cudnn_convolution", x, w, zero, one, one, 2, False, False, True, out=out) == bare
    )
    assert (
        ask("aten::miopen_convolution", x, w, b, zero, one, one, 2, False, False, out=out) == plain
    )
    assert (
        ask("aten::miopen_depthwise_convolution", x, w, b, zero, one, one, 2, False, False, out=out)
        == plain
    )
    assert ask("aten::_mps_convolution", x, w, b, zero, one, one, 2, out=out) == plain
    assert ask("aten::_conv_depthwise2d", x, w, (3, 3), b, one, zero, one, out=out) == plain
    for vendor in ("cudnn", "miopen"):
        assert (
            ask(f"aten::{vendor}_convolution_relu", x, w, b, one, zero, one, 2, out=out)
            == plain + relu
        )
        assert (
            ask(
                f"aten::{vendor}_convolution_add_relu",
                x,
                w,
                out,
                None,
                b,
                one,
                zero,
                one,
                2,
                out=out,
            )
            == plain + add + relu
        )
    binary = ask(
        "mkldnn::_convolution_pointwise.binary",
        x,
        out,
        w,
        b,
        zero,
        one,
        one,
        2,
        "add",
        None,
        "relu",
        (),
        None,
        out=out,
    )
    inplace = ask(
        "mkldnn::_convolution_pointwise_.binary",
        out,
        x,
        w,
        b,
        zero,
        one,
        one,
        2,
        "add",
        None,
        "relu",
        (),
        None,
        out=out,
    )
    assert binary == inplace == plain + add + relu
    grad = out
    mask = (True, True, True)
    backward = ask(
        "aten::convolution_backward", grad, x, w, (6,), one, zero, one, False, zero, 2, mask
    )
    assert (
        ask(
            "aten::convolution_backward_overrideable",
            grad,
            x,
            w,
            one,
            zero,
            one,
            False,
            zero,
            2,
            mask,
        )
        == backward
    )
    assert ask("aten::mps_convolution_backward", x, grad, w, zero, one, one, 2, mask) == backward


def test_transposed_kernels_of_other_devices_agree() -> None:
    x, w, b, out = S(2, 4, 8, 8), S(4, 3, 3, 3), S(6), S(2, 6, 10, 10)
    one, zero = (1, 1), (0, 0)
    plain = ask("aten::convolution", x, w, b, one, zero, one, True, zero, 2, out=out)
    bare = ask("aten::conv_transpose2d", x, w, out=out)
    assert plain == Cost(macs=2 * 4 * 64 * 27, arithmetic=1200, activations=1200)
    assert bare.macs == plain.macs
    assert (
        ask(
            "aten::cudnn_convolution_transpose",
            x,
            w,
            zero,
            zero,
            one,
            one,
            2,
            False,
            False,
            True,
            out=out,
        )
        == bare
    )
    assert ask("aten::_mps_convolution_transpose", x, w, zero, zero, one, one, 2, out=out) == bare
    assert (
        ask(
            "aten::miopen_convolution_transpose",
            x,
            w,
            b,
            zero,
            zero,
            one,
            one,
            2,
            False,
            False,
            out=out,
        )
        == plain
    )
    exchanged = S(3, 4, 3, 3)
    for weight in (w, exchanged):
        name = "mkldnn::_convolution_transpose_pointwise"
        assert ask(name, x, weight, b, zero, zero, one, one, 2, "none", (), None, out=out) == plain
    backward = ask(
        "aten::convolution_backward",
        out,
        x,
        w,
        (6,),
        one,
        zero,
        one,
        True,
        zero,
        2,
        (True, True, False),
    )
    assert (
        ask(
            "aten::mps_convolution_transpose_backward",
            x,
            out,
            w,
            zero,
            zero,
            one,
            one,
            2,
            (True, True),
        )
        == backward
    )
