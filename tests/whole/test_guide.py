"""What follows a guide: it tells what a page may leave out from what the page has wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whole.guide import agrees, follow

TIMES = 'text title="Times differ from run to run"'


@pytest.mark.parametrize(
    ("shown", "printed", "figures", "agree"),
    [
        ("a\nb\n", "a\nb  \n", True, True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True, True),
        ("a\n…\nd\n", "a\nb\nc\n", True, False),
        ("7 passed in …s\n", "7 passed in 3.21s\n", True, True),
        ("7 passed in …s\n", "6 passed in 3.21s\n", True, False),
        ("MFU 4.2 %, 1.2 G flops/s\n", "MFU 14.2 %, 910 M flops/s\n", False, True),
        ("MFU 4.2 %, 1.2 G flops/s\n", "MFU 14.2 %, 910 M flops/s\n", True, False),
        ("a   b\n───\n1 ms  x\n", "a    b\n────\n212 µs  x\n", False, True),
        ("MFU 4.2 %\n", "HFU 4.2 %\n", False, False),
    ],
)
def test_agrees(shown: str, printed: str, figures: bool, agree: bool) -> None:
    assert agrees(shown, printed, figures=figures) is agree


@pytest.mark.parametrize(
    ("page", "real"),
    [
        ("```python\nprint(1)\n```\n", "```python\nprint(1)\n```\n\n```text\n1\n```\n"),
        (
            "```python\nprint(1)\n```\n```text\n2\n```\n",
            "```python\nprint(1)\n```\n```text\n1\n```\n",
        ),
        (f"```python\nprint(1)\n```\n```{TIMES}\n2\n```\n", None),
        ("```console\n$ echo a \\\n  b\na b\n$ exit 3\n$ echo $?\n3\n```\n", None),
        ('```python title="one.py"\nx = 1\n```\n```python\nimport one\n\none.x  # 1\n```\n', None),
    ],
)
def test_follow(page: str, real: str | None, tmp_path: Path) -> None:
    assert follow(page, tmp_path) == (page if real is None else real)


def test_a_figure_that_is_not_so(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'2', '3'"):
        follow("```python\n1 + 1  # 3\n```\n", tmp_path)
