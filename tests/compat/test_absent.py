"""Names of the libraries that are not ours come from elsewhere, or say what to use."""

from __future__ import annotations

import subprocess
import sys

import fvcore.nn
import pytest
import torch
from torch import nn

from dispatchcount.compat import deepspeed, thop
from dispatchcount.compat import fvcore as ours
from dispatchcount.compat._absent import absent


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from dispatchcount.compat.torch import _FlopCounterMode", "register_flop_formula"),
        ("from dispatchcount.compat.deepspeed import get_module_flops", "by_module()"),
        ("from dispatchcount.compat.thop.vision.basic_hooks import count_relu", "custom_ops"),
    ],
)
def test_an_import_says_what_to_use(line: str, message: str) -> None:
    with pytest.raises(ImportError) as caught:
        exec(line, {})
    assert message in str(caught.value)


def test_other_names_are_not_there() -> None:
    assert not hasattr(deepspeed, "nonsense")
    assert not hasattr(ours, "nonsense")
    with pytest.raises(AttributeError, match="'here' has no attribute 'that'"):
        absent("here", {"this": "use that"})("that")


def test_the_rest_of_fvcore_is_fvcore_s() -> None:
    from dispatchcount.compat.fvcore import FlopCountAnalysis, sigmoid_focal_loss

    assert sigmoid_focal_loss is fvcore.nn.sigmoid_focal_loss
    assert FlopCountAnalysis is not fvcore.nn.FlopCountAnalysis
    assert ours.nn.giou_loss is fvcore.nn.giou_loss


def test_without_fvcore() -> None:
    script = (
        "import sys; sys.modules['fvcore'] = None\n"
        "from dispatchcount.compat.fvcore import FlopCountAnalysis\n"
        "from dispatchcount.compat.fvcore import giou_loss\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "giou_loss would come from fvcore itself" in ran.stderr
    assert "pip install fvcore" in ran.stderr


def test_thop_s_hooks() -> None:
    hooks = thop.vision.basic_hooks
    net = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ConvTranspose2d(8, 6, 2), nn.Flatten())
    net.append(nn.Linear(6 * 49, 5))
    x = torch.ones(2, 4, 8, 8)
    macs = thop.profile(net, (x,))[0]
    custom = {
        nn.Conv2d: hooks.count_convNd,
        nn.ConvTranspose2d: hooks.count_convNd,
        nn.Linear: hooks.count_linear,
    }
    # 36 places of 8 outputs of 2*3*3; 36 places of 8 inputs into 6 outputs of 2*2; 294 by 5.
    assert macs == 2 * (36 * 8 * 18 + 36 * 8 * 24 + 294 * 5)
    assert thop.profile(net, (x,), custom_ops=custom)[0] == macs
    custom[nn.Linear] = hooks.zero_ops
    assert thop.profile(net, (x,), custom_ops=custom)[0] == macs - 2 * 294 * 5
