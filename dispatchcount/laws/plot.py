"""What code costs against one size, as a picture."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.errors import LawError
from dispatchcount.laws.notation import plain
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.render.plots.figure import new_figure, save

if TYPE_CHECKING:
    from dispatchcount.laws.domain import Domain
    from dispatchcount.laws.law import LawData

_POINTS = 200
_WIDEST = 1000
"""Without `most`, the picture goes to so many times its first size, if the law was not checked
further.
"""


def plot(
    law: LawData,
    size: str,
    path: str | PathLike[str] | None,
    metric: str,
    most: int | None,
    others: dict[str, int],
) -> Any:
    """A metric against one size, both axes logarithmic: the whole, and each power of the size.

    Where two powers cross, the higher one begins to decide.

    Args:
        law: the law.
        size: the size along the axis.
        path: where the picture is written as well, if given.
        metric: which.
        most: the largest value of the size; by default the largest at which the law was checked.
        others: values of the other sizes; the law's start for those that are not given.

    Raises:
        ImportError: matplotlib is not installed.
        LawError: the metric has no formula, or not at the other sizes.
        ValueError: there is no such size or metric, or no room below `most`.
    """
    for name in (size, *others):
        if name not in law.sizes:
            raise ValueError(f"{name!r} is no size of the law; it is in {', '.join(law.sizes)}")
    formula = law.total.polynomial(metric)
    point = {name: law.start[name] for name in law.sizes} | others
    values = _values(law.domain(metric), law, size, point, most)
    figure = new_figure(7, 4.5)
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log", xlabel=size, ylabel=metric)
    drawn = [formula.at([(point | {size: x})[name] for name in law.sizes]) for x in values]
    axes.plot(values, [float(y) for y in drawn], color="black", linewidth=2, label="all")
    for exponent, part in sorted(_by_power(formula, size, point).items(), reverse=True):
        heights = [float(part.at([x])) for x in values]
        if any(y > 0 for y in heights):
            axes.plot(
                values, heights, linestyle="--", label=plain(part) if exponent else "constant"
            )
    fixed = ", ".join(f"{name} = {x:,}" for name, x in point.items() if name != size)
    model = law.meta.model or "the code"
    axes.set_title(f"{metric} of {model}" + (f" at {fixed}" if fixed else ""))
    axes.legend()
    axes.grid(alpha=0.3)
    return save(figure, path)


def _values(
    domain: Domain, law: LawData, size: str, point: dict[str, int], most: int | None
) -> list[int]:
    """Sizes inside the domain, in equal proportions."""
    ranges = [r for r in domain.ranges if r.size == size]
    least, step = (
        max((r.least for r in ranges), default=1),
        max((r.step for r in ranges), default=1),
    )
    ends = [r.most for r in ranges if r.most is not None]
    furthest = max([known[size] for known in law.checked], default=0)
    last = min([most or max(furthest, _WIDEST * least), *ends])
    if last <= least:
        raise ValueError(f"most = {last}: {size} begins at {least}, so there is nothing to draw")
    count = (last - least) // step
    steps = sorted({round((count + 1) ** (i / (_POINTS - 1))) - 1 for i in range(_POINTS)})
    values = [least + k * step for k in steps]
    kept = [x for x in values if not domain.reason(point | {size: x})]
    if not kept:
        # Some other size is outside; the domain says which.
        raise LawError(domain.reason(point | {size: values[-1]}))
    return kept


def _by_power(formula: Polynomial, size: str, point: dict[str, int]) -> dict[int, Polynomial]:
    """The formula's powers of one size, each a polynomial in it alone, at given other sizes."""
    place = formula.sizes.index(size)
    parts: dict[int, Polynomial] = {}
    for exponents, coefficient in formula:
        for name, exponent in zip(formula.sizes, exponents, strict=True):
            if name != size:
                coefficient *= point[name] ** exponent
        exponent = exponents[place]
        term = Polynomial((size,), {(exponent,): coefficient})
        parts[exponent] = parts.get(exponent, Polynomial((size,))) + term
    return parts
