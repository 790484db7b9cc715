"""What tells two calls apart: whatever a rule can see."""

from __future__ import annotations

import pytest
import torch

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone


def arithmetic(*calls: object) -> int:
    with dc.profile() as prof:
        for call in calls:
            call()  # type: ignore[operator]
    return prof.report.arithmetic


def test_an_exponent_tells_powers_apart() -> None:
    x = torch.rand(10)
    assert arithmetic(lambda: x**2, lambda: x**3) == 10 + 2 * 10
    with dc.profile() as prof:
        x.norm(2)
        x.norm(2.5)
        x.pow_(0.5)
    assert (
        prof.report.transcendentals == 1 + (10 + 1) + 10
    )  # a root; a power each and one; a power each


def test_shapes_dtypes_and_options_do() -> None:
    a, b = torch.rand(4, 8), torch.rand(8, 4)
    with dc.profile() as prof:
        a @ b
        b @ a
        a.double() @ b.double()
        torch.nn.functional.gelu(a)
        torch.nn.functional.gelu(a, approximate="tanh")
    report = prof.report
    assert report.macs == 2 * 4 * 8 * 4 + 8 * 4 * 8
    assert report.by_dtype()["float64"].macs == 4 * 8 * 4
    assert report.by_operator()["aten.mm"].calls == 3


def test_numbers_that_do_not_matter_make_no_records() -> None:
    x = torch.rand(4)
    with dc.profile() as prof:
        for step in range(1, 200):
            x * step + 0.5 * step
        session = prof._session
    assert session is not None
    session._tape.settle()
    assert len(session._recording.tree.forward.calls) == 2
    assert prof.report.arithmetic == 199 * 2 * 4


def test_data_dependent_results_are_told_apart() -> None:
    x = torch.tensor([0.0, 1.0, 2.0, 0.0])
    with dc.profile() as prof:
        torch.nonzero(x)
        torch.nonzero(x + 1)
    assert prof.report.by_operator()["aten.nonzero"].bytes_written == (2 + 4) * 8


def test_symbolic_sizes_are_read_without_guarding() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    with FakeTensorMode(shape_env=ShapeEnv()) as mode:
        x = mode.from_tensor(torch.rand(4, 8), static_shapes=False)
        with dc.profile() as prof:
            torch.relu(x) @ torch.rand(8, 16)
        guards = len(mode.shape_env.guards) if mode.shape_env else 0
    assert prof.report.macs == 4 * 8 * 16
    assert guards <= 1  # the product's own check that 8 is 8


def test_packed_weights_tell_calls_apart() -> None:
    quantize = torch.ao.quantization.quantize_dynamic
    models = [
        quantize(torch.nn.Sequential(torch.nn.LSTM(8, width)), {torch.nn.LSTM}) for width in (4, 6)
    ]
    x = torch.rand(3, 2, 8)
    for width, model in zip((4, 6), models, strict=True):
        with dc.profile(model) as prof:
            model(x)
        assert prof.report.macs == 3 * 2 * 4 * width * (8 + width)
    convolutions = [
        torch.ao.nn.quantized.Conv2d(2, 3, kernel, padding=kernel // 2) for kernel in (1, 3)
    ]
    q = torch.quantize_per_tensor(torch.rand(1, 2, 5, 5), 0.1, 0, torch.quint8)
    with dc.profile() as prof:  # the same input and output, another kernel
        for convolution in convolutions:
            convolution(q)
    assert prof.report.macs == 3 * 5 * 5 * 2 * (1 + 9)


def test_packed_weights_are_parameters() -> None:
    quantize = torch.ao.quantization.quantize_dynamic
    kinds = {torch.nn.Linear, torch.nn.LSTM}
    for module, params in (
        (torch.nn.Linear(8, 16), 8 * 16 + 16),
        (torch.nn.LSTM(6, 8), 4 * 8 * (6 + 8) + 2 * 4 * 8),
    ):
        model = quantize(torch.nn.Sequential(module), kinds)
        with dc.profile(model) as prof:
            pass
        assert prof.report.params == params


def test_packed_weights_that_come_and_go_in_a_block() -> None:
    q = torch.quantize_per_tensor(torch.rand(1, 2, 5, 5), 0.1, 0, torch.quint8)
    kernels = [1, 3] * 10
    with dc.profile() as prof:
        for kernel in kernels:  # each is gone when the next is made, so addresses come again
            torch.ao.nn.quantized.Conv2d(2, 3, kernel, padding=kernel // 2)(q)
    assert prof.report.macs == 10 * 3 * 5 * 5 * 2 * (1 + 9)
