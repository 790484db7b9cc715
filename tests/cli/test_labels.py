"""The label of the commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dispatchcount.cli.labels import commit


def _git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    ran = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_the_commit_is_that_of_the_folder_with_a_mark_for_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == {}
    _git("init")
    assert commit() == {}  # There is no commit yet.
    Path("a").write_text("1")
    _git("add", "a")
    _git("commit", "-m", "one")
    head = _git("rev-parse", "HEAD")[:12]
    assert commit() == {"commit": head}
    Path("a").write_text("2")
    assert commit() == {"commit": f"{head}+"}
    monkeypatch.setenv("PATH", "")
    assert commit() == {}
