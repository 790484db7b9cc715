"""`benchmarks/gpu_checks.py`: what it does without a GPU, and that its exact checks hold on the CPU.

Those that ask a clock are left to whoever runs it.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.torch_alone

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_checks.py"


@pytest.fixture(scope="module")
def checks():
    spec = importlib.util.spec_from_file_location("gpu_checks", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_gpu_it_says_that_it_needs_one():
    done = subprocess.run(
        [sys.executable, str(PATH)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "these checks need a GPU that torch sees" in done.stderr


@pytest.mark.parametrize("name", ["attention_kernels", "same_as_on_the_host", "bits"])
def test_checks_without_a_clock_hold_on_the_cpu(checks, name):
    found = list(getattr(checks, name)(torch.device("cpu")))
    assert found
    assert all(holds for _, holds in found), found
