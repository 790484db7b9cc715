"""What was sent between ranks, as a table."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.render.collectives import BY_MODULE, HEADERS, LEFT, texts
from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import plural
from dispatchcount.render.plain import Printable
from dispatchcount.render.summary import Line, footer, summary
from dispatchcount.render.top import check_top
from dispatchcount.report.model import ReportData

_KEPT = ("operator", "module", "on the wire")


def collective_table(report: ReportData, *, top: int | None = 15, exact: bool = False) -> Printable:
    """The collectives by operator and group, and below them the modules whose data moved.

    Args:
        report: the report.
        top: how many modules to show, None for all.
        exact: show every digit.

    Raises:
        ValueError: `top` is negative.
    """
    check_top(top, "modules")
    rows, modules = texts(report, exact=exact)
    if not rows:  # as on one device, where the same script runs as well
        none = ("collectives", "none ran in the block", "")
        return Printable(footer([none, *summary(report, exact=exact)]))
    parts: list[RenderableType] = [_grid(HEADERS, LEFT, rows), Text()]
    if modules[:top]:
        left = (True, *(False for _ in BY_MODULE[1:]))
        parts += [_grid(BY_MODULE, left, modules[:top]), Text()]
    hidden = len(modules) - len(modules[:top])
    lines: list[Line] = []
    if hidden:
        more = hint("top=None", "--top all")
        lines.append(("hidden", f"{plural(hidden, 'module')}; {more} shows all", "dim"))
    lines += [
        ("payload", "the bytes of the whole: what goes in, or what comes out, as the row says", ""),
        ("wire", "what passes this rank's link in one direction, if a ring is used", ""),
    ]
    return Printable(Group(*parts, footer(lines + summary(report, exact=exact))))


def _grid(headers: tuple[str, ...], left: tuple[bool, ...], rows: list[tuple[str, ...]]) -> Grid:
    return Grid(
        [
            Cells(header, [row[place] for row in rows], text, keep=header in _KEPT)
            for place, (header, text) in enumerate(zip(headers, left, strict=True))
        ]
    )
