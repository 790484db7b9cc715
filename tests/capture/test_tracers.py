"""Whatever records a model inside a block records what it does outside, and the run is counted all the same."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

import dispatchcount as dc

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
ranged = pytest.mark.skipif(
    TORCH < (2, 8),
    reason="torch 2.6 refuses a bare Dim in a strict export, outside a block as well",
)
pytestmark = [pytest.mark.torch_alone, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    """Torch 2.6 gives up on code that tests before had it compile often."""
    torch._dynamo.reset()


class Net(nn.Module):
    """A convolution, which the tracer leaves to an operator inside; sizes that are computed with; a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.cell = nn.GRU(5, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return self.cell(y[:, None].expand(-1, x.shape[2] // 2, -1))[0]


X = torch.rand(2, 3, 8, 8)
MACS = 2 * 6 * 6 * 4 * 3 * 9 + 2 * 4 * 5 + 2 * 4 * 3 * 6 * (5 + 6)
"""Convolution, linear layer, and four steps of three gates."""


def graph(recorded: Any) -> str:
    """A graph without the places in the source, and without the numbers that names get as they are used again."""
    text = str(recorded.graph if hasattr(recorded, "graph") else recorded)
    text = "\n".join(line.partition("#")[0].rstrip() for line in text.splitlines())
    text = re.sub(r"___torch_mangle_\d+\.", "", text)
    names: dict[str, str] = {}
    return re.sub(r"%[\w.]+", lambda found: names.setdefault(found.group(), f"%{len(names)}"), text)


def inference(record: Callable[[nn.Module], Any]) -> Callable[[nn.Module], Any]:
    def run(model: nn.Module) -> Any:
        with torch.inference_mode():
            return record(model)

    return run


RECORDERS: dict[str, tuple[Callable[[nn.Module], Any], int]] = {
    "trace": (lambda m: torch.jit.trace(m, X, check_trace=False), 1),
    "trace in inference mode": (inference(lambda m: torch.jit.trace(m, X, check_trace=False)), 1),
    "trace, checked": (lambda m: torch.jit.trace(m, X), 5),  # itself, and four runs that compare
    "trace_module": (lambda m: torch.jit.trace_module(m, {"forward": X}, check_trace=False), 1),
    "trace of a function": (
        lambda m: torch.jit.trace(lambda x: m(x) + x.shape[0], X, check_trace=False),
        1,
    ),
    "graph": (lambda m: torch.jit._get_trace_graph(m, X)[0], 1),
    "make_fx": (lambda m: make_fx(m)(X), 1),
    "make_fx before dispatch": (lambda m: make_fx(m, pre_dispatch=True)(X), 1),
    "export": (lambda m: torch.export.export(m, (X,), strict=False), 1),
    "strict export": (lambda m: torch.export.export(m, (X,), strict=True), 1),
    "dynamic export": (
        lambda m: torch.export.export(
            m, (X,), strict=True, dynamic_shapes={"x": {0: torch.export.Dim("b")}}
        ),
        1,
    ),
}


@pytest.mark.parametrize(
    "recorder",
    [pytest.param(name, marks=ranged) if name == "dynamic export" else name for name in RECORDERS],
)
def test_what_is_recorded_is_what_is_recorded_outside(recorder: str) -> None:
    record, runs = RECORDERS[recorder]
    model = Net().eval().requires_grad_(False)
    outside = graph(record(model))
    with dc.profile(model) as prof:
        recorded = record(model)
    assert graph(recorded) == outside
    report = prof.report
    assert report.macs == runs * MACS
    report.self_check()
    assert dc.Report.from_json(report.to_json()).macs == report.macs
    assert any("read a model's code" in note for note in report.meta.notes) == (
        "strict" in recorder or "dynamic" in recorder
    )
    y = torch.rand_like(X)
    if hasattr(recorded, "forward"):
        assert torch.equal(recorded(y), model(y))


class Refused(nn.Module):
    """Its branch depends on data, which an export refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else x + 1


def test_an_export_that_fails_is_over() -> None:
    kept, model, x = [], nn.Linear(4, 4), torch.ones(2, 4)
    with dc.profile(model) as prof:
        for _ in range(2):
            with pytest.raises(torch._dynamo.exc.TorchDynamoException) as raised:
                torch.export.export(Refused(), (x,), strict=True)
            kept.append(raised.value)  # and with it what the compiler had in hand
            model(x)
            model(x)
    assert prof.report.macs == 4 * 2 * 4 * 4
    assert (
        prof.report.by_module()[""].macs >= 2 * 2 * 4 * 4
    )  # of the first call after one, the module is not known


def test_an_export_in_another_thread_takes_no_operator_away() -> None:
    model, x, calls = nn.Linear(4, 4), torch.ones(2, 4), 0
    other = nn.Sequential(*[nn.Linear(4, 4) for _ in range(10)])
    torch.export.export(other, (x,), strict=True)
    thread = threading.Thread(target=lambda: torch.export.export(other, (x,), strict=True))
    with dc.profile(model) as prof:
        thread.start()
        while thread.is_alive():
            model(x)
            calls += 1
        model(x)
    assert prof.report.macs == (calls + 1) * 2 * 4 * 4


@pytest.mark.parametrize(
    "options", [{"memory": True}, {"memory": True, "time": True, "functions": True}]
)
def test_observers_are_out_of_the_way_of_an_export(options: dict[str, Any]) -> None:
    model, x = nn.Linear(4, 4), torch.ones(2, 4)
    outside = torch.export.export(model, (x,), strict=True).graph_module.code
    with dc.profile(model, **options) as prof:
        inside = torch.export.export(model, (x,), strict=True).graph_module.code
        model(x)
    assert inside == outside
    assert prof.report.macs == 2 * 2 * 4 * 4


@pytest.mark.parametrize("options", [{"memory": True}, {"time": True}, {"functions": True}])
def test_observers_stay_out_of_a_trace(options: dict[str, Any]) -> None:
    model = Net().eval().requires_grad_(False)
    outside = graph(torch.jit.trace(model, X, check_trace=False))
    with dc.profile(model, **options) as prof:
        recorded = torch.jit.trace(model, X, check_trace=False)
    assert graph(recorded) == outside
    assert prof.report.macs == MACS


def test_the_compiler_reads_a_model_as_outside() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    outside = torch._dynamo.export(model)(X)[0].code
    with dc.profile(model) as prof:
        inside = torch._dynamo.export(model)(X)[0].code
        model(X)
    assert inside == outside
    assert prof.report.macs == 2 * 6 * 6 * 4 * 3 * 9  # the call after it


def test_a_script_may_compute_with_sizes() -> None:
    class Sizes(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            half, share = x.shape[1] // 2, x.shape[0] * 0.5 + x.shape[1] / 3
            return x[:, :half] * share, torch.full((half,), share)

    x = torch.rand(2, 4)
    script = torch.jit.trace(Sizes(), x, check_trace=False)
    expected = script(x)
    with dc.profile() as prof:
        found = script(x)
    assert all(
        torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(found, expected, strict=True)
    )
    assert not prof.report.failed_ops


def test_an_error_of_an_operator_is_the_users() -> None:
    with dc.profile() as prof, pytest.raises(RuntimeError, match="mat1 and mat2"):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert prof.report.macs == 0
