"""Every family of operators: importing this module fills `core.registry.RULES`.

A family enters its rules when it is imported. Their order does not matter, because a family that
needs another one imports it. Only `twins` comes last: it shares the entries of all others.
"""

from __future__ import annotations

# isort: off
from dispatchcount.rules import (  # noqa: F401
    attention,
    attention_packed,
    bilinear,
    collectives,
    conv,
    deform,
    draws,
    embedding,
    fft,
    flex,
    foreach,
    free,
    indexing,
    linalg,
    linear,
    linear_cross_entropy,
    loss,
    matmul,
    movement,
    multihead,
    norm,
    norm_backward,
    onnx_ops,
    optimizer,
    packing,
    pointwise,
    pool,
    quantize,
    quantized_layers,
    quantized_onednn,
    quantized_pointwise,
    quantized_recurrent,
    recurrent,
    reduce,
    resample,
    runtime,
    softmax,
    sorting,
    sparse,
    sparse_layout,
    vision,
)
from dispatchcount.rules import twins  # noqa: F401
