"""``torchrun -m dispatchcount``: one rank shows, every rank saves, and a failure ends the job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli.job import Job

pytestmark = pytest.mark.torch_alone

SCRIPT = """
import sys, time, torch, torch.distributed as dist
dist.init_process_group("gloo")
layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 4))
net = torch.nn.parallel.DistributedDataParallel(layers)
with torch.no_grad():
    net(torch.ones(2 + dist.get_rank(), 4))
if "fail" in sys.argv:
    if dist.get_rank() == 1:
        raise ValueError("no such expert")
    time.sleep(600)
dist.destroy_process_group()
"""

ROOT = Path(__file__).parents[2]


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``dispatchcount`` on two ranks, which find each other at a port that is free."""
    (folder / "train.py").write_text(SCRIPT)
    (folder / "net.py").write_text(
        "import torch\n\ndef build():\n    return torch.nn.Linear(4, 8)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*command, "-m", "dispatchcount", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_script_is_shown_once_and_saved_by_each_rank(tmp_path: Path) -> None:
    done = torchrun(tmp_path, "run", "-o", "run.json", "train.py")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("fvcore convention") == 2  # below the table of rank 0, and of ranks
    assert "ranks   2 of 2" in done.stderr
    files = [tmp_path / f"run.rank-{rank}.json" for rank in range(2)]
    ranks = dc.Report.merge(map(dc.Report.from_json, files), axis="rank")
    # 2 rows on rank 0 and 3 on rank 1, each of 4·8 + 8·4 MACs, under names without `module.`.
    # Outside of the model, torch 2.6 runs operators of its own when DDP has it load its compiler.
    assert ranks.by_module("macs")[""].values == (2 * 64, 3 * 64)
    assert ranks.by_module("macs")["0"].values == (2 * 32, 3 * 32)


def test_a_rank_that_fails_ends_the_job_and_leaves_all_reports(tmp_path: Path) -> None:
    done = torchrun(tmp_path, "run", "-o", "run.json", "train.py", "fail")
    assert done.returncode == 1
    assert "ValueError: no such expert" in done.stderr
    reports = [dc.Report.from_json(tmp_path / f"run.rank-{rank}.json") for rank in range(2)]
    assert [report.by_module()[""].macs for report in reports] == [2 * 64, 3 * 64]


def test_a_model_is_shown_once(tmp_path: Path) -> None:
    done = torchrun(tmp_path, "profile", "net.py:build", "--input", "3,4", "-o", "net.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fvcore convention") == 2
    assert "max/mean" in done.stdout
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [
        "net.rank-0.json",
        "net.rank-1.json",
    ]


def test_names_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = Job()
    assert (alone.shows, alone.labels, alone.own("a.json")) == (True, {}, "a.json")
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "3"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    job = Job()
    assert not job.shows
    assert job.labels == {"rank": "3", "world_size": "4"}
    assert job.own("out/a.json") == "out/a.rank-3.json"
    assert job.own("a.b.speedscope.json") == "a.b.rank-3.speedscope.json"
    assert job.own("report") == "report.rank-3"
    assert [job.own(name) for name in ("-", "/dev/stdout", None)] == ["-", "/dev/stdout", None]
