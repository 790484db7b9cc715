from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.pool import adaptive_places
from tests.rules.counted import Tally, largest, total
from tests.rules.util import S, ask, only
from tests.rules.util import total as cost_of

F = torch.nn.functional


@given(
    st.integers(1, 2), st.integers(4, 8), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1)
)
def test_max_and_average_against_a_loop(
    channels: int, side: int, kernel: int, stride: int, padding: int
) -> None:
    """Each window folds kernel x kernel places, those in the padding too; the average divides."""
    assume(padding <= kernel // 2)
    x = torch.rand(1, channels, side, side)
    tally_max, tally_average = Tally(), Tally()
    out = (side + 2 * padding - kernel) // stride + 1
    for _ in range(channels * out * out):
        largest(tally_max.numbers(kernel * kernel))
        _ = total(tally_average.numbers(kernel * kernel)) / kernel
    assert cost_of(lambda: F.max_pool2d(x, kernel, stride, padding)) == Cost(
        arithmetic=tally_max.arithmetic
    )
    assert cost_of(lambda: F.avg_pool2d(x, kernel, stride, padding)) == Cost(
        arithmetic=tally_average.arithmetic
    )


@given(st.integers(1, 9), st.integers(1, 9))
def test_adaptive_windows_against_a_loop(size: int, output: int) -> None:
    """torch's windows: from floor(i n / o) up to ceil((i + 1) n / o)."""
    places = [(i * size // output, -(-(i + 1) * size // output)) for i in range(output)]
    assert adaptive_places((size,), (output,)) == sum(end - start for start, end in places)
    weights = torch.eye(size)[None]  # one plane per place: which windows it falls into
    assert adaptive_places((size,), (output,)) == int(
        (F.adaptive_avg_pool1d(weights, output) > 0).sum()
    )


@pytest.mark.parametrize(
    ("run", "arithmetic", "fvcore"),
    [
        (lambda x: F.max_pool2d(x, 2), 4 * 2 * 3 * 9, 0),
        (lambda x: F.max_pool2d(x, (2, 3), 1), 6 * 2 * 3 * 5 * 4, 0),
        (lambda x: F.avg_pool2d(x, 2), 5 * 2 * 3 * 9, 0),
        (lambda x: F.avg_pool2d(x, [3], stride=3), 10 * 2 * 3 * 4, 0),
        (lambda x: F.adaptive_avg_pool2d(x, 2), 216 + 2 * 3 * 4, 216),
        (lambda x: F.adaptive_avg_pool2d(x, 1), 216 + 2 * 3, 216),
        (lambda x: F.adaptive_max_pool2d(x, (3, 2)), 216, 0),
        (lambda x: F.avg_pool1d(x[0], 2), 3 * 3 * 6 * 3, 0),
    ],
)  # fmt: skip
def test_on_two_by_three_by_six_by_six(run: Any, arithmetic: int, fvcore: int) -> None:
    found = cost_of(run, torch.rand(2, 3, 6, 6))
    assert (found.arithmetic, found.fvcore, found.macs) == (arithmetic, fvcore, 0)


def test_three_dimensions() -> None:
    x = torch.rand(1, 2, 4, 4, 4)
    assert cost_of(lambda: F.max_pool3d(x, 2)).arithmetic == 8 * 16
    assert cost_of(lambda: F.avg_pool3d(x, 2)).arithmetic == 9 * 16
    found = cost_of(lambda: F.adaptive_avg_pool3d(x, 2))
    assert (found.arithmetic, found.fvcore) == (128 + 16, 0)  # fvcore counts two dimensions alone


def test_quantised_and_one_dnn_pools_agree_with_the_plain_one() -> None:
    x, y = S(1, 2, 4, 4), S(1, 2, 2, 2)
    assert ask("quantized::max_pool2d", x, (2, 2), (2, 2), (0, 0), (1, 1), False, out=y) == Cost(
        arithmetic=32
    )
    assert ask("aten::mkldnn_max_pool2d", x, (2, 2), out=y) == ask(
        "aten::max_pool2d_with_indices", x, (2, 2), out=(y, y)
    )
    assert ask("aten::mkldnn_adaptive_avg_pool2d", x, (2, 2), out=y) == ask(
        "aten::_adaptive_avg_pool2d", x, (2, 2), out=y
    )


def test_backward() -> None:
    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    maximum = only(
        lambda: F.max_pool2d(x, 2).sum().backward(), name="aten::max_pool2d_with_indices_backward"
    )
    assert maximum.arithmetic == 8  # one place a window
    average = only(lambda: F.avg_pool2d(x, 2).sum().backward(), name="aten::avg_pool2d_backward")
    assert average.arithmetic == 8 * 5  # a division, and an addition to each place
    adaptive = only(
        lambda: F.adaptive_avg_pool2d(x, 2).sum().backward(),
        name="aten::_adaptive_avg_pool2d_backward",
    )
    assert (adaptive.arithmetic, adaptive.fvcore) == (32 + 8, 0)
    assert prod(x.shape) == 32
