"""`get_model_complexity_info`: mmengine's inputs, numbers, strings and errors, or better ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmengine.analysis
import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.model import BaseModel
from torch import nn

import dispatchcount as dc
from dispatchcount.compat.mmengine import (
    FlopAnalyzer,
    get_model_complexity_info,
    parameter_count_table,
    print_helper,
)
from dispatchcount.compat.mmengine.jit_analysis import JitModelAnalysis
from tests.compat.layers import Call
from tests.compat.nets import Chain, TestNet

GOLDEN = Path(__file__).parent / "golden"
KEYS = [
    "flops",
    "flops_str",
    "activations",
    "activations_str",
    "params",
    "params_str",
    "out_table",
    "out_arch",
]


class MMResNet50(BaseModel):
    """Of mmengine's documentation page."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = torchvision.models.resnet50()

    def forward(self, imgs: torch.Tensor, labels: Any = None, mode: str = "tensor") -> Any:
        x = self.resnet(imgs)
        if mode == "loss":
            return {"loss": F.cross_entropy(x, labels)}
        return (x, labels) if mode == "predict" else x


def test_is_the_top_level_name() -> None:
    assert (
        dc.get_model_complexity_info
        is get_model_complexity_info
        is print_helper.get_model_complexity_info
    )


def test_page() -> None:
    """The documentation page's network: its figures, its table and its architecture."""
    info = get_model_complexity_info(TestNet(), (1, 10))
    assert list(info) == KEYS
    assert [info[key] for key in KEYS[:6]] == [400, "0.4K", 40, "40", 440, "0.44K"]
    assert info["out_table"] == "\n" + (GOLDEN / "testnet_table.txt").read_text()
    assert info["out_arch"] == "\n" + (GOLDEN / "testnet_arch.txt").read_text().rstrip("\n")


def test_resnet50_in_train_mode_as_on_the_page() -> None:
    info = get_model_complexity_info(MMResNet50(), (3, 224, 224))
    assert (info["flops"], info["flops_str"]) == (4_144_854_528, "4.145G")
    assert (info["activations"], info["activations_str"]) == (11_114_984, "11.115M")
    assert (info["params"], info["params_str"]) == (25_557_032, "25.557M")


def test_resnet50_in_eval_mode() -> None:
    assert (
        get_model_complexity_info(torchvision.models.resnet50().eval(), (3, 224, 224))["flops"]
        == 4_111_512_576
    )


def models() -> dict[str, tuple[nn.Module, dict[str, Any]]]:
    torch.manual_seed(0)
    two = Call(lambda x, y: x @ y)
    two.layer = nn.Linear(2, 2)
    return {
        "page": (TestNet(), {"input_shape": (1, 10)}),
        "tensor": (TestNet(), {"inputs": torch.ones(3, 10)}),
        "tuple": (two, {"inputs": (torch.ones(2, 3), torch.ones(3, 4))}),
        "two shapes": (two, {"input_shape": ((4, 3), (3, 4))}),
        "scalar": (Call(lambda x, r: r * x @ x), {"inputs": (torch.ones(3, 3), 0.3)}),
        "chain": (Chain(), {"inputs": torch.ones(1, 10)}),
        "resnet18": (torchvision.models.resnet18(), {"input_shape": (3, 64, 64)}),
        "mobilenet": (torchvision.models.mobilenet_v3_small().eval(), {"input_shape": (3, 32, 32)}),
        "no table": (TestNet(), {"input_shape": (1, 10), "show_table": False}),
        "no arch": (TestNet(), {"input_shape": (1, 10), "show_arch": False}),
    }


