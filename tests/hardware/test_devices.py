"""The device table: every figure has a source, is dense, and agrees with the chip's own arithmetic."""

import re

import pytest
import torch

import dispatchcount as dc
from dispatchcount.hardware.catalog import recognized

# Units on the chip, dense flops of a unit in a clock, clock in GHz: as the architecture white papers
# give them. Their product is the peak that the sheet prints, to the digits that it prints.
CHIPS = [
    ("v100-sxm", "float16", 80, 1024, 1.530),
    ("v100-pcie", "float16", 80, 1024, 1.370),
    ("t4", "float16", 40, 1024, 1.590),
    ("titan-rtx", "float16", 72, 1024, 1.770),
    ("rtx-2080-ti", "float16", 68, 512, 1.635),
    ("a100-sxm", "bfloat16", 108, 2048, 1.410),
    ("a100-sxm", "tf32", 108, 1024, 1.410),
    ("a100-sxm", "float64", 108, 128, 1.410),
    ("a30", "bfloat16", 56, 2048, 1.440),
    ("a10", "bfloat16", 72, 1024, 1.695),
    ("a40", "bfloat16", 84, 1024, 1.740),
    ("rtx-a6000", "bfloat16", 84, 1024, 1.800),
    ("rtx-3080", "bfloat16", 68, 512, 1.710),
    ("rtx-3080-ti", "bfloat16", 80, 512, 1.665),
    ("rtx-3090", "bfloat16", 82, 512, 1.695),
    ("rtx-3090-ti", "bfloat16", 84, 512, 1.860),
    ("rtx-4080", "bfloat16", 76, 512, 2.505),
    ("rtx-4080-super", "bfloat16", 80, 512, 2.550),
    ("rtx-4090", "bfloat16", 128, 512, 2.520),
    ("rtx-6000-ada", "bfloat16", 142, 1024, 2.505),
    ("h100-sxm", "bfloat16", 132, 4096, 1.830),
    ("h100-sxm", "float8_e4m3fn", 132, 8192, 1.830),
    ("h100-sxm", "tf32", 132, 2048, 1.830),
    ("h100-pcie", "bfloat16", 114, 4096, 1.620),
    ("h200", "bfloat16", 132, 4096, 1.830),
    ("rtx-5090", "bfloat16", 170, 512, 2.407),
    ("rtx-5080", "bfloat16", 84, 512, 2.617),
    ("rtx-5070-ti", "bfloat16", 70, 512, 2.452),
    ("rtx-5070", "bfloat16", 48, 512, 2.512),
    ("mi100", "float16", 120, 1024, 1.502),
    ("mi210", "bfloat16", 104, 1024, 1.700),
    ("mi250", "bfloat16", 208, 1024, 1.700),
    ("mi250x", "bfloat16", 220, 1024, 1.700),
    ("mi300a", "bfloat16", 228, 2048, 2.100),
    ("mi300x", "bfloat16", 304, 2048, 2.100),
    ("mi300x", "float64", 304, 256, 2.100),
    ("mi325x", "bfloat16", 304, 2048, 2.100),
    ("mi350x", "bfloat16", 256, 4096, 2.200),
    ("mi355x", "bfloat16", 256, 4096, 2.400),
    ("xeon-8380", "float32", 40, 64, 3.4),
    ("xeon-8480+", "bfloat16", 56, 1024, 3.8),
    ("xeon-8592+", "float32", 64, 64, 3.9),
    ("epyc-7763", "float32", 64, 32, 3.5),
    ("epyc-9654", "float32", 96, 32, 3.7),
]


@pytest.mark.parametrize(("name", "dtype", "units", "flops", "ghz"), CHIPS)
def test_a_peak_is_units_times_flops_times_clock(name, dtype, units, flops, ghz):
    device = dc.device(name)
    assert device.peak[dtype] == pytest.approx(units * flops * ghz * 1e9, rel=0.012)
    assert device.units in (None, units)


@pytest.mark.parametrize(
    ("name", "dtype", "peak"),
    [
        ("h100-sxm", "bfloat16", 989.4e12),
        ("a100-sxm", "bfloat16", 312e12),
        ("rtx-4090", "bfloat16", 165.2e12),
        ("mi300x", "bfloat16", 1307.4e12),
        ("v100-sxm", "float16", 125e12),
    ],
)
def test_peaks_that_everybody_quotes(name, dtype, peak):
    device = dc.device(name)
    assert device.peak[dtype] == peak
    if dtype in device.sparse:
        assert device.sparse_peak[dtype] == 2 * peak


