"""All drop-in layers count one model alike: their MACs are those of a report."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

import dispatchcount as dc
from dispatchcount.compat import (
    calflops,
    deepspeed,
    fvcore,
    ptflops,
    thop,
    torchinfo,
    torchprofile,
)
from dispatchcount.compat.torch import FlopCounterMode

SIZES = (2, 3, 224, 224)


class Recurrent(nn.Module):
    """Calls a cell in a loop, and does a product itself."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(224, 16)
        self.rnn = nn.LSTM(16, 8, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(2, 16)
        states = []
        for row in range(5):
            state = self.cell(x[:, 0, row], state)
            states.append(state)
        out: torch.Tensor = self.rnn(torch.stack(states))[0]
        return out @ out.mT


MODELS = {
    "resnet18": lambda: torchvision.models.resnet18(weights=None),
    "vit_b_16": lambda: torchvision.models.vit_b_16(weights=None),
    "swin_t": lambda: torchvision.models.swin_t(weights=None),
    "googlenet": lambda: torchvision.models.googlenet(weights=None, init_weights=False),
    "recurrent": Recurrent,
}


@pytest.mark.parametrize("name", MODELS)
def test_macs(name: str) -> None:
    model, x = MODELS[name]().to("meta").eval(), torch.ones(SIZES, device="meta")
    with dc.profile(model, convention="macs") as prof, torch.no_grad():
        model(x)
    macs = prof.report.macs
    assert macs > 0

    quiet: dict[str, Any] = {"print_results": False, "output_as_string": False}
    assert calflops.calculate_flops(model, args=[x], **quiet)[1] == macs
    assert (
        deepspeed.get_model_profile(
            model, args=[x], print_profile=False, as_string=False, warm_up=0
        )[1]
        == macs
    )
    assert thop.profile(model, (x,))[0] == macs
    assert torchprofile.profile_macs(model, x) == macs
    assert (
        ptflops.get_model_complexity_info(
            model,
            SIZES[1:],
            input_constructor=lambda _: x,
            as_strings=False,
            print_per_layer_stat=False,
        )[0]
        == macs
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    assert counter.get_total_flops() == 2 * macs

    # fvcore adds norms and pooling; those apart, its products are the same.
    flops = fvcore.FlopCountAnalysis(model, x).unsupported_ops_warnings(False)
    flops.uncalled_modules_warnings(False)
    assert flops.total() == prof.report.with_convention("fvcore").flops

    # A summary's rows add up to its total, call by call.
    found = torchinfo.summary(model, input_data=x, verbose=0)
    assert found.total_mult_adds == macs
    assert sum(row.own_macs for row in found.summary_list) == macs
    assert found.summary_list[0].macs == macs
    assert found.total_params == prof.report.params
