"""The utilization of a training loop, and where the time of a step has to go.

A small language model trains on batches of two lengths. The meter counts the first step of each
length and only times the others. The peak is measured, because the example runs on a CPU whose
peak no sheet says; on an accelerator leave `device` out, or name it: ``dc.device("h100-sxm")``.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

import dispatchcount as dc

LENGTHS = (32, 48, 32, 48, 32, 48)
BATCH, WIDTH, INNER, LAYERS, VOCABULARY = 4, 64, 128, 2, 200


def small_llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            num_key_value_heads=4,
        )
    )


def batch_of(length: int) -> dict[str, torch.Tensor]:
    tokens = torch.randint(VOCABULARY, (BATCH, length))
    return {"input_ids": tokens, "labels": tokens}


def train(model: nn.Module, device: dc.Device) -> dc.Throughput:
    optimizer = torch.optim.AdamW(model.parameters())
    meter = dc.Meter(model, device=device)
    for length in LENGTHS:
        batch = batch_of(length)
        with meter.step(batch):
            model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print(f"{length} tokens: {meter.last}")
    return meter.total


def main() -> tuple[dc.Report, dc.Throughput]:
    device = dc.measure_device("cpu", ["float32"], seconds=0.05, size=512, nbytes=1 << 24)
    model = small_llama()
    total = train(model, device)
    print(f"in all: {total}")

    # Where the time of one step has to go, on this device and on another.
    batch = batch_of(LENGTHS[0])
    with dc.profile(model) as prof:
        model(**batch).loss.backward()
    for where in (device, dc.device("h100-sxm")):
        print(prof.report.roofline(where).table(5))
    return prof.report, total


if __name__ == "__main__":
    main()
