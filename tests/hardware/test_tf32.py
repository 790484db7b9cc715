"""Float32 products that torch may round to TF32: each kind is at the peak that torch's switches say.

The oracle is arithmetic by hand, for a net of a convolution, a linear layer and a recurrent one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.cli import main
from dispatchcount.hardware.device import KINDS
from dispatchcount.hardware.tf32 import matrix_products, rounded_kinds
from dispatchcount.hardware.work import rate_of
from dispatchcount.integrations.clocks import HostInterval
from dispatchcount.integrations.job import over_ranks

pytestmark = pytest.mark.torch_alone

CONV = 4 * 6 * 6 * 3 * 3 * 3  # 4 channels of 6 · 6 places, each of 3 · 3 · 3 products: 3,888 MACs
LINEAR = 10 * 4 * 6 * 6  # 10 outputs of 144 inputs: 1,440 MACs
EXACT, ROUNDED = 2.0, 8.0  # flops a second, powers of two so that divisions are exact
DEVICE = dc.Device(peak={"float32": EXACT, "tf32": ROUNDED}, name="made-up")

BACKENDS: Any = torch.backends
NEWER = hasattr(BACKENDS.cudnn, "conv")
"""True if this torch has a switch for each kind of products, as from torch 2.9 on."""


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))


IMAGE = (1, 3, 8, 8)


def seconds(matmul: bool, conv: bool) -> float:
    """The least time of the net by hand: two flops for a MAC, each layer at its own peak."""
    return 2 * CONV / (ROUNDED if conv else EXACT) + 2 * LINEAR / (ROUNDED if matmul else EXACT)


def set_for(device: dc.Device, matmul: bool, conv: bool) -> dc.Device:
    """The device with both switches as they are wanted; by default only convolutions round."""
    device = device.with_tf32() if matmul else device
    return device if conv else device.without_tf32()


FOUR = list(product([False, True], repeat=2))


@pytest.mark.parametrize(("matmul", "conv"), FOUR)
def test_each_layer_is_at_the_peak_of_its_own_switch(matmul: bool, conv: bool) -> None:
    model = net()
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.ones(IMAGE))
    device = set_for(DEVICE, matmul, conv)
    roof = prof.report.roofline(device)
    assert roof.least_seconds == seconds(matmul, conv)
    rows = roof.by_operator()
    assert rows["aten.convolution"].least_seconds == 2 * CONV / (ROUNDED if conv else EXACT)
    assert rows["aten.addmm"].least_seconds == 2 * LINEAR / (ROUNDED if matmul else EXACT)
    # The roofs that are drawn are those that bound something.
    both = {"float32": EXACT, "tf32": ROUNDED}
    assert roof.peaks == {name: both[name] for name in both if (name == "tf32") in (matmul, conv)}
    used = prof.report.utilization(device, 10_000.0)
    assert used.cost.model == {"float32 conv": CONV, "float32": LINEAR}
    assert used.mfu == used.hfu == seconds(matmul, conv) / 10_000
    # The sheet's figures stay as they are: what bounds what is held beside them.
    assert device.peak == DEVICE.peak


@pytest.mark.parametrize(("matmul", "conv"), FOUR)
def test_the_command_line_has_a_flag_for_each_switch(
    matmul: bool, conv: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = net()
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.ones(IMAGE))
    prof.report.to_json(tmp_path / "report.json")
    flags = ["--tf32"] * matmul + ["--no-tf32"] * (not conv)
    named = ["roofline", str(tmp_path / "report.json"), "--device", "a100-sxm", "--json", *flags]
    assert main(named) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["operators"]}
    a100 = dc.device("a100-sxm").peak  # 19.5 and 156 T flops a second
    expected = {
        "aten.convolution": 2 * CONV / a100["tf32" if conv else "float32"],
        "aten.addmm": 2 * LINEAR / a100["tf32" if matmul else "float32"],
    }
    assert {name: rows[name]["compute_seconds"] for name in expected} == expected


@pytest.mark.parametrize(("matmul", "conv", "rnn"), list(product([False, True], repeat=3)))
def test_each_kind_has_a_switch_and_their_order_does_not_matter(
    matmul: bool, conv: bool, rnn: bool
) -> None:
    wanted = {"matmul": matmul, "conv": conv, "rnn": rnn}
    device, backwards = DEVICE, DEVICE
    for kind, on in wanted.items():
        device = device.with_tf32(kind) if on else device.without_tf32(kind)
    for kind, on in reversed(wanted.items()):
        backwards = backwards.with_tf32(kind) if on else backwards.without_tf32(kind)
    assert (
        device
        == backwards
        == dc.Device(
            peak=DEVICE.peak,
            name=DEVICE.name,
            rounds=tuple(kind for kind, on in wanted.items() if on),
        )
    )
    rates = [ROUNDED if on else EXACT for on in wanted.values()]
    assert [device.peak_of(rate) for rate in ("float32", "float32 conv", "float32 rnn")] == rates
    # The parts of a complex product run on the units of float32; other dtypes are not concerned.
    assert device.peak_of("complex64") == rates[0]
    assert device.peak_of("float64") is None
    # A device without a TF32 unit has one rate for all of them.
    plain = dc.Device(peak={"float32": EXACT}, rounds=device.rounds)
    assert {plain.peak_of(rate) for rate in ("float32", "float32 conv", "tf32")} == {EXACT}


@pytest.mark.parametrize(
    ("op", "dtype", "rate"),
    [
        ("aten.convolution", "float32", "float32 conv"),
        ("aten.convolution_backward", "float32", "float32 conv"),
        ("aten.cudnn_convolution_transpose", "float32", "float32 conv"),
        ("aten._cudnn_rnn", "float32", "float32 rnn"),
        ("aten._cudnn_rnn_backward", "float32", "float32 rnn"),
        ("aten.addmm", "float32", "float32"),
        ("aten.convolution", "complex64", "float32 conv"),  # torch does it as real ones
        ("aten.convolution", "bfloat16", "bfloat16"),
        ("aten.convolution", "float64", "float64"),
        ("mylib.convolution", "float32", "float32"),  # not an operator that cuDNN gets
    ],
)
def test_an_operator_is_of_the_kind_that_torch_gives_to_cudnn(
    op: str, dtype: str, rate: str
) -> None:
    assert rate_of(op, dtype) == rate


def test_a_kind_that_torch_has_no_switch_for_is_refused() -> None:
    for call in (DEVICE.with_tf32, DEVICE.without_tf32):
        with pytest.raises(
            ValueError, match="'linear' is no kind .* give some of matmul, conv, rn"
        ):
            call("linear")
    with pytest.raises(ValueError, match="'convolution' is no kind"):
        dc.Device(peak={}, rounds=("convolution",))


def test_devices_of_amd_round_no_convolution() -> None:
    """They have a TF32 unit; MIOpen, to which torch gives convolutions there, does not use it."""
    for name in ("mi300a", "mi300x", "mi325x"):
        device = dc.device(name)
        assert device.peak_of("float32 conv") == device.peak["float32"] < device.peak["tf32"]
        assert device.with_tf32().peak_of("float32") == device.peak["tf32"]
    assert dc.device("h100-sxm").peak_of("float32 conv") == dc.device("h100-sxm").peak["tf32"]


@pytest.fixture
def switches() -> Iterator[None]:
    """torch's switches can be moved in a test, and are as they were after it.

    torch's own tests, whose samples other tests take, forbid that for the whole process when they
    are imported.
    """
    with torch.backends.__allow_nonbracketed_mutation():
        yield
        torch.set_float32_matmul_precision("highest")
        BACKENDS.cudnn.allow_tf32 = True
        if NEWER:
            BACKENDS.cuda.matmul.fp32_precision = "none"
            BACKENDS.mkldnn.matmul.fp32_precision = "none"


def older(precision: str, cudnn: bool) -> Callable[[], None]:
    def move() -> None:
        torch.set_float32_matmul_precision(precision)
        BACKENDS.cudnn.allow_tf32 = cudnn

    return move


def newer(matmul: str, conv: str, rnn: str) -> Callable[[], None]:
    def move() -> None:
        BACKENDS.cuda.matmul.fp32_precision = matmul
        BACKENDS.cudnn.conv.fp32_precision = conv
        BACKENDS.cudnn.rnn.fp32_precision = rnn

    return move


SETTINGS: list[tuple[Callable[[], None], tuple[str, ...]]] = [
    (older("highest", True), ("conv", "rnn")),
    (older("high", True), ("matmul", "conv", "rnn")),
    (older("medium", True), ("matmul", "conv", "rnn")),
    (older("highest", False), ()),
    (older("high", False), ("matmul",)),
]
if NEWER:
    SETTINGS += [
        (
            newer(*words),
            tuple(kind for kind, word in zip(KINDS, words, strict=True) if word == "tf32"),
        )
        for words in product(["ieee", "tf32"], repeat=3)
    ]


class Ticking:
    """A clock by which every step takes 10,000 seconds."""

    def mark(self) -> int:
        return 0

    def between(self, start: int, stop: int) -> HostInterval:
        return HostInterval(10_000.0)


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize(("move", "kinds"), SETTINGS)
def test_a_meter_takes_the_peaks_that_torchs_switches_say(
    move: Callable[[], None], kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    move()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("dispatchcount.integrations.meter.device_at_hand", lambda: DEVICE)
    assert rounded_kinds() == kinds
    model = net()
    meter = dc.Meter(model, clock=Ticking())
    with meter.step(torch.ones(IMAGE)), torch.no_grad():
        model(torch.ones(IMAGE))
    assert meter.device.rounds == kinds
    assert meter.last.mfu == seconds("matmul" in kinds, "conv" in kinds) / 10_000
    # So does a job's rank, whose device is sent to the others without its sources.
    monkeypatch.setattr(torch.distributed, "is_available", lambda: True)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True, raising=False)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group: 1, raising=False)
    monkeypatch.setattr(
        torch.distributed,
        "all_gather_object",
        lambda parts, own, group: parts.__setitem__(0, own),
        raising=False,
    )
    assert over_ranks(meter.last).mfu == meter.last.mfu


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize(("move", "kinds"), SETTINGS)
def test_measuring_sets_the_switch_of_matrix_products_and_puts_it_back(
    move: Callable[[], None], kinds: tuple[str, ...]
) -> None:
    move()
    for rounded in (True, False):
        with pytest.raises(KeyError), matrix_products(rounded=rounded):
            assert ("matmul" in rounded_kinds()) is rounded
            raise KeyError
        assert rounded_kinds() == kinds


def test_the_switch_of_everything_stops_no_meter() -> None:
    """torch then refuses to say what `get_float32_matmul_precision` is; a process of its own."""
    code = """
import torch
if hasattr(torch.backends.cudnn, "conv"):
    torch.backends.fp32_precision = "tf32"
else:
    torch.set_float32_matmul_precision("high")
import dispatchcount as dc
from dispatchcount.hardware.at_hand import as_torch_rounds
torch.cuda.is_available = lambda: True
print(*as_torch_rounds(dc.device("a100-sxm")).rounds)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["matmul", "conv", "rnn"]


@pytest.mark.usefixtures("switches")
def test_miopen_rounds_nothing_whatever_cudnns_switches_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert rounded_kinds() == ()
    torch.set_float32_matmul_precision("high")
    assert rounded_kinds() == ("matmul",)


def test_nvidias_variable_is_above_every_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert rounded_kinds() == ()
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")  # leaves it to the switches
    assert rounded_kinds() == ("conv", "rnn")


def test_without_a_gpu_the_switches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("dispatchcount.integrations.meter.device_at_hand", lambda: DEVICE)
    assert dc.Meter(net()).device == DEVICE
