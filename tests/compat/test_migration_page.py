"""The migration page: its code runs, and every row of its tables is run beside the real library."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| ([^|]+) \| `([^`|]+)` \| `([^`|]+)` \|", PAGE, re.MULTILINE)
"""What is moved, the old line, and the new one."""

Names = dict[str, Any]


def convolutional() -> nn.Module:
    """A net that all libraries count alike: two MACs of each are 36*8*27 and 288*10."""
    conv, linear = nn.Conv2d(3, 8, 3, bias=False), nn.Linear(288, 10, bias=False)
    return nn.Sequential(conv, nn.Flatten(), linear).eval()


MACS = 36 * 8 * 27 + 288 * 10
IMAGE = torch.ones(1, 3, 8, 8)


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x)


class Product(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x[0]


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + x


def biased(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), *more).eval()


def fvcore_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    analysis = names["FlopCountAnalysis"](model, x)
    return analysis.unsupported_ops_warnings(False).total()


def mmengine_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    # mmengine cannot count a model without parameters; one that is not used changes nothing.
    model.register_parameter("some", nn.Parameter(torch.ones(0)))
    return names["get_model_complexity_info"](
        model, inputs=(x,), show_table=False, show_arch=False
    )["flops"]


def torch_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    with names["FlopCounterMode"](display=False) as counter, torch.no_grad():
        model(x)
    return counter.get_total_flops()


def ptflops_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return names["get_model_complexity_info"](
        model,
        tuple(x.shape[1:]),
        as_strings=False,
        print_per_layer_stat=False,
        backend="pytorch",
        input_constructor=lambda sizes: {"input": x},
    )[0]


def thop_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return int(names["profile"](model, inputs=(x,), verbose=False)[0])


def calflops_flops(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return names["calculate_flops"](
        model, tuple(x.shape), print_results=False, output_as_string=False
    )[0]


def deepspeed_flops(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return names["get_model_profile"](
        model, tuple(x.shape), print_profile=False, as_string=False, warm_up=0
    )[0]


def torchinfo_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return names["summary"](model, input_data=x, verbose=0).total_mult_adds


def torchprofile_total(names: Names, model: nn.Module, x: torch.Tensor) -> int:
    return names["profile_macs"](model, x)


Total = Callable[[Names, nn.Module, torch.Tensor], int]
TOKENS = torch.ones(1, 2, 4, 8)

LIBRARIES: dict[str, tuple[Total, int, Callable[[], nn.Module], torch.Tensor, int, int]] = {
    # How to ask, the figure that both have, and a model with what the library and we have for it.
    # Both products of 2 heads of 4 by 4 by 8.
    "mmengine": (mmengine_total, MACS, Attention, TOKENS, 0, 2 * 2 * 4 * 4 * 8),
    "fvcore": (fvcore_total, MACS, Attention, TOKENS, 0, 2 * 2 * 4 * 4 * 8),
    # A matrix of 3 by 3 times a vector, two flops each.
    "torch": (torch_total, 2 * MACS, Product, torch.ones(3, 3), 0, 2 * 9),
    # 4 by 4, and there a bias for each of 4.
    "ptflops": (ptflops_total, MACS, biased, torch.ones(1, 4), 16 + 4, 16),
    # There the softmax of 4 is 4 exponentials, 3 additions and 4 divisions.
    "thop": (thop_total, MACS, lambda: biased(nn.Softmax(-1)), torch.ones(1, 4), 16 + 11, 16),
    # The sum of 4 numbers is not patched there.
    "calflops": (calflops_flops, 2 * MACS, Sum, torch.ones(1, 4), 2 * 16, 2 * 16 + 4),
    # DeepSpeed 0.19.8 has no weight for a bias or for tanh; these are its figures.
    "DeepSpeed": (
        deepspeed_flops,
        2 * MACS,
        lambda: biased(nn.Tanh()),
        torch.ones(1, 4),
        2 * 16,
        2 * 16 + 4 + 4,
    ),
    # There a bias counts as a weight.
    "torchinfo": (torchinfo_total, MACS, biased, torch.ones(1, 4), 16 + 4, 16),
    # There a batch norm counts each element.
    "torchprofile": (
        torchprofile_total,
        MACS,
        lambda: biased(nn.BatchNorm1d(4)),
        torch.ones(1, 4),
        16 + 4,
        16,
    ),
}

NOT_ON_HAND = {"DeepSpeed": (2 * MACS, 2 * 16)}
"""DeepSpeed is compiled when it is installed, so its figures were taken once (0.19.8)."""


def run(line: str) -> Names:
    names: Names = {}
    exec(line, names)
    return names


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0].lstrip("# "))
def test_block_runs(block: str) -> None:
    exec(compile(block, "migration.md", "exec"), {})


def test_there_is_one_for_each_library() -> None:
    assert all(f"## {name}\n" in PAGE for name in LIBRARIES)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("library", "old", "new"), [row for row in ROWS if row[0] in LIBRARIES])
def test_library(library: str, old: str, new: str) -> None:
    total, both, model, x, theirs, ours = LIBRARIES[library]
    names = run(new)
    assert total(names, convolutional(), IMAGE) == both
    assert total(names, model(), x) == ours
    if library in NOT_ON_HAND:
        assert NOT_ON_HAND[library] == (both, theirs)
    else:
        names = run(old)
        assert total(names, convolutional(), IMAGE) == both
        assert total(names, model(), x) == theirs


def normed() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()


def detectron2(names: Names) -> int:
    """Its analysis derives from fvcore's, and ignores operators that fvcore has handles for."""
    fvcore = names["fvcore"]
    __import__(f"{fvcore.__name__}.nn" if fvcore.__name__ == "fvcore" else fvcore.__name__)

    class FlopCountAnalysis(fvcore.nn.FlopCountAnalysis):
        def __init__(self, model: nn.Module, inputs: Any) -> None:
            super().__init__(model, inputs)
            self.set_op_handle(**dict.fromkeys(("aten::batch_norm", "aten::relu_")))

    return FlopCountAnalysis(normed(), (IMAGE,)).total()