@pytest.mark.parametrize("name", models())
def test_everything_is_as_mmengine_has_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a console wide enough for mmengine not to cut names."""
    monkeypatch.setenv("COLUMNS", "400")
    model, arguments = models()[name]
    mine = get_model_complexity_info(model, **arguments)
    theirs = mmengine.analysis.get_model_complexity_info(model, **arguments)
    assert list(mine) == list(theirs) == KEYS
    for key in KEYS:
        assert mine[key] == theirs[key], key


def test_strings_do_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = set()
    for width in ("20", "80", "400"):
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setenv("FORCE_COLOR", "1")
        texts.add(get_model_complexity_info(Chain(), inputs=torch.ones(1, 10))["out_table"])
    (table,) = texts
    assert "  a_rather_long_module_name_that_would_not_fit_on_a_line_of_eighty.weight " in table
    assert "\x1b" not in table


def test_parameter_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    model = torchvision.models.mobilenet_v3_small()
    for depth in (1, 2, 3, 5):
        mine = parameter_count_table(model, depth).splitlines()
        theirs = mmengine.analysis.parameter_count_table(model, depth).splitlines()
        assert [line.rstrip() for line in mine] == [line.rstrip() for line in theirs]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'One of "input_shape" and "inputs" should be set'),
        (
            {"input_shape": (10,), "inputs": torch.ones(1, 10)},
            '"input_shape" and "inputs" cannot be both set',
        ),
        ({"input_shape": [3, 10]}, '"input_shape" should be either a `tuple of int`'),
        ({"input_shape": (3, (10,))}, '"input_shape" should be either a `tuple of int`'),
    ],
)
def test_wrong_inputs(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_model_complexity_info(TestNet(), **arguments)


def test_model_runs_once_and_is_left_as_it_was() -> None:
    calls = []
    model = nn.Sequential(
        nn.Linear(10, 4), nn.BatchNorm1d(4), nn.Dropout(), Call(lambda x: (calls.append(1), x)[1])
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    buffers = dict(model.named_buffers())
    attributes = [set(vars(module)) for module in model.modules()]
    info = get_model_complexity_info(model, inputs=torch.randn(3, 10))
    assert info["flops"] == 3 * 40 + 3 * 4 * 5
    assert calls == [1]
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(value is buffers[name] for name, value in model.named_buffers())
    assert [set(vars(module)) for module in model.modules()] == attributes
    assert int(model[1].num_batches_tracked) == 0


def test_random_numbers_go_on_as_before() -> None:
    model = nn.Sequential(nn.Linear(10, 4), nn.Dropout())
    state = torch.get_rng_state()
    get_model_complexity_info(model, (10,))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_that_raises_is_left_as_it_was_too() -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("broken model")

    model = nn.Sequential(nn.BatchNorm1d(4), Call(fail))
    with pytest.raises(RuntimeError, match="broken model"):
        get_model_complexity_info(model, inputs=torch.ones(2, 4))
    assert torch.equal(model[0].running_mean, torch.zeros(4))


def test_without_parameters() -> None:
    info = get_model_complexity_info(Call(lambda x: x @ x), (4, 4))
    assert (info["flops"], info["activations"], info["params"], info["params_str"]) == (
        64,
        16,
        0,
        "0",
    )


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_every_grad_mode(mode: Any) -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    with mode():
        info = get_model_complexity_info(model, (5, 8))
    # q, k, v, out: 4 * 5*8*8; scores and values: 2 * 2 heads * 5*5*4; feed-forward: 2 * 5*8*16;
    # two norms: 2 * 5 * 40
    assert info["flops"] == 1280 + 400 + 1280 + 400


def test_meta_device() -> None:
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    info = get_model_complexity_info(model, (3, 64, 64))
    assert (
        info["flops"]
        == get_model_complexity_info(torchvision.models.resnet18(), (3, 64, 64))["flops"]
    )


def test_lists_and_dicts_as_inputs() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, image: torch.Tensor, scale: float = 1.0) -> dict[str, torch.Tensor]:
            return {"out": self.fc(image) * scale}

    class Batch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, batch: Any) -> torch.Tensor:
            return sum(self.fc(x) for x in (batch.values() if isinstance(batch, dict) else batch))

    x = torch.ones(3, 4)
    assert get_model_complexity_info(Net(), inputs={"image": x, "scale": 2.0})["flops"] == 24
    assert get_model_complexity_info(Batch(), inputs=[x, x])["flops"] == 48
    assert get_model_complexity_info(Batch(), inputs={"left": x, "right": x})["flops"] == 48
    assert get_model_complexity_info(Batch(), inputs=({"a": x},))["flops"] == 24


def test_control_flow_counts_as_it_ran() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
            for _ in range(times):
                x = self.fc(x)
            return x

    assert [
        get_model_complexity_info(Loop(), inputs=(torch.ones(1, 4), n))["flops"] for n in (0, 1, 3)
    ] == [0, 16, 48]


def test_same_flops_as_the_report() -> None:
    model, x = torchvision.models.mobilenet_v2(), torch.ones(2, 3, 32, 32)
    with dc.profile(model) as prof:
        model(x)
    assert FlopAnalyzer(model, x).total() == prof.report.flops


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (100, "100"), (101, "0.101K"), (440, "0.44K"), (999, "0.999K"), (1000, "1K"), (100_000, "100K"), (100_001, "0.1M"),
        (123_456, "0.123M"), (10**6, "1M"), (10**8, "100M"), (10**8 + 1, "0.1G"), (4_144_854_528, "4.145G"), (2 * 10**11, "0.2T"),
        (3 * 10**14, "0.3P"), (-440, "-0.44K"), (0.5, "0.5"),
    ],
)  # fmt: skip
def test_number_format(number: float, text: str) -> None:
    assert print_helper._format_size(number) == text
    assert print_helper._format_size(0, hide_zero=True) == ""
    assert print_helper._format_size(25_557_032, sig_figs=2) == "25.56M"


def test_warnings_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(JitModelAnalysis, "_log", lambda self, message: said.append(message))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    get_model_complexity_info(Net(), (2,))
    assert len(said) == len(set(said)) == 2  # the product, and the module
