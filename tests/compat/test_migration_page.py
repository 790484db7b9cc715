"""The code on the migration page runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0].lstrip("# "))
def test_block_runs(block: str) -> None:
    exec(compile(block, "migration.md", "exec"), {})


def test_there_is_one_for_each_library() -> None:
    assert all(
        f"## {name}\n" in PAGE
        for name in ("mmengine", "fvcore", "torch", "ptflops", "thop", "calflops")
    )
