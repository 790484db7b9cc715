"""MFU and HFU against the formulas of papers, with the arithmetic beside them."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from tests.hardware.models import gpt2

CPU = dc.Device(peak={"float32": 1e12, "bfloat16": 4e12}, bandwidth=1e11, name="made-up")


def step(net, *inputs, **options):
    with dc.profile(net, **options) as prof:
        net(*inputs).sum().backward()
    return prof.report


def test_mfu_is_the_time_at_peak_by_the_time_that_it_took():
    net = nn.Linear(64, 32, bias=False)
    used = step(net, torch.randn(8, 64, requires_grad=True)).utilization(CPU, seconds=1e-6)
    macs = 8 * 64 * 32  # forward; as many for the gradient of the input and of the weight
    assert used.flops == 2 * 3 * macs
    assert used.mfu == pytest.approx(2 * 3 * macs / 1e12 / 1e-6)
    assert used.hfu == used.mfu
    assert used.flops_per_s == used.flops / 1e-6
    assert "forward and backward" in used.counts


def test_recomputation_is_in_hfu_and_not_in_mfu():
    net = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU(), nn.Linear(64, 64, bias=False))
    x = torch.randn(8, 64, requires_grad=True)
    with dc.profile(net) as prof:
        checkpoint(net, x, use_reentrant=False).sum().backward()
    used = prof.report.utilization(CPU, seconds=1e-3)
    macs = 2 * 8 * 64 * 64
    recomputed = prof.report.by_phase()["recompute"].macs
    assert used.flops == 2 * 3 * macs
    assert used.hardware_flops == 2 * (3 * macs + recomputed)
    assert macs // 2 <= recomputed <= macs  # torch stops recomputing where nothing more is needed
    assert used.hfu > used.mfu


def test_each_dtype_counts_at_its_own_peak():
    net = nn.Sequential(nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False))
    with torch.no_grad(), dc.profile(net) as prof:
        net(torch.randn(8, 64))
        net.to(torch.bfloat16)(torch.randn(8, 64, dtype=torch.bfloat16))
    used = prof.report.utilization(CPU, seconds=1e-6)
    macs = 2 * 8 * 64 * 64
    assert used.cost.model == {"float32": macs, "bfloat16": macs}
    assert used.mfu == pytest.approx((2 * macs / 1e12 + 2 * macs / 4e12) / 1e-6)


def test_a_dtype_without_a_peak_gives_no_mfu_and_says_what_to_do():
    net = nn.Linear(8, 8).double()
    used = step(net, torch.randn(2, 8, dtype=torch.float64)).utilization(CPU, seconds=1.0)
    assert (used.mfu, used.hfu) == (None, None)
    assert used.flops_per_s > 0
    assert "no peak for float64" in used.notes[0]
    assert "dispatchcount.Device(peak=" in str(used)


def test_a_trifle_in_a_dtype_without_a_peak_is_left_out_and_said():
    device = dc.Device(peak={"bfloat16": 1e12})
    angles, layer = torch.randn(4, 1), nn.Linear(64, 64, bias=False, dtype=torch.bfloat16)
    with torch.no_grad(), dc.profile(layer) as prof:
        layer(torch.randn(16, 64, dtype=torch.bfloat16))
        angles @ torch.randn(1, 4)
    used = prof.report.utilization(device, seconds=1e-6)
    assert used.cost.model == {"bfloat16": 16 * 64 * 64, "float32": 16}
    assert used.mfu == pytest.approx(2 * 16 * 64 * 64 / 1e12 / 1e-6)
    assert "less than 1 % of the work is in float32" in used.notes[0]


def test_what_is_not_counted_is_said():
    with torch.library._scoped_library("mfu_test", "FRAGMENT") as library:
        library.define("opaque(Tensor x) -> Tensor")
        library.impl("opaque", lambda x: x.clone(), "CPU")
        with dc.profile() as prof:
            torch.ops.mfu_test.opaque(torch.ones(4) @ torch.ones(4, 4))
    used = prof.report.utilization(CPU, seconds=1.0)
    assert "mfu_test.opaque is not known: the figures are too small" in used.notes[0]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "1"])
def test_seconds_must_be_a_positive_number(seconds):
    net = nn.Linear(2, 2)
    with pytest.raises(dc.DeviceError, match="give the time that the run took"):
        step(net, torch.randn(1, 2)).utilization(CPU, seconds=seconds)


def test_gpt_2_against_palms_formula():
    """PaLM's appendix B: ``6 N + 12 L H Q T`` flops a token, N without the embedding tables.

    The head is a product, so its 50257 × 768 weights are in N although they are tied to the table.
    The unfused attention of this test is what the formula assumes: two products forward, four
    backward. The first layer's input needs no gradient only where it is not a parameter's product,
    so nothing is saved there.
    """
    layers, width, length, batch, vocabulary = 2, 768, 32, 3, 50257
    net = gpt2(layers)
    net.config._attn_implementation = "eager"
    tokens = torch.zeros(batch, length, dtype=torch.long)
    with dc.profile(net) as prof:
        net(tokens, labels=tokens).loss.backward()
    matrices = layers * 12 * width**2 + vocabulary * width
    palm = (6 * matrices + 12 * layers * width * length) * batch * length
    used = prof.report.utilization(CPU, seconds=1.0)
    assert used.flops == palm
    # What is often used instead, 6 times all parameters, is off by the position table and by biases
    # and norms, which take no products, and has no attention.
    parameters = sum(p.numel() for p in net.parameters())
    assert parameters - matrices == 1024 * width + layers * 13 * width + 2 * width
    assert 6 * parameters * batch * length != used.flops


def test_llama_against_palms_formula():
    """Grouped heads, a gated MLP and an untied head: N is what the products hold."""
    from transformers import LlamaConfig, LlamaForCausalLM

    layers, width, inner, heads, groups, length, vocabulary = 2, 64, 176, 4, 2, 16, 1000
    net = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=groups,
            attn_implementation="eager",
        )
    )
    tokens = torch.zeros(1, length, dtype=torch.long)
    with dc.profile(net) as prof:
        net(tokens, labels=tokens).loss.backward()
    size = width // heads
    layer = 2 * width * width + 2 * width * groups * size + 3 * width * inner
    matrices = layers * layer + vocabulary * width
    palm = (6 * matrices + 12 * layers * width * length) * length
    assert prof.report.utilization(CPU, seconds=1.0).flops == palm
