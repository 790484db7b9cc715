"""``dispatchcount plan``."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatchcount.cli import main
from dispatchcount.distributed import Plan
from tests.distributed.spread import plans

pytestmark = pytest.mark.torch_alone

TRAIN = """
import torch
from torch import nn
from torch.distributed.fsdp import fully_shard

print("imported")

def build():
    return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))

def parallelize(model, mesh):
    return fully_shard(model, mesh=mesh["dp"])

def step(model, optimizer):
    model(torch.ones(2, 8)).sum().backward()
    optimizer.step()

optimizer = torch.optim.AdamW
"""


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(TRAIN)
    return "train.py"


@plans
def test_one_mesh(train: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--mesh=dp=2", "--rank=1", "--device=h100-sxm", "--json=plan.json"]
    assert main(["plan", train, *arguments]) == 0
    shown = capsys.readouterr()
    assert "as rank 1 (dp 1) has it" in shown.out
    assert "least time" in shown.out
    assert "imported" in shown.err
    planned = Plan.from_json("plan.json")
    # Forward and the gradients of both weights, and of the input of the second.
    assert planned.macs == 2 * 8 * 8 * (2 + 2 + 1)
    assert planned.optimizer > 0


@plans
def test_several_meshes(train: str, capsys: pytest.CaptureFixture[str]) -> None:
    meshes = ["--mesh=dp=2", "--mesh=pp=4,dp=4"]
    more = ["--schedule=1f1b", "--microbatches=8"]
    assert main(["plan", train, "--mesh=pp=4,dp=4", *more]) == 0
    assert "27.3% of a step is waiting with p=4, m=8" in capsys.readouterr().out  # 3 / 11
    arguments = ["--device=h100-sxm", "--interconnect=dp=100e9", "--format=markdown"]
    assert main(["plan", train, *meshes, *arguments]) == 0
    shown = capsys.readouterr().out
    assert "| pp=4,dp=4 |" in shown
    assert "time by PMAC forward" in shown
    with open(train, "a") as stream:
        stream.write("\ndef samples(mesh):\n    return 2 * mesh['dp']\n")
    assert main(["plan", train, *meshes, "--device=h100-sxm"]) == 0
    shown = capsys.readouterr().out
    assert "time by sample" in shown
    assert main(["plan", train, *meshes, "--device=h100-sxm", "--by=step"]) == 0
    assert "time by" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--mesh"),
        (["--mesh=dp"], "is no dimension of a mesh"),
        (["--mesh=dp=2", "--rank=2"], "its ranks are 0 to 1"),
        (["--mesh=dp=2", "--mesh=dp=4", "--json=x.json"], "--json saves one plan"),
        (["--mesh=dp=2", "--interconnect=1e9"], "give --device too"),
        (["--mesh=dp=2", "--device=h100-sxm", "--interconnect=fast"], "not understood"),
        (["--mesh=dp=2", "--schedule=1f1b"], "no dimension pp"),
        (["--mesh=pp=2", "--schedule=1f1b"], "--microbatches 32"),
        pytest.param(["--mesh=tp=2"], "parallelize", marks=plans),
        (["--mesh=dp=2", "--json=train.py"], "would overwrite"),
    ],
)
def test_wrong_use(
    train: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", train, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_file_without_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "half.py"
    path.write_text("def build(): pass\n")
    assert main(["plan", str(path), "--mesh=dp=2"]) == 2
    assert "has no step; a plan needs functions build() and step(model)" in capsys.readouterr().err
