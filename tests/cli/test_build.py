"""Models that cannot be built on meta, models that are too big, and models of libraries.

The last come without trained weights.
"""

from __future__ import annotations

import inspect
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.cli import build as building
from dispatchcount.cli import configs, main, memory, zoos
from dispatchcount.cli.targets import load_model
from dispatchcount.errors import UsageError

NET = """
import numpy as np
import torch
from torch import nn

RATES = {
    "item": lambda: [x.item() for x in torch.linspace(0, 0.1, 3)],
    "list": lambda: torch.linspace(0, 0.1, 3).tolist(),
    "array": lambda: list(torch.linspace(0, 0.1, 3).numpy()),
    "asarray": lambda: list(np.asarray(torch.linspace(0, 0.1, 3))),
    "float": lambda: list(map(float, torch.linspace(0, 0.1, 3))),
    "truth": lambda: [0.1] * (3 if torch.ones(1) > 0 else 7),
    "mask": lambda: list(torch.arange(5)[torch.arange(5) > 1]),
    "format": lambda: [f"{x:.2f}" for x in torch.linspace(0, 0.1, 3)],
}

class Net(nn.Module):
    rates = "item"
    width = 8
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(self.width, self.width) for _ in RATES[self.rates]())
        self.register_buffer("scale", torch.ones(self.width))
    def forward(self, x):
        for layer in self.layers:
            x = layer(x) * self.scale
        return x

def of(name, size=8):
    class Made(Net):
        rates = name
        width = size
    return Made

for name in RATES:
    globals()["by_" + name] = of(name)
huge = of("item", 200_000)
wide = of("mask", 3_000_000)

class Never(nn.Module):
    def __init__(self):
        raise KeyError("never, on no device")
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "net.py").write_text(NET)
    return str(tmp_path / "net.py")


@pytest.mark.parametrize(
    "rates", ["item", "list", "array", "asarray", "float", "truth", "mask", "format"]
)
def test_a_builder_that_reads_numbers_is_counted_on_meta(
    rates: str, net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "net.json"
    assert (
        main(
            [
                "profile",
                f"{net}:by_{rates}",
                "--input",
                "2,8",
                "--device",
                "meta",
                "--json",
                str(saved),
            ]
        )
        == 0
    )
    report = dc.Report.from_json(saved)
    assert (report.macs, report.meta.devices) == (3 * 2 * 8 * 8, ("meta",))
    said = capsys.readouterr().err
    assert f"by_{rates} was built on the CPU and then moved, for it cannot be built on meta" in said
    assert said.count("\n") == 1


def test_a_model_too_big_is_said_to_be_before_it_is_built(
    net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", f"{net}:huge", "--input", "1,8", "--device", "meta"]) == 2
    said = capsys.readouterr().err
    # The numbers invented for the estimate are as many as the real ones: 3 layers of 200,000² +
    # 200,000 floats, and a buffer.
    assert f"it takes about {4 * (3 * (200_000**2 + 200_000) + 200_000) / 1e9:,.1f} GB" in said
    assert "memory" in said


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit is one of Linux")
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_model_too_big_that_cannot_be_estimated_stops_at_the_limit(
    device: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", f"{net}:wide", "--input", "1,8", "--device", device]) == 2
    assert "too big to be built on the CPU, for want of memory" in capsys.readouterr().err


def test_a_builder_that_fails_everywhere_says_what_it_said_on_the_cpu(
    net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", f"{net}:Never", "--input", "1,8", "--device", "meta"]) == 2
    assert "raised KeyError: 'never, on no device'" in capsys.readouterr().err


def test_an_estimate_is_of_what_would_be_made() -> None:
    def tied() -> nn.Module:
        net = nn.Sequential(
            nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4)
        )
        net[1].weight = net[0].weight
        assert float(torch.ones(1)) == 0  # invented
        return net

    # One weight of 16, scale and shift of 4 each, mean and variance of 4 each, all float32; one
    # count of batches, int64.
    assert building._estimate(tied) == 4 * (16 + 8 + 8) + 8
    assert building._estimate(lambda: None) is None
    assert building._estimate(sys.exit) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit is one of Linux")
def test_a_limit_is_kept_and_taken_back() -> None:
    with memory.at_most(50_000_000):
        with pytest.raises(RuntimeError) as error:
            torch.empty(100_000_000)
        with pytest.raises(MemoryError):
            bytearray(400_000_000)
    assert memory.was_too_much(error.value)
    assert memory.was_too_much(MemoryError())
    assert not memory.was_too_much(RuntimeError("no"))
    assert torch.empty(100_000_000).numel() == 100_000_000


def test_what_is_free_is_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 100 kB\nMemAvailable: 50 kB\nSwapFree: 10 kB\nHugePages_Total: 0\n",
        "/sys/fs/cgroup/memory.max": "max\n",
        "/sys/fs/cgroup/memory.current": "1024\n",
        "/sys/fs/cgroup/memory.stat": "anon 5\ninactive_file 2048\n",
    }

    def read(path: Path, *_: Any, **__: Any) -> str:
        try:
            return files[str(path)]
        except KeyError:
            raise FileNotFoundError(str(path)) from None

    monkeypatch.setattr(Path, "read_text", read)
    assert memory.free() == 60 * 1024 * 9 // 10  # a tenth is kept back
    files["/sys/fs/cgroup/memory.max"] = (
        "21504\n"  # 21 kB, of which 1 is used and 2 can be had back
    )
    assert memory.free() == 22 * 1024 - 22 * 1024 // 10
    del files["/proc/meminfo"]
    assert memory.free() is None


@pytest.mark.parametrize(
    "shape",
    [
        "1000000,1000000",
        "99999999999999999999",
        "4611686018427387904,4",
        ",".join(["9" * 20] * 999),
    ],
)
def test_inputs_that_are_too_big_are_not_made(
    shape: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", f"{net}:by_item", "--input", shape]) == 2
    assert "memory" in capsys.readouterr().err


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    asked: list[Any] = []

    def refuse(host: Any, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", os.devnull)  # nor weights from earlier
    yield asked
    assert not asked


def test_no_builder_of_torchvision_asks_for_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    for name in models.list_models():
        made = zoos.find("torchvision", name).args[0]
        taken = inspect.signature(models.get_model_builder(name)).parameters
        assert {key for key in taken if "weights" in key} == set(made.keywords), name
        assert set(made.keywords.values()) == {None}, name


FAMILIES = [
    "torchvision:deeplabv3_mobilenet_v3_large",
    "torchvision:lraspp_mobilenet_v3_large",
    "torchvision:ssdlite320_mobilenet_v3_large",
    "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn",
    "torchvision:r3d_18",
    "torchvision:raft_small",
    "torchvision:quantized_mobilenet_v2",
    "timm:resnet18.a1_in1k",
    "transformers:DetrConfig",
]


@pytest.mark.parametrize("target", FAMILIES)
def test_models_of_libraries_are_built_without_a_download(
    target: str, no_network: list[Any]
) -> None:
    model, library = load_model(target, "meta")
    assert library == target.partition(":")[0]
    assert isinstance(model, nn.Module)


@pytest.mark.parametrize(
    "target",
    ["torchvision:r3d_18", "torchvision:raft_small", "torchvision:ssdlite320_mobilenet_v3_large"],
)
def test_models_of_every_kind_have_an_input(target: str) -> None:
    assert main(["profile", target]) == 0


def test_a_builder_that_finds_a_way_to_the_network_is_stopped_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loads() -> nn.Module:
        socket.create_connection(("example.org", 80))
        return nn.Linear(1, 1)

    monkeypatch.setitem(zoos.ZOOS, "timm", lambda library, name: (loads, []))
    find_host = socket.getaddrinfo
    with pytest.raises(
        UsageError, match=r"asks for 'example\.org', but models are built with random weights"
    ):
        load_model("timm:anything", "cpu")
    assert socket.getaddrinfo is find_host


def test_backbones_of_configurations_come_untrained() -> None:
    class Config:
        def __init__(self, **values: Any) -> None:
            vars(self).update(values)

    inner = Config(use_pretrained_backbone=True)
    outer = Config(use_pretrained_backbone=True, backbone=inner, other=3)
    configs.untrained(outer, Config)
    assert (vars(outer)["use_pretrained_backbone"], vars(inner)["use_pretrained_backbone"]) == (
        False,
        False,
    )


@pytest.mark.parametrize(
    "target",
    [
        "timm:hf-hub:timm/resnet18",
        "timm:local-dir:/tmp",
        "timm:resnet17x",
        "torchvision:../resnet18",
    ],
)
def test_names_that_bring_something_from_elsewhere_are_no_models(
    target: str, no_network: list[Any]
) -> None:
    with pytest.raises(UsageError, match="has no model"):
        load_model(target, "meta")
