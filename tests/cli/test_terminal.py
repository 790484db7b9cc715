"""What foreign code does to the process's descriptors and its end, and how long output is shown."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from dispatchcount.cli import main

MODEL = """
import atexit, ctypes, os, sys
from torch import nn


class Net(nn.Linear):
    def forward(self, x):
        print("from Python")
        os.write(1, b"from the system\\n")
        ctypes.CDLL(None).puts(b"from C")
        return super().forward(x)


def loud():
    return Net(4, 4)


def leaving():
    atexit.register(os._exit, 0)
    return nn.Linear(4, 4)


def closing():
    sys.__stdout__.close()
    return nn.Linear(4, 4)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    return tmp_path


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dispatchcount", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True)


def test_nothing_that_a_model_prints_gets_into_the_result(place: Path) -> None:
    done = run(place, "profile", "net.py:loud", "--input", "1x4", "--json", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["total"]["macs"] == 4 * 4
    for line in ("from Python", "from the system", "from C"):
        assert line in done.stderr


def test_the_exit_status_is_the_commands_whatever_was_left_for_the_end(place: Path) -> None:
    done = run(place, "profile", "net.py:leaving", "--input", "1,5")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "leave_at_once" not in done.stderr


def test_closing_the_original_stream_closes_nothing(place: Path) -> None:
    done = run(place, "profile", "net.py:closing", "--input", "1,4", "--depth", "0")
    assert done.returncode == 0, done.stderr
    assert "Linear" in done.stdout


def test_a_long_table_goes_through_the_pager_of_a_terminal(place: Path) -> None:
    run(place, "profile", "torchvision:resnet18", "--device", "meta", "--json", "r.json")

    def shown(*options: str) -> bytes:
        pager = f"{sys.executable} -c \"import sys; print('PAGED', len(sys.stdin.read()))\""
        environment = {
            **os.environ,
            "PAGER": pager,
            "TERM": "xterm",
            "LINES": "30",
            "COLUMNS": "100",
        }
        controller, terminal = pty.openpty()
        command = [sys.executable, "-m", "dispatchcount", "show", "r.json", *options]
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
        )
        os.close(terminal)
        text = b""
        while True:
            try:
                more = os.read(controller, 65536)
            except OSError:  # the terminal is closed
                break
            if not more:
                break
            text += more
        process.wait()
        os.close(controller)
        return text

    assert b"PAGED" in shown("--depth", "all", "--unfold")
    assert b"PAGED" not in shown("--depth", "0")


@pytest.mark.parametrize("written", ["2x4", "2x4:float32", "2,4", "2, 4"])
def test_sizes_may_have_an_x_between_them(
    place: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert main(["profile", "net.py:loud", "--input", written, "--json", "r.json"]) == 0
    assert json.loads(Path("r.json").read_bytes())["total"]["macs"] == 2 * 4 * 4
