"""Plans and comparisons as GitHub Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.distributed.show import (
    Column,
    comparison_cells,
    figures,
    notes,
    title,
    traffic_cells,
)
from dispatchcount.render.text.markdown import escaped, line

if TYPE_CHECKING:
    from dispatchcount.distributed.comparison import Comparison
    from dispatchcount.distributed.planned import Plan

_RULES = {True: "---", False: "---:"}
"""The line below a column's header, which says on which side its cells stand."""


def plan_markdown(plan: Plan) -> str:
    """What the rank computes, stores and sends, as two tables, and what that rests on."""
    blocks = [
        escaped(title(plan)),
        _table(
            [
                ("one rank", True, [kind for kind, _, _ in figures(plan)]),
                ("", False, [figure for _, figure, _ in figures(plan)]),
                ("", True, [said for _, _, said in figures(plan)]),
            ]
        ),
    ]
    sent = traffic_cells(plan)
    if sent:
        blocks.append(_table(sent))
    blocks.append("\n".join(f"* {escaped(f'{about}: {text}')}" for about, text, _ in notes(plan)))
    return "\n\n".join(blocks) + "\n"


def comparison_markdown(found: Comparison) -> str:
    """A line for each plan."""
    return _table(comparison_cells(found)) + "\n"


def _table(columns: list[Column]) -> str:
    lines = [line(head for head, _, _ in columns), line(_RULES[left] for _, left, _ in columns)]
    cells = zip(*(texts for _, _, texts in columns), strict=True)
    return "\n".join([*lines, *(line(map(escaped, row)) for row in cells)])
