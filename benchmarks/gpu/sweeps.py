"""Many operators and whole models: the device against the CPU, and against its own sheet."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

import dispatchcount as dc
from gpu.check import check, wait

SAMPLES = 3
"""Of each entry of torch's database of operators."""

FIGURES = ("calls", "macs", "flops")

SLACK = 1.03
"""How far a module may seem to be above its roof: events round to half a microsecond."""


@check(on_host=False)
def database(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Every operator of torch's own database costs on the device what it costs on the CPU."""
    from torch.testing._internal.common_methods_invocations import op_db

    compared, different, nameless = 0, [], []
    for info in op_db:
        if torch.float32 not in info.supported_dtypes(place.type):
            continue
        for there, host in zip(_calls(info, place.type), _calls(info, "cpu"), strict=False):
            try:
                reports = [_report(host), _report(there)]
            except Exception:  # torch lacks the operator on one of the two
                continue
            compared += 1
            if reports[0].macs != reports[1].macs or reports[0].flops != reports[1].flops:
                different.append(info.full_name)
            nameless += [*reports[1].unknown_ops, *reports[1].failed_ops]
    names = ", ".join(dict.fromkeys(different + nameless))
    yield f"{compared:,} calls compared; different or unknown: {names or 'none'}", not names


def _calls(info: Any, kind: str) -> list[Callable[[], Any]]:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = list(info.sample_inputs(kind, torch.float32))[:SAMPLES]
    return [lambda s=s: info(s.input, *s.args, **s.kwargs) for s in samples]  # type: ignore[misc]


def _report(call: Callable[[], Any]) -> dc.Report:
    with warnings.catch_warnings(), dc.profile() as prof:
        warnings.simplefilter("ignore")
        call()
    return prof.report


@check(on_host=False)
def whole_models(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Language models cost on the device what they cost on the CPU, with and without gradients."""
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MambaConfig,
        MambaForCausalLM,
    )

    small = {"hidden_size": 128, "num_hidden_layers": 2, "vocab_size": 1000}
    heads = {"intermediate_size": 512, "num_attention_heads": 8, "num_key_value_heads": 2}
    for model in (
        GPT2LMHeadModel(GPT2Config(n_layer=2)),
        LlamaForCausalLM(LlamaConfig(**small, **heads)),
        MambaForCausalLM(MambaConfig(**small)),
    ):
        found = []
        for kind in ("cpu", place.type):
            net = model.eval().to(kind)
            tokens = torch.ones(2, 64, dtype=torch.long, device=kind)
            figures = []
            for gradients in (True, False):
                with torch.set_grad_enabled(gradients), dc.profile(net) as prof:
                    net(tokens)
                figures.append((prof.report.macs, prof.report.flops))
            with dc.profile(net) as prof, torch.no_grad():
                net.generate(tokens[:1, :8], max_new_tokens=5, min_new_tokens=5, do_sample=False)
            found.append((*figures, prof.report.macs))
        yield f"{type(model).__name__}: {found[1]}", found[0] == found[1]


@check(on_host=False)
def least_times(place: torch.device) -> Iterator[tuple[str, bool]]:
    """No module is faster than its least time on the sheet, and times add up to those of a clock.

    Two models: convolutions in float32, which torch rounds to TF32, and a Llama in bfloat16.
    """
    import torchvision
    from transformers import LlamaConfig, LlamaForCausalLM

    llama = LlamaConfig(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=8, num_attention_heads=16
    )
    device = dc.device()
    for net, x in (
        (torchvision.models.resnet50(), torch.randn(256, 3, 224, 224)),
        (LlamaForCausalLM(llama).bfloat16(), torch.randint(0, 32000, (4, 2048))),
    ):
        net.to(place).eval()
        batch = x.to(place)
        seconds, kernels = _alone(net, batch, place)
        with torch.no_grad(), dc.profile(net, time=True) as prof:
            net(batch)
        roof = prof.report.roofline(device)
        fast = {
            row.name or "(root)": round(row.of_roof, 3)
            for row in roof.by_module().values()
            if row.of_roof and row.of_roof > SLACK
        }
        name = type(net).__name__
        yield f"{name}: modules above the roof of {device}: {fast or 'none'}", not fast
        total = roof.total.seconds
        yield (
            f"{name}: operators {total * 1e3:.2f} ms, least {roof.least_seconds * 1e3:.2f} ms, "
            f"kernels by torch.profiler {kernels * 1e3:.2f} ms, a clock {seconds * 1e3:.2f} ms",
            0.9 < total / kernels < 1.2,
        )
        used = prof.report.utilization(device, seconds)
        yield f"{name}: MFU {used.mfu:.1%}", used.mfu is not None and 0.05 < used.mfu < 1


def _alone(net: nn.Module, x: torch.Tensor, place: torch.device) -> tuple[float, float]:
    """Seconds of a forward by a clock, and of its kernels by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with torch.no_grad():
        for _ in range(3):
            net(x)
        wait(place)
        began = time.perf_counter()
        for _ in range(5):
            net(x)
        wait(place)
        seconds = (time.perf_counter() - began) / 5
        with profile(activities=[ProfilerActivity.CUDA]) as prof:
            net(x)
            wait(place)
    kernels = sum(event.self_device_time_total for event in prof.key_averages())
    return seconds, kernels / 1e6
