"""Text generation with a key-value cache.

What does the prompt cost (prefill), and what does each token after it cost (decode)? A hook on the
model begins a sample at each call, so that the steps are told apart. `by_call` needs no hook: it
groups a module's calls by the shapes of their inputs, with one group for the prompt and one for the
single tokens.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import rich
import torch
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM

import dispatchcount as dc

PROMPT, NEW, LAYERS = 12, 6, 2


def small_llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


def main() -> dc.Report:
    torch.manual_seed(0)
    model = small_llama()
    prompt = torch.randint(2, 100, (1, PROMPT))
    with dc.profile(model, convention="macs") as prof:
        steps = prof.samples(count(), label=lambda i, _: f"decode {i}" if i else "prefill")

        def begin(module: Any, args: Any) -> None:
            next(steps)

        hook = model.register_forward_pre_hook(begin)
        model.generate(prompt, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False)
        hook.remove()
        steps.close()

    report = prof.report
    table = Table("step", "MACs", "of them attention", "MLPs", box=None, pad_edge=False)
    for label, modules in report.by_sample():
        attention, mlps = (
            sum(modules[f"model.layers.{layer}.{part}"].macs for layer in range(LAYERS))
            for part in ("self_attn", "mlp")
        )
        table.add_row(label, f"{modules[''].macs:,}", f"{attention:,}", f"{mlps:,}")
    rich.print(table)
    for shape, row in report.by_call("model.layers.0.mlp").items():
        print(f"MLP on {shape}: {row.calls} calls of {row.macs // row.calls:,} MACs")
    rich.print(report.samples_table(top=None, depth=2))
    print(f"tokens generated: {report.by_module()[''].calls}")
    return report


if __name__ == "__main__":
    main()
