"""The two analyses: of flops and of activations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from dispatchcount.compat._jit import tables
from dispatchcount.compat._jit.analysis import Analysis
from dispatchcount.compat._jit.handles import generic_activation_jit
from dispatchcount.compat._jit.treatment import Reading
from dispatchcount.compat._jit.values import Handle
from dispatchcount.report.tally import Tally


def _macs(tally: Tally) -> int:
    return tally.macs


def _flops(tally: Tally) -> int:
    return tally.macs + tally.fvcore


def _activations(tally: Tally) -> int:
    return tally.activations


class Flops(Analysis):
    """Multiply-adds of contractions, and what fvcore's formulas give for a few other operators.

    These are norms, upsampling, adaptive average pooling and grid sampling.
    """

    _reading = Reading(unhandled=_macs, measured=_flops)
    _defaults = tables.FLOP_HANDLES
    # Pooling to one pixel runs as `mean` on some devices, which by itself counts nothing.
    _measured = frozenset(tables.FLOP_HANDLES) - {"aten::adaptive_avg_pool2d"}


class Activations(Analysis):
    """Elements of the results of convolutions, matrix products and the kernels built of them."""

    # A layer hands on its result, in however many kernels that was made: the spare handle
    # counts the result once.
    _reading = Reading(_activations, _activations, spare=generic_activation_jit())
    _defaults = tables.ACTIVATION_HANDLES


def counts_in(
    unit: float, analysis: Analysis, supported_ops: Mapping[str, Handle | None] | None
) -> tuple[defaultdict[str, float], Counter[str]]:
    """Counts by operator as multiples of `unit`, and how often each unsupported operator ran.

    Args:
        unit: what one stands for, ``1e9`` for gigaflops.
        analysis: the analysis.
        supported_ops: handles to set first, None for an operator to leave out.
    """
    analysis.set_op_handle(**dict(supported_ops or {}))
    counts: defaultdict[str, float] = defaultdict(float)
    counts.update((op, count / unit) for op, count in analysis.by_operator().items())
    return counts, analysis.unsupported_ops()
