"""What a device can do at most: flops a second by dtype, bytes a second, bytes of memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from dispatchcount.report.brief import Brief

TF32 = "tf32"
"""The key of the peak of float32 products that a matrix unit rounds to TF32."""

MATMUL, CONV, RNN = KINDS = ("matmul", "conv", "rnn")
"""The kinds of float32 products that torch rounds or not by a switch each, in torch's words."""

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
            the rate of float32 products on a matrix unit that rounds them; see `rounds`.
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
        rounds: the kinds of float32 products that torch may round to TF32, which are then bound by
            the TF32 peak: some of ``"matmul"``, ``"conv"`` and ``"rnn"``. By default those that
            torch lets cuDNN round by default; see `with_tf32` and `without_tf32`.

    Raises:
        ValueError: a dtype or a kind has no such name, or a figure is not a positive number.
        TypeError: `peak` or `vector` is no mapping.
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
    rounds: tuple[str, ...] = (CONV, RNN)

    def __post_init__(self) -> None:
        for kind in ("peak", "vector"):
            if not isinstance(getattr(self, kind), Mapping):
                raise TypeError(
                    f"{kind}={getattr(self, kind)!r} has no dtypes; give flops a second by dtype, "
                    f"as in Device({kind}={{'bfloat16': 989e12}})"
                )
            rates = {dtype_name(dtype): rate for dtype, rate in getattr(self, kind).items()}
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
        object.__setattr__(self, "rounds", _in_order(self.rounds))

    @property
    def sparse_peak(self) -> dict[str, float]:
        """The doubled figures of the sheet, for 2:4 sparse matrices; nothing here uses them."""
        return {dtype: 2 * self.peak[dtype] for dtype in self.sparse}

    def peak_of(self, rate: str) -> float | None:
        """Flops a second of dense products; None if not known.

        Args:
            rate: the dtype of the operands, ``"bfloat16"``; for a convolution or a recurrent layer
                with its kind, ``"float32 conv"``.
        """
        bound = self.bound_of(rate)
        return None if bound is None else self.peak[bound]

    def bound_of(self, rate: str) -> str | None:
        """The key in `peak` of what bounds products; None if there is none.

        Args:
            rate: as in `peak_of`.
        """
        dtype, _, kind = rate.partition(" ")
        same = _SAME_UNITS.get(dtype, "")
        # What runs on the float32 units is rounded with float32.
        rounded = "float32" in (dtype, same) and (kind or MATMUL) in self.rounds
        candidates = (TF32, dtype, same) if rounded else (dtype, same)
        return next((name for name in candidates if name in self.peak), None)

    def vector_of(self, dtype: str) -> float | None:
        """Flops a second of element-wise work in `dtype`; None if not known."""
        return _rate(self.vector, dtype)

    def with_tf32(self, *kinds: str) -> Device:
        """The same device where torch may round float32 products of these kinds to TF32.

            device.with_tf32()                   # torch.set_float32_matmul_precision("high")
            device.with_tf32().without_tf32()    # … and torch.backends.cudnn.allow_tf32 = False

        Each kind has a switch of its own in torch, so the order of calls does not matter. On a
        device without a TF32 unit they change no figure.

        Args:
            kinds: some of ``"matmul"``, ``"conv"`` and ``"rnn"``; matrix products alone if none is
                given, because torch lets cuDNN round the others by default.

        Raises:
            ValueError: a kind is none of these.
        """
        return replace(self, rounds=self.rounds + _in_order(kinds or (MATMUL,)))

    def without_tf32(self, *kinds: str) -> Device:
        """The same device where torch may not round float32 products of these kinds to TF32.

        Args:
            kinds: as in `with_tf32`; convolutions and recurrent layers if none is given, as where
                ``torch.backends.cudnn.allow_tf32`` is False.

        Raises:
            ValueError: a kind is none of these.
        """
        out = _in_order(kinds or (CONV, RNN))
        return replace(self, rounds=tuple(kind for kind in self.rounds if kind not in out))

    def __str__(self) -> str:
        return self.title or self.name or "a device of your own"


def checked_device(device: Any) -> Device:
    """The device that a user gave.

    Raises:
        TypeError: it is something else, such as a device's name, or a device as torch has it.
    """
    if isinstance(device, Device):
        return device
    what = f"{type(device).__name__}, not a Device"
    if isinstance(device, str):
        what += f"; write dispatchcount.device({device!r})"
    else:
        what += "; give dispatchcount.device(), the one at hand, or dispatchcount.device(name)"
    raise TypeError(f"device={device!r} is a {what}")


def _in_order(kinds: Iterable[str]) -> tuple[str, ...]:
    """Kinds of products in the order of `KINDS`, each once.

    Raises:
        ValueError: one of them is no such kind.
    """
    given = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in given:
        if kind not in KINDS:
            raise ValueError(
                f"{kind!r} is no kind of float32 products that torch has a switch for; give some "
                f"of {', '.join(KINDS)}, as in device.with_tf32('matmul')"
            )
    return tuple(kind for kind in KINDS if kind in given)


def _rate(rates: Mapping[str, float], dtype: str) -> float | None:
    known = rates.get(dtype)
    return known if known is not None else rates.get(_SAME_UNITS.get(dtype, ""))


def dtype_name(dtype: Any) -> str:
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
