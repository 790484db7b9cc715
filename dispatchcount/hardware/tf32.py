"""torch's switches that let float32 products be rounded to TF32, read and set.

Since torch 2.9 each kind of products has a switch, ``torch.backends.cudnn.conv.fp32_precision``;
those of several kinds at once, ``torch.backends.fp32_precision``, set them. Where these were used,
torch refuses to answer by the older names that it had before, and so these are asked only where the
newer ones are absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchcount.hardware.device import CONV, MATMUL, RNN


def rounded_kinds() -> tuple[str, ...]:
    """The kinds of float32 products that torch may round to TF32 on a GPU at present.

    On a GPU of AMD that is matrix products at most: MIOpen, which does the others, does not round.
    """
    import torch

    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return ()  # NVIDIA's libraries then round nothing, whatever they are told
    cudnn: Any = torch.backends.cudnn
    rounded = {MATMUL: _matmul_precision() not in ("highest", "ieee", "none")}
    if torch.version.hip is None:
        newer = hasattr(cudnn, "conv")
        for kind in (CONV, RNN):
            rounded[kind] = (
                getattr(cudnn, kind).fp32_precision == "tf32" if newer else bool(cudnn.allow_tf32)
            )
    return tuple(kind for kind, may in rounded.items() if may)


@contextmanager
def matrix_products(*, rounded: bool) -> Iterator[None]:
    """Torch may round float32 matrix products to TF32 in the block, or may not."""
    before = _matmul_precision()
    newer = _has_newer_switch()
    exact, tf32 = ("ieee", "tf32") if newer else ("highest", "high")
    _set_matmul_precision(tf32 if rounded else exact)
    try:
        yield
    finally:
        _set_matmul_precision(before)


def _has_newer_switch() -> bool:
    import torch

    return hasattr(torch.backends.cuda.matmul, "fp32_precision")


def _matmul_precision() -> str:
    """``"tf32"``, ``"ieee"`` or ``"none"``; an older torch says ``"highest"`` or another word."""
    import torch

    if _has_newer_switch():
        matmul: Any = torch.backends.cuda.matmul
        return str(matmul.fp32_precision)
    return str(torch.get_float32_matmul_precision())


def _set_matmul_precision(word: str) -> None:
    import torch

    if _has_newer_switch():
        matmul: Any = torch.backends.cuda.matmul
        matmul.fp32_precision = word
    else:
        torch.set_float32_matmul_precision(word)
