"""Runs a language model as a server does: the prompt at once, then a token at a time."""

from __future__ import annotations

from typing import Any

import torch

from dispatchcount.errors import UsageError
from dispatchcount.profiler import Profile
from dispatchcount.report.decoding import Step

_CACHES = ("cache", "past_key_values")
"""What models of transformers call their key-value cache, in newer and in older releases."""


def decode(
    model: Any, prof: Profile, batch: int, prefill: int, tokens: int, device: str
) -> list[Step]:
    """Run the steps, each as a sample of `prof`, which must be open.

    Args:
        model: a causal language model of transformers.
        prof: the profile.
        batch: sequences side by side.
        prefill: tokens of the prompt.
        tokens: tokens that are made after it, one in each step.
        device: where the tokens lie.

    Raises:
        UsageError: the model hands on no key-value cache, or its prompt goes into an encoder.
    """
    if getattr(model.config, "is_encoder_decoder", False):
        raise UsageError(
            f"{type(model).__name__} reads its prompt with an encoder; --prefill and --decode are "
            "for models of a decoder alone, and --length 2048 runs both parts of this one once"
        )
    steps: list[Step] = []
    cache: dict[str, Any] = {}
    for number in range(tokens + 1):
        length = 1 if number else prefill
        label = f"decode {number}" if number else f"prefill {prefill}"
        ids = torch.zeros((batch, length), dtype=torch.int64, device=device)
        with prof.sample(label):
            out = model(input_ids=ids, use_cache=True, **cache)
        held_by = set(out.keys())  # `in` finds old names as well, and warns of them.
        name = next((name for name in _CACHES if name in held_by), None)
        cache = {} if name is None else {name: out[name]}
        if tokens and not cache:
            raise UsageError(
                f"{type(model).__name__} hands on no key-value cache, so it cannot decode; "
                "--prefill alone works"
            )
        held = sum(_nbytes(kept) for kept in cache.values())
        steps.append(Step(label, batch * length, held))
    return steps


def _nbytes(cache: Any) -> int:
    """Bytes of all tensors in a cache, whatever classes it is made of, each tensor once."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    waiting = [cache]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            found[id(value)] = value.numel() * value.element_size()
        elif id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, (list, tuple)):
                waiting += value
            elif isinstance(value, dict):
                waiting += value.values()
            elif type(value).__module__.startswith("transformers") and hasattr(value, "__dict__"):
                waiting += vars(value).values()
    return sum(found.values())
