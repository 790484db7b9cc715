"""Applies a rule to one distinct call, and says what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatchcount.report.rows import COUNTED, FAILED, UNKNOWN, ZERO
from dispatchcount.rules.core.cost import COUNTS, MAY_BE_UNSET, Cost
from dispatchcount.rules.core.registry import OpKind, RegistryEntry
from dispatchcount.rules.core.shape import nbytes, shapes


@dataclass(frozen=True, slots=True)
class Costed:
    """The cost of one call.

    Attributes:
        cost: its cost, bytes set.
        status: counted, zero, unknown or failed.
        message: why it is unknown or failed.
    """

    cost: Cost
    status: str
    message: str = ""


_NOTHING = Cost(bytes_read=0, bytes_written=0, bops=0)


def cost_of(
    entry: RegistryEntry | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Any,
    *,
    written: Sequence[int | str] = (),
    filled: Collection[int] = (),
) -> Costed:
    """The cost of a call given by its shapes. It never raises for what a rule does.

    Args:
        entry: what the registry has for the operator; None if nothing.
        args: the call's arguments by position.
        kwargs: those by name.
        out: what it returned.
        written: positions and names of the arguments that the operator writes and does not return.
            Where it returns no tensor, a rule gets them as `out`; it never gets them by name, as it
            gets no ``out=``.
        filled: positions of the arguments that the operator writes without reading them.
    """
    # What is written: results, `out=` and whatever else the operator changes in place.
    more = [args[place] for place in written if isinstance(place, int) and place < len(args)]
    more += [kwargs[place] for place in written if place in kwargs]
    kwargs = {name: value for name, value in kwargs.items() if name not in written}
    read = [arg for place, arg in enumerate(args) if place not in filled]
    moved = Cost(
        bytes_read=nbytes(read) + nbytes(kwargs), bytes_written=nbytes(out) + nbytes(more), bops=0
    )
    if more and not shapes(out):
        out = more[0] if len(more) == 1 else tuple(more)

    # Operators that no rule is asked about.
    if entry is None or entry.kind is OpKind.COMPOSITE:
        return Costed(moved, UNKNOWN, "no rule; add one with @dispatchcount.register")
    if entry.kind is OpKind.FREE:
        return Costed(_NOTHING, ZERO)
    if any(size < 0 for shape in shapes((args, kwargs, out)) for size in shape):
        if entry.kind is OpKind.MOVE:
            # There is no arithmetic whatever the size is, but the bytes are not known exactly.
            return Costed(replace(_NOTHING, estimate=True), ZERO)
        return Costed(_NOTHING, UNKNOWN, "a size depends on data that fake tensors do not have")
    if entry.kind is OpKind.UNKNOWN or entry.rule is None:
        return Costed(moved, UNKNOWN, entry.reason)

    # The rule may be the user's: whatever it raises, the run goes on and the report names it.
    try:
        result = (
            entry.rule(*args, **kwargs, out=out) if entry.takes_out else entry.rule(*args, **kwargs)
        )
        cost = _checked(result, out)
    except Exception as error:
        return Costed(moved, FAILED, f"{type(error).__name__}: {error}")

    # Every operand is read once and every result written once, unless the rule says otherwise.
    if cost.bytes_read is None:
        cost = replace(cost, bytes_read=moved.bytes_read)
    if cost.bytes_written is None:
        cost = replace(cost, bytes_written=moved.bytes_written)
    cost = _sized(cost, entry, args, kwargs)
    return Costed(cost, ZERO if entry.kind is OpKind.MOVE else COUNTED)


def _sized(cost: Cost, entry: RegistryEntry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cost:
    """The cost with its bops, which stay 0 for MACs whose factors have a width that is not known.

    A rule that says the bops itself knows those of all its MACs.
    """
    if not cost.macs:
        return cost if cost.bops is not None else replace(cost, bops=0)
    if cost.bops is not None:
        return replace(cost, sized_macs=cost.macs)
    pair = entry.widths(*args, **kwargs)
    if pair is None:
        return replace(cost, bops=0)
    return replace(cost, bops=cost.macs * pair[0] * pair[1], sized_macs=cost.macs)


def _checked(result: Any, out: Any) -> Cost:
    """A rule's answer as a `Cost`; an int is MACs, whose output counts as activations.

    Raises:
        TypeError, ValueError: it is neither, or not made of non-negative ints.
    """
    if isinstance(result, int) and not isinstance(result, bool):
        first = shapes(out)[:1]
        result = Cost(macs=result, activations=first[0].numel if first and result else 0)
    if not isinstance(result, Cost):
        raise TypeError(f"a rule returns a Cost or an int of MACs, this one returned {result!r}")
    for name in COUNTS:
        value = getattr(result, name)
        if value is None and name in MAY_BE_UNSET:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"a Cost is made of ints, {name} is {value!r}")
        if value < 0:
            raise ValueError(f"a Cost has no negative parts, {name} is {value}")
    return result
