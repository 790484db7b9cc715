"""The modules as a tree, each with a bar for its share."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.text import Text
from rich.tree import Tree

from dispatchcount.render.columns import MODULE_COLUMNS, aligned
from dispatchcount.render.grid import bar, heat
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import Row, select
from dispatchcount.render.summary import footer, hidden, shared, summary
from dispatchcount.report.model import Report

_BAR, _GUIDE, _GAP = 10, 4, "  "


def module_tree(report: Report, *, depth: int | None = None, min_share: float = 0.0, exact: bool = False) -> Printable:
    """The modules as a rich tree: type, flops, share of all flops and a bar of it, in columns.

    Args:
        report: the report.
        depth: levels below the root to show, None for all.
        min_share: hide modules below this share of all flops, 0.01 for 1 %.
        exact: show every digit.

    Raises:
        ValueError: `depth` is negative or `min_share` is not within 0 and 1.
    """
    selection = select(report, depth, min_share)
    lines = hidden(selection) + shared(selection) + summary(report, exact=exact)
    return Printable(Group(_Branches(selection.rows, exact), Text(), footer(lines)))


class _Branches:
    """The rows as trees; where the console is too narrow for columns, each row's figures follow its name and may fold."""

    def __init__(self, rows: tuple[Row, ...], exact: bool) -> None:
        self.rows = rows
        self.names = [
            Text.assemble((clean(row.label), heat(row.share, row.level)), (f"{_GAP}{clean(row.module.type)}".rstrip(), "dim"))
            for row in rows
        ]
        texts = [[MODULE_COLUMNS[name].text(row, exact) for row in rows] for name in ("flops", "share")]
        self.figures = [[cell.rjust(max(map(len, cells))) for cell in cells] for cells in map(aligned, texts)]
        widths = [_GUIDE * row.level + name.cell_len for row, name in zip(rows, self.names, strict=True)]
        self.indent = max(widths, default=0)
        self.width = self.indent + sum(len(_GAP) + max(map(len, cells), default=0) for cells in self.figures) + len(_GAP) + _BAR

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, self.width).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        branch: list[Tree] = []
        for i, row in enumerate(self.rows):
            label = self._label(i, options.max_width >= self.width)
            if not row.level:
                yield from branch[:1]
                branch = [Tree(label, guide_style="dim")]
            else:
                del branch[row.level :]
                branch.append(branch[-1].add(label))
        yield from branch[:1]

    def _label(self, i: int, in_columns: bool) -> Text:
        row, label = self.rows[i], self.names[i].copy()
        figures = [cells[i] for cells in self.figures]
        if in_columns:
            label.append(" " * (self.indent - _GUIDE * row.level - label.cell_len))
            label.no_wrap = True
        else:
            figures = [figure.strip() for figure in figures]
        label.append(_GAP + _GAP.join((*figures, bar(row.share or 0, _BAR))), heat(row.share, row.level))
        label.overflow = "fold"
        return label
