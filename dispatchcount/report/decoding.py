"""The steps in which a language model reads a prompt and writes tokens, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the model, which is a sample of the report.

    Attributes:
        label: the sample's label.
        tokens: tokens that go in, of all sequences together.
        cache_bytes: bytes of the key-value cache after it.
    """

    label: str
    tokens: int
    cache_bytes: int
