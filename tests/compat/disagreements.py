"""Where fvcore (and mmengine, which has its formulas) and we disagree, why, and who is right.

This is the only such table.

Numbers are theirs and ours for the whole model, by what is counted and operator. Where fvcore raises, theirs is the exception and
ours the flops in all.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Disagreement(NamedTuple):
    """`numbers` that differ, and `why`: what fvcore does, and what is right."""

    why: str
    numbers: dict[str, tuple[Any, Any]]


NO_HANDLE = (
    "fvcore has no handle for the operator and counts 0; it is a contraction, so ours is right"
)
PADDING = "padding='same' and 'valid' are traced as _convolution_mode, for which fvcore has no handle; ours is right"
RECURRENT = "fvcore has no handle for recurrent layers and counts 0; ours is right"
ATTENTION = "fvcore has no handle for fused attention and counts 0; ours is right"
EINSUM = "fvcore takes half of numpy's operation count, which has no MAC in it here; ours counts the MACs that ran"
PRUNED = "the result is not used, so tracing prunes the product; it ran all the same, ours is right"


def _attention(flops: int, activations: int) -> Disagreement:
    key = "scaled_dot_product_attention"
    return Disagreement(
        ATTENTION, {f"flops {key}": (0, flops), f"activations {key}": (0, activations)}
    )


def _both(why: str, op: str, flops: int, activations: int) -> Disagreement:
    return Disagreement(why, {f"flops {op}": (0, flops), f"activations {op}": (0, activations)})


LAYERS = {
    "bilinear": _both(
        NO_HANDLE, "bilinear", 432, 6
    ),  # 2*3 outputs of 8*8 pairs, and of 8 to contract the second
    "conv2d same": _both(PADDING, "conv", 20736, 576),  # 2 * 6*4*3*3 * 6*8
    "conv2d valid": _both(PADDING, "conv", 10368, 288),  # 2 * 6*4*3*3 * 4*6
    "layer norm 1-D": Disagreement(
        "fvcore's handle takes 2 to 5 dimensions only; 5 * 8 is right",
        {"total": ("AssertionError", 40)},
    ),
    "lstm": _both(RECURRENT, "lstm", 3360, 60),  # 2*5 steps of 4*6 gates of 8 + 6 inputs
    "lstm 2-layer bidirectional": _both(
        RECURRENT, "lstm", 15360, 120
    ),  # 2*5 * 2 directions * 24 * (8 + 6 + 12 + 6)
    "gru": _both(RECURRENT, "gru", 2520, 60),  # 2*5 * 3*6 * (8 + 6)
    "rnn": _both(RECURRENT, "rnn_tanh", 840, 60),  # 2*5 * 6 * (8 + 6)
    "attention": _attention(800, 80),  # 2 * 2 heads * 5*5 * 4 * 2 products
    "attention eval": _attention(800, 80),
    "attention added keys": _attention(1120, 80),  # 7 keys instead of 5
    "encoder layer": _attention(800, 80),
    "encoder layer eval": _attention(800, 80),
    "decoder layer": _attention(1600, 160),
    "function mm": Disagreement(
        "fvcore counts the flops of mm, but not its activations; a matrix product has some under any name, ours is right",
        {"activations mm": (0, 15)},
    ),
    "function matmul broadcast left": Disagreement(
        "fvcore ignores that the left operand is broadcast; 7 * 3*4*5 is right",
        {"flops matmul": (60, 420)},
    ),
    "function matmul matrix vector": Disagreement(
        "fvcore cannot count vectors; 3*4 is right", {"total": ("IndexError", 12)}
    ),
    "function matmul vectors": Disagreement(
        "fvcore cannot count vectors; 4 is right", {"total": ("IndexError", 4)}
    ),
    "function baddbmm": _both(NO_HANDLE, "baddbmm", 120, 30),
    "function addbmm": _both(NO_HANDLE, "addbmm", 120, 15),
    "function mv": _both(NO_HANDLE, "mv", 12, 3),
    "function dot": _both(NO_HANDLE, "dot", 4, 1),
    "function chain": _both(NO_HANDLE, "linalg_multi_dot", 150, 18),  # 3*4*5 + 3*5*6
    "function tensordot": _both(NO_HANDLE, "tensordot", 60, 15),
    "function cdist": _both(NO_HANDLE, "cdist", 3600, 900),
    "function affine grid": _both(NO_HANDLE, "affine_grid_generator", 576, 192),
    "function attention": _attention(800, 80),
    "function fft": Disagreement(
        "fvcore has no handle for transforms and counts 0; ours is right",
        {"flops fft_rfft": (0, 1440)},
    ),
    "function einsum transpose": Disagreement(EINSUM, {"flops einsum": (10.0, 0)}),
    "function einsum trace": Disagreement(EINSUM, {"flops einsum": (4.0, 0)}),
    "function einsum product": Disagreement(EINSUM, {"flops einsum": (2.0, 0)}),
    "function einsum outer": Disagreement(EINSUM, {"flops einsum": (10.0, 0)}),
    "function instance norm with running statistics": Disagreement(
        "fvcore takes it for one that computes its statistics, 4 per element; with given ones it is 1 as in batch norm",
        {"flops instance_norm": (1536, 384)},
    ),
    "function complex matmul": Disagreement(
        "a complex MAC is four real ones; fvcore counts it as one, ours is right",
        {"flops matmul": (60, 240)},
    ),
    "function unused product": _both(PRUNED, "matmul", 60, 15),
}

MODELS = {
    "torchvision vit_b_32": _attention(46080000, 460800),
    "torchvision maxvit_t": Disagreement(
        "fvcore reads numpy's operation count off a text with four digits; ours is exact",
        {"flops einsum": (177022000.0, 177020928)},
    ),
    "timm vit_tiny_patch16_224": _attention(178831872, 453888),
    "timm mobilevit_xxs": _attention(305408, 14464),
    "timm pvt_v2_b0": _attention(253952, 31744),
    "timm crossvit_tiny_240": _attention(271453248, 569376),
    "timm convmixer_768_32": Disagreement(
        PADDING, {"flops conv": (303796224, 323063808), "activations conv": (405504, 798720)}
    ),
    "timm sequencer2d_s": _both(RECURRENT, "lstm", 3397386240, 2162688),
    "transformers bert sdpa": _attention(12544, 896),
}
