"""Which TorchScript operator a torch function or a kernel stands for, ``"aten::linear"``.

A Python-level name proves nothing: ``hasattr(torch.ops.aten, name)`` is true of ``__eq__``, which
every Python object has, and of operators that TorchScript has for lists. So the dispatcher's own
list of operators is asked. Names that Python or an alias has for an operator are first replaced
by the operator's own, as TorchScript's tracer does.
"""

from __future__ import annotations

from functools import cache

import torch

CONVOLUTION = "aten::_convolution"
LINEAR = "aten::linear"
SIZE = "aten::size"
TO = "aten::to"

CONVOLUTIONS = {
    f"{name}{n}d": name.endswith("transpose")
    for name in ("conv", "conv_transpose")
    for n in (1, 2, 3)
}
"""Functions that are traced as a convolution, and whether they are transposed ones."""

CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")

CASTS = {
    "double": torch.float64, "float": torch.float32, "half": torch.float16,
    "bfloat16": torch.bfloat16, "cdouble": torch.complex128, "cfloat": torch.complex64,
    "long": torch.int64, "int": torch.int32, "short": torch.int16, "char": torch.int8,
    "byte": torch.uint8, "bool": torch.bool,
}  # fmt: skip
"""Methods that are traced as `to`, and the dtype that they ask for."""

MOVES = ("type", "cpu", "cuda", "xpu", "mtia", "ipu")
"""Methods that are traced as `to` with what they are given."""

CREATORS = ("tensor", "as_tensor", "new_tensor")
"""Functions that make a tensor of Python's data; traced as `to` of what they made."""

INDEXING = ("__getitem__", "__setitem__")
"""Methods that are traced as the operators they run."""

COUNTS = {"numel": "aten::numel", "nelement": "aten::numel", "size": SIZE, "shape": SIZE}
"""Functions that are traced although they give no tensor."""

# TorchScript has operators of these names for other things. The kernels tell what such functions
# run.
_NO_OPERATORS = {
    "grad",
    "backward",
    "data",
    "requires_grad_",
    "device",
    "name",
    "element_size",
    "layout",
}

_ALIASES = """
    absolute=abs adjoint=mH arccos=acos arccosh=acosh arcsin=asin arcsinh=asinh arctan2=atan2
    arctan=atan arctanh=atanh clip=clamp concat=cat concatenate=cat det=linalg_det divide=div
    fix=trunc ger=outer greater=gt greater_equal=ge inverse=linalg_inv less=lt less_equal=le
    linalg_matmul=matmul matrix_exp=linalg_matrix_exp matrix_power=linalg_matrix_power
    moveaxis=movedim multiply=mul negative=neg not_equal=ne orgqr=linalg_householder_product
    row_stack=vstack special_digamma=digamma special_erf=erf special_erfc=erfc
    special_erfinv=erfinv special_exp2=exp2 special_expit=sigmoid special_expm1=expm1
    special_gammainc=igamma special_gammaincc=igammac special_gammaln=lgamma special_i0=i0
    special_log1p=log1p special_log_softmax=log_softmax special_logit=logit
    special_logsumexp=logsumexp special_multigammaln=mvlgamma special_polygamma=polygamma
    special_psi=digamma special_round=round special_sinc=sinc special_softmax=softmax
    special_xlogy=xlogy subtract=sub swapaxes=transpose swapdims=transpose true_divide=div
"""
_PYTHON = """
    H=matrix_H T=numpy_T __abs__=abs __add__=add __div__=div __eq__=eq __floordiv__=floor_divide
    __ge__=ge __gt__=gt __iadd__=add_ __idiv__=div_ __ifloordiv__=floor_divide_
    __imod__=remainder_ __imul__=mul_ __invert__=bitwise_not __ipow__=pow_ __isub__=sub_
    __itruediv__=div_ __le__=le __lt__=lt __matmul__=matmul __mod__=remainder __mul__=mul
    __ne__=ne __neg__=neg __pos__=positive __pow__=pow __radd__=add __rmul__=mul __sub__=sub
    __truediv__=div
"""
_NAMES = dict(pair.split("=") for pair in (_ALIASES + _PYTHON).split())
_NAMES |= {
    f"{alias}_": f"{name}_" for alias, name in (pair.split("=") for pair in _ALIASES.split())
}

# Kernels that show up where no torch function runs (scripted code), and what they implement.
_KERNELS = {
    "aten::convolution": CONVOLUTION,
    "aten::convolution_overrideable": CONVOLUTION,
    "aten::native_batch_norm": "aten::batch_norm",
    "aten::cudnn_batch_norm": "aten::batch_norm",
    "aten::miopen_batch_norm": "aten::batch_norm",
    "aten::_native_batch_norm_legit": "aten::batch_norm",
    "aten::_native_batch_norm_legit_no_training": "aten::batch_norm",
    "aten::_batch_norm_with_update": "aten::batch_norm",
    "aten::_batch_norm_no_update": "aten::batch_norm",
    "aten::native_layer_norm": "aten::layer_norm",
    "aten::native_group_norm": "aten::group_norm",
    "aten::_adaptive_avg_pool2d": "aten::adaptive_avg_pool2d",
    "aten::grid_sampler_2d": "aten::grid_sampler",
    "aten::grid_sampler_3d": "aten::grid_sampler",
}


@cache
def traced_kind(function: str) -> str | None:
    """The operator that a torch function is traced as.

    None means that the function is traced as the kernels that it runs.
    """
    if function in CONVOLUTIONS or function == "convolution":
        return CONVOLUTION
    if function in CELLS:
        return LINEAR
    if function == "batch_norm_elemt":
        # The part of a synchronised batch norm that carries the figure of the whole.
        return "aten::batch_norm"
    if function in CASTS or function in MOVES or function in CREATORS:
        return TO
    if function in COUNTS:
        return COUNTS[function]
    if "." in function:
        return function.replace(".", "::", 1)
    kind = f"aten::{_NAMES.get(function, function)}"
    if function in _NO_OPERATORS or function in INDEXING or kind not in _operators():
        return None
    return kind


def kernel_kind(op: str) -> str:
    """The operator that a kernel implements: ``"aten::linear"`` for ``"aten.linear"``."""
    kind = op.replace(".", "::", 1)
    return _KERNELS.get(kind, kind)


@cache
def _operators() -> frozenset[str]:
    """The operators on tensors that torch itself comes with, ``"aten::add"``."""
    names = (name.partition(".")[0] for name in torch._C._dispatch_get_all_op_names())
    return frozenset(name for name in names if name.startswith("aten::"))
