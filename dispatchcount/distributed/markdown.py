"""Plans and comparisons as GitHub Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.distributed.show import (
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

_RULES = {"left": "---", "right": "---:"}


def plan_markdown(plan: Plan) -> str:
    """What the rank computes, stores and sends, as two tables, and what that rests on."""
    blocks = [
        escaped(title(plan)),
        _table(
            [
                ("one rank", "left", [kind for kind, _, _ in figures(plan)]),
                ("", "right", [figure for _, figure, _ in figures(plan)]),
                ("", "left", [said for _, _, said in figures(plan)]),
            ]
        ),
    ]
    rows = plan.by_collective()
    if rows:
        blocks.append(_table(traffic_cells(rows)))
    blocks.append("\n".join(f"* {escaped(f'{about}: {text}')}" for about, text, _ in notes(plan)))
    return "\n\n".join(blocks) + "\n"


def comparison_markdown(found: Comparison) -> str:
    """A line for each plan."""
    return _table(comparison_cells(found)) + "\n"


def _table(columns: list[tuple[str, str, list[str]]]) -> str:
    lines = [line(head for head, _, _ in columns), line(_RULES[side] for _, side, _ in columns)]
    cells = zip(*(texts for _, _, texts in columns), strict=True)
    return "\n".join([*lines, *(line(map(escaped, row)) for row in cells)])
