"""`benchmarks/gpu_checks.py`: what it does without a GPU, and that its exact checks hold on the CPU.

Those that ask a clock are left to whoever runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch_alone

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_checks.py"


def run(*args):
    return subprocess.run(
        [sys.executable, str(PATH), *args],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_gpu_it_says_that_it_needs_one():
    done = run()
    assert done.returncode == 2
    assert "these checks need a GPU that torch sees" in done.stderr


def test_a_name_that_no_check_has():
    done = run("--device", "cpu", "bites")
    assert done.returncode == 2
    assert "no check's name begins so; there are known_device, matmul_loop" in done.stderr


def test_checks_without_a_clock_hold_on_the_cpu():
    done = run("--device", "cpu", "attention_kernels", "same_as_on_the_host", "bits", "nccl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  holds:") >= 8 + 4 + 1, done.stdout
    assert "left out: Training in a group of one under NCCL" in done.stdout
    assert done.stdout.endswith(" on the CPU: none failed\n")
