"""The page that the benchmarks write: a section for each, replaced when it is run again, and the
machine they ran on.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns after the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(packages: dict[str, str]) -> str:
    """When and where, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    where = f"{_cpu()} ({os.cpu_count()} cores), {platform.system()}, Python {platform.python_version()}"
    return f"Measured on {datetime.date.today()}: {where}, {versions}."


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def write(section: str, text: str) -> None:
    """Put a section on the page, in place of the one of that name."""
    start, end = (
        f"<!-- {section}: written by benchmarks/{section}.py -->",
        f"<!-- end of {section} -->",
    )
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Benchmarks\n"
    block = f"{start}\n{text.strip()}\n{end}"
    if start in page:
        before, _, rest = page.partition(start)
        page = before + block + rest.partition(end)[2]
    else:
        page = f"{page.rstrip()}\n\n{block}\n"
    PAGE.write_text(page, encoding="utf-8")
