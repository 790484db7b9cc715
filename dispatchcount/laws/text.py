"""A law as text: a summary, Markdown, LaTeX and a Python function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dispatchcount.errors import expect
from dispatchcount.laws.notation import latex, python
from dispatchcount.laws.notes import notes
from dispatchcount.laws.table import selected, told
from dispatchcount.render.plain import clean
from dispatchcount.render.text.markdown import code, escaped, line
from dispatchcount.report.conventions import find_convention

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


def summary(law: LawData) -> str:
    """The formulas of the whole, where they hold, and what was checked; a line or more for each."""
    refused = law.total.refused
    lines = [
        f"{metric} = {law.total.polynomial(metric)}"
        if metric not in refused
        else f"{metric}: no formula, {refused[metric]}"
        for metric in law.metrics()
    ]
    return "\n".join([*lines, *notes(law)])


def to_markdown(law: LawData, depth: int | None, metric: str, *, fold: bool = True) -> str:
    """The module table with one formula a row, and what they hold for.

    Raises:
        ValueError: `depth` is negative, or there is no such metric.
    """
    rows = selected(law, depth, metric, fold=fold)
    lines = [line(["module", "type", metric]), line([":--", ":--", ":--"])]
    lines += [
        line([code(clean(row.path)), escaped(row.type), escaped(row.formula)]) for row in rows
    ]
    under = [f"- {escaped(note)}" for note in (*told(rows), *notes(law))]
    return "\n".join([*lines, "", *under]) + "\n"


def to_latex(law: LawData, metrics: Sequence[str]) -> str:
    """The formulas of the whole as an ``align*`` environment.

    Raises:
        LawError: a metric has no formula.
        ValueError: there is no such metric.
    """
    expect(metrics, Iterable, "metrics", "names of metrics: law.to_latex(['flops', 'macs'])")
    lines = []
    arguments = ", ".join(
        rf"\mathrm{{{s}}}".replace("_", r"\_") if len(s) > 1 else s for s in law.sizes
    )
    for metric in (metrics,) if isinstance(metrics, str) else metrics:
        formula = latex(law.total.polynomial(metric))
        name = metric.replace("_", r"\_")
        lines.append(rf"\mathrm{{{name}}}({arguments}) &= {formula}")
    body = " \\\\\n".join(lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def to_python(law: LawData, metric: str) -> str:
    """The text of a function of the sizes that returns the exact figure and needs no import.

    Raises:
        LawError: the metric has no formula.
        ValueError: there is no such metric.
    """
    formula = law.total.polynomial(metric)
    domain = law.domain(metric)
    arguments = ", ".join(f"{size}: int" for size in law.sizes)
    conditions = "; ".join(text for text in domain.holds(law.sizes).values() if text)
    lines = [f"def {metric}({arguments}) -> int:"]
    model = f" of {clean(law.meta.model)}" if law.meta.model else ""
    unit = f" ({find_convention(law.convention).unit})" if metric == "flops" else ""
    about = f"{metric}{model}{unit}, exact for {conditions}.".replace("\\", "\\\\").replace(
        '"', "'"
    )
    lines.append(f'    """{about[0].upper()}{about[1:]}"""')
    for range_ in domain.ranges:
        tests = [f"{range_.size} < {range_.least}"]
        if range_.step > 1:
            tests.append(f"{range_.size} % {range_.step} != {range_.least % range_.step}")
        if range_.most is not None:
            tests.append(f"{range_.size} > {range_.most}")
        lines.append(f"    if {' or '.join(tests)}:")
        lines.append(
            f'        raise ValueError(f"{range_.size} = {{{range_.size}}}: only for {range_}")'
        )
    for hole in domain.holes:
        tests = [f"{size} == {value}" for size, value in hole]
        lines.append(f"    if {' and '.join(tests)}:")
        lines.append(
            '        raise ValueError("the model does something else at exactly this size")'
        )
    lines.append(f"    return {python(formula)}")
    return "\n".join(lines) + "\n"
