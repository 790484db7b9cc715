"""Fourier transforms: 5 N log2 N operations, half as many MACs, an estimate."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import only, total

C = torch.complex64


def flops(n: int) -> float:
    return 5 * n * log2(n)


@pytest.mark.parametrize(
    ("run", "x", "count"),
    [
        (torch.fft.fft, torch.ones(3, 8, dtype=C), 3 * flops(8)),  # 3 * 5 * 8 * 3 = 360
        (torch.fft.ifft, torch.ones(8, dtype=C), flops(8)),
        (torch.fft.rfft, torch.ones(3, 8), 3 * flops(8) / 2),
        (torch.fft.irfft, torch.ones(3, 5, dtype=C), 3 * flops(8) / 2),
        (torch.fft.fft2, torch.ones(2, 4, 8, dtype=C), 2 * flops(32)),
        (torch.fft.rfft2, torch.ones(2, 4, 8), 2 * flops(32) / 2),
        (torch.fft.fft, torch.ones(6, dtype=C), flops(6)),
        (torch.fft.fft, torch.ones(1, dtype=C), 0),
    ],
)
def test_transforms(run: Any, x: torch.Tensor, count: float) -> None:
    expected = Cost(macs=ceil(count / 2), estimate=True)
    assert total(run, x).macs == expected.macs
    name = {"rfft": "r2c", "rfft2": "r2c", "irfft": "c2r"}.get(
        run.__name__.removeprefix("fft_"), "c2c"
    )
    assert only(run, x, name=f"aten::_fft_{name}") == expected


def test_stft_is_a_transform_per_frame() -> None:
    def run(x: torch.Tensor) -> torch.Tensor:
        return torch.stft(
            x, 16, hop_length=4, window=torch.ones(16), center=False, return_complex=True
        )

    assert only(run, torch.ones(2, 40), name="aten::_fft_r2c").macs == 2 * 7 * 5 * 16 * 4 // 2 // 2
