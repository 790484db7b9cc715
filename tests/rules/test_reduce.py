from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from tests.rules.counted import Number, Tally, largest, total
from tests.rules.util import S, ask, only
from tests.rules.util import total as cost_of

ROWS = st.tuples(st.integers(1, 4), st.integers(1, 6))


def _mean(row: list[Number]) -> Number:
    return total(row) / len(row)


def _var(row: list[Number]) -> Number:
    mean = _mean(row)
    return total([(d := x - mean) * d for x in row]) / len(row)


def _softmax(row: list[Number]) -> None:
    top = largest(row)
    powers = [(x - top).exp() for x in row]
    under = total(powers)
    for x in powers:
        _ = x / under


def _log_softmax(row: list[Number]) -> None:
    top = largest(row)
    low = [x - top for x in row]
    log = total([x.exp() for x in low]).log()
    for x in low:
        _ = x - log


def _logsumexp(row: list[Number]) -> None:
    top = largest(row)
    _ = total([(x - top).exp() for x in row]).log() + top


NAIVE = {
    "sum": (total, lambda x: x.sum(1)),
    "amax": (largest, lambda x: x.amax(1)),
    "mean": (_mean, lambda x: x.mean(1)),
    "var": (_var, lambda x: x.var(1, unbiased=False)),
    "softmax": (_softmax, lambda x: x.softmax(1)),
    "log_softmax": (_log_softmax, lambda x: x.log_softmax(1)),
    "logsumexp": (_logsumexp, lambda x: x.logsumexp(1)),
}


@pytest.mark.parametrize("name", NAIVE)
@given(ROWS)
def test_against_a_loop(name: str, sizes: tuple[int, int]) -> None:
    loop, run = NAIVE[name]
    tally = Tally()
    for _ in range(sizes[0]):
        loop(tally.numbers(sizes[1]))
    found = cost_of(run, torch.rand(sizes))
    assert (found.arithmetic, found.transcendentals) == (tally.arithmetic, tally.transcendentals)


def test_softmax_is_its_parts() -> None:
    x = torch.rand(3, 7)

    def parts(t: torch.Tensor) -> torch.Tensor:
        e = (t - t.amax(1, keepdim=True)).exp()
        return e / e.sum(1, keepdim=True)

    assert cost_of(parts, x) == cost_of(lambda t: t.softmax(1), x)


@pytest.mark.parametrize("sizes", [(2, 3, 4, 5), (3, 4, 5)])
def test_adaptive_pooling_to_one_pixel_is_known_by_its_dimensions(sizes: tuple[int, ...]) -> None:
    """AdaptiveAvgPool2d(1) arrives as a mean over [-1, -2], and fvcore counts its input.

    Any other mean has no figure of fvcore's.
    """
    x = torch.rand(sizes)
    pool = only(torch.nn.AdaptiveAvgPool2d(1), x, name="aten::mean")
    assert pool.fvcore == prod(sizes)
    assert pool.arithmetic == prod(sizes) + prod(sizes[:-2])
    assert cost_of(lambda t: t.mean((-2, -1), keepdim=True), x).fvcore == 0
    assert cost_of(lambda t: t.mean((2, 3) if t.dim() == 4 else (1, 2)), x).fvcore == 0


@pytest.mark.parametrize(
    ("run", "arithmetic", "transcendentals"),
    [
        (lambda x: x.max(), 12, 0),
        (lambda x: x.max(1), 12, 0),
        (lambda x: torch.max(x, x), 12, 0),
        (lambda x: x.aminmax(), 24, 0),
        (lambda x: x.std(1, unbiased=True), 4 * 12 + 2 * 3, 3),
        (lambda x: x.cumsum(1), 12, 0),
        (lambda x: torch.linalg.vector_norm(x), 24, 1),
        (lambda x: torch.linalg.vector_norm(x, 1), 24, 0),
        (lambda x: torch.linalg.vector_norm(x, 3, dim=1), 24, 12 + 3),
        (lambda x: torch.equal(x, x + 0), 24, 0),
        (lambda x: x[:, :3].trace(), 3, 0),
        (lambda x: x.any(), 12, 0),
        (lambda x: x.argmax(1), 12, 0),
    ],
)  # fmt: skip
def test_on_three_by_four(run: Any, arithmetic: int, transcendentals: int) -> None:
    found = cost_of(run, torch.rand(3, 4) + 0.5)
    assert (found.arithmetic, found.transcendentals) == (arithmetic, transcendentals)


def test_softmax_backward() -> None:
    """y * (g - sum(g * y)): four operations; g - exp(y) * sum(g): three and an exponential."""
    x = torch.rand(3, 4, requires_grad=True)
    back = only(lambda: x.softmax(1).sum().backward(), name="aten::_softmax_backward_data")
    assert (back.arithmetic, back.transcendentals) == (48, 0)
    back = only(lambda: x.log_softmax(1).sum().backward(), name="aten::_log_softmax_backward_data")
    assert (back.arithmetic, back.transcendentals) == (36, 12)


def test_masked_softmax_selects_first() -> None:
    assert (
        ask("aten::_masked_softmax", S(2, 5), S(2, 5, dtype="bool"), out=S(2, 5)).arithmetic == 50
    )


def test_segment_reduce() -> None:
    x = torch.rand(6, 2)
    lengths = torch.tensor([2, 4])
    assert cost_of(lambda: torch.segment_reduce(x, "sum", lengths=lengths)).arithmetic >= 12
    assert ask("aten::segment_reduce", S(6, 2), "mean", out=S(2, 2)).arithmetic == 12 + 4


def test_distances_and_comparisons_of_two_tensors() -> None:
    x, y = torch.rand(3, 4), torch.rand(3, 4)
    # A difference, then square and add each, and a root.
    assert cost_of(torch.dist, x, y) == Cost(arithmetic=12 * 3, transcendentals=1)
    # |a - b| is 2, atol + rtol * |b| is 3, then a comparison and the conjunction.
    assert ask("aten::allclose", S(3, 4), S(3, 4), 1e-5, 1e-8, False) == Cost(arithmetic=12 * 7)


@pytest.mark.parametrize(
    ("reduce", "each", "segments"), [("sum", 0, 0), ("mean", 0, 3), ("prod", 2, 0), ("max", 1, 0)]
)
def test_gradients_of_segments(reduce: str, each: int, segments: int) -> None:
    found = ask("aten::_segment_reduce_backward", S(3), S(3), S(12), reduce, out=S(12))
    assert found == Cost(arithmetic=12 * each + segments)


def test_the_implicit_derivative_of_a_gamma_variate() -> None:
    alpha = torch.rand(5, requires_grad=True)
    drawn = torch._standard_gamma(alpha).sum()
    found = only(drawn.backward, name="aten::_standard_gamma_grad")
    assert found == Cost(transcendentals=5)
