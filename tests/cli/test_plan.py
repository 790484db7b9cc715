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


STAGES = """
import torch
from torch import nn
import torch.distributed as dist

def build():
    return nn.Sequential(*[nn.Linear(8, 8) for _ in range(4)])

def parallelize(model, mesh):
    return model[: dist.get_rank() + 1]

def step(model):
    model(torch.ones(2, 8))
"""
"""Rank n runs the first n + 1 of four layers."""


@plans
def test_the_page_of_a_rank(train: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", train, "--mesh=dp=2", "--rank=1", "--html=plan.html"]) == 0
    assert "as rank 1 (dp 1) has it" in capsys.readouterr().out
    page = Path("plan.html").read_text()
    for label in ('["mesh","dp=2"]', '["rank","1"]', '["world_size","2"]', '["planned","yes"]'):
        assert label in page
    assert main(["plan", train, "--mesh=dp=2", "--device=h100-sxm", "--html=roof.html"]) == 0
    assert '"roof":null' in page
    assert '"roof":null' not in Path("roof.html").read_text()


@plans
def test_the_page_of_all_ranks(train: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(train).write_text(STAGES)
    assert main(["plan", train, "--mesh=pp=4", "--ranks=all", "--html=job.html"]) == 0
    # 2 rows of 8 by 8 for each layer: 1 + 2 + 3 + 4 layers of 128 flops.
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("all")]
    assert " ".join(line.split()) == "all 1.28 k 320 128 512 rank 3 1.600"
    page = Path("job.html").read_text()
    assert '"world":4,"rank":[0,1,2,3],"missing":[],"planned":true' in page
    assert '["mesh","pp=4"]' in page


@plans
def test_some_ranks_are_said_to_be_planned(train: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(train).write_text(STAGES)
    # In any order, and once each.
    assert main(["plan", train, "--mesh=pp=4", "--ranks=3, 0,3", "--html=job.html"]) == 0
    shown = capsys.readouterr().out
    assert "2 of 4" in shown
    assert "ranks 0, 3 alone; sums and means are of these" in shown
    assert "no report" not in shown
    page = Path("job.html").read_text()
    assert '"world":4,"rank":[0,3],"missing":[1,2],"planned":true' in page


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
        (["--mesh=dp=2", "--html=train.py"], "would overwrite"),
        (["--mesh=dp=2", "--html=-"], "standard output has what is shown"),
        (["--mesh=dp=2", "--html=x", "--json=./x"], "x would be written twice"),
        (["--mesh=dp=2", "--mesh=dp=4", "--html=x.html"], "--html is a page of one mesh"),
        (["--mesh=dp=2", "--mesh=dp=4", "--ranks=all"], "give one --mesh with it"),
        (["--mesh=dp=2", "--ranks=0,2"], "rank 2 is not in the mesh dp=2"),
        (["--mesh=dp=2", "--ranks=0-1"], "'0-1' is not understood; give ranks such as 0,8,16"),
        (["--mesh=dp=2", "--ranks="], "is not understood"),
        (["--mesh=dp=2", "--ranks=0,,1"], "is not understood"),
        (["--mesh=dp=2", "--ranks=all", "--rank=1"], "not allowed with argument"),
        (["--mesh=dp=2", "--ranks=all", "--json=x.json"], "--json is for the plan of one rank"),
        (["--mesh=dp=2", "--ranks=all", "--device=h100-sxm"], "--device is for the plan of one"),
        (["--mesh=dp=2", "--ranks=all", "--format=markdown"], "--format markdown is for"),
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
