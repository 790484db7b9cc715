"""torchprofile's entry point, over our counts."""

from __future__ import annotations

import pytest
import torch
import torchprofile as theirs
from torch import nn

from dispatchcount.compat.torchprofile import ScopedOperator, profile_macs

MACS = 64 * 8 * 27 + 512 * 10
"""8*8 places of 8 outputs of 3*3*3, and 512 inputs by 10 outputs."""


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Dropout(), nn.Flatten(), nn.Linear(512, 10)
    )


def test_total_and_by_operator() -> None:
    net, x = model(), torch.ones(1, 3, 8, 8)
    assert profile_macs(net, x) == profile_macs(net, (x,)) == MACS
    assert profile_macs(net, kwargs={"input": x}) == MACS
    assert profile_macs(net, x, reduction=max) == 64 * 8 * 27
    macs = profile_macs(net, x, reduction=None)
    assert macs[ScopedOperator("aten::convolution", "0")] == 64 * 8 * 27
    assert macs[ScopedOperator("aten::addmm", "3")] == 5120
    assert sum(macs.values()) == MACS


def test_the_mode_is_the_caller_s() -> None:
    seen = []
    net = model()
    net[1].register_forward_hook(lambda module, args, out: seen.append(module.training))
    profile_macs(net, torch.ones(1, 3, 8, 8))
    profile_macs(net.eval(), torch.ones(1, 3, 8, 8))
    assert seen == [True, False]


def test_names_what_it_cannot_count(capsys: pytest.CaptureFixture[str]) -> None:
    @torch.library.custom_op("dispatchcount_tests::torchprofile", mutates_args=())
    def unknown(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return unknown(x)

    profile_macs(Net(), torch.ones(2))
    assert capsys.readouterr().out == "not counted: dispatchcount_tests.torchprofile (1 call)\n"


@pytest.mark.filterwarnings("ignore")
def test_contractions_agree_with_torchprofile() -> None:
    net = model().eval()
    assert profile_macs(net, torch.ones(2, 3, 8, 8)) == 2 * MACS
    assert theirs.profile_macs(net, torch.ones(2, 3, 8, 8)) == 2 * MACS
