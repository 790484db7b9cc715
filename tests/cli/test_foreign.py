"""Whatever a target does, ``dispatchcount profile`` ends without a traceback or a false success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli import main

NET = """
import os
import sys

import torch
from torch import nn

HERE = {here!r}

class Silent(Exception):
    def __str__(self):
        raise ValueError("no text")

class Leaves(SystemExit):
    pass

class Base(BaseException):
    pass

def way(place, result=None):
    if place == HERE:
        {way}
    return result

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
    def forward(self, x):
        return Out(way("forward", self.layer(x))) if HERE == "backward" else way("forward", self.layer(x))
    def train(self, mode=True):
        return way("train", super().train(mode))
    def to(self, *args, **kwargs):
        return way("to", super().to(*args, **kwargs))

class Hook(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()
    @staticmethod
    def backward(ctx, g):
        return way("backward", g)

def Out(x):
    return Hook.apply(x)

class Holder:
    @property
    def build(self):
        way("attribute")
        return Net
holder = Holder()

class Lies:
    @property
    def __class__(self):
        way("class")
        return int

def build():
    return way("builder", Lies() if HERE == "class" else Net())

def inputs():
    return way("inputs", torch.ones(1, 4))

way("import")
"""

PLACES = ("import", "attribute", "builder", "class", "to", "train", "inputs", "forward", "backward")
WAYS = {
    "exit": "sys.exit()",
    "exit 0": "raise SystemExit(0)",
    "a kind of exit": "raise Leaves(0)",
    "exit with a message": "sys.exit('bye')",
    "at once": "os._exit(0)",
    "error": "raise RuntimeError('[red]\\x1b[31m no\\nmore')",
    "error without text": "raise Silent",
    "error that is no Exception": "raise Base('no')",
    "end of iteration": "raise StopIteration",
}


def command(folder: Path, here: str, way: str) -> list[str]:
    net = folder / "net.py"
    net.write_text(NET.format(here=here, way=way))
    return [
        "profile",
        f"{net}:{'holder.' if here == 'attribute' else ''}build",
        "--inputs",
        f"{net}:inputs",
        "--backward",
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_foreign_code_does_is_a_sentence_and_2(
    place: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave = os._exit
    assert main(command(tmp_path, place, WAYS[way])) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("dispatchcount: ")
    assert "Traceback" not in said
    assert "fault of dispatchcount" not in said
    assert said.replace("\n", "").isprintable()
    assert os._exit is leave


@pytest.mark.parametrize(
    "place", sorted({*PLACES} - {"class"})
)  # what an object says of its class is not asked for
def test_an_interrupt_in_foreign_code_is_one(place: str, tmp_path: Path) -> None:
    assert main(command(tmp_path, place, "raise KeyboardInterrupt")) == 130


def test_without_mischief_it_is_counted(tmp_path: Path) -> None:
    saved = tmp_path / "net.json"
    assert main([*command(tmp_path, "nowhere", "pass"), "--json", str(saved)]) == 0
    assert (
        dc.Report.from_json(saved).macs == 4 * 4 * 2
    )  # the input needs no gradient: backward has the weight's alone


def test_traceback_shows_the_foreign_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(tmp_path, "builder", "raise Silent"), "--traceback"]) == 2
    assert "in way" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["import", "builder", "forward", "inputs"])
def test_what_foreign_code_prints_is_no_part_of_the_result(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "print('HELLO'); sys.stdout.close(); sys.stderr.close(); sys.stdout = sys.stderr = None"
    assert main([*command(tmp_path, place, code), "--json", "-"]) == 0
    shown = capsys.readouterr()
    assert dc.Report.from_json(shown.out.encode()).macs == 32
    assert set(shown.err.split()) == {"HELLO"}


def test_foreign_code_that_goes_elsewhere_does_not_take_the_report_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    assert main([*command(tmp_path, "builder", "os.chdir('elsewhere')"), "--json", "net.json"]) == 0
    assert (tmp_path / "net.json").exists()


def test_a_process_that_was_told_to_exit_exits_2(tmp_path: Path) -> None:
    for way in ("os._exit(0)", "sys.exit(0)"):
        done = subprocess.run(
            [sys.executable, "-m", "dispatchcount", *command(tmp_path, "import", way)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "asks to exit with status 0" in done.stderr


def test_the_run_says_in_the_report_what_it_was(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\ndef small(): return nn.Linear(4, 4)\ndef big(): return nn.Linear(4, 40)\n"
    )
    runs = tmp_path / "runs"
    runs.mkdir()
    common = ["--input", "1,4"]
    for name, target, arguments in (
        ("a", "small", common),
        ("b", "big", common),
        ("c", "small", ["--input", "2,4"]),
        ("d", "small", [*common, "--train", "--backward"]),
        (
            "e",
            "small",
            [*common, "--device", "meta"],
        ),  # the same figures as on the CPU, so the same series
    ):
        assert (
            main(["profile", f"{net}:{target}", *arguments, "--json", str(runs / f"{name}.json")])
            == 0
        )
    labels = dict(dc.Report.from_json(runs / "d.json").meta.labels)
    # Tests may run in a working tree of git or outside of one; test_labels looks at the commit.
    labels.pop("commit", None)
    assert labels == {
        "model": f"{net}:small",
        "input": "1,4",
        "device": "cpu",
        "mode": "train and backward",
        "dtype": "float32",
    }
    from dispatchcount.dashboard.site import build

    assert len(build(runs, tmp_path / "site", "fvcore").series) == 4


def test_inputs_are_named_in_the_report_with_what_they_are(tmp_path: Path) -> None:
    import torch

    from dispatchcount.cli.feed import written

    assert (
        written(((torch.ones(1, 3, 8, 8), torch.ones((), dtype=torch.int64), None), {}))
        == "1,3,8,8 :int64 NoneType"
    )
    assert written(((), {"tokens": torch.zeros(2, 5, dtype=torch.int64)})) == "tokens=2,5:int64"
    assert written((tuple(torch.ones(1) for _ in range(20)), {})) == "1 1 1 1 1 1 1 1 …"
    images = [torch.ones(3, 8, 8), torch.ones(3, 9, 9)]
    assert written(((images, {"a": 3}, True, "x"), {})) == "(3,8,8 3,9,9) (a=3) True str"
    cyclic: list[object] = []
    cyclic.append(cyclic)
    assert written(((cyclic,), {})) == "((list))"
