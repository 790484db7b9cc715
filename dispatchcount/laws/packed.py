"""Sequences of different lengths in one batch without padding: sums over the sequences instead of a
longest length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from dispatchcount.errors import LawError
from dispatchcount.laws.figures import FIGURES, LawStats
from dispatchcount.laws.notation import term
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.row import columns_of

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


def packed(law: LawData, lengths: Mapping[str, int | Sequence[int]]) -> LawStats:
    """The figures of packed sequences.

    A formula that is linear in the batch, b·(c₁·s + c₂·s²), is a sum over the sequences: c₁·ΣL +
    c₂·ΣL².

    Args:
        law: the law.
        lengths: for each size but the batch a list with one length for each sequence, or one number
            for all.

    Raises:
        LawError: a length is outside the domain.
        TypeError: there is no list, lists differ in length, or more than one size is left out.
    """
    batch, fixed, lists = _sorted_out(law, lengths)
    sequences = [
        dict(zip(lists, values, strict=True)) | fixed
        for values in zip(*lists.values(), strict=True)
    ]
    figures: dict[str, int] = {}
    absent: dict[str, str] = {}
    refused = law.total.refused
    for metric in FIGURES:
        reason = refused.get(metric) or _outside(law, metric, batch, sequences)
        if reason and metric == "flops":
            raise LawError(reason)
        if not reason and metric != "params":
            reason = _not_a_sum(law.total.polynomial(metric), batch, lists)
        if reason:
            absent[metric] = reason
        elif metric == "params":
            figures[metric] = int(law.params.at([0] * len(law.sizes)))
        else:
            figures[metric] = _sum(law.total.polynomial(metric), batch, sequences)
    return LawStats(figures, absent, estimate=bool(law.estimates))


def _sorted_out(
    law: LawData, lengths: Mapping[str, Any]
) -> tuple[str | None, dict[str, int], dict[str, list[int]]]:
    """The size that is the batch, those that are the same for all sequences, and those that
    differ.
    """
    unknown = [size for size in lengths if size not in law.sizes]
    if unknown:
        raise TypeError(f"{unknown[0]!r} is no size of the law; it is in {', '.join(law.sizes)}")
    missing = [size for size in law.sizes if size not in lengths]
    if len(missing) > 1:
        raise TypeError(
            f"{', '.join(missing)} are left out, but only one size can be the batch; give the "
            "others"
        )
    fixed: dict[str, int] = {}
    lists: dict[str, list[int]] = {}
    for size, value in lengths.items():
        if isinstance(value, int) and not isinstance(value, bool):
            fixed[size] = value
        elif isinstance(value, Sequence) and not isinstance(value, str):
            lists[size] = list(value)
        else:
            raise TypeError(f"{size} = {value!r}: expected a list of lengths, or an integer")
    if not lists or len({len(values) for values in lists.values()}) > 1 or not all(lists.values()):
        raise TypeError(
            "give a list of lengths, one for each sequence: law.packed(s=[5, 9, 30]); "
            "several lists have the same length"
        )
    for size, values in lists.items():
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{size} = {value!r}: a length is an integer from 1 up")
    return (missing[0] if missing else None), fixed, lists


def _outside(law: LawData, metric: str, batch: str | None, sequences: list[dict[str, int]]) -> str:
    """Why a sequence is outside the domain of a metric; the batch is not asked."""
    for column in columns_of(metric, law.convention):
        domain = law.domains[column]
        inner = {r.size: r for r in domain.ranges if r.size == batch}
        for sequence in sequences:
            point = sequence | {size: range_.least for size, range_ in inner.items()}
            reason = domain.reason(point)
            if reason:
                return reason
    return ""


def _not_a_sum(formula: Polynomial, batch: str | None, lists: Mapping[str, Any]) -> str:
    """The reason why a formula is no sum over the sequences; ``""`` if it is one."""
    for exponents, coefficient in formula:
        by_size = dict(zip(formula.sizes, exponents, strict=True))
        if batch is not None:
            fits = by_size[batch] == 1
            why = f"is not linear in {batch}"
        else:
            fits = any(by_size[size] for size in lists)
            why = f"does not depend on {' or '.join(lists)}, so it belongs to no sequence"
        if not fits:
            shown = term(formula.sizes, exponents, coefficient)
            return f"packed sequences have no figure, for the term {shown} {why}"
    return ""


def _sum(formula: Polynomial, batch: str | None, sequences: list[dict[str, int]]) -> int:
    """The sum over the sequences, each one item of the batch."""
    total = Fraction()
    for exponents, coefficient in formula:
        powers = [(s, e) for s, e in zip(formula.sizes, exponents, strict=True) if e and s != batch]
        total += coefficient * sum(prod(seq[s] ** e for s, e in powers) for seq in sequences)
    return int(total)
