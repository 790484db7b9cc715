"""The ranks of a job as a table: what they do together, and how unevenly."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid, indent
from dispatchcount.render.numbers import ABSENT, count, in_unit, nbytes, plural
from dispatchcount.render.plain import Printable, named
from dispatchcount.render.summary import Line, footer
from dispatchcount.report.derived import part
from dispatchcount.report.metrics import BY_KEY, SUMS
from dispatchcount.report.ranks import HELD, RanksData, Spread


def ranks_table(
    ranks: RanksData[Any], metric: str = "flops", depth: int | None = 2, *, exact: bool = False
) -> Printable:
    """A row for each module down to a depth: the figure over the ranks, and the slowest of them.

    Args:
        ranks: the ranks.
        metric: as of `RanksData.spread`.
        depth: levels below the root, None for all.
        exact: show every digit.

    Raises:
        ValueError: there is no such metric.
    """
    rows = {
        name: spread
        for name, spread in ranks.by_module(metric).items()
        if spread.sum and (depth is None or _level(name) <= depth)
    }
    spreads = [*rows.values(), ranks.spread(metric)]
    names = [named(name) for name in rows]
    known = BY_KEY.get(metric) or SUMS.get(metric)
    show = nbytes if metric in HELD else count if known is None else in_unit(known.unit)
    label = metric.replace("_", " ") if known is None else known.label

    def figures(header: str, pick: Any, *, keep: bool = False) -> Cells:
        return Cells(header, [show(pick(spread), exact) for spread in spreads], keep=keep)

    table = Grid(
        [
            Cells(
                "module",
                [*names, "all"],
                True,
                leads=[*(indent(_level(name)) for name in rows), ""],
            ),
            figures(f"{label} of all", lambda spread: spread.sum, keep=True),
            figures("mean", lambda spread: spread.mean),
            figures("min", lambda spread: spread.min),
            figures("max", lambda spread: spread.max),
            Cells("slowest", [_slowest(spread) for spread in spreads], True, keep=True),
            Cells("max/mean", [_ratio(spread.imbalance) for spread in spreads], keep=True),
        ]
    )
    return Printable(Group(table, Text(), footer(_lines(ranks))))


def _level(name: str) -> int:
    return name.count(".") + 1 if name else 0


def _slowest(spread: Spread) -> str:
    """The rank with the most; nothing where all have as much."""
    return f"rank {spread.slowest}" if spread.min < spread.max else ABSENT


def _ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}"


def _lines(ranks: RanksData[Any]) -> list[Line]:
    """What stands below the table: the ranks, and what each of them holds."""
    first = ranks.reports[0]
    lines: list[Line] = [
        ("ranks", f"{len(ranks.ranks):,} of {ranks.world:,}", ""),
        ("flops", f"{first.convention} convention: {first.flop_definition.unit}", ""),
    ]
    if ranks.missing and ranks.planned:
        text = f"ranks {_planned(ranks)} alone; sums and means are of these"
        lines.append(("planned", text, "yellow"))
    elif ranks.missing:
        listed = ", ".join(map(str, ranks.missing))
        lines.append(("missing", f"no report of {_some_ranks(ranks)} {listed}", "yellow"))
    params, held = max(report.params for report in ranks.reports), ranks.spread("local_params")
    times = part(held.sum, params)
    if times is not None and not ranks.missing:
        text = f"{count(params, False)}, of which the ranks hold {count(held.sum, False)} together"
        lines.append(("params", f"{text}, each {times:.3g} times", ""))
    for rank, report in zip(ranks.ranks, ranks.reports, strict=True):
        if report.meta.error is not None:
            where = named(report.meta.stopped_in or "")
            lines.append(("stopped", f"rank {rank} in {where}: {report.meta.error}", "yellow"))
    return lines


def _planned(ranks: RanksData[Any]) -> str:
    return ", ".join(map(str, ranks.ranks))


def _some_ranks(ranks: RanksData[Any]) -> str:
    return plural(len(ranks.missing), "rank").split(" ", 1)[-1]


def ranks_line(ranks: RanksData[Any]) -> str:
    """The ranks on one line, ``<Ranks 4 of 4: 35.7 M flops, slowest rank 0, max/mean 1.139>``."""
    spread = ranks.spread()
    parts = [f"{count(spread.sum, False)} flops ({ranks.reports[0].convention})"]
    if spread.min < spread.max:
        parts.append(f"slowest rank {spread.slowest}, max/mean {_ratio(spread.imbalance)}")
    if ranks.missing and ranks.planned:
        parts.append(f"planned for {_planned(ranks)} alone")
    elif ranks.missing:
        parts.append(f"no report of {', '.join(map(str, ranks.missing))}")
    return f"<Ranks {len(ranks.ranks):,} of {ranks.world:,}: {', '.join(parts)}>"
