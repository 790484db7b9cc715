"""Formulas for the training flops of a token that trainers use, beside the law. Writes ``docs/law-formulas.md``.

``python -m benchmarks.law_formulas`` makes the laws of four models on meta, puts the formulas to the same shapes, and says term by term what differs.
The formulas are re-stated here from the files named in `FORMULAS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

import dispatchcount as dc
from benchmarks.law_models import half, hf, tokens
from benchmarks.page import machine, table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "law-formulas.md"
LENGTHS = {"4k": 4096, "32k": 32_768, "128k": 131_072}

MODELS: dict[str, Callable[[], nn.Module]] = {
    "Llama-3-8B": hf("LlamaConfig", vocab_size=128256, intermediate_size=14336, num_key_value_heads=8),
    "Qwen2.5-0.5B": hf("Qwen2Config", vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True),
    "DeepSeek-V3": half(hf("DeepseekV3Config")),
    "Gemma-3-1B": hf("Gemma3TextConfig", vocab_size=262144, hidden_size=1152, intermediate_size=6912, num_hidden_layers=26, num_attention_heads=4, num_key_value_heads=1, head_dim=256, sliding_window=512),
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What the formulas ask of a model: weights by kind, and the sizes of its attention.

    Attributes:
        layers: elements of the matrices that a token meets, without head and router.
        idle: those of experts that it does not visit.
        router, norms, biases, embedding: elements of these.
        tied: True if the head is the embedding.
        qk, v: elements of a token's queries and values, of all heads of all layers.
        windows: layers with a sliding window, of how many, and the window.
        lora: elements of the norms inside MLA, which Megatron-LM counts.
    """

    layers: int
    idle: int
    router: int
    norms: int
    biases: int
    embedding: int
    tied: bool
    qk: int
    v: int
    windows: tuple[int, int, int]
    lora: int

    @property
    def head(self) -> int:
        """Elements of the head, tied or not: the product is made all the same."""
        return self.embedding


def shape_of(model: nn.Module) -> Shape:
    """The shape of a transformers model."""
    config: Any = model.config
    kinds = dict.fromkeys(("layers", "experts", "router", "norms", "biases", "embedding"), 0)
    for name, parameter in model.named_parameters():
        kind = (
            "embedding" if "embed_tokens" in name
            else "head" if "lm_head" in name
            else "biases" if name.endswith("bias")
            else "norms" if "norm" in name
            else "router" if name.endswith("mlp.gate.weight")
            else "experts" if ".experts." in name
            else "layers"
        )  # fmt: skip
        kinds[kind] = kinds.get(kind, 0) + parameter.numel()
    heads, count = config.num_attention_heads, config.num_hidden_layers
    dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    qk, v, lora = dim, dim, 0
    if hasattr(config, "kv_lora_rank"):
        qk, v = config.qk_nope_head_dim + config.qk_rope_head_dim, config.v_head_dim
        lora = (config.q_lora_rank + config.kv_lora_rank) * count
    visited = 0
    if kinds["experts"]:
        visited = kinds["experts"] * config.num_experts_per_tok // config.n_routed_experts
    types = getattr(config, "layer_types", None) or []
    return Shape(
        layers=kinds["layers"] + visited,
        idle=kinds["experts"] - visited,
        router=kinds["router"],
        norms=kinds["norms"],
        biases=kinds["biases"],
        embedding=kinds["embedding"],
        tied="head" not in kinds,
        qk=heads * qk * count,
        v=heads * v * count,
        windows=(
            types.count("sliding_attention"),
            count,
            getattr(config, "sliding_window", 0) or 0,
        ),
        lora=lora,
    )


Terms = dict[str, float]
"""Training flops of a token by term."""


def law_terms(shape: Shape, s: int) -> Terms:
    """What the law says, in the same terms: the matrices, the head, the router, and the rectangle of scores and values."""
    return {
        "layers": 6 * shape.layers,
        "head": 6 * shape.head,
        "router": 6 * shape.router,
        "attention": 6 * (shape.qk + shape.v) * s,
    }


def six_n(shape: Shape, s: int) -> Terms:
    """6·N with all weights."""
    every = {
        "layers": shape.layers,
        "idle experts": shape.idle,
        "router": shape.router,
        "norms": shape.norms,
        "biases": shape.biases,
        "embedding": shape.embedding,
        "head": 0 if shape.tied else shape.head,
    }
    if shape.tied:  # the one matrix does the head's product
        every["head"], every["embedding"] = shape.head, 0
    return {term: 6 * n for term, n in every.items()} | {"attention": 0}


