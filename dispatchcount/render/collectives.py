"""What was sent between ranks, as texts that a table for a console and one of Markdown share."""

from __future__ import annotations

from typing import NamedTuple

from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import bytes_said, nbytes, plural
from dispatchcount.render.plain import clean, named
from dispatchcount.report.collectives import Collective, Traffic
from dispatchcount.report.model import ReportData

Line = tuple[str, str, str]

HEADERS = ("operator", "group", "calls", "payload", "of", "on the wire", "phases")
"""What stands over the columns; `LEFT` are those of text."""

LEFT = (True, True, False, False, True, False, True)

BY_MODULE = ("module", "calls", "payload", "on the wire")
"""The same of what each module's data took."""


class Texts(NamedTuple):
    """The cells of the two tables.

    Attributes:
        rows: a row for each operator and group.
        modules: a row for each module whose data moved, most bytes on the wire first.
    """

    rows: list[tuple[str, ...]]
    modules: list[tuple[str, ...]]


def texts(report: ReportData, *, exact: bool = False) -> Texts:
    """The cells of both tables; control traffic has rows of operators and no modules."""
    found = report.by_collective()
    sums: dict[str, Traffic] = {}
    for row in found:
        for name, traffic in row.modules.items() if not row.control else ():
            sums[name] = sums.get(name, Traffic()) + traffic
    order = sorted(sums.items(), key=lambda item: (-item[1].wire_bytes, -item[1].payload_bytes))
    return Texts(
        [_row(row, exact) for row in found],
        [(named(name), *_figures(traffic, exact)) for name, traffic in order],
    )


def _row(row: Collective, exact: bool) -> tuple[str, ...]:
    payload, wire = nbytes(row.payload_bytes, exact), nbytes(row.wire_bytes, exact)
    name = clean(row.op) + (" (control)" if row.control else "")
    side = row.payload_of if row.payload_bytes else ""
    return name, clean(str(row.group)), f"{row.calls:,}", payload, side, wire, ", ".join(row.phases)


def _figures(traffic: Traffic, exact: bool) -> tuple[str, str, str]:
    payload, wire = nbytes(traffic.payload_bytes, exact), nbytes(traffic.wire_bytes, exact)
    return f"{traffic.calls:,}", payload, wire


def sent(report: ReportData, *, exact: bool = False) -> list[Line]:
    """What a rendering says of it in a line; nothing if no collective ran."""
    rows = report.by_collective()
    if not rows:
        return []
    data = [row for row in rows if not row.control]
    total = sum((Traffic(r.calls, r.payload_bytes, r.wire_bytes) for r in data), Traffic())
    groups = len({row.group for row in rows})
    parts = [
        f"{plural(total.calls, 'collective')} in {plural(groups, 'group')}",
        f"payload {bytes_said(total.payload_bytes, exact)}",
        f"{bytes_said(total.wire_bytes, exact)} on the wire of this rank",
    ]
    control = sum(row.calls for row in rows if row.control)
    if control:
        parts.append(f"besides {plural(control, 'call')} of objects, metadata and barriers")
    more = hint("report.collectives()", "--format collectives")
    return [("sent", f"{', '.join(parts)}; {more} lists them", "")]
