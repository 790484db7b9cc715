"""Standard streams may be closed, full or broken, as a shell can make them.

There is no traceback, and the exit status is 0 only if the result was shown.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatchcount.cli import main, streams
from tests.report import make

COMMAND = f"{sys.executable} -m dispatchcount"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    make.cnn().to_json(path)
    return path


def shell(line: str, folder: Path, **environment: str) -> tuple[int, str, str]:
    env = {
        key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"
    } | environment
    script = f"set -o pipefail; {line}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("show a.json >&-", 2, "standard output: it is closed"),
        ("show a.json --format json >&-", 2, "standard output: it is closed"),
        ("show a.json <&-", 0, ""),
        ("show a.json >/dev/full", 2, "standard output: No space left on device"),
        ("show a.json --format json >/dev/full", 2, "standard output: No space left on device"),
        ("--help >&-", 2, "standard output: it is closed"),
        ("--version >/dev/full", 2, "standard output: No space left on device"),
        ("html a.json >&-", 2, "standard output: it is closed"),
        ("check a.json --max flops=1G >&-", 2, "standard output: it is closed"),
        ("check a.json --max flops=1G --convention x >&-", 2, "invalid choice"),
        ("check a.json --max flops=1 >&-", 1, "over the budget"),
        ("check a.json --max flops=1 2>&-", 1, ""),
        ("check a.json --max flops=1 2>/dev/full", 1, ""),
        ("diff a.json a.json >&- 2>&-", 2, ""),
        ("show missing >&- 2>&- <&-", 2, ""),
        ("nonsense 2>/dev/full", 2, ""),
        ("show - <&-", 2, "standard input: it is closed"),
        ("show - </dev/null", 2, "it is empty"),
        ("show - </dev/zero", 2, "it is not JSON"),
        ("show - >/dev/null <a.json", 0, ""),
        ("diff - - <a.json", 2, "can be read only once"),
    ],
)
def test_streams_as_a_shell_makes_them(line: str, code: int, said: str, file: Path) -> None:
    found = shell(f"{COMMAND} {line}", file.parent)
    assert found[0] == code, found
    assert said in found[2]
    assert not found[2] or said
    assert "Traceback" not in found[2]
    assert "Exception ignored" not in found[2]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_reader_that_goes_away_is_told_by_141(form: str, unbuffered: str, file: Path) -> None:
    make.stack(3000).to_json(file)
    line = f"{COMMAND} show a.json --format {form} | head -c 1"
    code, _, said = shell(line, file.parent, PYTHONUNBUFFERED=unbuffered)
    assert (code, said) == (141, "")


def test_a_full_device_without_a_buffer(file: Path) -> None:
    code, _, said = shell(f"{COMMAND} show a.json >/dev/full", file.parent, PYTHONUNBUFFERED="1")
    assert (code, said) == (2, "dispatchcount: standard output: No space left on device\n")


def test_a_slow_reader_without_a_buffer_gets_all_of_it(file: Path) -> None:
    make.stack(3000).to_json(file)
    code, shown, _ = shell(
        f"{COMMAND} show a.json --format json | (sleep 1; cat)", file.parent, PYTHONUNBUFFERED="1"
    )
    assert code == 0
    assert shown.encode() == file.read_bytes()


def test_the_report_is_saved_before_the_table_is_shown(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import torch\ndef build(): return torch.nn.Linear(4, 4)\n")
    code, _, _ = shell(
        f"{COMMAND} profile net.py:build --input 1,4 --json a.json >&- 2>&- <&-", tmp_path
    )
    assert code == 2
    assert (tmp_path / "a.json").exists()


def test_no_file_becomes_a_standard_stream(tmp_path: Path) -> None:
    """A library's print to descriptor 1 must not get into the file that is being written."""
    code = (
        "import os\nos.close(1)\nfrom dispatchcount.cli import streams\n"
        "with streams.ready():\n"
        "    file = os.open('a', os.O_CREAT | os.O_WRONLY)\n"
        "    assert file > 2, file\n"
        "    try: os.write(1, b'x')\n"
        "    except OSError: pass\n"
        "    else: raise SystemExit('descriptor 1 took it')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a").read_bytes() == b""


def test_the_streams_of_a_caller_are_back_afterwards(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["show", str(file)]) == 2
    assert (sys.stdin, sys.stdout, sys.stderr) == (None, None, None)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert main(["show", str(file)]) == 2
    assert sys.stdout is closed


def test_standard_input_that_cannot_be_a_report_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            buffer[:] = b"y" * len(buffer)
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert len(streams.take()) < 100_000
    assert main(["show", "-"]) == 2
