"""ptflops', thop's and calflops' entry points: names, return values and strings, over our counts."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

from dispatchcount.compat import calflops, ptflops, thop


def model() -> nn.Module:
    """In train mode, which must stay: a convolution (3*8*8 * 8*3*3*3 MACs), a norm and a linear layer of 8*64 * 10 MACs."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))


MACS = 64 * 8 * 27 + 5120
PARAMS = 216 + 8 + 16 + 5130


def test_ptflops() -> None:
    net, stream = model(), io.StringIO()
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), as_strings=False, ost=stream) == (MACS, PARAMS)
    assert "Conv2d" in stream.getvalue()
    assert net.training
    assert int(net[1].num_batches_tracked) == 0
    options: dict[str, Any] = {"print_per_layer_stat": False}
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), **options) == ("18.94 KMac", "5.37 k")
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), flops_units="MMac", output_precision=3, **options)[0] == "0.019 MMac"
    net[0].requires_grad_(False)
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), as_strings=False, **options)[1] == PARAMS - 224
    given = ptflops.get_model_complexity_info(
        net, (3, 8, 8), as_strings=False, input_constructor=lambda sizes: {"input": torch.ones(2, *sizes)}, **options
    )
    assert given[0] == 2 * MACS


def test_thop(capsys: pytest.CaptureFixture[str]) -> None:
    net = model()
    macs, params = thop.profile(net, inputs=(torch.ones(1, 3, 8, 8),))
    assert (macs, params) == (MACS, PARAMS)
    assert net.training
    assert capsys.readouterr().out == ""
    assert thop.clever_format([macs, params], "%.3f") == ("18.944K", "5.370K")
    assert thop.clever_format(4.1e9) == "4.10G"
    assert thop.clever_format(12) == "12.00B"


def test_thop_says_what_it_cannot_count(capsys: pytest.CaptureFixture[str]) -> None:
    @torch.library.custom_op("dispatchcount_tests::mystery", mutates_args=())
    def mystery(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return mystery(x)

    thop.profile(Net(), (torch.ones(2),))
    assert "dispatchcount_tests.mystery" in capsys.readouterr().out


def test_calflops(capsys: pytest.CaptureFixture[str]) -> None:
    net, options = model(), {"print_results": False, "output_as_string": False}
    flops, macs, params = calflops.calculate_flops(net, (1, 3, 8, 8), **options)
    # Two per MAC, a bias each for convolution and linear, two per element for norm's scaling and two for its map, 8 roots and sums, ReLU
    assert (flops, macs, params) == (2 * MACS + 512 + 10 + 4 * 512 + 8 + 8 + 512, MACS, PARAMS)
    doubled = calflops.calculate_flops(net, kwargs={"input": torch.ones(2, 3, 8, 8)}, include_backPropagation=True, **options)
    assert doubled[1] == 2 * MACS * 3
    assert calflops.calculate_flops(net, (1, 3, 8, 8), print_detailed=False) == ("40.99 KFLOPS", "18.94 KMACs", "5.37 K")
    assert capsys.readouterr().out == "FLOPs 40.99 KFLOPS, MACs 18.94 KMACs, parameters 5.37 K\n"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: ptflops.get_model_complexity_info(net, (3, 8, 8), ignore_modules=[nn.ReLU]), "ignore_modules cannot be had"),
        (lambda net: ptflops.get_model_complexity_info(net, (3, 8, 8), flops_units="Macs"), "'Macs' is not known"),
        (lambda net: thop.profile(net, (), custom_ops={nn.ReLU: None}), "custom_ops cannot be had"),
        (lambda net: calflops.calculate_flops(net, transformer_tokenizer=1), "transformer_tokenizer cannot be had"),
        (lambda net: calflops.calculate_flops(net), "either input_shape or args"),
        (lambda net: calflops.calculate_flops(net, (1, 3, 8, 8), output_unit="X"), "'X' is not known"),
    ],
)
def test_wrong_use(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(model())