def test_there_are_at_least_40_devices_and_each_has_a_source():
    known = dc.devices()
    assert len(known) >= 40
    for device in known.values():
        source = device.source
        assert source.publisher in ("NVIDIA", "AMD", "Intel", "Apple")
        assert source.title, device.name
        assert source.where, device.name
        assert re.fullmatch(r"20\d\d(-\d\d){0,2}", source.date), device.name
        assert source.url.startswith("https://"), device.name
        assert source.seen in ("document", "quoted", "derived")
        assert (source.seen == "document") == (not source.quoted_by), device.name
        assert device.peak or device.bandwidth, device.name
        assert device.name == device.name.lower()


def test_dense_figures_are_consistent_within_a_device():
    for device in dc.devices().values():
        peak = device.peak
        assert set(device.sparse) <= set(peak)
        # Half the bits, at least the rate; a 16-bit unit is at most 32 times the float32 one.
        for wide, narrow in (("tf32", "bfloat16"), ("bfloat16", "float8_e4m3fn")):
            if wide in peak and narrow in peak:
                assert 1 <= peak[narrow] / peak[wide] <= 4.1, device.name
        if "bfloat16" in peak and "float32" in peak:
            assert 1 < peak["bfloat16"] / peak["float32"] <= 32, device.name
        for dtype, rate in device.vector.items():
            assert dtype not in peak or rate <= peak[dtype], device.name
        if device.bandwidth:
            assert 50e9 <= device.bandwidth <= 10e12, device.name


@pytest.mark.parametrize(
    ("name", "memory", "key"),
    [
        ("NVIDIA H100 80GB HBM3", 85e9, "h100-sxm"),
        ("NVIDIA H100 PCIe", 85e9, "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", 85e9, "a100-sxm"),
        ("NVIDIA A100-SXM4-40GB", 42e9, "a100-sxm-40gb"),
        ("Tesla V100-SXM2-16GB", 17e9, "v100-sxm"),
        ("Tesla T4", 15.8e9, "t4"),
        ("NVIDIA GeForce RTX 4090", 25.2e9, "rtx-4090"),
        ("NVIDIA GeForce RTX 3080", 10.5e9, "rtx-3080"),
        ("NVIDIA GH200 480GB", 101e9, "gh200-96gb"),
        ("NVIDIA GH200 480GB", 150e9, "gh200-144gb"),
        ("AMD Instinct MI300X", 206e9, "mi300x"),
        ("AMD Instinct MI250X", 68e9, "mi250x-die"),
        ("Intel(R) Data Center GPU Max 1550", 137e9, "max-1550"),
        ("Apple M4 Max", None, "m4-max"),
    ],
)
def test_what_a_driver_calls_a_device(name, memory, key):
    assert recognized(name, memory) == dc.device(key)


@pytest.mark.parametrize(
    ("name", "memory", "units", "key"),
    [
        # AMD's driver has one name for both, and torch sees a die of each.
        ("AMD Instinct MI250X/MI250", 68.7e9, 104, "mi250-die"),
        ("AMD Instinct MI250X / MI250", 68.7e9, 110, "mi250x-die"),
        ("NVIDIA H100 80GB HBM3", 85e9, 132, "h100-sxm"),
        ("NVIDIA H100 PCIe", 85e9, 114, "h100-pcie"),
        ("NVIDIA H100 NVL", 100e9, 132, "h100-nvl"),
        ("NVIDIA A100 80GB PCIe", 85e9, 108, "a100-pcie"),
        ("NVIDIA A100-PCIE-40GB", 42.3e9, 108, "a100-pcie-40gb"),
        ("Tesla V100-PCIE-32GB", 34e9, 80, "v100-pcie"),
        ("Tesla V100-SXM2-32GB", 34e9, 80, "v100-sxm"),
        ("Apple M4 Max", None, 40, "m4-max"),
    ],
)
def test_memory_and_units_tell_devices_of_one_name_apart(name, memory, units, key):
    assert recognized(name, memory, units) == dc.device(key)


