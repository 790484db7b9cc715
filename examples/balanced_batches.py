"""Micro-batches of equal cost, made of sequences of very different lengths.

A sequence that is twice as long costs more than twice as much, and how much more depends on the
model. The law of the training step knows it. The sequences of a step go into groups of equal flops,
as for the ranks of a data-parallel run; each group is trained without padding.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

import dispatchcount as dc

LENGTHS = [400, 40, 350, 90, 30, 510, 120, 60, 220, 45, 80, 300]
GROUPS = 3
CONFIG = LlamaConfig(
    vocab_size=200,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
)


def step(model: nn.Module, tokens: torch.Tensor) -> None:
    logits = model(tokens).logits.flatten(0, 1)
    nn.functional.cross_entropy(logits, tokens.flatten()).backward()


def law_of_the_step(model: nn.Module) -> dc.Law:
    """The law of the kernels that run here: a fused attention makes its scores twice."""

    def run(b: int, s: int) -> None:
        step(model, torch.zeros(b, s, dtype=torch.long))

    law = dc.law(model, run, b=2, s=16)
    model.zero_grad()
    return law


def main() -> tuple[dc.Report, list[int]]:
    model = LlamaForCausalLM(CONFIG)
    law = law_of_the_step(model)
    print(f"a step costs {law.flops}")
    groups = law.balance(LENGTHS, GROUPS)

    optimizer = torch.optim.AdamW(model.parameters())
    reports, costs = [], []
    for group in groups:
        lengths = [LENGTHS[index] for index in group]
        with dc.profile(model) as prof:
            for length in lengths:
                step(model, torch.randint(CONFIG.vocab_size, (1, length)))
        reports.append(prof.report)
        costs.append(law.packed(s=lengths).macs)
        print(f"{sum(lengths):4} tokens in {lengths}: {costs[-1]:,} MACs")
    optimizer.step()

    padded = law(b=len(LENGTHS), s=max(LENGTHS)).macs
    print(f"padded to the longest one, the same sequences cost {padded / sum(costs):.1f} times it")
    return dc.Report.merge(reports), costs


if __name__ == "__main__":
    main()
