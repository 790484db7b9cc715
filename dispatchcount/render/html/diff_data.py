"""What the page of a diff shows: pairs of runs, an old one and a new one, over the rows of both.

The first pair is of the whole blocks. A pair for each phase follows, if there are several: a phase
that one of the reports alone has is a pair with a run that did nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.figures import METRICS, Figures
from dispatchcount.render.html.groups import of_pairs, of_report
from dispatchcount.render.html.rows import Facts, Row, row, table
from dispatchcount.render.html.runs import Shared, block, phases, phases_of
from dispatchcount.report.diff import CHANGES
from dispatchcount.report.metrics import in_both
from dispatchcount.report.pairs import SAME, Pair, pairs

if TYPE_CHECKING:
    from dispatchcount.report.diff import DiffData
    from dispatchcount.report.model import ReportData


def diff_data(diff: DiffData, title: str) -> dict[str, Any]:
    """All that the page shows. Integers that JavaScript cannot hold exactly become decimal text."""
    old, new = Facts(diff.old), Facts(diff.new)
    found = pairs(diff)
    rows = [_row(pair, old, new) for pair in found]
    names = [one.name for one in rows]
    groups = of_pairs(found, names, of_report(diff.old, old.shown), of_report(diff.new, new.shown))
    memory = diff.old.memory is not None and diff.new.memory is not None
    totals = (diff.old.total, diff.new.total)
    figures = Figures(totals, memory, in_both(METRICS, *totals))
    shared = Shared(figures)
    place_old = {pair.old: place for place, pair in enumerate(found) if pair.old is not None}
    place_new = {pair.new: place for place, pair in enumerate(found) if pair.new is not None}
    names_of_phases = phases_of(diff.old, diff.new)
    sides = [
        [
            block(
                report,
                place,
                shared,
                "Whole block",
                phases=range(2 + base, 2 + 2 * len(names_of_phases), 2),
            ),
            *phases(report, place, shared, names_of_phases, base=base),
        ]
        for base, (report, place) in enumerate(((diff.old, place_old), (diff.new, place_new)))
    ]
    changes = [SAME, *CHANGES]
    return {
        "title": title,
        "convention": {"name": diff.old.convention, "unit": diff.old.flop_definition.unit},
        "metrics": figures.described(),
        "rows": table(rows, groups),
        # A run of the old report and its like of the new one, in turn.
        "runs": [run for pair in zip(*sides, strict=True) for run in pair],
        "changes": changes,
        "change": [changes.index(pair.change) for pair in found],
        "retyped": [place for place, pair in enumerate(found) if _is_retyped(pair, diff)],
        "was": {
            place: diff.old.modules[pair.old].name
            for place, pair in enumerate(found)
            if pair.old is not None and diff.old.modules[pair.old].name != _name(pair, diff)
        },
        "sides": [_side(diff.old), _side(diff.new)],
        "uncompared": list(diff.uncompared),
        **shared.for_script(),
    }


def _name(pair: Pair, diff: DiffData) -> str:
    """What a module is called now, or was if it is gone."""
    if pair.new is not None:
        return diff.new.modules[pair.new].name
    return diff.old.modules[pair.old or 0].name


def _is_retyped(pair: Pair, diff: DiffData) -> bool:
    """True if both reports have the module, and its class is another one now."""
    if pair.old is None or pair.new is None:
        return False
    return diff.old.modules[pair.old].type != diff.new.modules[pair.new].type


def _row(pair: Pair, old: Facts, new: Facts) -> Row:
    if pair.new is None:
        return row(old, pair.old or 0, pair.parent)
    became = new.report.modules[pair.new].type
    was = became if pair.old is None else old.report.modules[pair.old].type
    return row(new, pair.new, pair.parent, became if was == became else f"{was} → {became}")


def _side(report: ReportData) -> dict[str, Any]:
    """What there is to know of one of the two reports."""
    meta = report.meta
    return {
        "labels": [list(label) for label in meta.labels],
        "model": meta.model,
        "created": meta.created,
        "torch": meta.torch,
        "gap": report.incomplete,
        "estimate": report.estimate,
        "issues": [f"{issue.op} ({issue.status})" for issue in report.issues],
        "stopped": meta.stopped_in,
    }
