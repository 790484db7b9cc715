"""PyTorch's own operator database: every operator, all samples, in three regimes and backward, with and without the profiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import dispatchcount as dc
from dispatchcount.report_api import Report
from tests.proof.same import REGIMES, BareMode, difference, outcome, seed, tensors

UNSET = {
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "new_empty",
    "new_empty_strided",
    "resize_",
    "resize_as_",
}
"""Their result is memory as it was found."""

VALUES_ONLY = {
    "linalg.cond", "linalg.eigvals", "linalg.eigvalsh", "linalg.matrix_norm", "linalg.matrix_rank", "linalg.matrix_rank.hermitian",
    "linalg.norm", "linalg.norm.subgradients_at_zero", "linalg.svdvals", "norm.nuc",
}  # fmt: skip
"""Singular and eigenvalues without vectors. Their C++ computes the vectors as well if the input requires a gradient or any dispatch
mode is on; values then differ in the last bits. In inference mode the operator reaches the mode before that C++ runs, so the profiler
can leave it as it was: there, and there alone, it costs what the values cost."""

UNTRACKED = {"unsafe_chunk", "unsafe_split"}
"""In inference mode, parts of a tensor that requires a gradient say that they do as well; under any dispatch mode they do not."""

FORMULAS = {"linalg.eig", "masked.prod", "ormqr", "prod"}
"""Their derivative's C++ picks a formula without in-place steps (and linalg.eig's leaves out a check) if any dispatch mode is on."""

GRADIENTS_AHEAD = {"nn.functional.linear_cross_entropy.chunked"}
"""Under grad, forward computes the gradients too: three products in place of one."""


def dtype_of(info: Any) -> torch.dtype | None:
    """float32, or what the operator has on CPU."""
    known = info.supported_dtypes("cpu")
    return next(
        (
            d
            for d in (torch.float32, torch.int64, torch.complex64, torch.bool, torch.bfloat16)
            if d in known
        ),
        None,
    )


pytestmark = pytest.mark.usefixtures("quiet")

INFOS = {info.full_name: info for info in op_db if dtype_of(info) is not None}


def samples(info: Any, gradients: bool) -> list[Any]:
    """Fresh samples, the same every time."""
    seed()
    return list(info.sample_inputs_func(info, "cpu", dtype_of(info), gradients))


def differentiable(info: Any) -> bool:
    return info.supports_autograd and dtype_of(info) is torch.float32


def sample_sets(info: Any) -> list[bool]:
    """Samples whose inputs require gradients, and plain ones where these are others."""
    if not differentiable(info):
        return [False]
    return [True] if len(samples(info, True)) == len(samples(info, False)) else [True, False]


def forward(info: Any, inputs: list[Any]) -> list[Callable[[], Any]]:
    return [lambda s=s: info(s.input, *s.args, **s.kwargs) for s in inputs]  # type: ignore[misc]


def backward(inputs: list[Any], results: list[Any]) -> list[Callable[[], Any]]:
    """The gradients of every output for every input, where there are any."""

    def run(sample: Any, result: Any) -> Any:
        outs = [t for t in tensors(result) if t.requires_grad]
        leaves = [t for t in tensors([sample.input, sample.args, sample.kwargs]) if t.requires_grad]
        return (
            outs
            and leaves
            and torch.autograd.grad(
                outs, leaves, [torch.ones_like(o) for o in outs], allow_unused=True
            )
        )

    return [lambda s=s, r=r: run(s, r) for s, r in zip(inputs, results, strict=True)]  # type: ignore[misc]


def profiled(calls: list[Callable[[], Any]]) -> tuple[list[Any], Report]:
    """What each call does under the profiler, each a sample of the report."""
    outcomes = []
    with dc.profile(convention="macs") as prof:
        for i, call in enumerate(calls):
            with prof.sample(str(i)):
                outcomes.append(outcome(call))
    report = prof.report
    report.self_check()
    assert not report.unknown_ops
    assert not report.failed_ops
    assert report.sized_macs == report.macs
    return outcomes, report


def bare(calls: list[Callable[[], Any]]) -> list[Any]:
    with BareMode():
        return [outcome(call) for call in calls]


def differences(a: list[Any], b: list[Any], name: str = "") -> list[str]:
    found = (difference(x, y, values=name not in UNSET) for x, y in zip(a, b, strict=True))
    return [f"sample {i}: {text}" for i, text in enumerate(found) if text]


@pytest.mark.proof(every=8)
@pytest.mark.parametrize("name", INFOS)
def test_forward_is_the_same_counted_and_worth_the_same_macs_in_every_regime(name: str) -> None:
    info = INFOS[name]
    for gradients in sample_sets(info):
        macs = {}
        for regime, enter in REGIMES.items():
            mine, theirs = samples(info, gradients), samples(info, gradients)
            under_any_mode = name in (UNTRACKED if regime == "inference" else VALUES_ONLY)
            with enter():
                expected = (
                    bare(forward(info, theirs))
                    if under_any_mode
                    else [outcome(call) for call in forward(info, theirs)]
                )
                found, report = profiled(forward(info, mine))
            assert differences(expected, found, info.name) == [], regime
            macs[regime] = report.sample_flops()
        if name in VALUES_ONLY:
            assert macs["grad"] == macs["no_grad"]
        elif not (name in GRADIENTS_AHEAD and gradients):
            assert macs["grad"] == macs["no_grad"] == macs["inference"]


@pytest.mark.proof(every=8)
@pytest.mark.parametrize("name", [name for name, info in INFOS.items() if differentiable(info)])
def test_backward_is_the_same_and_counted(name: str) -> None:
    info = INFOS[name]
    mine, theirs = samples(info, True), samples(info, True)
    mine, my_results = _succeeded(info, mine)
    theirs, their_results = _succeeded(info, theirs)
    calls = backward(theirs, their_results)
    expected = bare(calls) if name in FORMULAS else [outcome(call) for call in calls]
    found, _ = profiled(backward(mine, my_results))
    assert differences(expected, found, info.name) == []


def _succeeded(info: Any, inputs: list[Any]) -> tuple[list[Any], list[Any]]:
    """The samples whose forward ran, and their results."""
    ran = [
        (s, done[1][0])
        for s, call in zip(inputs, forward(info, inputs), strict=True)
        if (done := outcome(call))[0] == "returned"
    ]
    return [s for s, _ in ran], [result for _, result in ran]


def test_operators_that_compute_vectors_under_any_mode_still_do() -> None:
    found = []
    with torch.no_grad():
        for name in sorted(VALUES_ONLY):
            info = INFOS[name]
            plain = [outcome(call) for call in forward(info, samples(info, False))]
            found += differences(plain, bare(forward(info, samples(info, False))))
    assert found


def test_parts_that_lose_track_under_any_mode_still_do() -> None:
    for name in sorted(UNTRACKED):
        calls = forward(INFOS[name], samples(INFOS[name], True))
        with torch.inference_mode():
            assert differences([outcome(call) for call in calls], bare(calls)), name


def test_formulas_that_change_under_any_mode_still_do() -> None:
    for name in sorted(FORMULAS):
        info = INFOS[name]
        outcomes = []
        for mode in (False, True):
            inputs, results = _succeeded(info, samples(info, True))
            calls = backward(inputs, results)
            outcomes.append(bare(calls) if mode else [outcome(call) for call in calls])
        assert differences(*outcomes), name


def test_values_alone_cost_less_than_with_vectors_in_inference_mode() -> None:
    a = torch.rand(6, 6)
    costs = {}
    for regime, enter in REGIMES.items():
        with enter(), dc.profile() as prof:
            torch.linalg.svdvals(a)
        costs[regime] = prof.report.macs
    assert costs["grad"] == costs["no_grad"] > costs["inference"] > 0


def test_gradients_ahead_triple_the_macs() -> None:
    """(4 × 8) · (8 × 5), whose two gradient products cost as much each."""
    costs = []
    for gradients in (False, True):
        hidden, weight = (
            torch.rand(4, 8, requires_grad=gradients),
            torch.rand(5, 8, requires_grad=gradients),
        )
        with dc.profile() as prof:
            options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=2)
            torch.nn.functional.linear_cross_entropy(
                hidden, weight, torch.arange(4), options=options
            )
        costs.append(prof.report.macs)
    assert costs == [4 * 8 * 5, 3 * 4 * 8 * 5]
