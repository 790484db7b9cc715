"""The names of ``thop.utils``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def clever_format(nums: Any, format: str = "%.2f") -> Any:
    """A number, or each of several, with a suffix: ``"4.09G"``."""
    many = isinstance(nums, Iterable)
    texts = tuple(_text(float(number), format) for number in (nums if many else (nums,)))
    return texts if len(texts) != 1 else texts[0]


def _text(number: float, format: str) -> str:
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number > size:
            return format % (number / size) + suffix
    return format % number + "B"


__all__ = ["clever_format"]
