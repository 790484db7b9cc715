"""Measured devices, on a machine whose speed and clock the test knows.

`benchmarks/hardware.py` does the same on the machine at hand, with its own clock.
"""

import pytest
import torch
from torch import nn

import dispatchcount as dc
from tests.hardware.machine import Machine

pytestmark = pytest.mark.torch_alone

RATES = {"float32": 2e9, "float16": 1e6}
BANDWIDTH = 1e8


@pytest.mark.parametrize("slower", [(1.0,), (3.0, 1.0, 2.0)])
def test_the_peak_is_what_a_product_reaches_and_other_work_does_not_lower_it(monkeypatch, slower):
    machine = Machine(RATES, BANDWIDTH, slower)
    machine.keep_time(monkeypatch)
    with machine:
        measured = dc.measure_device("cpu", ["float32"], seconds=1.0, size=256, nbytes=1 << 20)
        left, right = torch.ones(256, 256), torch.ones(256, 256)
        best = float("inf")
        for _ in range(3):
            start = machine.seconds
            left @ right
            best = min(best, machine.seconds - start)
    own = 2 * 256**3 / best
    assert measured.peak["float32"] == pytest.approx(own)
    assert measured.peak["float32"] == pytest.approx(2e9)
    assert measured.bandwidth == pytest.approx(BANDWIDTH)
    assert measured.measured
    assert "products of up to 256 × 256" in measured.note


def test_the_bandwidth_is_that_of_the_best_way_to_use_memory(monkeypatch):
    """Where a copy moves a third line for each two, work in place shows what memory can do."""

    class Fetches(Machine):
        def least(self, func, args, kwargs, out):
            took = super().least(func, args, kwargs, out)
            return 1.5 * took if func is torch.ops.aten.copy_.default else took

    machine = Fetches(RATES, BANDWIDTH)
    machine.keep_time(monkeypatch)
    with machine:
        measured = dc.measure_device("cpu", ["float32"], seconds=0.01, size=64, nbytes=1 << 20)
    assert measured.bandwidth == pytest.approx(BANDWIDTH)


@pytest.mark.parametrize("slower", [(1.0,), (1.0, 2.0), (5.0, 1.0, 1.0)])
def test_no_operator_lies_above_the_measured_roof(monkeypatch, slower):
    """The machine takes each operator's least time or longer, so a row above 1 is a wrong rule."""
    machine = Machine(RATES, BANDWIDTH, slower)
    machine.keep_time(monkeypatch)
    net = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 64))
    x = torch.randn(128, 64)
    with machine, torch.no_grad():
        device = dc.measure_device("cpu", ["float32"], seconds=0.1, size=128, nbytes=1 << 16)
        with dc.profile(net, time=True) as prof:
            net(x)
    roof = prof.report.roofline(device)
    rows = [row for row in roof.by_operator().values() if row.seconds]
    assert {row.name for row in rows} == {"aten.addmm", "aten.gelu", "aten.native_layer_norm"}
    for row in rows:
        assert row.of_roof <= 1 + 1e-6, row
        if slower == (1.0,):
            assert row.of_roof == pytest.approx(1, rel=1e-6), row
    # Two products of 128·64·256 MACs; what GELU and the norm move is a twentieth of their time.
    assert roof.by_operator()["aten.addmm"].compute_seconds == pytest.approx(
        2 * 2 * 128 * 64 * 256 / 2e9
    )


def test_dtypes_that_do_not_multiply_are_left_out():
    options = {"seconds": 0.01, "size": 64, "nbytes": 1 << 16}
    measured = dc.measure_device("cpu", ["float32", "float4_e2m1fn_x2"], **options)
    assert set(measured.peak) == {"float32"}
    with pytest.raises(dc.DeviceError, match="multiplies matrices in none of float4_e2m1fn_x2"):
        dc.measure_device("cpu", ["float4_e2m1fn_x2"], **options)


def test_a_slow_dtype_is_measured_on_small_matrices(monkeypatch):
    """At 1e6 flops a second a product of side 64 takes half a second, and the next one four."""
    machine = Machine(RATES, BANDWIDTH)
    machine.keep_time(monkeypatch)
    with machine:
        measured = dc.measure_device("cpu", ["float16"], seconds=1.0, nbytes=1 << 16)
    assert measured.peak["float16"] == pytest.approx(1e6)
    sides = {args[0].shape[0] for func, args in machine.calls if func._schema.name == "aten::mm"}
    assert sides == {64}


def test_the_cpu_at_hand_is_measured_by_its_own_clock():
    """That a real clock gives figures at all; what they are is the business of the benchmark."""
    measured = dc.measure_device("cpu", ["float32"], seconds=0.001, size=64, nbytes=1 << 16)
    assert measured.peak["float32"] > 0
    assert measured.bandwidth > 0
