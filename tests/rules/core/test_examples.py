"""What the docstrings of the core show is so."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["names", "shape", "sizes"])
def test_examples(name: str) -> None:
    result = doctest.testmod(import_module(f"dispatchcount.rules.core.{name}"))
    assert result.attempted
    assert not result.failed