def megatron(shape: Shape, s: int) -> Terms:
    """Matrices without the router, norms inside MLA, the head, and half of the rectangle. It knows no windows."""
    return {
        "layers": 6 * shape.layers,
        "norms": 6 * shape.lora,
        "head": 6 * shape.head,
        "attention": 3 * (shape.qk + shape.v) * s,
    }


def torchtitan(shape: Shape, s: int) -> Terms:
    """All weights that a token visits but the embedding, which a tied head brings back, and the rectangle. It knows no windows."""
    return {
        "layers": 6 * shape.layers,
        "router": 6 * shape.router,
        "norms": 6 * shape.norms,
        "biases": 6 * shape.biases,
        "head": 6 * shape.head,
        "attention": 6 * (shape.qk + shape.v) * s,
    }


def torchtitan_before(shape: Shape, s: int) -> Terms:
    """The same before it knew of tied heads: the one matrix is taken away as the embedding."""
    return torchtitan(shape, s) | {"head": 0 if shape.tied else 6 * shape.head}


def verl(shape: Shape, s: int, rectangle: float = 0.5) -> Terms:
    """Matrices with the router, the vocabulary twice, and half of the rectangle; a window where there is one."""
    windowed, count, window = shape.windows
    keys = ((count - windowed) * s + windowed * min(s, window)) / count if windowed else s
    return {
        "layers": 6 * shape.layers,
        "router": 6 * shape.router,
        "head": 6 * shape.head,
        "embedding": 6 * shape.embedding,
        "attention": 6 * (shape.qk + shape.v) * keys * rectangle,
    }


def verl_before(shape: Shape, s: int) -> Terms:
    """The same with the whole rectangle, and the width of queries for that of values."""
    values_as_wide = 2 * shape.qk / (shape.qk + shape.v)
    return verl(shape, s, rectangle=values_as_wide)


@dataclass(frozen=True)
class Formula:
    """A published formula and where it was read."""

    name: str
    terms: Callable[[Shape, int], Terms]
    repository: str = ""
    file: str = ""
    commit: str = ""
    date: str = ""


FORMULAS = (
    Formula("6·N", six_n),
    Formula("Megatron-LM", megatron, "NVIDIA/Megatron-LM", "megatron/training/training.py", "d98e8a64ddf34856e74b24714e3bedb2f5a39553", "2026-08-22"),
    Formula("torchtitan", torchtitan, "pytorch/torchtitan", "torchtitan/models/utils.py", "b5bcd76c66d0acb1a08b176d9639425bc55e0b2a", "2026-08-21"),
    Formula("torchtitan, earlier", torchtitan_before, "pytorch/torchtitan", "torchtitan/models/utils.py", "54887a3848f3e9eb526ee716adfb4165cdb01ea2", "2026-05-07"),
    Formula("verl", verl, "volcengine/verl", "verl/utils/flops_counter.py", "b178a3cd56f58b2d502255daba591e92833930a7", "2026-01-29"),
    Formula("verl, earlier", verl_before, "volcengine/verl", "verl/utils/flops_counter.py", "02cf355f17969b4a8e76ff981dda8b5a8ae440b9", "2025-12-30"),
)  # fmt: skip

REASONS = {
    "embedding": "the look-up of the embedding counted as a product",
    "head": "a tied head taken away with the embedding",
    "router": "the router left out",
    "norms": "weights of norms counted as products",
    "biases": "biases counted as products",
    "idle experts": "experts that a token does not visit",
}


def percent(more: float, whole: float) -> str:
    """A difference in percent, with as many digits as it needs to be none of the zeros."""
    part = 100 * more / whole
    if not part:
        return "0"
    return f"{part:+.{2 if abs(part) < 10 else 1}f} %".replace("-", "−")


def explained(shape: Shape, formula: Formula, s: int) -> str:
    """Which terms differ from the law's at a length, by how many percent of the whole, and the convention behind each."""
    ours, theirs = law_terms(shape, s), formula.terms(shape, s)
    whole = sum(ours.values())
    found = []
    for term in sorted({*ours, *theirs}, key=lambda t: -abs(theirs.get(t, 0) - ours.get(t, 0))):
        more = theirs.get(term, 0) - ours.get(term, 0)
        if not more:
            continue
        reason = REASONS.get(term) or attention_reason(shape, formula, more / ours[term])
        found.append(f"{reason} ({percent(more, whole)})")
    return "; ".join(found) or "nothing"


