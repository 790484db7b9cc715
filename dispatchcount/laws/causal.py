"""Attention under a causal mask, or a window, as papers and trainers count it: a view of a law,
never the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from dispatchcount.errors import LawError, expect
from dispatchcount.laws.domain import Domain, Range
from dispatchcount.laws.observed import Key
from dispatchcount.laws.polynomial import Polynomial

if TYPE_CHECKING:
    from dispatchcount.laws.law import Formulas, LawData

L = TypeVar("L", bound="LawData")

FUSED = ("attention", "attn")
"""An operator with one of these in its name is an attention."""

SOFTMAX = ("aten._safe_softmax", "aten._softmax", "aten.softmax")
"""The softmax of an attention that is not fused, as on meta: its module's batched products are
those with keys and values.
"""

PRODUCTS = ("aten.bmm", "aten.baddbmm")


def attention(law: LawData) -> list[Formulas]:
    """The rows of a law that are attention's products, known by their operators."""
    with_softmax = {row.key.module for row in law.rows if row.key.op in SOFTMAX}
    return [
        row
        for row in law.rows
        if "macs" in row.columns
        and (
            any(name in row.key.op for name in FUSED)
            or (row.key.op in PRODUCTS and row.key.module in with_softmax)
        )
    ]


def causal(law: L, window: int | None = None, sizes: Sequence[str] | None = None) -> L:
    """The law with attention's rectangle replaced by the pairs that a causal mask leaves.

    The operators count every query with every key, s², because that is what a dense product
    computes. Of those pairs, a causal mask leaves s·(s + 1)/2, and a window of W keys leaves W·s −
    W·(W − 1)/2 where s is at least W. Only MACs change, and flops with them.

    A square is halved only if it comes from one call. In a decoding loop, where the number of calls
    grows with n, each new token's query already meets nothing but the keys before it, so n² stays.

    Args:
        law: the law.
        window: keys for each query, itself included; None for no window. The view then holds for
            sizes from it on.
        sizes: the sizes that count tokens; by default every size in which attention grows with the
            square.

    Raises:
        LawError: no attention is known by name, the square is not that of one size (the tokens of
            an image are h·w, those of a prompt behind a prefix s + 5), or a row of attention has no
            formula.
        ValueError: `sizes` names none of the law's, or the window is below 1.
    """
    give = "how many keys a query sees at most, from 1 up, or None for all before it"
    expect(window, (int, type(None)), "window", give)
    if window is not None and window < 1:
        raise ValueError(f"window = {window}: expected an integer from 1 up")
    for size in sizes or ():
        if size not in law.sizes:
            raise ValueError(f"{size!r} is no size of the law; it is in {', '.join(law.sizes)}")
    rows = attention(law)
    if not rows:
        raise LawError(
            "no attention is known by its operators in this law; build the model so that it calls "
            "torch.nn.functional.scaled_dot_product_attention (attn_implementation='sdpa')"
        )
    for refusal in law.refusals:
        if refusal.column == "macs" and any(refusal.key == row.key for row in rows):
            raise LawError(f"attention has no formula: {refusal.reason}")

    # Each distinct polynomial is changed once.
    numbers = {polynomial: number for number, polynomial in enumerate(law.polynomials)}
    changed: dict[tuple[Key, str], int] = {}
    altered: set[str] = set()
    for row in rows:
        old = law.polynomials[row.columns["macs"]]
        looped = _looped(law, row)
        new = old
        for size in law.sizes if sizes is None else sizes:
            if size not in looped and new.degree(size) > 1:
                new = _halved(new, size, window, looped, row.key)
                altered.add(size)
        changed[row.key, "macs"] = numbers.setdefault(new, len(numbers))
    if not altered:
        raise LawError(
            "attention grows with the square of no size in one call, so a mask changes nothing here"
        )
    new_rows = tuple(
        replace(
            row,
            columns={
                c: changed.get((row.key, c), n)
                for c, n in row.columns.items()
                if c != "masked_macs" or (row.key, "macs") not in changed
            },
        )
        for row in law.rows
    )
    domains, operator_domains = dict(law.domains), dict(law.operator_domains)
    if window is not None:
        for size in altered:
            for known in (domains, operator_domains):
                if "macs" in known:
                    known["macs"] &= Domain(tuple(_from_window(known["macs"], size, window)))
    mask = "a causal mask" if window is None else f"a causal mask and a window of {window:,}"
    note = f"attention counts the pairs in {', '.join(sorted(altered))} that {mask} leaves"
    return replace(
        law,
        polynomials=tuple(numbers),
        rows=new_rows,
        domains=domains,
        operator_domains=operator_domains,
        altered=(*law.altered, note),
    )


def _looped(law: LawData, row: Formulas) -> set[str]:
    """The sizes on which the number of calls depends: a loop runs over them."""
    number = row.columns.get("calls")
    if number is None:
        return set()
    calls = law.polynomials[number]
    return {size for size in law.sizes if calls.degree(size)}


def _halved(
    old: Polynomial, size: str, window: int | None, looped: set[str], key: Key
) -> Polynomial:
    """A row's MACs with the square of one size replaced by the pairs that the mask leaves.

    Raises:
        LawError: the row is not a square of this size times something else, but for what loops add.
    """
    place = old.sizes.index(size)
    others = [i for i, name in enumerate(old.sizes) if name in looped]
    pairs = _pairs(old.sizes, place, window)
    total = Polynomial(old.sizes)
    for exponents, coefficient in old:
        part = Polynomial(old.sizes, {exponents: coefficient})
        if exponents[place] == 2 and not any(exponents[i] for i in others):
            rest = (*exponents[:place], 0, *exponents[place + 1 :])
            total += Polynomial(old.sizes, {rest: coefficient}) * pairs
        elif exponents[place] <= 1 and any(exponents[i] for i in others):
            total += part
        else:
            raise LawError(
                f"the attention of {key.module or 'the root'!r} has the term {part}, so its pairs "
                f"are not those of {size} "
                "tokens alone; name the sizes that count tokens with causal(sizes=…), or make "
                "the law in their number"
            )
    return total


def _pairs(sizes: tuple[str, ...], place: int, window: int | None) -> Polynomial:
    """The pairs of query and key under the mask, for a size at `place`."""
    one = tuple(int(i == place) for i in range(len(sizes)))
    two = tuple(2 * k for k in one)
    if window is None:
        return Polynomial(sizes, {two: Fraction(1, 2), one: Fraction(1, 2)})
    return Polynomial(sizes, {one: Fraction(window)}) - window * (window - 1) // 2


def _from_window(domain: Domain, size: str, window: int) -> list[Range]:
    """The ranges of one size, from the window on."""
    found = []
    for r in domain.ranges:
        if r.size == size and r.least < window:
            steps = -(-(window - r.least) // r.step)
            found.append(replace(r, least=r.least + steps * r.step))
    return found
