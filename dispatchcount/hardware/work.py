"""What hardware has to do with a report: its entries as work. No other file here reads entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dispatchcount.hardware.device import CONV, RNN
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import COUNTED, ZERO

FLOPS_PER_MAC = 2
"""A multiply-accumulate is two operations, in vendors' peaks as in the formulas of papers."""


_CUDNN = {"convolution": CONV, "rnn": RNN}
"""What the names of the operators hold that torch gives to cuDNN on a GPU of NVIDIA."""

_ROUNDED = {"float32": "float32", "complex64": "float32"}
"""The dtypes of which cuDNN may round products; torch does a complex convolution as real ones."""


def rate_of(op: str, dtype: str) -> str:
    """What bounds an operator's products, as `Device.peak_of` takes it.

    It is their dtype. Float32 convolutions and recurrent layers are told from matrix products,
    ``"float32 conv"``, because torch has a switch for each kind that lets it be rounded to TF32.

    Args:
        op: the operator's name, as ``"aten.convolution"``.
        dtype: of its operands.
    """
    if dtype not in _ROUNDED or not op.startswith("aten."):
        return dtype
    kind = next((kind for part, kind in _CUDNN.items() if part in op), None)
    return dtype if kind is None else f"{_ROUNDED[dtype]} {kind}"


@dataclass(frozen=True, slots=True)
class Work:
    """All calls of one operator in one module that are alike.

    Attributes:
        module: index in `Report.modules`.
        op, phase, dtype: as in the report.
        calls: how many.
        macs: multiply-accumulates of contractions, which matrix units do.
        recomputed: those of them with which a fused backward forms again what its forward formed.
        masked: those of scores that the call itself says are masked, recomputed ones left out.
        elementwise: all other arithmetic and transcendentals, which vector units do.
        nbytes: bytes read and written, each operand and each result once.
        time_ns: nanoseconds that they took; 0 where time was not measured.
        counted: True if the operator's cost is known; else only its bytes are.
    """

    module: int
    op: str
    phase: str
    dtype: str
    calls: int
    macs: int
    recomputed: int
    masked: int
    elementwise: int
    nbytes: int
    time_ns: int
    counted: bool

    @property
    def flops(self) -> int:
        """All arithmetic, two for a multiply-accumulate."""
        return FLOPS_PER_MAC * self.macs + self.elementwise

    @property
    def rate(self) -> str:
        """What bounds its products; see `rate_of`."""
        return rate_of(self.op, self.dtype)


def work_of(report: ReportRows) -> Iterator[Work]:
    """The work of a report, entry by entry."""
    for entry in report.entries:
        cost = entry.cost
        yield Work(
            module=report.paths[entry.path].module,
            op=entry.op,
            phase=entry.phase,
            dtype=entry.dtype,
            calls=entry.calls,
            macs=cost.macs,
            recomputed=cost.recomputed_macs,
            masked=masked_once(cost.macs, cost.recomputed_macs, cost.masked_macs),
            elementwise=cost.arithmetic + cost.transcendentals,
            nbytes=(cost.bytes_read or 0) + (cost.bytes_written or 0),
            time_ns=entry.time_ns,
            counted=entry.status in (COUNTED, ZERO),
        )


def uncounted(report: ReportRows) -> tuple[str, ...]:
    """Names of operators whose cost is not known: the report's figures are too small by it."""
    return tuple(dict.fromkeys(issue.op for issue in report.issues))


def masked_once(macs: int, recomputed: int, masked: int) -> int:
    """Masked MACs of an operator's calls, without those that are recomputed.

    Recomputing is one product of several over the same scores. So it is the same part of the masked
    MACs as of all.
    """
    return masked - masked * recomputed // macs if macs else 0


def by_rate(work: Iterable[Work], macs: Callable[[Work], int]) -> dict[str, int]:
    """Multiply-accumulates by what bounds them (`rate_of`), those without any left out."""
    sums: dict[str, int] = {}
    for one in work:
        count = macs(one)
        if count:
            sums[one.rate] = sums.get(one.rate, 0) + count
    return sums
