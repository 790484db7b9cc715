from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.resample import taps
from tests.rules.util import S, ask, only, total

F = torch.nn.functional


@pytest.mark.parametrize(
    ("sizes", "mode", "arithmetic", "fvcore"),
    [
        ((1, 2, 3), "nearest", 0, 0),
        ((1, 2, 3), "linear", 3, 0),
        ((1, 2, 3, 3), "nearest", 0, 1),
        ((1, 2, 3, 3), "nearest-exact", 0, 0),
        ((1, 2, 3, 3), "bilinear", 9, 4),
        ((1, 2, 3, 3), "bicubic", 35, 0),
        ((1, 2, 2, 2, 2), "nearest", 0, 0),
        ((1, 2, 2, 2, 2), "trilinear", 21, 0),
    ],
)
def test_interpolate_per_element_of_the_result(
    sizes: tuple[int, ...], mode: str, arithmetic: int, fvcore: int
) -> None:
    x = torch.rand(sizes)
    n = x.numel() * 2 ** (len(sizes) - 2)
    found = total(lambda: F.interpolate(x, scale_factor=2, mode=mode))
    assert (found.arithmetic, found.fvcore) == (arithmetic * n, fvcore * n)


def test_bilinear_as_fvcore_has_it() -> None:
    """Doubling 2 x 2 x 2 x 2: 64 elements times 4."""
    assert (
        total(lambda: F.interpolate(torch.rand(2, 2, 2, 2), scale_factor=2, mode="bilinear")).fvcore
        == 256
    )


def test_area_is_adaptive_pooling() -> None:
    assert (
        total(lambda: F.interpolate(torch.rand(1, 2, 6, 6), size=(3, 3), mode="area")).fvcore == 72
    )


@given(st.integers(1, 12), st.integers(1, 12))
def test_antialiased_taps_are_the_non_zero_weights(size: int, output: int) -> None:
    """Resizing unit vectors shows the weights; one at the very end of its reach may be zero."""
    unit = torch.eye(size).reshape(size, 1, size, 1)
    rows = F.interpolate(unit, size=(output, 1), mode="bilinear", antialias=True)
    weights = int((rows.abs() > 1e-7).sum())
    assert weights <= taps(size, output, 2) <= weights + 2 * output


def test_antialiased_is_two_passes_and_an_estimate() -> None:
    found = total(
        lambda: F.interpolate(torch.rand(1, 2, 4, 4), size=(2, 2), mode="bilinear", antialias=True)
    )
    assert found.arithmetic == 2 * 2 * (4 * taps(4, 2, 2) + 2 * taps(4, 2, 2))
    assert found.estimate


@pytest.mark.parametrize(
    ("mode", "arithmetic"),
    [
        # 2 x 5 x 5 = 50 points of 3 channels: coordinates 8; weights; value per channel
        ("bilinear", 50 * (8 + 4 + 4) + 150 * 7),
        ("nearest", 50 * (8 + 2)),
        ("bicubic", 50 * (8 + 50) + 150 * 35),
    ],
)
def test_grid_sample(mode: str, arithmetic: int) -> None:
    """fvcore counts 4 per element of the result, whatever the mode."""
    x, grid = torch.rand(2, 3, 4, 4), torch.rand(2, 5, 5, 2)
    found = total(lambda: F.grid_sample(x, grid, mode=mode, align_corners=False))
    assert (found.arithmetic, found.fvcore) == (arithmetic, 4 * 150)


def test_grid_sample_in_three_dimensions() -> None:
    x, grid = torch.rand(1, 2, 3, 3, 3), torch.rand(1, 2, 2, 2, 3)
    found = total(lambda: F.grid_sample(x, grid, align_corners=False))
    assert found.fvcore == 4 * 16
    assert (
        found.arithmetic == 8 * (12 + 6 + 16) + 16 * 15
    )  # 8 corners: 2 products each, 8 products and 7 sums a value


def test_cudnn_grid_sampler_is_the_bilinear_one() -> None:
    x, grid, out = S(2, 3, 4, 4), S(2, 5, 5, 2), S(2, 3, 5, 5)
    assert ask("aten::cudnn_grid_sampler", x, grid, out=out) == ask(
        "aten::grid_sampler_2d", x, grid, 0, 0, False, out=out
    )


def test_backward_counts_nothing_for_fvcore() -> None:
    x = torch.rand(1, 2, 3, 3, requires_grad=True)
    run: Any = lambda: F.interpolate(x, scale_factor=2, mode="bilinear").sum().backward()  # noqa: E731
    back = only(run, name="aten::upsample_bilinear2d_backward")
    assert (back.arithmetic, back.fvcore) == (9 * 72, 0)
    grid = torch.rand(1, 4, 4, 2)
    back = only(
        lambda: F.grid_sample(x, grid, align_corners=False).sum().backward(),
        name="aten::grid_sampler_2d_backward",
    )
    assert (back.arithmetic, back.fvcore) == (
        16 * 16 + 32 * 8,
        0,
    )  # weights again, a product and a sum a corner


def test_affine_grid_is_a_matrix_product() -> None:
    """Each of 2 x 4 x 5 points of 2 coordinates is 3 MACs."""
    assert (
        total(lambda: F.affine_grid(torch.rand(2, 2, 3), [2, 1, 4, 5], align_corners=False)).macs
        == 80 * 3
    )


def test_cudnn_costs_what_the_plain_kernels_do() -> None:
    x, grid, grad = S(1, 2, 4, 4), S(1, 3, 3, 2), S(1, 2, 3, 3)
    plain = ask(
        "aten::grid_sampler_2d_backward", grad, x, grid, 0, 0, False, (True, True), out=(x, grid)
    )
    assert ask("aten::cudnn_grid_sampler_backward", x, grid, grad, out=(x, grid)) == plain
    # 9 points of 2 coordinates, each a product with 3 homogeneous ones.
    theta = S(1, 2, 3)
    back = ask("aten::cudnn_affine_grid_generator_backward", grid, 1, 2, 3, 3, out=theta)
    assert back.macs == 9 * 2 * 3
