"""How many of the MACs of recorded calls multiply with a weight that is not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dispatchcount.rules.core.shape import Shape, shapes
from dispatchcount.rules.core.uses import Place as At
from dispatchcount.rules.core.uses import Places, stored

if TYPE_CHECKING:
    from dispatchcount.capture.observers.weights import Operands, Weights
    from dispatchcount.capture.record import Table
    from dispatchcount.capture.signature import Signature
    from dispatchcount.rules.core.registry import RegistryEntry


class Weighed(NamedTuple):
    """MACs of calls.

    Attributes:
        nonzero: those whose weight is not zero, or that have no weight.
        known: those of which that is known.
    """

    nonzero: int
    known: int


def weighed(
    weights: Weights,
    table: Table,
    signature: Signature,
    calls: int,
    macs: int,
    entry: RegistryEntry | None,
) -> Weighed:
    """The MACs of the calls of `signature` in `table`, each of which takes `macs`.

    Calls that multiply data alone, as attention does its scores, have no weight.
    """
    nonzero = known = 0
    rest = calls
    for operands, times in weights.of((table, signature)).items():
        rest -= times
        zeros = _zero_macs(weights, operands, signature, macs, entry)
        if zeros is not None:
            nonzero += times * (macs - zeros)
            known += times * macs
    return Weighed(nonzero + rest * macs, known + rest * macs)


def _zero_macs(
    weights: Weights,
    operands: Operands,
    signature: Signature,
    macs: int,
    entry: RegistryEntry | None,
) -> int | None:
    """The MACs of a call whose weight is zero; None if that is not known."""
    found = [(at, weights.zeros(zeros)) for at, zeros in operands]
    # What has no zeros makes none, whatever the kernel does with it; a bias is in no product.
    uses: Places | None = None
    if entry is not None and entry.uses is not None:
        uses = entry.uses(macs, *signature.args, **signature.kwargs)
    zero_macs = shared = 0
    for at, zeros in found:
        if zeros == 0 or (uses is not None and at not in uses and (at[0], None) not in uses):
            continue
        each = None if uses is None else uses.get(at)
        if zeros is None or each is None:
            return None
        zero_macs += zeros * each
        shared += stored(_operand(signature.args, at)) * each
    # Two weights with zeros in one product: a MAC may have both, and would be told twice.
    return zero_macs if shared <= macs else None


def _operand(args: tuple[Any, ...], at: At) -> Any:
    position, index = at
    operand = args[position]
    return operand if index is None or isinstance(operand, Shape) else shapes(operand)[index]