@pytest.mark.parametrize(
    ("name", "memory", "units"),
    [
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 17e9, 76),
        ("NVIDIA GeForce RTX 4090 D", 25e9, 114),
        ("NVIDIA GeForce RTX 3080", 12.9e9, 70),  # the 12 GB card has more units
        ("NVIDIA GeForce RTX 3080", 10.7e9, 70),
        ("NVIDIA H20", 100e9, 78),
        ("NVIDIA GH200 480GB", None, 132),  # two chips have this name
        ("AMD Instinct MI250X/MI250", 68.7e9, None),
        ("Apple M4 Max", None, 32),  # less bandwidth than the one with 40 cores
        # Parts of a device: an eighth of its units with all of its memory, or of both.
        ("AMD Instinct MI300X", 206e9, 38),
        ("AMD Instinct MI300X", 25.7e9, 38),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 5e9, 14),
        ("NVIDIA A100-SXM4-40GB", 5e9, 14),
    ],
)
def test_another_device_with_a_similar_name_is_not_taken_for_a_known_one(name, memory, units):
    assert recognized(name, memory, units) is None


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("H100 SXM", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("H100-SXM5", "h100-sxm"),
        ("nvidia-h100-sxm", "h100-sxm"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("h100", "h100-sxm"),
        ("NVIDIA H100", "h100-sxm"),
        ("H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("H200_NVL", "h200-nvl"),
        ("a100", "a100-sxm"),
        ("A100-SXM4", "a100-sxm"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm"),
        ("V100", "v100-sxm"),
        ("Tesla V100 SXM2", "v100-sxm"),
        ("T4", "t4"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("RTX 4090", "rtx-4090"),
        ("rtx4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("MI300X", "mi300x"),
        ("AMD Instinct MI300X", "mi300x"),
        (" mi300x ", "mi300x"),
    ],
)
def test_names_are_forgiving(typed, key):
    assert dc.device(typed) == dc.device(key)
    assert dc.device(key).name == key


def test_every_key_finds_its_own_device():
    assert all(dc.device(key) is known for key, known in dc.devices().items())


def test_an_unknown_name_says_what_to_do():
    with pytest.raises(
        dc.DeviceError, match=r"no device is called 'rtx-408'; did you mean rtx-4080"
    ):
        dc.device("rtx-408")
    with pytest.raises(dc.DeviceError, match=r"dispatchcount.Device\(peak=\{'bfloat16': 989e12\}"):
        dc.device("tpu-v5")


def test_a_device_of_your_own():
    mine = dc.Device(
        peak={torch.bfloat16: 989e12, "float32": 67e12, "tf32": 495e12}, bandwidth=3e12
    )
    assert mine.peak == {"bfloat16": 989e12, "float32": 67e12, "tf32": 495e12}
    assert mine.with_tf32().peak_of("float32") == 495e12
    assert mine.peak_of("complex64") == 67e12
    assert mine.peak_of("int8") is None
    assert dc.Device(peak={"float32": 1e12}).with_tf32().peak_of("float32") == 1e12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"peak": {"bf16": 1e12}}, "'bf16' is not a dtype"),
        ({"peak": {"float32": -1}}, "positive number of flops a second"),
        ({"peak": {"float32": float("nan")}}, "positive number"),
        ({"peak": {"float32": "fast"}}, "give a number of flops a second"),
        ({"peak": {}, "bandwidth": 0}, "positive number of bytes a second"),
    ],
)
def test_wrong_figures_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        dc.Device(**given)


def test_the_cpu_at_hand_has_no_peak_and_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    at_hand = dc.device()
    assert at_hand.peak == {}
    assert "dispatchcount.measure_device()" in at_hand.note


@pytest.mark.parametrize(
    ("driver", "key"), [("NVIDIA H100 80GB HBM3", "h100-sxm"), ("NVIDIA X", None)]
)
def test_the_accelerator_at_hand_is_asked_for_name_and_memory(monkeypatch, driver, key):
    class Properties:
        name, total_memory, multi_processor_count = driver, 85_000_000_000, 132

    class Module:
        current_device = staticmethod(lambda: 0)
        get_device_properties = staticmethod(lambda index: Properties)

    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch, "get_device_module", lambda kind: Module)
    at_hand = dc.device()
    if key:
        assert at_hand == dc.device(key)
    else:
        assert (at_hand.peak, at_hand.title) == ({}, driver)
        assert "not a known device; give its peak" in at_hand.note
        assert (at_hand.memory, at_hand.units) == (85e9, 132)


@pytest.mark.parametrize(("cores", "key"), [(40, "m4-max"), (32, None)])
def test_apples_gpus_are_asked_for_name_and_cores(monkeypatch, cores, key):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M4 Max", raising=False)
    monkeypatch.setattr(torch.backends.mps, "get_core_count", lambda: cores, raising=False)
    at_hand = dc.device()
    assert at_hand.name == (key or "apple m4 max")
    assert at_hand.units == cores
