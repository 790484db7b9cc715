"""`profile(functions=True)` names the torch function that operators ran under.

What runs is not changed.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

import dispatchcount as dc
from dispatchcount.compat.fvcore import FlopCountAnalysis
from tests.compat.layers import Call, SelfAttention

IMAGE = torch.ones(2, 4, 6, 8)


def by_function(function: Any, *inputs: torch.Tensor) -> dict[str, int]:
    """Flops by function, those that have some."""
    model = function if isinstance(function, nn.Module) else Call(function)
    with dc.profile(model, functions=True) as prof:
        model(*inputs)
    return {name: row.flops for name, row in prof.report.by_function().items() if row.flops}


@pytest.mark.parametrize(
    ("name", "function", "inputs"),
    [
        ("linear", nn.Linear(8, 3), (IMAGE,)),
        ("linear", nn.Linear(8, 3, bias=False), (IMAGE,)),
        ("conv2d", nn.Conv2d(4, 6, 3, padding="same"), (IMAGE,)),
        ("conv_transpose2d", nn.ConvTranspose2d(4, 6, 3), (IMAGE,)),
        ("batch_norm", nn.BatchNorm2d(4), (IMAGE,)),
        ("layer_norm", nn.LayerNorm(8), (IMAGE,)),
        ("matmul", lambda x: x @ x.transpose(2, 3), (IMAGE,)),
        ("einsum", lambda x: torch.einsum("bchw,bcHw->bchH", x, x), (IMAGE,)),
        (
            "upsample_bilinear2d",
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
            (IMAGE,),
        ),
        ("grid_sampler", lambda x: F.grid_sample(x, torch.zeros(2, 3, 3, 2)), (IMAGE,)),
        ("lstm", nn.LSTM(8, 6), (IMAGE[0],)),
        (
            "scaled_dot_product_attention",
            lambda x: F.scaled_dot_product_attention(x, x, x),
            (IMAGE,),
        ),
        ("mm", lambda x: torch.ops.aten.mm.default(x[0, 0], x[0, 0].t()), (IMAGE,)),
    ],
)
def test_names(name: str, function: Any, inputs: tuple[torch.Tensor, ...]) -> None:
    assert list(by_function(function, *inputs)) == [name]


def test_functions_inside_functions_written_in_python() -> None:
    # q, k, v and out: 4 * 2*5*8*8; scores and values: 2 * 2*2 heads * 5*5*4
    assert by_function(SelfAttention(), torch.ones(2, 5, 8)) == {
        "linear": 2560,
        "scaled_dot_product_attention": 800,
    }


def test_functions_that_ask_in_their_own_way_do_not_run_for_ever() -> None:
    with dc.profile(functions=True):
        nn.init.kaiming_uniform_(torch.empty(3, 3))
        nn.Linear(2, 2)
        F.max_pool2d(IMAGE, 2)


def test_same_result_and_nothing_left_behind() -> None:
    torch.manual_seed(0)
    model, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(2, 5, 8)
    torch.manual_seed(1)
    expected = model(x)
    torch.manual_seed(1)
    with dc.profile(model, functions=True):
        got = model(x)
    assert torch.equal(got, expected)
    assert _get_current_function_mode_stack() == []


def test_left_behind_nothing_after_an_error() -> None:
    with (
        pytest.raises(RuntimeError, match="must match|cannot be multiplied|size"),
        dc.profile(functions=True),
    ):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert _get_current_function_mode_stack() == []


def test_subclasses_keep_their_say() -> None:
    class Loud(torch.Tensor):
        heard: list[str] = []  # noqa: RUF012

        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            cls.heard.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.ones(2, 3).as_subclass(Loud)
    F.softmax(x, -1)
    expected = list(Loud.heard)
    Loud.heard.clear()
    with dc.profile(functions=True):
        out = F.softmax(x, -1)
    assert Loud.heard == expected
    assert type(out) is Loud


def test_modes_of_others_stay_on() -> None:
    class Other(TorchFunctionMode):
        calls = 0

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.calls += 1
            return func(*args, **(kwargs or {}))

    other = Other()
    profile = dc.profile(functions=True)
    profile.__enter__()
    other.__enter__()
    profile.__exit__(None, None, None)
    torch.ones(2).sin()
    assert other.calls
    assert _get_current_function_mode_stack() == [other]
    other.__exit__(None, None, None)


def test_default_profile_notes_none() -> None:
    model = nn.Linear(2, 2)
    with dc.profile(model) as prof:
        model(torch.ones(1, 2))
    assert set(prof.report.by_function()) == {""}


class Traced(nn.Module):
    """Reads sizes, indexes, and has functions written in Python in it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.fc(y.reshape(x.shape[0], -1))[:, 1:]


class Tracing(nn.Module):
    """Traces a part of itself when it is called, and runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Traced().eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.traced = [trace(self.part, x)]
        return self.part(x)


def trace(model: nn.Module, x: torch.Tensor) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        return torch.jit.trace(model, x, check_trace=False)


def operators(traced: Any) -> list[str]:
    """What a traced model runs, names of values and places in the source apart."""
    return [node.kind() for node in traced.inlined_graph.nodes()]


def test_a_trace_inside_is_the_trace_outside() -> None:
    model, x, other = Traced().eval(), torch.ones(1, 3, 8, 8), torch.rand(2, 3, 8, 8)
    plain = trace(model, x)
    with dc.profile(model, functions=True) as prof:
        traced = trace(model, x)
    assert operators(traced) == operators(plain)
    assert torch.equal(traced(other), model(other))
    # 6*6 * 4*27; 2 per element of 4*6*6; 36 * 5
    assert {name: row.flops for name, row in prof.report.by_function().items() if row.flops} == {
        "conv2d": 3888, "batch_norm": 288, "linear": 180,
    }  # fmt: skip

    tracing = Tracing()
    analysis = FlopCountAnalysis(tracing, x).unsupported_ops_warnings(False)
    assert analysis.by_operator() == {"conv": 2 * 3888, "batch_norm": 2 * 288, "linear": 2 * 180}
    assert operators(tracing.traced[0]) == operators(trace(tracing.part, x))
    assert torch.equal(tracing.traced[0](other), tracing.part(other))
