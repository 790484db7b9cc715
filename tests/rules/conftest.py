"""What the tests of the rules share: the engine of quantized kernels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch

ENGINES = ("fbgemm", "x86", "onednn", "qnnpack")


@pytest.fixture
def quantized_engine() -> Iterator[None]:
    """The first engine that this torch has, and no warnings that quantization moves elsewhere."""
    before = torch.backends.quantized.engine
    for engine in ENGINES:
        if engine in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = engine
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.backends.quantized.engine = before
