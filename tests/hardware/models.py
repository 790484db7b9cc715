"""Models whose cost has a closed form."""

from __future__ import annotations

from typing import Any


def gpt2(layers: int, width: int = 768, heads: int = 12, vocabulary: int = 50257) -> Any:
    """GPT-2 small's shape with so many layers and random weights, dropout off."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary,
            n_positions=1024,
            n_embd=width,
            n_layer=layers,
            n_head=heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    )
