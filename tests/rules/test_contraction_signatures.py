"""Every argument that a contraction rule takes is where the operator's schema has it.

So a change of a schema in a release of torch is noticed.
"""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import pytest
import torch

import dispatchcount.rules.library  # noqa: F401
from dispatchcount.rules.core.registry import RULES, OpKind
from dispatchcount.rules.core.values import VALUES

if importlib.util.find_spec("torch.nn.attention.varlen"):
    import torch.nn.attention.varlen
if importlib.util.find_spec("torchvision"):
    import torchvision  # noqa: F401

FAMILIES = {
    "matmul", "linear", "conv", "deform", "bilinear", "fft", "attention", "attention_packed",
    "multihead", "recurrent", "linalg",
    "sparse", "quantized_layers", "quantized_onednn", "quantized_recurrent",
}  # fmt: skip

SAME = [
    {
        "input",
        "self",
        "X",
        "x",
        "qx",
        "inp",
        "qa",
        "mat1",
        "sparse",
        "A",
        "LU",
        "LD",
        "a",
        "query",
        "q",
        "x1",
        "input1",
    },
    {
        "mat2",
        "other",
        "vec",
        "tensor",
        "dense",
        "qb",
        "mat",
        "packed_weights",
        "batch1",
        "weight",
        "w",
        "B",
        "x2",
    },
    {"mat1", "mat", "batch1"},
    {"mat2", "vec", "batch2"},
    {"bias", "B", "attn_mask", "attn_bias"},
    {"W_prepack", "packed_weight", "packed_weights"},
    {"grad_out", "grad_out_", "grad_output", "grad"},
    {"output", "out", "target"},
    {"X_scale", "output_scale"},
    {"packed_weight", "weight", "packed_weights", "W_prepack"},
    {"W_prepack", "X_scale"},
    {"hx", "hx_"},
    {"input2", "tau", "A"},
    {"out", "result"},
    {"input", "data"},
]
"""Names that stand for the same thing in operators that share a rule."""

YOUNG = {"seqused_k"}
"""Arguments that older versions of torch lack in some operators."""


def rules() -> list[str]:
    return [
        n
        for n in RULES.names()
        if (e := RULES.get(*_split(n))) and e.kind is OpKind.RULE and e.family in FAMILIES
    ]


def _split(name: str) -> tuple[str, str]:
    packet, _, overload = name.partition(".")
    return packet, overload


def schemas(name: str) -> list[Any]:
    """The schemas that the entry `name` serves in this torch; none if it lacks the operator."""
    packet, overload = _split(name)
    namespace, _, base = packet.partition("::")
    found = getattr(getattr(torch.ops, namespace), base, None)
    if found is None:
        return []
    overloads = [overload] if overload else found.overloads()
    own = [o for o in overloads if overload or f"{packet}.{o}" not in set(RULES.names())]
    return [getattr(found, o)._schema for o in own if hasattr(found, o)]


def match(rule: Any, schema: Any) -> str:
    """What does not fit, or nothing."""
    parameters = inspect.signature(rule).parameters.values()
    kinds = {p.kind for p in parameters}
    writes = {
        a.name
        for a in schema.arguments
        if a.kwarg_only and a.alias_info is not None and a.alias_info.is_write
    }
    positional = [a.name for a in schema.arguments if not a.kwarg_only]
    keywords = {a.name for a in schema.arguments if a.kwarg_only} - writes
    mine = [p for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    for p, theirs in zip(mine, positional, strict=False):
        if p.name != theirs and not any({p.name, theirs} <= group for group in SAME):
            return f"{p.name} is {theirs} in {schema}"
    lost = [
        p.name for p in mine[len(positional) :] if p.default is p.empty and p.name not in keywords
    ]
    if lost:
        return f"{lost} are not in {schema}"
    if len(positional) > len(mine) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return f"{positional[len(mine)]} of {schema} is not taken"
    named = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY} - {"out"}
    if keywords - named and inspect.Parameter.VAR_KEYWORD not in kinds:
        return f"{keywords - named} of {schema} are not taken"
    return ""


@pytest.mark.parametrize("name", rules())
def test_rule_takes_the_arguments_of_its_operator(name: str) -> None:
    entry = RULES.get(*_split(name))
    assert entry is not None
    assert [m for m in (match(entry.rule, schema) for schema in schemas(name)) if m] == []


def test_named_keywords_exist_somewhere() -> None:
    """A keyword that no overload of any operator of the rule has is a misspelling."""
    known: dict[Any, set[str]] = {}
    wanted: dict[Any, set[str]] = {}
    for name in rules():
        entry = RULES.get(*_split(name))
        assert entry is not None
        found = schemas(name)
        if found:
            known.setdefault(entry.rule, set()).update(a.name for s in found for a in s.arguments)
            parameters = inspect.signature(entry.rule).parameters.values()  # type: ignore[arg-type]
            wanted[entry.rule] = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {"out"}
    missing = {rule: names - known[rule] - YOUNG for rule, names in wanted.items()}
    assert {rule: names for rule, names in missing.items() if names} == {}


def test_values_are_arguments_of_their_operators() -> None:
    for name, arguments in VALUES.items():
        for schema in schemas(name):
            have = {a.name for a in schema.arguments}
            missing = set(arguments) - have - YOUNG
            assert not missing, f"{name} has no {missing}"
