"""DeepSpeed's flops profiler by its names, over our counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dispatchcount.compat import deepspeed

MACS = 64 * 8 * 27 + 512 * 10
"""8*8 places of 8 outputs of 3*3*3, and 512 inputs by 10 outputs."""

FLOPS = 2 * MACS + 512 + 512 + 10
"""Two per MAC, a bias and a ReLU for each of 512 elements, a bias for each of 10."""

PARAMS = 224 + 5130


def model() -> nn.Module:
    conv = nn.Conv2d(3, 8, 3, padding=1)
    return nn.Sequential(nn.Sequential(conv, nn.ReLU()), nn.Flatten(), nn.Linear(512, 10))


def test_get_model_profile(capsys: pytest.CaptureFixture[str]) -> None:
    net = model()
    figures = deepspeed.get_model_profile(
        net, input_shape=(1, 3, 8, 8), print_profile=False, as_string=False
    )
    assert figures == (FLOPS, MACS, PARAMS)
    assert capsys.readouterr().out == ""
    texts = deepspeed.get_model_profile(net, args=[torch.ones(1, 3, 8, 8)], top_modules=2)
    assert texts == ("38.92 K", "18.94 KMACs", "5.35 K")
    out = capsys.readouterr().out
    assert "fwd MACs per GPU:       18.94 KMACs\n" in out
    assert "fwd flops per GPU:      38.92 K\n" in out
    assert "    MACs        - {'Sequential': '13.82 KMACs', 'Linear': '5.12 KMACs'}\n" in out
    assert "Conv2d(3, 8" in out
    assert net.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_depths(capsys: pytest.CaptureFixture[str]) -> None:
    deepspeed.get_model_profile(model(), (1, 3, 8, 8), module_depth=1, detailed=False)
    out = capsys.readouterr().out
    assert "depth 1:" in out
    assert "depth 2:" not in out
    assert "Conv2d(" not in out


def test_output_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "profile.txt"
    deepspeed.get_model_profile(model(), (1, 3, 8, 8), output_file=str(path))
    assert "18.94 KMACs" in path.read_text()
    assert capsys.readouterr().out == ""


def test_runs_as_often_as_it_is_told() -> None:
    calls = []
    net = model()
    net.register_forward_pre_hook(lambda module, args: calls.append(torch.is_grad_enabled()))
    deepspeed.get_model_profile(net, (1, 3, 8, 8), warm_up=3, print_profile=False)
    assert calls == [False] * 4


def test_another_method() -> None:
    class Net(nn.Module):
        def generate(self, x: torch.Tensor, times: int) -> torch.Tensor:
            for _ in range(times):
                x = x @ x
            return x

    _, macs, _ = deepspeed.get_model_profile(
        Net(),
        kwargs={"x": torch.ones(2, 2), "times": 3},
        mode="generate",
        print_profile=False,
        as_string=False,
    )
    assert macs == 3 * 8


def test_profiler_counts_forwards_between_start_and_stop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    net, x = model(), torch.ones(1, 3, 8, 8)
    profiler = deepspeed.FlopsProfiler(net)
    profiler.print_model_profile()
    assert capsys.readouterr().out == ""
    profiler.start_profile()
    net(x).sum().backward()
    assert profiler.get_total_macs() == MACS
    net(x)
    profiler.stop_profile()
    net(x)
    assert profiler.get_total_macs() == 2 * MACS
    assert profiler.get_total_macs(as_string=True) == "37.89 KMACs"
    assert profiler.get_total_flops() == 2 * FLOPS + 10  # The sum of 10 numbers.
    assert profiler.get_total_params(as_string=True) == "5.35 K"
    assert profiler.get_total_duration() > 0
    assert profiler.get_total_duration(as_string=True).endswith("s")
    profiler.print_model_profile(detailed=False)
    assert "37.89 KMACs" in capsys.readouterr().out
    profiler.start_profile(ignore_list=[nn.Conv2d])
    net(x)
    assert profiler.get_total_macs() == 5120
    profiler.reset_profile()
    assert profiler.get_total_macs() == 0
    profiler.end_profile()
    with pytest.raises(RuntimeError, match=r"call start_profile\(\)"):
        profiler.get_total_macs()


def test_names_what_it_cannot_count(capsys: pytest.CaptureFixture[str]) -> None:
    @torch.library.custom_op("dispatchcount_tests::deepspeed", mutates_args=())
    def unknown(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return unknown(x)

    for print_profile in (True, False):
        deepspeed.get_model_profile(Net(), (2,), print_profile=print_profile)
        assert "not counted: dispatchcount_tests.deepspeed" in capsys.readouterr().out


def test_needs_an_input() -> None:
    with pytest.raises(ValueError, match="the model needs an input"):
        deepspeed.get_model_profile(model())


def test_texts() -> None:
    assert deepspeed.duration_to_string(0.00431) == "4.31 ms"
    assert deepspeed.number_to_string(297_780_000) == "297.78 M"
    assert deepspeed.flops_to_string(25_000_000_000) == "25 GFLOPS"
