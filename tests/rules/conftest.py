"""What the tests of the rules share: how properties run, and the engine of quantized kernels.

Properties have no deadline, because the first call of an operator may load a library.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

settings.register_profile("rules", deadline=None, max_examples=50)
settings.load_profile("rules")

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
