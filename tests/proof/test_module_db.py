"""PyTorch's own module database: every module, all samples, training and eval, forward and backward, three regimes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing._internal.common_modules import module_db

import dispatchcount as dc
from tests.proof.same import REGIMES, BareMode, difference, outcome, seed, tensors

pytestmark = pytest.mark.usefixtures("quiet")

INFOS = {info.name: info for info in module_db}

UNDER_ANY_MODE = {"nn.LinearCrossEntropyLoss"}
"""The C++ of a smoothed, weighted loss sums the weights of the targets in another order if any dispatch mode is on. Under inference
mode a bare mode sees the loss whole and the profiler its parts, which are then those that a bare mode sees under no_grad."""

NESTED = {"nn.Transformer", "nn.TransformerEncoder"}
"""In eval without gradients, torch packs padded sequences into nested tensors and computes their real lengths alone."""

AT_ONCE = {"nn.LinearCrossEntropyLoss"}
"""In chunks, and if gradients are wanted, it computes both of them in its forward: three products for one."""


def built(
    info: Any, training: bool
) -> list[tuple[nn.Module, Callable[[], Any], list[torch.Tensor]]]:
    """Every sample's module, its call, and the leaves that gradients go to, the same every time."""
    seed()
    found = []
    for sample in info.module_inputs_func(info, "cpu", torch.float32, True, training):
        seed()
        module = info.module_cls(
            *sample.constructor_input.args, **sample.constructor_input.kwargs
        ).train(training)
        args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
        inputs = [t for t in tensors([args, kwargs]) if t.requires_grad]
        found.append(
            (module, lambda m=module, a=args, k=kwargs: m(*a, **k), [*inputs, *module.parameters()])
        )  # type: ignore[misc]
    return found


def gradients(result: Any, leaves: list[torch.Tensor]) -> Any:
    outs = [t for t in tensors(result) if t.requires_grad]
    return (
        outs
        and leaves
        and torch.autograd.grad(outs, leaves, [torch.ones_like(o) for o in outs], allow_unused=True)
    )


@pytest.mark.proof(every=7)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", INFOS)
def test_same_results_state_and_gradients_and_all_counted(name: str, training: bool) -> None:
    macs: dict[str, list[int]] = {}
    for regime, enter in REGIMES.items():
        theirs, mine = built(INFOS[name], training), built(INFOS[name], training)
        for (module, call, leaves), (profiled, my_call, my_leaves) in zip(
            theirs, mine, strict=True
        ):
            special = name in UNDER_ANY_MODE
            with (
                torch.no_grad() if special and regime == "inference" else enter(),
                BareMode() if special else nullcontext(),
            ):
                expected = outcome(call)
            with enter(), dc.profile(profiled, strict=True, convention="macs") as prof:
                found = outcome(my_call)
            assert difference(expected, found) == "", regime
            assert difference(dict(module.state_dict()), dict(profiled.state_dict())) == ""
            prof.report.self_check()
            macs.setdefault(regime, []).append(prof.report.flops)
            if regime == "grad" and expected[0] == "returned":
                with BareMode() if special else nullcontext():
                    expected = outcome(lambda r=expected[1][0], i=leaves: gradients(r, i))
                with dc.profile(profiled, strict=True):
                    found = outcome(lambda r=found[1][0], i=my_leaves: gradients(r, i))
                assert difference(expected, found) == ""
    assert macs["no_grad"] == macs["inference"]
    if name in NESTED and not training:
        assert all(
            packed <= padded for packed, padded in zip(macs["no_grad"], macs["grad"], strict=True)
        )
    elif name in AT_ONCE:
        assert all(
            wanted in (alone, 3 * alone)
            for alone, wanted in zip(macs["no_grad"], macs["grad"], strict=True)
        )
    else:
        assert macs["no_grad"] == macs["grad"]


@pytest.mark.parametrize("name", sorted(UNDER_ANY_MODE))
def test_results_that_change_under_any_mode_still_do(name: str) -> None:
    plain = [outcome(call) for _, call, _ in built(INFOS[name], True)]
    with BareMode():
        bare = [outcome(call) for _, call, _ in built(INFOS[name], True)]
    assert any(difference(a, b) for a, b in zip(plain, bare, strict=True))


def test_packed_padding_is_not_computed() -> None:
    """4 of 10 positions are padding: projections and feed-forward of 6, attention over lengths 5 and 1."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1).eval()
    padding = torch.tensor([[False] * 5, [False] + [True] * 4])
    macs = {}
    for regime, enter in REGIMES.items():
        with enter(), dc.profile(encoder) as prof:
            encoder(torch.rand(2, 5, 4), src_key_padding_mask=padding)
        macs[regime] = prof.report.macs
    assert macs["grad"] == 10 * (4 * 16 + 2 * 32) + 2 * (25 + 25) * 4
    assert macs["no_grad"] == macs["inference"] == 6 * (4 * 16 + 2 * 32) + 2 * (25 + 1) * 4
