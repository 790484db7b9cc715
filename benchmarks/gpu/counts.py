"""Counts on the device: kernels that only an accelerator has, and everything that must not differ."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import dispatchcount as dc
from gpu.check import check, training_step

BATCH, HEADS, LENGTH, SIZE = 2, 8, 512, 64
"""Of the attention."""


@check()
def attention_kernels(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Each kernel of attention and its backward count what the closed form says."""
    pairs = BATCH * HEADS * LENGTH * LENGTH
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    for backend in (
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ):
        for causal in (False, True):
            q, k, v = (
                torch.randn(
                    BATCH, HEADS, LENGTH, SIZE, device=place, dtype=torch.bfloat16
                ).requires_grad_()
                for _ in range(3)
            )
            name = f"{backend.name.lower()}{', causal' if causal else ''}"
            try:
                with sdpa_kernel(backend), dc.profile() as prof:
                    F.scaled_dot_product_attention(q, k, v, is_causal=causal).sum().backward()
            except RuntimeError as error:
                yield f"{name}: torch has no such kernel here ({str(error)[:50]})", True
                continue
            report = prof.report
            phases = report.by_phase()
            backward = phases["backward"].macs - phases["backward"].recomputed_macs
            ops = ", ".join(op for op in report.by_operator() if "attention" in op)
            right = phases["forward"].macs == 2 * pairs * SIZE and backward == 4 * pairs * SIZE
            if causal and report.masked_macs:  # the unfused form does not know its mask
                right &= report.masked_macs == (pairs - seen) * report.macs // pairs
            yield f"{name}: {report.macs:,} MACs {ops}", right and not report.unknown_ops


@check(on_host=False)
def flex_attention_kernels(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Flex attention and its backward count the blocks, and what the mask hides in them."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(
        lambda b, h, q, k: q >= k, None, None, LENGTH, LENGTH, device=place.type
    )
    q, k, v = (
        torch.randn(BATCH, HEADS, LENGTH, SIZE, device=place).requires_grad_() for _ in range(3)
    )
    with dc.profile() as prof:
        flex_attention(q, k, v, block_mask=mask).sum().backward()
    phases = prof.report.by_phase()
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    for phase, products in (("forward", 2), ("backward", 5)):
        stats = phases[phase]
        visible = stats.macs - stats.masked_macs
        yield f"{phase}: {visible:,} MACs are not masked", visible == products * seen * SIZE


def _networks() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    """Nets whose layers have kernels of their own on an accelerator, and their inputs' sizes."""
    return {
        "LSTM": (lambda: nn.LSTM(64, 128, num_layers=2, bidirectional=True), (32, 4, 64)),
        "GRU": (lambda: nn.GRU(64, 128, num_layers=2), (32, 4, 64)),
        "convolutions": (
            lambda: nn.Sequential(
                nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
                nn.ConvTranspose2d(32, 16, 2, stride=2), nn.GroupNorm(4, 16), nn.Conv2d(16, 16, 3),
            ),
            (4, 3, 32, 32),
        ),
        "transformer": (
            lambda: nn.TransformerEncoder(
                nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True), 2
            ),
            (4, 48, 64),
        ),
    }  # fmt: skip


@check()
def same_as_on_the_host(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Training steps cost on the device what they cost on the CPU, module by module and phase.

    Backward runs in a thread of autograd's own there, which must find the modules all the same.
    """
    for name, (make, sizes) in _networks().items():
        torch.manual_seed(0)
        host = make()
        there = make().to(place)
        reports = [
            training_step(host, torch.randn(sizes)),
            training_step(there, torch.randn(sizes, device=place)),
        ]
        ours = [_products(report) for report in reports]
        if name == "GRU" and "aten._cudnn_rnn_backward" in reports[1].by_operator():
            # cuDNN's backward forms all gradients in one call, those that nobody asked for as well:
            # of the input (32 steps, 4 sequences, 64 features, 3 gates of 128 units), and of the
            # first state of each layer (4 sequences, 128 units, 3 gates of 128 units).
            ours[0]["", "backward"] += 32 * 4 * 64 * 3 * 128 + 2 * 4 * 128 * 3 * 128
        unknown = ", ".join(reports[1].unknown_ops)
        yield (
            f"{name}: {reports[1].macs:,} MACs, {len(ours[1])} modules and phases"
            f"{f', unknown: {unknown}' if unknown else ''}",
            ours[0] == ours[1] and not unknown,
        )


def _products(report: dc.Report) -> dict[tuple[str, str], int]:
    """MACs by module and phase, without those that a fused backward forms again."""
    sums: dict[tuple[str, str], int] = {}
    for entry in report.entries:
        key = report.modules[report.paths[entry.path].module].name, entry.phase
        sums[key] = sums.get(key, 0) + entry.cost.macs - entry.cost.recomputed_macs
    return {key: macs for key, macs in sums.items() if macs}


@check()
def bits(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Profiled training steps give the bits of unprofiled ones, with autocast and a scaler."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    results = []
    for profiled in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 128), nn.Dropout(0.1), nn.GELU(), nn.Linear(128, 8))
        net.to(place)
        optimizer = torch.optim.AdamW(net.parameters())
        scaler = torch.amp.GradScaler(place.type)
        for _ in range(3):
            x = torch.randn(16, 64, device=place)
            with dc.profile(net) if profiled else contextlib.nullcontext():
                with torch.autocast(place.type, torch.float16):
                    loss = net(x).float().square().mean()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        results.append([parameter.detach().clone() for parameter in net.parameters()])
    torch.use_deterministic_algorithms(False)
    same = all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    yield "parameters after three steps", same
