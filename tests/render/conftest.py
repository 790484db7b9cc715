"""Expected renderings, kept as text files in tests/golden.

After a change that is meant, `OVERWRITE_GOLDEN=1 pytest tests/render` writes them anew; read the difference before keeping it.
"""

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "golden"


@pytest.fixture
def golden():
    """A function that compares a text with the file of a name."""

    def compare(name: str, text: str) -> None:
        path = FOLDER / f"{name}.txt"
        if os.environ.get("OVERWRITE_GOLDEN"):
            path.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == path.read_text(encoding="utf-8")

    return compare
