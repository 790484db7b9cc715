"""Handles that were written for TorchScript's values go on working, fvcore's own among them."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dispatchcount.compat.fvcore import FlopCountAnalysis
from dispatchcount.compat.fvcore.jit_analysis import JitModelAnalysis
from dispatchcount.compat.fvcore.jit_handles import get_shape
from dispatchcount.compat.mmengine import complexity_analysis, jit_handles
from tests.compat.layers import Call


def seen(kind: str, function: Any, *inputs: torch.Tensor) -> tuple[list[Any], list[Any]]:
    """The operands that a handle of `kind` is handed, once."""
    calls: list[tuple[list[Any], list[Any]]] = []
    model = function if isinstance(function, nn.Module) else Call(function)
    analysis = JitModelAnalysis(model, inputs).set_op_handle(
        kind, lambda i, o: calls.append((i, o)) or 0
    )
    analysis.unsupported_ops_warnings(False).total()
    (call,) = calls
    return call


GRAPHS: list[Any] = []  # their values live as long as they do


def real(kind: str, function: Any, *inputs: torch.Tensor) -> tuple[list[Any], list[Any]]:
    """The operands that TorchScript has for the same."""
    graph, _ = torch.jit._get_trace_graph(
        function if isinstance(function, nn.Module) else Call(function), inputs
    )
    GRAPHS.append(graph)
    (node,) = (node for node in graph.nodes() if node.kind() == kind)
    return list(node.inputs()), list(node.outputs())


IMAGE = torch.ones(2, 4, 6, 8)
CASES = {
    "linear": ("aten::linear", nn.Linear(8, 3), IMAGE),
    "conv2d": ("aten::_convolution", nn.Conv2d(4, 6, 3, groups=2), IMAGE),
    "unbatched conv2d": ("aten::_convolution", nn.Conv2d(4, 6, 3), IMAGE[0]),
    "conv_transpose2d": ("aten::_convolution", nn.ConvTranspose2d(4, 6, 3, stride=2), IMAGE),
    "batch_norm": ("aten::batch_norm", nn.BatchNorm2d(4, affine=False), IMAGE),
    "layer_norm": ("aten::layer_norm", nn.LayerNorm(8), IMAGE),
    "group_norm": ("aten::group_norm", nn.GroupNorm(2, 4), IMAGE),
    "softmax": ("aten::softmax", lambda x: x.softmax(dim=-1), IMAGE),
    "transpose": ("aten::transpose", lambda x: x.transpose(1, 2), IMAGE),
    "max_pool2d": ("aten::max_pool2d", nn.MaxPool2d(2), IMAGE),
    "upsample": (
        "aten::upsample_bilinear2d",
        lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"),
        IMAGE,
    ),
    "grid_sampler": (
        "aten::grid_sampler",
        lambda x: F.grid_sample(x, torch.zeros(2, 3, 3, 2)),
        IMAGE,
    ),
    "gelu": ("aten::gelu", nn.GELU(), IMAGE),
}


@pytest.mark.parametrize("name", CASES)
def test_operands_are_those_of_torchscript(name: str) -> None:
    kind, function, x = CASES[name]
    (inputs, outputs), (real_inputs, real_outputs) = (
        seen(kind, function, x),
        real(kind, function, x),
    )
    assert list(map(get_shape, inputs)) == list(map(get_shape, real_inputs))
    assert list(map(get_shape, outputs)) == list(map(get_shape, real_outputs))
    for mine, theirs in zip(inputs, real_inputs, strict=True):
        constant = theirs.toIValue()
        if isinstance(constant, bool | int | float) and theirs.node().kind() == "prim::Constant":
            assert mine.toIValue() == constant
            assert mine.type().kind() == theirs.type().kind()
        if theirs.isCompleteTensor():
            assert mine.type().scalarType() == theirs.type().scalarType()
            assert mine.type().dim() == theirs.type().dim()


def test_lists_have_items() -> None:
    inputs, outputs = seen("aten::cat", lambda x: torch.cat([x, x], dim=1), IMAGE)
    assert inputs[0].node().kind() == "prim::ListConstruct"
    assert [value.type().sizes() for value in inputs[0].node().inputs()] == [[2, 4, 6, 8]] * 2
    assert inputs[1].toIValue() == 1
    assert outputs[0].type().sizes() == [2, 8, 6, 8]
    assert str(outputs[0].type()) == outputs[0].type().str() == "Float(2, 8, 6, 8)"
    assert (outputs[0].type().dtype(), outputs[0].type().kind()) == (torch.float32, "TensorType")
    inputs, _ = seen("aten::view", lambda x: x.view(2, -1), IMAGE)
    assert inputs[1].toIValue() == [2, -1]
    assert inputs[1].type().kind() == "ListType"


def test_cells_are_their_linear_maps() -> None:
    calls: list[Any] = []
    analysis = JitModelAnalysis(nn.LSTMCell(8, 6), torch.ones(2, 8))
    analysis.set_op_handle(
        "aten::linear", lambda i, o: calls.append([get_shape(v) for v in (*i, *o)]) or 0
    ).total()
    assert calls == [[[2, 8], [24, 8], [24], [2, 24]], [[2, 6], [24, 6], [24], [2, 24]]]


def test_custom_operators_go_by_their_own_names() -> None:
    @torch.library.custom_op("dispatchcount_tests::shift", mutates_args=())
    def shift(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:
        return x + by

    inputs, outputs = seen("dispatchcount_tests::shift", lambda x: shift(x), IMAGE)
    assert (get_shape(inputs[0]), inputs[1].toIValue(), get_shape(outputs[0])) == (
        [2, 4, 6, 8],
        2.0,
        [2, 4, 6, 8],
    )


@pytest.mark.parametrize("kind", complexity_analysis._DEFAULT_SUPPORTED_FLOP_OPS)
def test_default_handles_on_what_they_are_handed(kind: str) -> None:
    """Called by hand they give fvcore's numbers."""
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    vector = torch.ones(4)
    function, inputs, expected = {
        "aten::addmm": (torch.addmm, (torch.ones(3, 5), a, b), 60),
        "aten::bmm": (torch.bmm, (torch.ones(2, 3, 4), torch.ones(2, 4, 5)), 120),
        "aten::_convolution": (nn.Conv2d(4, 6, 3), (IMAGE,), {"conv": 2 * 6 * 4 * 9 * 4 * 6}),
        "aten::einsum": (
            lambda x, y: torch.einsum("nc,nchw->hw", x, y),
            (a, torch.ones(3, 4, 2, 3)),
            72,
        ),
        "aten::matmul": (torch.matmul, (a, torch.ones(7, 4, 5)), 420),
        "aten::mm": (torch.mm, (a, b), 60),
        "aten::linear": (F.linear, (IMAGE, torch.ones(3, 8)), 2 * 4 * 6 * 8 * 3),
        "aten::batch_norm": (
            lambda x, m, v: F.batch_norm(x, m, v, training=True),
            (IMAGE, vector, vector),
            384 * 4,
        ),
        "aten::group_norm": (lambda x, w: F.group_norm(x, 2, w), (IMAGE, vector), 384 * 5),
        "aten::layer_norm": (lambda x: F.layer_norm(x, (8,)), (IMAGE,), 384 * 4),
        "aten::instance_norm": (lambda x: F.instance_norm(x), (IMAGE,), 384 * 4),
        "aten::upsample_nearest2d": (lambda x: F.interpolate(x, scale_factor=2), (IMAGE,), 384 * 4),
        "aten::upsample_bilinear2d": (
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
            (IMAGE,),
            384 * 4 * 4,
        ),
        "aten::adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 1), (IMAGE,), 384),
        "aten::grid_sampler": (F.grid_sample, (IMAGE, torch.zeros(2, 3, 3, 2)), 4 * 2 * 4 * 9),
    }[kind]  # 384 = 2*4*6*8
    handle = complexity_analysis._DEFAULT_SUPPORTED_FLOP_OPS[kind]
    assert handle(*seen(kind, function, *inputs)) == expected
    assert handle(*real(kind, function, *inputs)) == expected


