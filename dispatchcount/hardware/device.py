"""What a device can do at most: flops a second by dtype, bytes a second, bytes of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from dispatchcount.report.brief import Brief

TF32 = "tf32"
"""The key of the peak of float32 products that a matrix unit rounds to TF32."""

FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
"""The 8-bit floats that one figure of a vendor's sheet, "FP8", holds for."""

DTYPES = (
    "float64",
    "float32",
    TF32,
    "float16",
    "bfloat16",
    *FLOAT8,
    "float4_e2m1fn_x2",
    "int8",
    "uint8",
)
"""The dtypes that a device may have a peak for: torch's names, and `TF32`."""

_SAME_UNITS = {
    TF32: "float32",
    "complex64": "float32",
    "complex128": "float64",
    "complex32": "float16",
    "qint8": "int8",
    "quint8": "int8",
    "uint8": "int8",
}
"""Which peak holds for a dtype that has none of its own.

A device without a TF32 unit does not round.
A complex multiply-accumulate is counted as four real ones, which run on the real dtype's units.
"""


@dataclass(frozen=True)
class Source:
    """The document that a device's figures come from.

    Attributes:
        title: the document's.
        publisher: the vendor.
        where: the page, table or slide.
        date: the document's, as exact as it is known: ``"2024-09-11"``, ``"2023"``.
        url: where it was published.
        seen: ``"document"`` if the figures were read from the document itself; ``"quoted"`` if they
            were read from others who quote it, named in `quoted_by`; ``"derived"`` if they were
            worked out from figures in it.
        quoted_by: those others, or the arithmetic.
    """

    title: str
    publisher: str
    where: str
    date: str
    url: str
    seen: str
    quoted_by: str = ""

    def __str__(self) -> str:
        return f"{self.publisher}, {self.title}, {self.where} ({self.date})"


@dataclass(frozen=True, repr=False)
class Device(Brief):
    """What a device can do at most.

        device = dispatchcount.Device(peak={"bfloat16": 989e12}, bandwidth=3.35e12)

    Attributes:
        peak: flops a second of dense matrix products, by torch's name of the dtype of the operands
            (``"bfloat16"``) or the dtype itself. A multiply-accumulate is two flops. ``"tf32"`` is
            the rate of float32 products on a matrix unit that rounds them; see `with_tf32`.
        bandwidth: bytes a second between the device and its own memory; None if not known.
        memory: bytes of that memory; None if not known.
        interconnect: bytes a second to other devices, both directions together; None if not known.
        vector: flops a second of element-wise work by dtype, where the units differ from those of
            matrix products. Empty if not known: element-wise work then has no peak.
        name: the key in the device table, ``"h100-sxm"``; anything for a device of your own.
        title: the name in words.
        sparse: dtypes for which the vendor's sheet also prints twice the peak, for matrices of
            which half the elements are zero (2:4 sparsity). torch's dense products do not run so.
        source: where the figures come from; None for a device of your own.
        measured: True if the figures were measured on the device; see `measure_device`.
        note: what to know before using the figures.
        units: streaming multiprocessors, compute units or GPU cores, as torch counts them; None if
            not known. They tell devices of one name apart, and a device from a part of it.

    Raises:
        ValueError: a dtype has no such name, or a figure is not a positive number.
    """

    peak: Mapping[str, float]
    bandwidth: float | None = None
    memory: float | None = None
    interconnect: float | None = None
    vector: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    sparse: tuple[str, ...] = ()
    source: Source | None = None
    measured: bool = False
    note: str = ""
    units: int | None = None

    def __post_init__(self) -> None:
        for kind in ("peak", "vector"):
            rates = {_dtype_name(dtype): rate for dtype, rate in getattr(self, kind).items()}
            for dtype, rate in rates.items():
                _positive(rate, f"{kind}[{dtype!r}]", "flops a second")
            object.__setattr__(self, kind, rates)
        for kind, unit in (
            ("bandwidth", "bytes a second"),
            ("memory", "bytes"),
            ("interconnect", "bytes a second"),
        ):
            if getattr(self, kind) is not None:
                _positive(getattr(self, kind), kind, unit)

    @property
    def sparse_peak(self) -> dict[str, float]:
        """The doubled figures of the sheet, for 2:4 sparse matrices; nothing here uses them."""
        return {dtype: 2 * self.peak[dtype] for dtype in self.sparse}

    def peak_of(self, dtype: str) -> float | None:
        """Flops a second of dense products of operands of `dtype`; None if not known."""
        return _rate(self.peak, dtype)

    def vector_of(self, dtype: str) -> float | None:
        """Flops a second of element-wise work in `dtype`; None if not known."""
        return _rate(self.vector, dtype)

    def with_tf32(self) -> Device:
        """The same device where torch may round float32 matrix products to TF32.

        torch does so where `torch.get_float32_matmul_precision()` is not ``"highest"``. Float32
        convolutions and recurrent layers are at the TF32 peak by default, as in torch; see
        `without_tf32`. A device without a TF32 unit is returned as it is.
        """
        if TF32 not in self.peak:
            return self
        return replace(self, peak={**self.peak, "float32": self.peak[TF32]})

    def without_tf32(self) -> Device:
        """The same device where torch may not round float32 convolutions to TF32 either.

        torch does so by default. It does not where ``torch.backends.cudnn.allow_tf32`` is False.
        """
        peak = {dtype: rate for dtype, rate in self.peak.items() if dtype != TF32}
        return replace(self, peak=peak)

    def __str__(self) -> str:
        return self.title or self.name or "a device of your own"


def _rate(rates: Mapping[str, float], dtype: str) -> float | None:
    known = rates.get(dtype)
    return known if known is not None else rates.get(_SAME_UNITS.get(dtype, ""))


def _dtype_name(dtype: Any) -> str:
    """Torch's name of a dtype without the prefix, whether it is given as text or as the dtype."""
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(
            f"{dtype!r} is not a dtype that a device has a peak for; give one of "
            f"{', '.join(DTYPES)}, as in Device(peak={{'bfloat16': 989e12}})"
        )
    return name


def _positive(value: Any, what: str, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} is {value!r}; give a number of {unit}, such as 3.35e12")
    if not isfinite(value) or value <= 0:
        raise ValueError(f"{what} is {value!r}; give a positive number of {unit}")
