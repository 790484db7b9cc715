"""``dispatchcount run``: scripts and modules as they are, and the report of what they called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli import main

TRAIN = """
import sys
import torch
from torch import nn

net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
loss = nn.MSELoss()
for _ in range(5):
    optimizer.zero_grad()
    loss(net(torch.ones(3, 8)), torch.zeros(3, 4)).backward()
    optimizer.step()
"""

FORWARD = 3 * (8 * 16 + 16 * 4)
STEP = FORWARD + FORWARD + 3 * 16 * 4
"""Forward, the gradients of both weights, and the gradient of the second layer's input."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TRAIN)
    package = tmp_path / "package_of_the_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("from . import task\n")
    (package / "task.py").write_text(f"{TRAIN}\nprint(__name__, __package__)\n")
    return tmp_path


def _added(place: Path, lines: str) -> None:
    (place / "train.py").write_text(f"{TRAIN}\n{lines}\n")


def test_a_script_is_counted_and_its_output_is_its_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _added(place, "print(__name__, sys.argv, sys.path[0], __file__)")
    before = sys.modules["__main__"], list(sys.argv), list(sys.path)
    assert main(["run", "--json", "a.json", "train.py", "--json", "x", "--", "-o"]) == 0
    report = dc.Report.from_json("a.json")
    assert report.macs == 5 * STEP
    assert {name: row.macs for name, row in report.by_phase().items()} == {
        "forward": 5 * FORWARD,
        "backward": 5 * (STEP - FORWARD),
        "optimizer": 0,
    }
    assert report.by_module()["Sequential"].calls == 5
    assert dict(report.meta.labels)["model"] == "train.py"
    shown = capsys.readouterr()
    argv = ["train.py", "--json", "x", "--", "-o"]
    assert shown.out == f"__main__ {argv} {place} {place}/train.py\n"
    assert "Sequential" in shown.err
    assert (sys.modules["__main__"], sys.argv, sys.path) == before


@pytest.mark.parametrize(
    ("end", "status", "says"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('enough')", 1, "enough"),
        ("raise SystemExit(-1)", 255, ""),
        ("raise ValueError('as asked')", 1, 'train.py", line 14, in <module>'),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    ],
)
def test_the_report_is_there_however_the_script_ends(
    end: str, status: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _added(place, end)
    assert main(["run", "--json", "a.json", "train.py"]) == status
    assert dc.Report.from_json("a.json").macs == 5 * STEP
    said = capsys.readouterr().err
    assert says in said
    assert "cli/script.py" not in said  # Frames of ours tell the script's author nothing.


def test_a_script_that_python_runs_ends_the_same_way(place: Path) -> None:
    _added(place, "print(__name__, __package__, __spec__, sys.argv, __file__)\nsys.exit(3)")
    alone = subprocess.run([sys.executable, "train.py", "a"], capture_output=True, check=False)
    counted = subprocess.run(
        [sys.executable, "-m", "dispatchcount", "run", "train.py", "a"],
        capture_output=True,
        check=False,
    )
    assert (alone.returncode, alone.stdout) == (counted.returncode, counted.stdout)
    assert alone.returncode == 3


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("package_of_the_test", "package_of_the_test.task"),
        ("package_of_the_test.task", "__main__"),
    ],
)
def test_a_module_by_its_name(
    name: str, module: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for loaded in [one for one in sys.modules if one.startswith("package_of_the_test")]:
        del sys.modules[loaded]
    assert main(["run", "-o", "a.json", "-o", "a.html", "-m", name, "--lr", "3"]) == 0
    assert dc.Report.from_json("a.json").macs == 5 * STEP
    assert Path("a.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out == f"{module} package_of_the_test\n"


@pytest.mark.parametrize(("skip", "steps", "counted"), [(2, 2, 2), (4, 9, 1), (1, None, 4)])
def test_a_window_of_training_steps_holds_whole_steps(
    skip: int, steps: int | None, counted: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [] if steps is None else ["--steps", str(steps)]
    assert main(["run", "--skip", str(skip), *several, "--json", "a.json", "train.py"]) == 0
    report = dc.Report.from_json("a.json")
    assert report.macs == counted * STEP
    assert report.by_module()["Sequential"].macs == counted * STEP
    said = capsys.readouterr().err
    assert f"counted calls {skip + 1} to {skip + counted} of 5 calls of Sequential" in said


def test_a_window_of_plain_calls(place: Path) -> None:
    _added(place, "net.eval()\nwith torch.no_grad():\n    for _ in range(4): net(torch.ones(3, 8))")
    assert main(["run", "--skip", "6", "--steps", "2", "--json", "a.json", "train.py"]) == 0
    assert dc.Report.from_json("a.json").macs == 2 * FORWARD


def test_a_window_past_the_end_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--skip", "9", "--json", "a.json", "train.py"]) == 0
    assert "the script made 5 calls of its model, and --skip 9" in capsys.readouterr().err
    assert not Path("a.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian.py"], "did you mean train.py?"),
        (["."], "is a folder; "),
        (["-m", "package_of_the_tset"], "there is no module 'package_of_the_tset'"),
        (["-m", "train.py"], "train.py is a file; leave -m out"),
        (["-m", "sys"], "has no Python code"),
        (["-o", "a.xyz", "train.py"], ".html (a page)"),
        (["-o", "missing/a.json", "train.py"], "there is no folder"),
        (["--json", "-", "train.py"], "standard output belongs to the script"),
        (["--json", "train.py", "train.py"], "would overwrite train.py"),
        (["--steps", "-1", "train.py"], "'-1' is no number of calls"),
    ],
)
def test_wrong_use_is_said_before_the_script_runs(
    arguments: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _added(place, "open('ran', 'w')")
    assert main(["run", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not Path("ran").exists()


def test_a_script_without_torch_is_said_to_have_none(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "train.py").write_text("print('no model here')\n")
    assert main(["run", "train.py"]) == 0
    assert "ran no operator of torch in this process" in capsys.readouterr().err


def test_backward_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--backward-only", "-o", "r.json", "train.py"]) == 0
    report = dc.Report.from_json("r.json")
    assert list(report.by_phase()) == ["backward"]
    assert report.macs == 5 * (STEP - FORWARD)
    assert report.params == 8 * 16 + 16 + 16 * 4 + 4
    report.self_check()


def test_a_script_without_a_backward_says_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "eval.py").write_text("import torch\ntorch.nn.Linear(2, 2)(torch.ones(1, 2))\n")
    assert main(["run", "--backward-only", "eval.py"]) == 0
    assert "ran no backward" in capsys.readouterr().err
