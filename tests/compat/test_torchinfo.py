"""torchinfo's summary by its names and in its layout, over our counts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torchinfo as theirs
from torch import nn

from dispatchcount.compat.torchinfo import (
    ModelStatistics,
    Units,
    clear_cached_forward_pass,
    summary,
)
from dispatchcount.compat.torchinfo.enums import ColumnSettings

ALL = tuple(column.value for column in ColumnSettings if column is not ColumnSettings.GROUPS)
"""The columns that the released torchinfo has as well."""


class Block(nn.Module):
    """A parameter of its own, a part that is called twice, and one that is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, groups=2) for _ in range(2))
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.unused = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)) * self.scale
        for layer in (*self.layers, self.layers[0]):
            x = layer(x)
        return x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(512, 10))
        self.block.conv.requires_grad_(False)

    def forward(self, x: torch.Tensor, twice: bool = False) -> torch.Tensor:
        out: torch.Tensor = self.head(self.block(x))
        return torch.cat([out, out]) if twice else out


CONV, GROUPED, LINEAR = 128 * 8 * 27, 128 * 8 * 36, 2 * 5120
"""MACs of two images: 2*8*8 places of 8 outputs of 3*3*3, or of 4*3*3; 512 inputs by 10 outputs."""


def test_statistics() -> None:
    net = Net()
    found = summary(net, (2, 3, 8, 8), verbose=0)
    assert found.total_mult_adds == CONV + 3 * GROUPED + LINEAR
    assert found.total_params == 224 + 16 + 2 * 296 + 8 + 12 + 5130
    assert found.trainable_params == found.total_params - 224
    assert found.total_param_bytes == 4 * found.total_params
    assert found.total_input == 2 * 3 * 8 * 8 * 4
    # Outputs, twice: of convolution, norm, three grouped ones (2*8*8*8 numbers), and the layer.
    assert found.total_output_bytes == 2 * 4 * (5 * 1024 + 20)
    assert found.input_size == [torch.Size([2, 3, 8, 8])]
    assert found.not_counted == ""
    rows = [
        (row.get_layer_name(True, True), row.macs, row.output_size) for row in found.summary_list
    ]
    assert rows == [
        ("Net (Net)", CONV + 3 * GROUPED + LINEAR, [2, 10]),
        ("Block (block): 1-1", CONV + 3 * GROUPED, [2, 8, 8, 8]),
        ("Conv2d (conv): 2-1", CONV, [2, 8, 8, 8]),
        ("BatchNorm2d (norm): 2-2", 0, [2, 8, 8, 8]),
        ("ModuleList (layers): 2-3", 3 * GROUPED, []),
        ("Conv2d (0): 3-1", GROUPED, [2, 8, 8, 8]),
        ("Conv2d (1): 3-2", GROUPED, [2, 8, 8, 8]),
        ("Conv2d (0): 3-3", GROUPED, [2, 8, 8, 8]),
        ("Sequential (head): 1-2", LINEAR, [2, 10]),
        ("Flatten (0): 2-4", 0, [2, 512]),
        ("Linear (1): 2-5", LINEAR, [2, 10]),
    ]
    assert [row.is_recursive for row in found.summary_list].index(True) == 7
    assert net.training
    assert int(net.block.norm.num_batches_tracked) == 0


def told_apart(text: str) -> list[str]:
    """The lines of a summary without what differs on purpose: mult-adds and the units of totals."""
    lines = []
    start = text.find("Mult-Adds")
    start = -1 if start < 0 else start - text.rfind("\n", 0, start) - 1
    for line in text.split("\n"):
        if start > 0 and len(line) > start and not line.startswith("="):
            line = line[:start] + re.sub(r"^\S+\s*", "", line[start:])
        lines.append(
            re.sub(r" \(.*\): .*", "", line)
            if re.match("Total m|Input|For|Par|Est", line)
            else line
        )
    return lines


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"col_names": ALL},
        {"col_names": ALL, "row_settings": ("depth", "var_names", "ascii_only"), "col_width": 16},
        {"depth": 1, "col_names": ("num_params", "mult_adds"), "row_settings": ("var_names",)},
        {"depth": 2},
        {"row_settings": ("hide_recursive_layers", "depth")},
    ],
)
def test_the_layout_is_torchinfo_s(options: dict[str, Any]) -> None:
    ours = str(summary(Net(), (2, 3, 8, 8), verbose=0, **options))
    assert told_apart(ours) == told_apart(
        str(theirs.summary(Net(), (2, 3, 8, 8), verbose=0, device="cpu", **options))
    )


def test_parameters_have_rows(capsys: pytest.CaptureFixture[str]) -> None:
    summary(nn.LSTM(4, 8, 1), (5, 1, 4), verbose=2, col_names=("kernel_size", "num_params"))
    out = capsys.readouterr().out
    assert "├─weight_ih_l0                           [32, 4]                   ├─128" in out
    assert "├─bias_hh_l0                             [32]                      └─32" in out


def test_without_an_input() -> None:
    net = Net()
    net.register_forward_pre_hook(lambda module, args: pytest.fail("it ran"))
    found = summary(net, verbose=0)
    assert [row.class_name for row in found.summary_list].count("Linear") == 2
    assert "Total mult-adds" not in str(found)
    assert "Output Shape" not in str(found)


