"""Second names of operators, which have the entry of their twin in ``aten``.

They are ``prims``, in which torch's Python references are written, and kernels that torch registers
beside an operator.
"""

from __future__ import annotations

from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES

_SAME_NAME = words("""
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or bitwise_xor
    ceil cos cosh digamma div eq erf erfc exp exp2 expm1 floor fmax fmin fmod frexp gcd ge gt hypot
    igamma igammac le lgamma log log10 log1p log2 lt maximum minimum mul ne neg nextafter pow
    reciprocal remainder round rsqrt sign signbit sin sinh sqrt sub tan tanh trunc where
    conj_physical amax amin prod sum var cat clone fill full full_like normal uniform scalar_tensor
    as_strided squeeze transpose empty empty_permuted empty_strided resize as_strided_scatter
""")
"""Operators of ``prims`` that are called as in ``aten``."""

_RENAMED = {
    "bessel_i0": "i0", "bessel_i0e": "special_i0e", "bessel_i1": "special_i1",
    "bessel_i1e": "special_i1e", "bessel_j0": "special_bessel_j0", "bessel_j1": "special_bessel_j1",
    "spherical_bessel_j0": "special_spherical_bessel_j0", "cbrt": "sqrt", "erf_inv": "erfinv",
    "erfcx": "special_erfcx", "ndtri": "special_ndtri", "zeta": "special_zeta", "isfinite": "isnan",
    "shift_left": "bitwise_left_shift", "shift_right_arithmetic": "bitwise_right_shift",
    "xor_sum": "sum", "iota": "arange", "rev": "flip", "convert_element_type": "_to_copy",
    "copy_to": "copy", "copy_strided": "clone", "collapse": "clone", "reshape": "clone",
    "device_put": "_to_copy", "fft_c2c": "_fft_c2c", "fft_c2r": "_fft_c2r", "fft_r2c": "_fft_r2c",
    "svd": "_linalg_svd", "broadcast_in_dim": "expand", "collapse_view": "view",
    "split_dim": "view", "conj": "_conj", "real": "view_as_real", "imag": "view_as_real",
    "view_of": "alias", "view_of_dtype": "view", "item": "_local_scalar_dense",
}  # fmt: skip
"""Name in ``prims``: name in ``aten``."""


_KERNELS = {
    "_native::bmm_triton_0": "bmm",
    "_native::_foreach_mm_native_0": "_foreach_mm",
    "_native::_foreach_mm_native_1": "_foreach_mm",
    "_native::linalg_polar_native_2": "linalg_polar",
    "_native::linalg_polar_out_native_3": "linalg_polar",
    "aten::linalg_pinv.atol_rtol_tensor_out": "linalg_pinv.atol_rtol_tensor",
}
"""Kernel: name in ``aten``."""


def adopt(name: str, twin: str) -> None:
    """Enter `name` with the entry of ``aten::twin``.

    Raises:
        LookupError: the twin has none.
    """
    entry = RULES.get(f"aten::{twin}")
    if entry is None:
        raise LookupError(
            f"{name} should share the entry of aten::{twin}, which has none; "
            "import its module first"
        )
    RULES.add(name, entry)


for _name in _SAME_NAME:
    adopt(f"prims::{_name}", _name)
for _name, _twin in _RENAMED.items():
    adopt(f"prims::{_name}", _twin)
for _name, _twin in _KERNELS.items():
    adopt(_name, _twin)

RULES.free(
    *(
        f"prims::{name}"
        for name in ("_make_token", "_sink_tokens", "maximum_value", "minimum_value")
    ),
    family="twins",
)
