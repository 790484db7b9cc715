"""Rooflines by hand: one convolution, one norm, one attention, and whole models on an H100."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import dispatchcount as dc
from tests.hardware.models import gpt2

H100 = dc.device("h100-sxm")
PEAK, BYTES = 989.4e12, 3.35e12  # bfloat16 flops and bytes a second of an H100 SXM


def profiled(run, *models, **options):
    with dc.profile(*models, **options) as prof:
        run()
    return prof.report


def test_a_convolution_by_hand():
    conv = nn.Conv2d(256, 256, 3, padding=1, bias=False, device="meta", dtype=torch.bfloat16)
    x = torch.empty(32, 256, 14, 14, device="meta", dtype=torch.bfloat16)
    row = profiled(lambda: conv(x), conv).roofline(H100).by_operator()["aten.convolution"]
    macs = 32 * 256 * 14 * 14 * 256 * 9  # outputs times inputs of each
    nbytes = 2 * (2 * 32 * 256 * 14 * 14 + 256 * 256 * 9)  # input and output, weight
    assert (row.flops, row.nbytes) == (2 * macs, nbytes)
    assert row.intensity == 2 * macs / nbytes  # 932 flops a byte, the ridge is at 295
    assert row.bound == "compute"
    assert row.least_seconds == pytest.approx(2 * macs / PEAK)
    assert row.memory_seconds == pytest.approx(nbytes / BYTES)


def test_a_norm_by_hand():
    norm = nn.LayerNorm(1024, device="meta", dtype=torch.bfloat16)
    x = torch.empty(8, 512, 1024, device="meta", dtype=torch.bfloat16)
    with torch.no_grad():
        report = profiled(lambda: norm(x), norm)
    row = report.roofline(H100).by_operator()["aten.native_layer_norm"]
    elements, rows = 8 * 512 * 1024, 8 * 512
    # Input and output, weight and bias; mean and inverse deviation of each row are float32.
    assert row.nbytes == 2 * (2 * elements + 2 * 1024) + 4 * 2 * rows
    assert row.macs == 0
    assert row.flops == report.arithmetic + report.transcendentals
    assert row.bound == "memory"
    assert row.least_seconds == pytest.approx(row.nbytes / BYTES)


def test_an_attention_by_hand():
    q, k, v = (torch.zeros(1, 1, 2048, 64, dtype=torch.bfloat16) for _ in range(3))
    report = profiled(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    row = report.roofline(H100).by_operator()["aten._scaled_dot_product_flash_attention_for_cpu"]
    assert row.macs == 2048 * 2048 * (64 + 64)  # the rectangle: see masked_macs for the triangle
    # Query, key, value and output; the logarithm of each row's sum is float32.
    assert row.nbytes == 2 * 4 * 2048 * 64 + 4 * 2048
    assert row.bound == "compute"  # 1,010 flops a byte
    assert row.least_seconds == pytest.approx(2 * row.macs / PEAK)


def test_least_time_takes_the_larger_of_matrix_vector_and_memory():
    product = nn.Linear(64, 64, device="meta")
    x = torch.empty(16, 64, device="meta")
    with torch.no_grad():
        report = profiled(lambda: product(x), product)
    macs, adds, nbytes = 16 * 64 * 64, 16 * 64, 4 * (16 * 64 * 2 + 64 * 64 + 64)
    for peak, vector, bandwidth, least, bound in [
        (1.0, 1e9, 1e9, 2 * macs, "compute"),
        (1e9, 1.0, 1e9, adds, "compute"),
        (1e9, 1e9, 1.0, nbytes, "memory"),
    ]:
        device = dc.Device({"float32": peak}, bandwidth, vector={"float32": vector})
        row = report.roofline(device).by_operator()["aten.addmm"]
        assert (row.least_seconds, row.bound) == (pytest.approx(least), bound)


def test_a_device_without_vector_rates_is_the_textbook_roofline():
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    report = profiled(lambda: net(torch.randn(4, 8)), net)
    roof = report.roofline(dc.Device({"float32": 1e6}, 1e6))
    for row in roof.by_operator().values():
        assert row.least_seconds == pytest.approx(max(2 * row.macs, row.nbytes) / 1e6)
    assert roof.by_operator()["aten.relu"].bound == "memory"
    assert roof.by_operator()["aten.t"].bound == "neither"


def test_rows_add_up_to_the_whole():
    net = gpt2(layers=2)
    report = profiled(
        lambda: net(torch.zeros(2, 16, dtype=torch.long)).logits.sum().backward(), net
    )
    roof = report.roofline(H100)
    whole = roof.total
    for rows in (roof.by_operator(), roof.by_phase(), roof.by_module(own=True)):
        assert sum(row.least_seconds for row in rows.values()) == pytest.approx(whole.least_seconds)
        assert sum(row.flops for row in rows.values()) == whole.flops
        assert sum(row.nbytes for row in rows.values()) == whole.nbytes
        assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert whole.macs == report.macs
    assert whole.nbytes == report.bytes_read + report.bytes_written
    modules = roof.by_module()
    below = [modules[f"transformer.h.{i}"] for i in range(2)]
    assert modules["transformer.h"].least_seconds == pytest.approx(
        sum(row.least_seconds for row in below)
    )
    assert roof.share("memory") + roof.share("compute") == pytest.approx(1)
    with pytest.raises(ValueError, match="it is 'compute' or 'memory'"):
        roof.share("network")


def test_resnet_50_on_an_h100():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        net = torchvision.models.resnet50().to(torch.bfloat16).eval()
        x = torch.empty(64, 3, 224, 224, dtype=torch.bfloat16)
    with torch.no_grad():
        roof = profiled(lambda: net(x), net).roofline(H100)
    # 64 images of 4,089,184,256 MACs: 0.529 ms at peak. Norms and activations move bytes instead.
    assert roof.total.macs == 64 * 4_089_184_256
    assert roof.by_operator()["aten.convolution"].compute_seconds == pytest.approx(
        2 * 64 * 4_087_136_256 / PEAK
    )
    for op in ("aten.native_batch_norm", "aten.relu_", "aten.add_", "aten.max_pool2d_with_indices"):
        if op in roof.by_operator():
            assert roof.by_operator()[op].bound == "memory", op
    assert 0.7 < roof.share("memory") < 1.0


def test_a_decode_step_of_gpt_2_is_memory_bound():
    net = gpt2(layers=4).to(torch.bfloat16).eval()
    token = torch.zeros(1, 1, dtype=torch.long)
    with torch.no_grad():
        cache = net(torch.zeros(1, 64, dtype=torch.long)).past_key_values
        roof = profiled(lambda: net(token, past_key_values=cache), net).roofline(H100)
    # Every weight is read for one token: 4 layers of 12·768² weights and the head of 50257·768.
    weights = 4 * 12 * 768**2 + 50257 * 768
    assert roof.total.macs >= weights
    assert roof.least_seconds > 2 * weights / BYTES
    assert roof.share("memory") > 0.999


def test_notes_say_what_a_bound_leaves_out():
    net = nn.Linear(4, 4)
    report = profiled(lambda: net(torch.randn(2, 4)), net)
    roof = report.roofline(dc.Device({"bfloat16": 1e12}, 1e12))
    assert any("no peak for float32" in note for note in roof.notes)
    assert roof.by_operator()["aten.addmm"].bound == "memory"
    assert any(
        "no bandwidth" in note for note in report.roofline(dc.Device({"float32": 1e12})).notes
    )
    with pytest.raises(dc.DeviceError, match="neither a peak nor a bandwidth"):
        report.roofline(dc.Device({}))


def test_times_give_rates_and_distances_from_the_roof():
    net = nn.Linear(256, 256)
    report = profiled(lambda: net(torch.randn(256, 256)), net, time=True)
    roof = report.roofline(H100)
    row = roof.by_operator()["aten.addmm"]
    assert row.seconds > 0
    assert row.flops_per_s == row.flops / row.seconds
    assert row.of_roof == row.least_seconds / row.seconds
    assert "of roof" in str(roof)
    untimed = profiled(lambda: net(torch.randn(256, 256)), net).roofline(H100)
    assert untimed.by_operator()["aten.addmm"].of_roof is None
    assert "of roof" not in str(untimed)


def test_tables_json_and_plot(tmp_path):
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
    report = profiled(lambda: net(torch.randn(8, 64)), net)
    roof = report.roofline(H100)
    text = str(roof)
    assert "a lower bound" in text
    assert "aten.addmm" in text
    assert "0" in str(roof.table(by="module"))
    assert "forward" in str(roof.table(by="phase"))
    with pytest.raises(ValueError, match="by='op'"):
        roof.table(by="op")
    with pytest.raises(ValueError, match="negative"):
        roof.table(-1)
    data = json.loads(roof.to_json(tmp_path / "roof.json"))
    assert json.loads((tmp_path / "roof.json").read_bytes()) == data
    assert data["total"]["macs"] == 8 * 64 * 64
    assert data["device"]["peak"]["bfloat16"] == PEAK
    assert {row["name"] for row in data["operators"]} == set(report.by_operator())
    pytest.importorskip("matplotlib")
    roof.plot(tmp_path / "roof.svg")
    assert b"<svg" in (tmp_path / "roof.svg").read_bytes()[:1000]