def test_a_handle_that_reads_the_wrong_operand_is_told() -> None:
    analysis = JitModelAnalysis(nn.Softmax(dim=-1), IMAGE).set_op_handle(
        "aten::softmax", jit_handles.bmm_flop_jit
    )
    with pytest.raises(ValueError, match="expects a tensor"):
        analysis.total()


def test_matmul_of_vectors() -> None:
    handle = jit_handles.matmul_flop_jit
    assert handle(*seen("aten::matmul", torch.matmul, torch.ones(4), torch.ones(4, 5))) == 20
    assert handle(*seen("aten::matmul", torch.matmul, torch.ones(3, 4), torch.ones(4))) == 12


@pytest.mark.parametrize(
    "result",
    [
        18, 18.0, True, Fraction(18), np.int32(18), np.int64(18), np.uint8(18), np.float32(18), {"linear": 18}, Counter(linear=18),
        OrderedDict(linear=np.int8(18)), defaultdict(int, linear=18), MappingProxyType({"linear": 18}), {"linear": 18, "none": 0},
    ],
    ids=repr,
)  # fmt: skip
def test_handles_return_any_number_or_mapping(result: Any) -> None:
    analysis = FlopCountAnalysis(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)), torch.ones(3, 2))
    counts = analysis.set_op_handle("aten::linear", lambda i, o: result).by_operator()
    assert dict(counts) == {"linear": 2 * (result if result is True else 18)}
    assert type(analysis.total()) in (int, float)
    assert analysis.by_module()["1"] == (1 if result is True else 18)


@pytest.mark.parametrize(
    "result", [None, "18", [18], 18j, {"linear": None}, {"linear": "18"}], ids=repr
)
def test_handles_that_return_no_number_are_told(result: Any) -> None:
    analysis = FlopCountAnalysis(nn.Linear(2, 3), torch.ones(3, 2)).set_op_handle(
        "aten::linear", lambda i, o: result
    )
    with pytest.raises(ValueError, match=r"Invalid type .* The handle of aten::linear returned it"):
        analysis.total()


def test_numbers_of_numpy_do_not_overflow() -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(3)])
    analysis = FlopCountAnalysis(model, torch.ones(1, 2)).set_op_handle(
        "aten::linear", lambda i, o: np.int64(2**62)
    )
    assert analysis.total() == 3 * 2**62


def test_an_empty_mapping_counts_nothing() -> None:
    """What detectron2's analysis of activations returns for operators that it leaves out."""
    analysis = FlopCountAnalysis(nn.Linear(2, 3), torch.ones(3, 2)).set_op_handle(
        "aten::linear", lambda *a, **k: {}
    )
    assert (analysis.total(), dict(analysis.by_operator()), dict(analysis.unsupported_ops())) == (
        0,
        {},
        {},
    )
