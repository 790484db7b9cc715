"""What part a module plays in a model, as far as names tell: attention, MLP, norm, embedding …

Nothing is counted by it. Pages colour by it, because the layers of a model look alike by class
(nearly all are ``Linear``) and differ by what they are for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dispatchcount.report.rows import Module

(
    ATTENTION,
    MLP,
    NORM,
    EMBEDDING,
    HEAD,
    CONVOLUTION,
    LINEAR,
    RECURRENT,
    ACTIVATION,
    POOLING,
    OTHER,
) = ROLES = (
    "attention",
    "MLP",
    "norm",
    "embedding",
    "head",
    "convolution",
    "linear",
    "recurrent",
    "activation",
    "pooling",
    "other",
)
"""The parts, in the order in which a legend lists them."""

_BY_TYPE = (
    (NORM, r"norm"),
    (ATTENTION, r"attention|attn"),
    (MLP, r"mlp|ffn|feed_?forward|expert|mixtureof|moe"),
    (EMBEDDING, r"embed"),
    (POOLING, r"pool|upsample"),
    (RECURRENT, r"lstm|gru|rnn"),
    (CONVOLUTION, r"conv"),
    (ACTIVATION, r"relu|gelu|silu|swish|sigmoid|tanh|softmax|activation|mish|elu\b|dropout"),
    (HEAD, r"head\b|classifier"),
)
_BY_NAME = (
    (ATTENTION, r"attention|attn"),
    (MLP, r"mlp|ffn|feed_?forward|experts?|moe"),
    (EMBEDDING, r"\w*embed\w*|wte|wpe|embeddings?|tok_emb"),
    (HEAD, r"lm_head|heads?|classifier|score|fc|logits"),
)
_HANDED_DOWN = frozenset({ATTENTION, MLP, EMBEDDING, HEAD})
"""Parts that a module gives to those below it, where their own class says no more."""

_LOOKS = tuple((role, re.compile(pattern, re.IGNORECASE)) for role, pattern in _BY_TYPE)
_NAMES = tuple(
    (role, re.compile(rf"(?:.*[._])?(?:{pattern})\d*", re.IGNORECASE)) for role, pattern in _BY_NAME
)


def roles(modules: Sequence[Module]) -> list[str]:
    """For each module by index one of `ROLES`.

    A module's name goes first, then its class, then the part of the module above. A norm is a norm
    wherever it stands.
    """
    found: list[str] = []
    known: dict[tuple[str, str], str] = {}
    for module in modules:
        last = module.name.rpartition(".")[2]
        key = (last, module.type)
        if key not in known:
            known[key] = _own(last, module.type)
        own, above = known[key], found[module.parent] if module.parent >= 0 else OTHER
        found.append(above if above in _HANDED_DOWN and own not in (NORM, *_HANDED_DOWN) else own)
    return found


def _own(name: str, type_: str) -> str:
    for role, pattern in _NAMES:
        if pattern.fullmatch(name) and not _LOOKS[0][1].search(type_):
            return role
    for role, pattern in _LOOKS:
        if pattern.search(type_) and not (role in _HANDED_DOWN and _whole(type_)):
            return role
    return LINEAR if re.search(r"linear|dense", type_, re.IGNORECASE) else OTHER


def _whole(type_: str) -> bool:
    """True if a class is a whole model by its name, as ``MoEForCausalLM`` is."""
    return re.search(r"Model\b|For[A-Z]|Net\b|Transformer\b", type_) is not None
