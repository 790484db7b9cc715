"""Decides what a run takes: a sample of the proofs, no file that it cannot import, the same examples.

Some tests are proofs: one statement, tried on hundreds of cases (every operator of torch, every
published figure). All of them together take longer than a change should wait, so a run takes a
sample of each, unless it names what it wants. See `pytest_collection_modifyitems`.

`pytest -m torch_alone` chooses tests by their marker, but pytest reads a marker only after it has
imported the file, and a file that imports timm cannot be imported where timm is missing. So this
file looks for the marker in the text of each test file before pytest imports it.

Under coverage.py, each process writes what it measured when its tests are done: pytest-xdist kills a
worker that takes longer than some seconds to end, and what it measured would be lost.

Tests of properties try the same examples each time, and none fails because the machine is slow: a
change must not fail for what another one brought. ``--hypothesis-profile=search`` tries new ones.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNHURRIED, max_examples=50, derandomize=True, database=None)
settings.register_profile("search", UNHURRIED, max_examples=1000)
settings.load_profile("same")

ALONE = "torch_alone"
PROOF = "proof"


def in_expression(marker: str, config: pytest.Config) -> bool:
    """True if the run's `-m` asks for the marker; ``not marker`` asks for the others."""
    return re.search(rf"(?<!not )\b{marker}\b", config.option.markexpr) is not None


def names_tests(config: pytest.Config) -> bool:
    """True if a run says which tests it wants: by `-m proof`, by `-k` or by a name after `::`."""
    by_name = any("::" in argument for argument in config.args)
    return by_name or bool(config.option.keyword) or in_expression(PROOF, config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out all but a sample of each proof, if the run names no tests.

    A proof bears ``@pytest.mark.proof(every=n)``. Of its cases, in their order in the file, the
    first runs, and each n-th after it. So each process of pytest-xdist takes the same ones, each
    time, and no proof is left out whole.
    """
    if names_tests(config):
        return
    taken, left_out = [], []
    before: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker(PROOF)
        proof = item.nodeid.partition("[")[0]
        in_sample = mark is None or before[proof] % mark.kwargs["every"] == 0
        before[proof] += 1
        (taken if in_sample else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = taken


def pytest_sessionfinish() -> None:
    """Writes what coverage.py has measured, if it runs."""
    coverage = sys.modules.get("coverage")
    measuring = coverage and coverage.Coverage.current()
    if measuring:
        measuring.save()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says that a sample ran; with pytest-xdist, pytest itself does not say what was left out."""
    if not names_tests(terminalreporter.config):
        terminalreporter.write_line("Of the proofs a sample ran. `pytest -m proof` runs them all.")


def has_marker(path: Path) -> bool:
    """True if a test file names the marker of torch alone, or if a folder holds such a file."""
    if path.is_dir():
        return any(has_marker(file) for file in path.rglob("test_*.py"))
    return ALONE in path.read_text(encoding="utf-8")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out what is not marked, but only in a run of `-m torch_alone`.

    A folder without a marked file is left out whole, because its conftest may import more.
    """
    if not in_expression(ALONE, config):
        return None  # Pytest decides as it does without this file.
    is_test = collection_path.is_dir() or collection_path.name.startswith("test_")
    return True if is_test and not has_marker(collection_path) else None
