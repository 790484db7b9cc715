"""The run is untouched: an unprofiled run and a profiled one end in the same state to the last bit, whatever the block does."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from tests.nets import Boom, batch, everything
from tests.untouched import differences, state_of

pytestmark = pytest.mark.torch_alone


def outcome(
    model: nn.Module, run: Callable[[Any], Any], error: type[BaseException] | None, block: Any
) -> dict[str, Any]:
    """The end of a run: what it gave, the gradients, every generator's state, the model and the process."""
    torch.manual_seed(1)
    random.seed(1)
    with block, nullcontext() if error is None else pytest.raises(error):
        result = run(model)
    return {
        "result": None if error else result,
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "draws": (torch.get_rng_state(), random.getstate()),
        **state_of(model),
    }


def assert_untouched(
    run: Callable[[Any], Any],
    error: type[BaseException] | None = None,
    training: bool = True,
    **options: Any,
) -> dc.Report:
    plain = outcome(everything(training), run, error, nullcontext())
    model = everything(training)
    before = state_of(model, values=False)
    prof = dc.profile(model, **options)
    profiled = outcome(model, run, error, prof)
    assert list(differences(plain, profiled)) == []
    assert list(differences(before["attributes"], profiled["attributes"])) == []
    assert list(differences(before["hooks"], profiled["hooks"])) == []
    prof.report.self_check()
    assert list(differences(plain, {key: profiled[key] for key in plain})) == []
    return prof.report


def step(model: Any) -> Tensor:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(batch()).square().mean()
        loss.backward()
        optimizer.step()
    return loss.detach()


REGIMES = {
    "grad": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "deterministic": lambda: torch.backends.mkldnn.flags(enabled=False),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("regime", REGIMES)
def test_forward_in_every_regime(regime: str, training: bool) -> None:
    def run(model: Any) -> Any:
        with REGIMES[regime]():
            return model(batch())

    assert assert_untouched(run, training=training).macs > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"functions": True},
        {"memory": True, "time": True},
        {"convention": "full", "strict": False},
    ],
)
def test_a_training_step_under_every_option(options: dict[str, Any]) -> None:
    assert assert_untouched(step, **options).by_phase()["backward"].macs > 0


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing(reentrant: bool) -> None:
    def run(model: Any) -> Any:
        x = batch().requires_grad_()
        y = checkpoint(model, x, use_reentrant=reentrant)
        y.sum().backward()
        return y.detach(), x.grad

    assert assert_untouched(run).by_phase()["recompute"].macs > 0


def test_meta_and_fake_tensors() -> None:
    def run(model: Any) -> Any:
        with torch._subclasses.fake_tensor.FakeTensorMode(allow_non_fake_inputs=True):
            return tuple(model(torch.empty(2, 4, 6)).shape)

    assert_untouched(run, training=False)
    model = everything().to("meta")
    before = state_of(model)
    with dc.profile(model):
        model(torch.empty(2, 4, 6, device="meta"))
    assert list(differences(before["keys"], state_of(model)["keys"])) == []


# What raises.


def fail_with(error: type[BaseException]) -> Callable[[Any], Any]:
    def run(model: Any) -> Any:
        def fail() -> None:
            raise error

        model.fail = fail
        try:
            return model(batch())
        finally:
            model.fail = None

    return run


@pytest.mark.parametrize(
    "error", [Boom, KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError, MemoryError]
)
def test_a_forward_that_raises_inside_the_block(error: type[BaseException]) -> None:
    report = assert_untouched(fail_with(error), error)
    assert report.by_module()["lstm"].macs > 0  # what was done stands
    assert report.meta.stopped_in is None  # the block itself ended well


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt, SystemExit])
def test_a_forward_that_ends_the_block(error: type[BaseException]) -> None:
    model = everything()
    before = state_of(model, values=False)
    prof = dc.profile(model)
    with pytest.raises(error), prof:
        fail_with(error)(model)
    assert list(differences(before, state_of(model, values=False))) == []
    assert prof.report.meta.stopped_in == ""
    assert prof.report.meta.error is not None
    assert prof.report.meta.error.startswith(error.__name__)
    assert prof.report.by_module()["lstm"].macs > 0
    assert prof.report.by_module()["head"].macs == 0
    with prof:
        model.fail = lambda: None
        model(batch())
    assert prof.report.meta.stopped_in is None
    assert prof.report.by_module()["head"].macs > 0


def test_an_operator_that_raises_inside_a_module() -> None:
    model = everything()
    before = state_of(model, values=False)
    prof = dc.profile(model)
    with pytest.raises(RuntimeError), prof:
        model(torch.ones(2, 5, 6))  # the convolution takes 4 channels
    assert prof.report.meta.stopped_in == "conv"
    assert list(differences(before, state_of(model, values=False))) == []


def test_a_rule_that_raises() -> None:
    def rule(*args: Any, **kwargs: Any) -> int:
        raise Boom

    report = assert_untouched(
        step,
        rules={
            torch.ops.aten.mm: rule,
            torch.ops.aten.addmm: rule,
            torch.ops.aten.convolution: rule,
        },
    )
    assert report.failed_ops


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_module_hook_that_raises(when: str) -> None:
    def run(model: Any) -> Any:
        def hook(*_: Any) -> None:
            raise Boom

        handle = (
            model.lstm.register_forward_pre_hook(hook)
            if when == "before"
            else model.lstm.register_forward_hook(hook)
        )
        try:
            return model(batch())
        finally:
            handle.remove()

    assert_untouched(run, Boom)


class Explodes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        return y.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        raise Boom


@pytest.mark.parametrize("where", ["function", "tensor hook", "parameter hook"])
def test_a_backward_that_raises(where: str) -> None:
    def run(model: Any) -> Any:
        def explode(grad: Tensor) -> None:
            raise Boom

        x = batch().requires_grad_()
        y = model(Explodes.apply(x * 1) if where == "function" else x * 1)
        handle = model.conv.weight.register_hook(explode) if where == "parameter hook" else None
        if where == "tensor hook":
            y.register_hook(explode)
        try:
            y.sum().backward()
        finally:
            if handle:
                handle.remove()

    report = assert_untouched(run, Boom)
    assert report.by_phase()["backward"].macs > 0 or where == "tensor hook"


def test_after_a_backward_that_raised_the_next_is_counted_right() -> None:
    model = nn.Linear(4, 3)
    with dc.profile(model) as prof:
        with pytest.raises(Boom):
            Explodes.apply(model(torch.ones(2, 4))).sum().backward()
        with prof.sample("next"):
            model(torch.ones(2, 4)).sum().backward()
    assert prof.report.sample_flops() == [48]
    assert {name: row.macs for name, row in prof.report.by_phase().items()} == {
        "forward": 48,
        "backward": 24,
    }