def openmmlab(names: Names) -> int:
    """The scripts put another forward on the model, and hand it the inputs."""
    model = normed()
    model.forward = partial(model.forward)
    return names["get_model_complexity_info"](
        model, None, inputs=(IMAGE,), show_table=False, show_arch=False
    )["flops"]


def timm_fvcore(names: Names) -> tuple[int, int]:
    model = normed()
    flops = names["FlopCountAnalysis"](model, IMAGE).total()
    activations = names["ActivationCountAnalysis"](model, IMAGE).total()
    assert "Conv2d" in names["flop_count_str"](names["FlopCountAnalysis"](model, IMAGE))
    return flops, activations


def timm_deepspeed(names: Names) -> int:
    _, macs, _ = names["get_model_profile"](
        model=normed(),
        input_shape=(1, 3, 8, 8),
        print_profile=False,
        detailed=False,
        warm_up=10,
        as_string=False,
        output_file=None,
        ignore_modules=None,
    )
    return macs


def ultralytics(names: Names) -> float:
    thop = names["thop"]
    return thop.profile(deepcopy(convolutional()), inputs=[IMAGE], verbose=False)[0] / 1e9 * 2


def hugging_face(names: Names) -> int:
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    return names["calculate_flops_hf"](
        model_name="",
        empty_model=transformers.BertModel(config).eval(),
        input_shape=(1, 4),
        print_results=False,
        output_as_string=False,
    )[1]


CONV = 36 * 8 * 27
PROJECTS: dict[tuple[str, str], tuple[Callable[[Names], Any], Any, bool]] = {
    # How the project uses the line, what comes out here, and True if the old line gives the same.
    # A norm in eval mode is 2 for each of 288 elements.
    ("detectron2", "fvcore"): (detectron2, CONV + 2 * 288, True),
    ("mmdet", "get_model_complexity_info"): (openmmlab, CONV + 2 * 288, True),
    ("the same scripts", "_format_size"): (
        lambda names: names["_format_size"](4_144_854_528),
        "4.145G",
        True,
    ),
    ("timm", "FlopCountAnalysis"): (timm_fvcore, (CONV + 2 * 288, 288), True),
    ("timm", "get_model_profile"): (timm_deepspeed, CONV, False),
    ("ultralytics", "thop"): (ultralytics, MACS / 1e9 * 2, True),
    # q, k, v, out: 4 * 4*8*8; scores and values: 2 * 2 heads * 4*4*4; feed-forward: 2 * 4*8*16;
    # pooler: 8*8
    ("Hugging Face scripts", "calculate_flops_hf"): (
        hugging_face,
        1024 + 256 + 1024 + 64,
        False,
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("project", "old", "new"), [row for row in ROWS if row[0] not in LIBRARIES]
)
def test_project(project: str, old: str, new: str) -> None:
    (use, expected, same) = next(
        found
        for (start, name), found in PROJECTS.items()
        if project.startswith(start) and name in new
    )
    assert use(run(new)) == expected
    if same:
        assert use(run(old)) == expected


def test_every_row_is_run() -> None:
    assert [row[0] for row in ROWS if row[0] in LIBRARIES] == list(LIBRARIES)
    assert len(ROWS) == len(LIBRARIES) + len(PROJECTS)
