"""What belongs under every table of a law."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.render.numbers import plural
from dispatchcount.render.plain import clean
from dispatchcount.report.conventions import find_convention

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData

_SHOWN_POINTS = 4


def notes(law: LawData) -> list[str]:
    """The convention, the domain, exceptions and checks, a line for each."""
    found = [f"1 flop: {find_convention(law.convention).unit}"]
    found += [f"view: {text}" for text in law.altered]
    found.append(f"holds for {'; '.join(text for text in law.holds.values() if text)}")
    found += [f"at {where} no formula for {', '.join(m)}" for where, m in law.special.items()]
    if law.refusals:
        found.append(
            f"refused: {plural(len(law.refusals), 'row')}, the first: {law.refusals[0].reason}"
        )
    if law.estimates:
        found.append(
            f"estimate: {plural(len(law.estimates), 'row')} of it, the first: "
            f"{law.estimates[0].key}"
        )
    points = [", ".join(f"{n}={x}" for n, x in point.items()) for point in law.checked]
    shown = "; ".join(f"({point})" for point in points[-_SHOWN_POINTS:])
    found.append(
        f"{plural(law.runs, 'run')}; checked at {plural(len(points), 'point')} that it was not "
        "made from" + (f", such as {shown}" if points else "")
    )
    return [clean(text) for text in found]