def test_inputs() -> None:
    net, x = Net(), torch.ones(2, 3, 8, 8)
    for data in (x, [x], {"x": x}):
        assert (
            summary(net, input_data=data, verbose=0).total_mult_adds == CONV + 3 * GROUPED + LINEAR
        )
    assert summary(net, input_data=x, twice=True, verbose=0).summary_list[0].output_size == [4, 10]
    assert summary(net, input_data={"x": x}, verbose=0).summary_list[0].input_size == [2, 3, 8, 8]
    several = summary(nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], verbose=0)
    assert several.total_mult_adds == 2 * 5 * 3 * 4 + 2 * 5 * 4
    embed = summary(nn.Embedding(9, 4), (2, 5), dtypes=[torch.long], verbose=0)
    assert embed.summary_list[0].output_size == [2, 5, 4]
    batched = summary(net, (3, 8, 8), batch_dim=0, verbose=0)
    assert batched.total_mult_adds == (CONV + 3 * GROUPED + LINEAR) // 2
    assert summary(net.to("meta"), (2, 3, 8, 8), device="meta", verbose=0).total_params == 5982


def test_modes() -> None:
    seen = []
    net = Net()
    net.block.norm.register_forward_hook(lambda module, args, out: seen.append(module.training))
    for mode in ("same", "train", "eval"):
        summary(net, (2, 3, 8, 8), mode=mode, verbose=0)
    net.eval()
    for mode in ("same", "train"):
        summary(net, (2, 3, 8, 8), mode=mode, verbose=0)
    assert seen == [True, True, False, False, True]
    assert not any(module.training for module in net.modules())


class Loop(nn.Module):
    """Calls one layer with inputs of different sizes, and does a product itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for rows in (1, 2, 1):
            self.layer(x[:rows])
        return x @ torch.ones(4, 5)


def test_mult_adds_of_each_call() -> None:
    found = summary(Loop(), (3, 4), col_names=("mult_adds",), verbose=0)
    assert [row.own_macs for row in found.summary_list] == [3 * 4 * 5, 16, 32, 16]
    assert "Loop                                     60\n" in str(found)
    assert found.total_mult_adds == 60 + 64


def test_cached_pass() -> None:
    runs = []
    net = nn.Linear(2, 2)
    net.register_forward_hook(lambda *_: runs.append(1))
    for depth in (1, 2):
        summary(net, (1, 2), cache_forward_pass=True, depth=depth, verbose=0)
    assert len(runs) == 1
    clear_cached_forward_pass()
    summary(net, (1, 2), cache_forward_pass=True, verbose=0)
    assert len(runs) == 2
    clear_cached_forward_pass()


def test_names_what_it_cannot_count(capsys: pytest.CaptureFixture[str]) -> None:
    @torch.library.custom_op("dispatchcount_tests::torchinfo", mutates_args=())
    def unknown(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    class Unknown(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return unknown(x)

    summary(Unknown(), (2,))
    assert capsys.readouterr().out.endswith("not counted: dispatchcount_tests.torchinfo (1 call)\n")


class Raises(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: summary(Raises(), (1, 2)),
            RuntimeError,
            r"these layers ran before: Linear \(first\)",
        ),
        (lambda: summary(Net(), (1, 2), torch.ones(1)), RuntimeError, "both given"),
        (lambda: summary(Net(), (0, 2)), ValueError, "every size must be above 0"),
        (lambda: summary(Net(), "hello"), TypeError, "give a tuple of sizes"),
        (
            lambda: summary(Net(), [(1, 2)], dtypes=[torch.int, torch.int]),
            ValueError,
            "1 inputs and 2 dtypes",
        ),
        (lambda: summary(Net(), verbose=4), ValueError, "verbose is 4"),
        (lambda: summary(Net(), col_width=0), ValueError, "greater than 0"),
        (lambda: summary(Net(), col_names=("output_size",)), ValueError, "need an input"),
        (lambda: summary(Net(), col_names=("nonsense",)), ValueError, "nonsense"),
        (lambda: summary(Net(), row_settings=("nonsense",)), ValueError, "nonsense"),
        (lambda: summary(Net(), mode="nonsense"), ValueError, "nonsense"),
    ],
)
def test_wrong_use(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_nothing_is_left_on_the_model_or_in_the_process() -> None:
    hooks = nn.modules.module._global_forward_pre_hooks, nn.modules.module._global_forward_hooks
    before = [len(table) for table in hooks]
    net, raises = Net(), Raises()
    state = torch.random.get_rng_state()
    summary(net, (2, 3, 8, 8), verbose=0)
    with pytest.raises(RuntimeError):
        summary(raises, (1, 2))
    assert [len(table) for table in hooks] == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_numbers_as_text() -> None:
    assert ModelStatistics.to_readable(1500) == (Units.KILOBYTES, 1.5)
    assert ModelStatistics.to_readable(15) == (Units.NONE, 15)
    assert ModelStatistics.to_readable(1_500_000, Units.GIGABYTES) == (Units.GIGABYTES, 0.0015)
    assert ModelStatistics.format_output_num(1_820_000, Units.AUTO, False) == " (M): 1.82"
    assert ModelStatistics.format_output_num(4000, Units.AUTO, True) == " (kB): 4"
    assert ModelStatistics.format_output_num(15, Units.NONE, False) == ": 15"
    assert ModelStatistics.float_to_megabytes(1_000_000) == 4
    assert ModelStatistics.to_megabytes(1_000_000) == 1
