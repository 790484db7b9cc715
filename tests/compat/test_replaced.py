"""A user's figures for classes of modules replace what ran in them, in ptflops, thop and others."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from dispatchcount.compat import calflops, deepspeed, ptflops, thop

CONV, LINEAR = 36 * 8 * 27, 8 * 36 * 10
"""MACs: 6*6 places of 8 outputs of 3*3*3; 288 inputs by 10 outputs."""


class Attend(nn.Module):
    """A product of its own, and a layer below it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) @ torch.ones(10, 5)


OWN, BELOW = 10 * 5, 10 * 10


def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(288, 10), Attend())


def ops(module: Any, inputs: Any, output: Any) -> None:
    """A function as thop's: it has the module, a tuple of inputs, and the output."""
    assert isinstance(inputs, tuple)
    module.total_ops += torch.DoubleTensor([inputs[0].numel() + output.numel()])


def flops(module: Any, inputs: Any, output: Any) -> None:
    module.__flops__ += inputs[0].numel() + output.numel()


INPUT = torch.ones(1, 3, 8, 8)
ALL = CONV + LINEAR + OWN + BELOW


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ({}, ALL),
        ({nn.Linear: ops}, CONV + (288 + 10) + OWN + (10 + 10)),
        ({Attend: ops}, CONV + LINEAR + (10 + 5)),
        ({Attend: ops, nn.Linear: ops}, CONV + (288 + 10) + (10 + 5)),
        ({nn.Sequential: ops}, 192 + 5),
        ({nn.ReLU: ops}, ALL),
        ({nn.Conv2d: None}, LINEAR + OWN + BELOW),
        ({Attend: None}, CONV + LINEAR + BELOW),
    ],
)
def test_thop(custom: dict[type, Any], expected: int) -> None:
    net = model()
    assert thop.profile(net, (INPUT,), custom_ops=custom)[0] == expected
    left = [vars(m) for m in net.modules() if "total_ops" in vars(m) or m._forward_hooks]
    assert left == []


def test_thop_layers() -> None:
    macs, params, layers = thop.profile(model(), (INPUT,), ret_layer_info=True)
    assert macs == ALL
    assert params == 224 + 2890 + 110
    assert layers == {
        "0": (CONV, 224, {}),
        "1": (0, 0, {}),
        "2": (LINEAR, 2890, {}),
        "3": (OWN + BELOW, 110, {"layer": (BELOW, 110, {})}),
    }


def test_a_module_that_is_called_twice_counts_twice() -> None:
    layer = nn.Linear(4, 4)
    macs, _ = thop.profile(nn.Sequential(layer, layer), (torch.ones(1, 4),), {nn.Linear: ops})
    assert macs == 2 * (4 + 4)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ignore_modules": [nn.Conv2d]}, (LINEAR + OWN + BELOW, 2890 + 110)),
        ({"ignore_modules": [Attend]}, (CONV + LINEAR, 224 + 2890)),
        ({"ignore_modules": [nn.Conv2d, torch.ops.aten.mm]}, (LINEAR + BELOW, 2890 + 110)),
        ({"custom_modules_hooks": {nn.Conv2d: flops}}, (192 + 288 + ALL - CONV, 3224)),
        ({"backend_specific_config": {"count_functional": False}}, (ALL - OWN, 3224)),
        ({"backend_specific_config": {"count_functional": True}}, (ALL, 3224)),
    ],
)
def test_ptflops(
    options: dict[str, Any], expected: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    call: Any = partial(ptflops.get_model_complexity_info, model(), (3, 8, 8), **options)
    assert call(as_strings=False) == expected
    # The table that is printed has the figure that is returned.
    total = next(line for line in capsys.readouterr().out.splitlines() if "Sequential" in line)
    assert f"{expected[0] / 1000:.3g} k" in total


def test_calflops_and_deepspeed() -> None:
    options: dict[str, Any] = {"ignore_modules": [Attend]}
    _, macs, _ = calflops.calculate_flops(
        model(), (1, 3, 8, 8), print_results=False, output_as_string=False, **options
    )
    assert macs == CONV + LINEAR
    _, macs, _ = deepspeed.get_model_profile(
        model(), (1, 3, 8, 8), print_profile=False, as_string=False, **options
    )
    assert macs == CONV + LINEAR


@torch.library.custom_op("dispatchcount_tests::replaced", mutates_args=())
def unknown(x: torch.Tensor) -> torch.Tensor:
    """No rule knows it."""
    return x + 1


class Unknown(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return unknown(x)


def test_what_is_replaced_is_not_named_as_uncounted(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Linear(2, 2), Unknown())
    assert thop.profile(net, (torch.ones(1, 2),))[0] == 4
    assert "dispatchcount_tests.replaced" in capsys.readouterr().out
    assert thop.profile(net, (torch.ones(1, 2),), {Unknown: ops})[0] == 4 + 4
    assert capsys.readouterr().out == ""


def test_an_attribute_of_the_same_name_is_as_before() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].total_ops = "mine"
    assert thop.profile(net, (torch.ones(1, 2),), {nn.Linear: ops})[0] == 4
    assert net[0].total_ops == "mine"
