"""What the README claims is so: the output of its first example, a law, and other tools' zeros."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import calflops
import ptflops
import thop
import torch
import torchinfo
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel

import dispatchcount as dc

HERE = Path(__file__).parents[2]
README = (HERE / "README.md").read_text()
CODE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_python(code: str) -> str:
    """What the code prints, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def block_of(text: str) -> str:
    """The one block in the README that has this text."""
    (found,) = [code for code in CODE.findall(README) if text in code]
    return found


def test_the_readme_shows_what_the_first_example_prints() -> None:
    figures = re.search(r"`report.flops` is (\d+), .*?flops` is\s+(\d+)", README, re.DOTALL)
    assert figures
    code = block_of("resnet50()") + "print(report.flops, report.with_convention('torch').flops)\n"
    assert run_python(code) == block_of("ResNet ") + " ".join(figures.groups()) + "\n"


def test_the_readme_shows_the_law_that_comes_out() -> None:
    """A block of 768 channels has 12 · 768² weights in products, the head 50,257 · 768."""
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config()).eval()

    def run(b: int, s: int) -> None:
        model(torch.zeros(b, s, dtype=torch.long, device="meta"))

    assert f"GPT-2 takes `{dc.law(model, run, b=2, s=16).macs}` MACs" in README


def test_the_silent_zeros_of_the_readme() -> None:
    """The two products of scores are 8 · 128 · 128 · 64 multiply-accumulates each."""
    shown = README.partition("One example of a silent zero")[2].partition("\n\n")[0]
    x = torch.rand(1, 8, 128, 64)
    with dc.profile() as prof:
        F.scaled_dot_product_attention(x, x, x)
    flops = prof.report.with_convention("torch").flops
    assert flops == 2 * 2 * 8 * 128 * 128 * 64
    assert f" {flops:,} flops" in shown

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones(1))  # some tools ask a model for its parameters

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    net = Attention()
    with FlopCounterMode(display=False) as counter:
        net(x)
    silent: dict[str, float] = {
        "FlopCounterMode": counter.get_total_flops(),
        "fvcore": FlopCountAnalysis(net, (x,)).total(),
        "ptflops": ptflops.get_model_complexity_info(
            net, (8, 128, 64), as_strings=False, print_per_layer_stat=False
        )[0],
        "calflops": calflops.calculate_flops(
            net, args=[x], print_results=False, output_as_string=False
        )[0],
        "thop": thop.profile(net, (x,), verbose=False)[0],
        "torchinfo": torchinfo.summary(net, input_data=x, verbose=0).total_mult_adds,
    }
    assert silent == dict.fromkeys(silent, 0)
    assert all(name in shown for name in silent)
