"""Every small layer and function that the oracles are asked about, by name, with its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` on one input, its result alone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **kwargs)

    def forward(self, x: torch.Tensor) -> Any:
        return self.attention(x, x, x, need_weights=False)[0]


def r(*sizes: int) -> torch.Tensor:
    return torch.randn(*sizes)


Case = tuple[nn.Module, tuple[Any, ...]]


def _modules() -> dict[str, Case]:
    image, signal, volume, tokens = r(2, 4, 6, 8), r(2, 4, 9), r(2, 4, 5, 6, 7), r(2, 5, 8)
    cases: dict[str, Case] = {
        "linear": (nn.Linear(8, 3), (r(2, 8),)),
        "linear 1-D": (nn.Linear(8, 3), (r(8),)),
        "linear 3-D": (nn.Linear(8, 3), (tokens,)),
        "linear no bias": (nn.Linear(8, 3, bias=False), (tokens,)),
        "bilinear": (nn.Bilinear(8, 8, 3), (r(2, 8), r(2, 8))),
        "unbatched conv2d": (nn.Conv2d(4, 6, 3), (image[0],)),
        "conv2d same": (nn.Conv2d(4, 6, 3, padding="same"), (image,)),
        "conv2d valid": (nn.Conv2d(4, 6, 3, padding="valid"), (image,)),
        "conv2d circular": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (image,)),
        "depthwise": (nn.Conv2d(4, 8, 3, groups=4), (image,)),
        "embedding": (nn.Embedding(10, 4), (torch.tensor([[1, 2, 3]]),)),
        "embedding bag": (nn.EmbeddingBag(10, 4), (torch.tensor([[1, 2, 3]]),)),
        "group norm": (nn.GroupNorm(2, 4), (image,)),
        "group norm plain": (nn.GroupNorm(2, 4, affine=False), (image,)),
        "layer norm": (nn.LayerNorm(8), (tokens,)),
        "layer norm plain": (nn.LayerNorm(8, elementwise_affine=False), (tokens,)),
        "layer norm 1-D": (nn.LayerNorm(8), (r(8),)),
        "rms norm": (nn.RMSNorm(8), (tokens,)),
        "local response norm": (nn.LocalResponseNorm(2), (image,)),
        "lstm": (nn.LSTM(8, 6, batch_first=True), (tokens,)),
        "lstm 2-layer bidirectional": (
            nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True),
            (tokens,),
        ),
        "gru": (nn.GRU(8, 6, batch_first=True), (tokens,)),
        "rnn": (nn.RNN(8, 6, batch_first=True), (tokens,)),
        "lstm cell": (nn.LSTMCell(8, 6), (r(2, 8),)),
        "gru cell": (nn.GRUCell(8, 6), (r(2, 8),)),
        "rnn cell": (nn.RNNCell(8, 6), (r(2, 8),)),
        "attention": (SelfAttention(), (tokens,)),
        "attention eval": (SelfAttention().eval(), (tokens,)),
        "attention added keys": (SelfAttention(add_bias_kv=True, add_zero_attn=True), (tokens,)),
        "encoder layer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (tokens,)),
        "encoder layer eval": (
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(),
            (tokens,),
        ),
        "decoder layer": (nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (tokens, tokens)),
        "dropout": (nn.Dropout(), (tokens,)),
        "flatten": (nn.Flatten(), (image,)),
        "unflatten": (nn.Unflatten(1, (2, 2)), (image,)),
        "fold": (nn.Fold((4, 5), 2), (r(1, 8, 12),)),
        "unfold": (nn.Unfold(2), (image,)),
        "pixel shuffle": (nn.PixelShuffle(2), (image,)),
        "cosine similarity": (nn.CosineSimilarity(), (tokens, tokens)),
        "pairwise distance": (nn.PairwiseDistance(), (tokens, tokens)),
    }
    for n, x in ((1, signal), (2, image), (3, volume)):
        conv, transposed, norm = (
            getattr(nn, f"{name}{n}d") for name in ("Conv", "ConvTranspose", "BatchNorm")
        )
        instance, dropout = getattr(nn, f"InstanceNorm{n}d"), getattr(nn, f"Dropout{n}d")
        cases |= {
            f"conv{n}d": (conv(4, 6, 3), (x,)),
            f"conv{n}d strided dilated": (conv(4, 6, 2, stride=2, padding=1, dilation=2), (x,)),
            f"conv{n}d groups": (conv(4, 6, 3, groups=2, bias=False), (x,)),
            f"conv_transpose{n}d": (
                transposed(4, 6, 3, stride=2, output_padding=1, groups=2),
                (x,),
            ),
            f"batch norm {n}d": (norm(4), (x,)),
            f"batch norm {n}d eval": (norm(4).eval(), (x,)),
            f"batch norm {n}d plain": (norm(4, affine=False), (x,)),
            f"batch norm {n}d plain eval": (norm(4, affine=False).eval(), (x,)),
            f"batch norm {n}d without statistics": (
                norm(4, track_running_stats=False).eval(),
                (x,),
            ),
            f"instance norm {n}d": (instance(4), (x,)),
            f"instance norm {n}d affine": (instance(4, affine=True), (x,)),
            f"dropout {n}d": (dropout(), (x,)),
        }
        for kind in ("Max", "Avg"):
            cases[f"{kind} pool {n}d"] = getattr(nn, f"{kind}Pool{n}d")(2), (x,)
            for size in (1, 2):
                cases[f"adaptive {kind} pool {n}d to {size}"] = (
                    getattr(nn, f"Adaptive{kind}Pool{n}d")(size),
                    (x,),
                )
    for mode, x in (("nearest", signal), ("linear", signal), ("nearest", image), ("bilinear", image), ("bicubic", image),
                    ("nearest-exact", image), ("nearest", volume), ("trilinear", volume), ("area", image)):  # fmt: skip
        cases[f"upsample {mode} {x.dim() - 2}d"] = (
            Call(lambda y, mode=mode: F.interpolate(y, scale_factor=2, mode=mode)),
            (x,),
        )
    activations = (
        "ReLU",
        "GELU",
        "SiLU",
        "Sigmoid",
        "Tanh",
        "Softmax",
        "LogSoftmax",
        "Hardswish",
        "LeakyReLU",
        "ELU",
        "PReLU",
        "GLU",
        "Mish",
    )
    for name in activations:
        kind = getattr(nn, name)
        cases[name] = (kind(dim=-1) if name in ("Softmax", "LogSoftmax") else kind()), (tokens,)
    return cases


def _functions() -> dict[str, Case]:
    a, b, image = r(3, 4), r(4, 5), r(2, 4, 6, 8)
    heads = r(2, 2, 5, 4)
    functions: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "mm": (torch.mm, (a, b)),
        "matmul": (torch.matmul, (a, b)),
        "matmul 4-D": (torch.matmul, (r(2, 3, 3, 4), r(2, 3, 4, 5))),
        "matmul broadcast left": (torch.matmul, (a, r(7, 4, 5))),
        "matmul broadcast right": (torch.matmul, (r(7, 3, 4), b)),
        "matmul matrix vector": (torch.matmul, (a, r(4))),
        "matmul vector matrix": (torch.matmul, (r(4), b)),
        "matmul vectors": (torch.matmul, (r(4), r(4))),
        "at operator": (lambda x, y: x @ y, (a, b)),
        "addmm": (torch.addmm, (r(3, 5), a, b)),
        "bmm": (torch.bmm, (r(2, 3, 4), r(2, 4, 5))),
        "baddbmm": (torch.baddbmm, (r(2, 3, 5), r(2, 3, 4), r(2, 4, 5))),
        "addbmm": (torch.addbmm, (r(3, 5), r(2, 3, 4), r(2, 4, 5))),
        "mv": (torch.mv, (a, r(4))),
        "dot": (torch.dot, (r(4), r(4))),
        "outer": (torch.outer, (r(4), r(5))),
        "chain": (lambda *x: torch.linalg.multi_dot(x), (a, b, r(5, 6))),
        "tensordot": (lambda x, y: torch.tensordot(x, y, dims=1), (a, b)),
        "cdist": (torch.cdist, (r(30, 4), r(30, 4))),
        "einsum matmul": (lambda *x: torch.einsum("ij,jk->ik", *x), (a, b)),
        "einsum nct,ncp->ntp": (lambda *x: torch.einsum("nct,ncp->ntp", *x), (r(2, 5, 2), r(2, 5, 3))),
        "einsum ntg,ncg->nct": (lambda *x: torch.einsum("ntg,ncg->nct", *x), (r(2, 3, 6), r(2, 5, 6))),
        "einsum nc,nchw->hw": (lambda *x: torch.einsum("nc,nchw->hw", *x), (r(3, 4), r(3, 4, 2, 3))),
        "einsum three": (lambda *x: torch.einsum("ij,jk,kl->il", *x), (r(2, 3), r(3, 4), r(4, 5))),
        "einsum transpose": (lambda x: torch.einsum("ij->ji", x), (r(4, 5),)),
        "einsum trace": (lambda x: torch.einsum("ii->", x), (r(4, 4),)),
        "einsum product": (lambda *x: torch.einsum("i,i->i", *x), (r(4), r(4))),
        "einsum outer": (lambda *x: torch.einsum("i,j->ij", *x), (r(4), r(5))),
        "attention": (F.scaled_dot_product_attention, (heads, heads, heads)),
        "grid sample": (F.grid_sample, (image, r(2, 3, 5, 2))),
        "grid sample nearest": (lambda *x: F.grid_sample(*x, mode="nearest"), (image, r(2, 3, 5, 2))),
        "grid sample 5-D": (F.grid_sample, (r(1, 2, 3, 4, 5), r(1, 2, 3, 4, 3))),
        "affine grid": (lambda x: F.affine_grid(x, [2, 4, 6, 8]), (r(2, 2, 3),)),
        "instance norm with running statistics": (
            lambda x: F.instance_norm(x, torch.zeros(4), torch.ones(4), use_input_stats=False), (image,),
        ),
        "pad": (lambda x: F.pad(x, (1, 1)), (image,)),
        "mean": (lambda x: x.mean((2, 3)), (image,)),
        "softmax": (lambda x: x.softmax(-1), (image,)),
        "complex matmul": (torch.matmul, (torch.randn(3, 4, dtype=torch.complex64), torch.randn(4, 5, dtype=torch.complex64))),
        "fft": (lambda x: torch.fft.rfft(x).abs(), (image,)),
        "unused product": (lambda x, y: (x @ y, x + 1)[1], (a, b)),
    }  # fmt: skip
    return {
        f"function {name}": (Call(function), inputs)
        for name, (function, inputs) in functions.items()
    }


def layers() -> dict[str, Case]:
    """All of them, made anew."""
    return _modules() | _functions()