def attention_reason(shape: Shape, formula: Formula, part: float) -> str:
    """The convention behind a difference in attention."""
    if part == -1:
        return "attention left out"
    if abs(part + 0.5) < 1e-9:
        return "half of the pairs, those that a causal mask leaves"
    windowed, count, window = shape.windows
    if windowed:
        half_too = " and half of the pairs" if formula.name == "verl" else ""
        return f"windows of {window} in {windowed} of {count} layers{half_too}"
    return "values as wide as queries"


HEAD = """# Laws beside the formulas that trainers use

Trainers report their utilization from formulas written by hand. Here they stand beside the [law](laws.md) of the same model, in flops that
training takes for a token: 6 for each MAC of the forward pass, 2 for the multiply and the add and 3 for the forward and backward products.
The law of a training step is that.

The formulas were re-stated from these files, and put to the shapes of transformers' configurations:

{sources}

A percentage is the formula's difference from the law. Of the linear term and of the term in s it is that term's own difference; the rest are
differences of the whole at this length. The last column says which terms differ at 32k, by how many percent of the whole, and the convention behind it.

Two of the differences are errors: a tied head is a product although its matrix is the embedding's, and an embedding is a look-up and no product. The
causal half and windows are conventions: dense products compute the rectangle, and `law.causal()`, which has a row, counts what a mask leaves. Which of
them is meant must be said beside the number, for at long lengths it is the largest difference of all. A formula may stand beside a model that its
project does not train.

"""


def section(name: str, build: Callable[[], nn.Module]) -> str:
    """One model's table."""
    with torch.device("meta"):
        model = build()
    with torch.no_grad():
        law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16, convention="macs")
    shape = shape_of(model)
    for s in LENGTHS.values():
        # The law itself is the judge of the terms that the formulas are compared with.
        assert 6 * law(b=1, s=s).macs == sum(law_terms(shape, s).values()) * s, (name, s)
    linear = {term: n for term, n in law_terms(shape, 1).items() if term != "attention"}
    rows = []
    for formula in FORMULAS:
        at_one = formula.terms(shape, 1)
        their_linear = sum(n for term, n in at_one.items() if term != "attention")
        longest = LENGTHS["128k"]
        attention = formula.terms(shape, longest)["attention"]
        ours = law_terms(shape, longest)["attention"]
        totals = [
            percent(
                sum(formula.terms(shape, s).values()) - sum(law_terms(shape, s).values()),
                sum(law_terms(shape, s).values()),
            )
            for s in LENGTHS.values()
        ]
        rows.append(
            [
                formula.name,
                percent(their_linear - sum(linear.values()), sum(linear.values())),
                percent(attention - ours, ours),
                *totals,
                explained(shape, formula, LENGTHS["32k"]),
            ]
        )
    causal = law.causal()
    views = [
        percent(causal(b=1, s=s).macs - law(b=1, s=s).macs, law(b=1, s=s).macs)
        for s in LENGTHS.values()
    ]
    rows.append(["`law.causal()`", "0", "−50 %", *views, "the pairs that a causal mask leaves"])
    header = ["formula", "linear term", "term in s, 128k", *LENGTHS, "what differs at 32k"]
    return (
        f"## {name}\n\nThe law: {law.macs} MACs, found in {law.runs} runs; "
        f"{6 * int(law.macs.terms[1, 1]):,} + {6 * int(law.macs.terms[1, 2]):,}·s flops a token.\n\n"
        f"{table(header, rows)}\n"
    )


def main() -> None:
    """Write the page."""
    sources = "\n".join(
        f"* {f.name}: [{f.repository}](https://github.com/{f.repository}), `{f.file}` at `{f.commit[:10]}` ({f.date})"
        for f in FORMULAS
        if f.commit
    )
    sections = []
    for name, build in MODELS.items():
        sections.append(section(name, build))
        print(sections[-1], flush=True)
    packages = {"torch": torch.__version__, "transformers": version("transformers")}
    PAGE.write_text(
        HEAD.format(sources=sources)
        + "\n".join(sections)
        + f"\n`python -m benchmarks.law_formulas` makes this page. {machine(packages)}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
