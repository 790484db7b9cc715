"""Where some metrics of a law hold for fewer sizes than its flops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.laws.domain import Range
from dispatchcount.laws.figures import FIGURES

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


def special(law: LawData) -> dict[str, tuple[str, ...]]:
    """Sizes inside the flops' domain, as text, with the metrics that have no formula there."""
    main = law.domain()
    found: dict[str, list[str]] = {}
    for metric in FIGURES:
        domain = law.domain(metric)
        for range_ in domain.ranges:
            ours = [r for r in main.ranges if r.size == range_.size]
            if not any(r.implies(range_) for r in ours):
                found.setdefault(_outside(range_, ours), []).append(metric)
        for hole in domain.holes:
            if metric == "flops" or hole not in main.holes:
                text = ", ".join(f"{size} = {value}" for size, value in hole)
                found.setdefault(text, []).append(metric)
    return {text: tuple(metrics) for text, metrics in found.items()}


def _outside(narrow: Range, wide: list[Range]) -> str:
    """The values of one size that are in `wide` and not in `narrow`."""
    step = max((r.step for r in wide), default=1)
    least = max((r.least for r in wide), default=1)
    if narrow.step > step:
        return f"{narrow.size} ≢ {narrow.least % narrow.step} mod {narrow.step}"
    if narrow.least == least + step:
        return f"{narrow.size} = {least}"
    if narrow.least > least:
        return f"{narrow.size} < {narrow.least}"
    return f"{narrow.size} > {narrow.most}"
