"""What a user gives as a device is a `Device`; anything else is an error that says how to get one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.hardware.device import checked_device

pytestmark = pytest.mark.torch_alone


def report() -> dc.Report:
    model = nn.Linear(8, 4)
    with dc.profile(model) as prof:
        model(torch.ones(2, 8))
    return prof.report


TAKES_A_DEVICE: dict[str, Callable[[Any], Any]] = {
    "roofline": lambda device: report().roofline(device),
    "utilization": lambda device: report().utilization(device, seconds=1.0),
    "to_html": lambda device: report().to_html(device=device),
    "Meter": lambda device: dc.Meter(nn.Linear(8, 4), device),
}


@pytest.mark.parametrize("use", TAKES_A_DEVICE.values(), ids=TAKES_A_DEVICE)
def test_a_name_is_no_device_and_the_error_says_what_to_write(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"write dispatchcount\.device\('h100-sxm'\)"):
        use("h100-sxm")


@pytest.mark.parametrize("use", TAKES_A_DEVICE.values(), ids=TAKES_A_DEVICE)
def test_a_device_as_torch_has_it_is_none(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"is a device, not a Device; give dispatchcount\.device"):
        use(torch.device("cpu"))


def test_a_device_needs_a_name_and_peaks_by_dtype() -> None:
    with pytest.raises(TypeError, match=r"takes a name such as 'h100-sxm', got 3"):
        dc.device(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"peak=1000000000000.0 has no dtypes; give flops"):
        dc.Device(peak=1e12)  # type: ignore[arg-type]


def test_a_device_is_itself() -> None:
    h100 = dc.device("h100-sxm")
    assert checked_device(h100) is h100
