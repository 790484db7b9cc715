"""Polynomials in named sizes with rational coefficients. Imports nothing but the standard
library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm, prod
from types import MappingProxyType

Exponents = tuple[int, ...]
"""One exponent for each size, in the order of the sizes."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of terms such as ``18,432·b·s²``. It is frozen; sums and products are new ones.

        >>> p = Polynomial(("b", "s"), {(1, 2): Fraction(3), (1, 1): Fraction(5)})
        >>> str(p)
        '3·b·s² + 5·b·s'
        >>> p(b=2, s=10)
        700

    Attributes:
        sizes: the names, in the order of the exponents.
        terms: exponents to coefficient. A coefficient is never 0, so equal polynomials have equal
            terms.
    """

    sizes: tuple[str, ...]
    terms: Mapping[Exponents, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {tuple(e): Fraction(c) for e, c in self.terms.items() if c}
        for exponents in kept:
            if len(exponents) != len(self.sizes) or min(exponents, default=0) < 0:
                raise ValueError(
                    f"the exponents {exponents} do not fit the sizes {self.sizes}; "
                    "give one exponent from 0 up for each size"
                )
        ordered = dict(sorted(kept.items(), key=lambda term: _rank(term[0]), reverse=True))
        object.__setattr__(self, "terms", MappingProxyType(ordered))

    def __hash__(self) -> int:
        return hash((self.sizes, tuple(self.terms.items())))

    def __reduce__(
        self,
    ) -> tuple[type[Polynomial], tuple[tuple[str, ...], dict[Exponents, Fraction]]]:
        return Polynomial, (self.sizes, dict(self.terms))

    @classmethod
    def constant(cls, sizes: tuple[str, ...], value: int | Fraction) -> Polynomial:
        """The polynomial that is `value` at every size."""
        return cls(sizes, {(0,) * len(sizes): Fraction(value)})

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __call__(self, **sizes: int) -> int | Fraction:
        """The exact value at the given sizes: an int, or a Fraction where it is no whole number.

        Raises:
            TypeError: a size is missing, or there is one too many.
        """
        if set(sizes) != set(self.sizes):
            raise TypeError(
                f"the polynomial is in {', '.join(self.sizes)}; got {', '.join(sizes) or 'nothing'}"
            )
        return self.at([sizes[name] for name in self.sizes])

    def at(self, point: list[int] | tuple[int, ...]) -> int | Fraction:
        """The value at sizes in order."""
        # Over one denominator, the sum is one of integers: sums of Fractions are ten times slower.
        below = lcm(*(c.denominator for c in self.terms.values()))
        above = sum(
            c.numerator * (below // c.denominator) * prod(map(pow, point, exponents))
            for exponents, c in self.terms.items()
        )
        return above // below if above % below == 0 else Fraction(above, below)

    def __add__(self, other: Polynomial | int | Fraction) -> Polynomial:
        if isinstance(other, int | Fraction):
            other = Polynomial.constant(self.sizes, other)
        if not isinstance(other, Polynomial):
            return NotImplemented
        if other.sizes != self.sizes:
            raise ValueError(
                f"polynomials in {self.sizes} and in {other.sizes} do not add up; "
                "make both laws with the same sizes in the same order"
            )
        terms = dict(self.terms)
        for exponents, coefficient in other.terms.items():
            terms[exponents] = terms.get(exponents, Fraction()) + coefficient
        return Polynomial(self.sizes, terms)

    __radd__ = __add__

    def __mul__(self, other: Polynomial | int | Fraction) -> Polynomial:
        if isinstance(other, int | Fraction):
            return Polynomial(self.sizes, {e: c * other for e, c in self.terms.items()})
        if not isinstance(other, Polynomial):
            return NotImplemented
        if other.sizes != self.sizes:
            raise ValueError(f"polynomials in {self.sizes} and in {other.sizes} have no product")
        terms: dict[Exponents, Fraction] = {}
        for mine, a in self.terms.items():
            for theirs, b in other.terms.items():
                both = tuple(x + y for x, y in zip(mine, theirs, strict=True))
                terms[both] = terms.get(both, Fraction()) + a * b
        return Polynomial(self.sizes, terms)

    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: Polynomial | int | Fraction) -> Polynomial:
        return self + -other

    def coefficient(self, **exponents: int) -> Fraction:
        """The coefficient of one term, 0 where there is none: ``p.coefficient(b=1, s=2)``.

        Raises:
            TypeError: a name is no size of the polynomial.
        """
        unknown = set(exponents) - set(self.sizes)
        if unknown:
            raise TypeError(f"the polynomial is in {', '.join(self.sizes)}, not in {unknown.pop()}")
        return self.terms.get(tuple(exponents.get(name, 0) for name in self.sizes), Fraction())

    def degree(self, size: str) -> int:
        """The highest exponent of a size, 0 where it does not occur."""
        place = self.sizes.index(size)
        return max((exponents[place] for exponents in self.terms), default=0)

    def shifted(self, size: str, by: int) -> Polynomial:
        """The polynomial whose value at x is this one's at x + `by`."""
        place = self.sizes.index(size)
        step = [0] * len(self.sizes)
        step[place] = 1
        base = Polynomial(self.sizes, {tuple(step): Fraction(1)}) + by
        return self.substituted(size, lambda exponent: power(base, exponent))

    def substituted(self, size: str, replace: Callable[[int], Polynomial]) -> Polynomial:
        """Each power of a size replaced by ``replace(exponent)``."""
        place = self.sizes.index(size)
        total = Polynomial(self.sizes)
        for exponents, coefficient in self.terms.items():
            rest = (*exponents[:place], 0, *exponents[place + 1 :])
            total += Polynomial(self.sizes, {rest: coefficient}) * replace(exponents[place])
        return total

    def __iter__(self) -> Iterator[tuple[Exponents, Fraction]]:
        return iter(self.terms.items())

    def __str__(self) -> str:
        from dispatchcount.laws.notation import plain

        return plain(self)

    def __repr__(self) -> str:
        return f"Polynomial({self})"


def power(base: Polynomial, exponent: int) -> Polynomial:
    """`base` times itself, `exponent` times over; 1 for 0."""
    result = Polynomial.constant(base.sizes, 1)
    for _ in range(exponent):
        result *= base
    return result


def binomial(sizes: tuple[str, ...], place: int, start: int, step: int, order: int) -> Polynomial:
    """``C((x - start) / step, order)`` as a polynomial in the size x at `place`.

    Newton's interpolation is a sum of products of these, with the forward differences as
    coefficients.
    """
    unit = tuple(int(i == place) for i in range(len(sizes)))
    t = (Polynomial(sizes, {unit: Fraction(1)}) - start) * Fraction(1, step)
    result = Polynomial.constant(sizes, 1)
    for i in range(order):
        result *= (t - i) * Fraction(1, i + 1)
    return result


def _rank(exponents: Exponents) -> tuple[int, int, Exponents]:
    """The order in which terms are written: by total degree, then by the highest exponent."""
    return sum(exponents), max(exponents, default=0), exponents
