"""Keeps files away that the lane with torch alone cannot import.

`pytest -m torch_alone` chooses tests by their marker, but pytest reads a marker only after it has
imported the file, and a file that imports timm cannot be imported where timm is missing. So this
file looks for the marker in the text of each test file before pytest imports it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

MARKER = "torch_alone"


def has_marker(path: Path) -> bool:
    """True if a test file names the marker, or if a folder holds such a file."""
    if path.is_dir():
        return any(has_marker(file) for file in path.rglob("test_*.py"))
    return MARKER in path.read_text(encoding="utf-8")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out what is not marked, but only in a run of `-m torch_alone`.

    A folder without a marked file is left out whole, because its conftest may import more.
    """
    if config.option.markexpr != MARKER:
        return None  # Pytest decides as it does without this file.
    is_test = collection_path.is_dir() or collection_path.name.startswith("test_")
    return True if is_test and not has_marker(collection_path) else None
