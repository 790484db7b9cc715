"""What a language model costs at any length, from a dozen runs of a few tokens.

The model is built on meta, where it takes no memory. The law is exact: at the end a direct run at a
length a thousand times as long gives the same integer.
"""

from __future__ import annotations

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import dispatchcount as dc

LONG = 16_384


def tokens(b: int, s: int) -> torch.Tensor:
    return torch.zeros(b, s, dtype=torch.long, device="meta")


def main() -> tuple[dc.Report, dc.Law]:
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(n_layer=4)).eval()
    with torch.no_grad():
        law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)
    print(law)
    print(law.table(depth=1))

    # What one more token adds, and what is left of the attention under a causal mask.
    print(f"one more token: {law.marginal('s')}")
    print(f"causal: {law.causal().macs}")

    # A function that needs nothing else, to be pasted into a trainer.
    print(law.python("macs"))

    with torch.no_grad(), dc.profile(model) as prof:
        model(tokens(1, LONG))
    print(f"{LONG:,} tokens: {law(b=1, s=LONG).flops:,}, a run {prof.report.flops:,}")
    return prof.report, law


if __name__ == "__main__":
    main()
