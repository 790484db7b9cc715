"""Plans, their least times and comparisons as tables and lines of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.distributed.work import MACS, SAMPLE, STEP
from dispatchcount.render.collectives import HEADERS, LEFT, texts
from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.numbers import ABSENT, duration, human, nbytes, percent, plural
from dispatchcount.render.plain import Printable, named
from dispatchcount.render.summary import Line, footer, summary
from dispatchcount.render.top import check_top

if TYPE_CHECKING:
    from dispatchcount.distributed.comparison import Comparison
    from dispatchcount.distributed.least_time import LeastTime
    from dispatchcount.distributed.planned import Plan


Column = tuple[str, bool, list[str]]
"""A column: its header, True if it is text and not numbers, and its cells."""


def plan_line(plan: Plan) -> str:
    """``<Plan of rank 0 of dp=128,tp=8: 1.65 T MACs, peak 3.21 GB, 1.02 GB on the wire>``."""
    return (
        f"<Plan of rank {plan.rank} of {plan.mesh}: {human(plan.macs)} MACs, "
        f"peak {nbytes(plan.peak)}, {nbytes(plan.wire_bytes)} on the wire>"
    )


def title(plan: Plan) -> str:
    """What was planned, and for whom."""
    place = ", ".join(f"{name} {at}" for name, at in plan.coordinates.items())
    return (
        f"A step of {plan.report.meta.model or 'the model'} on {plan.mesh} "
        f"({plural(plan.mesh.ranks, 'rank')}), as rank {plan.rank} ({place}) has it"
    )


def figures(plan: Plan) -> list[tuple[str, str, str]]:
    """What the rank computes and stores: a kind, its figure, and what there is to say of it."""
    share = plan.local_params / plan.params if plan.params else 1.0
    held = f"{human(plan.local_params)} of {human(plan.params)} elements, {percent(share)}"
    phases = ", ".join(
        f"{name} {human(row.macs)}" for name, row in plan.report.by_phase().items() if row.macs
    )
    peak = plan.memory
    at = f"in {named(peak.peak_module)}, at {peak.peak_op}" if peak.peak_op else ""
    return [
        ("MACs", human(plan.macs), phases),
        ("parameters", nbytes(plan.parameters), held),
        ("gradients", nbytes(plan.gradients), ""),
        ("optimizer", nbytes(plan.optimizer), ""),
        ("activations", _kept(plan), "kept for backward: each module's most"),
        ("peak", nbytes(plan.peak), f"of all tensors together, {at}".rstrip(", ")),
    ]


def _kept(plan: Plan) -> str:
    """Nothing is kept without a backward, or this torch does not show it, as a note then says."""
    return nbytes(plan.activations) if plan.activations else ABSENT


def notes(plan: Plan) -> list[Line]:
    """What the figures rest on: padding, assumed loads, and what every report says."""
    lines: list[Line] = []
    padded = plan.padded
    if padded is not None and padded.sent > padded.useful:
        text = (
            f"FSDP gathers {padded.sent:,} bytes for the {padded.useful:,} of the parameters, "
            f"{percent(padded.added)} more, because {padded.ranks:,} ranks do not divide the first "
            f"dimension of each and zeros fill it up{_how_often(plan)}"
        )
        lines.append(("padding", text, "yellow"))
    imbalance = plan.imbalance
    for name, tokens in plan.load:
        shown = ", ".join(map(str, tokens[:8])) + (", …" if len(tokens) > 8 else "")
        lines.append(
            (
                "assumed",
                f"load of {name}: {shown} tokens by expert; the busiest has "
                f"{imbalance[name]:.2f} times their mean",
                "yellow",
            )
        )
    return [*lines, *summary(plan.report)]


def traffic_cells(plan: Plan) -> list[Column]:
    """What is sent, a row for each operator and group; no column if nothing is."""
    rows, _ = texts(plan.report)
    if not rows:
        return []
    cells = [list(column) for column in zip(*rows, strict=True)]
    return list(zip(HEADERS, LEFT, cells, strict=True))


def plan_table(plan: Plan) -> Printable:
    """What the rank computes, stores and sends, and below it what that rests on."""
    kinds, numbers, said = zip(*figures(plan), strict=True)
    own = Grid([Cells("one rank", kinds, True), Cells("", numbers), Cells("", said, True)])
    parts: list[RenderableType] = [Text(title(plan), style="bold"), Text(), own]
    sent = traffic_cells(plan)
    if sent:
        parts += [Text(), Grid(_cells(sent))]
    return Printable(Group(*parts, Text(), footer(notes(plan))))


def time_line(time: LeastTime) -> str:
    """``<LeastTime on NVIDIA H100 SXM: at least 94.1 ms, limited by compute>``."""
    return (
        f"<LeastTime on {time.device}: at least {_seconds(time.least_seconds)}, "
        f"limited by {time.bound}>"
    )


def time_table(time: LeastTime, top: int | None = 15) -> Printable:
    """The modules that take longest with their least times, the root first.

    Args:
        time: the times.
        top: how many rows, None for all.

    Raises:
        ValueError: `top` is negative.
    """
    check_top(top, "rows")
    rows = sorted(time.modules, key=lambda row: -row.least_seconds)
    shown = rows[:top]
    columns = [
        Cells("module", [named(row.name) for row in shown], True, keep=True),
        Cells("compute", [_seconds(row.compute_seconds) for row in shown]),
        Cells("communication", [_seconds(row.communication_seconds) for row in shown]),
        Cells("bound", [row.bound for row in shown], True, keep=True),
    ]
    lines: list[Line] = []
    if len(rows) > len(shown):
        lines.append(("hidden", f"{plural(len(rows) - len(shown), 'module')} with less", "dim"))
    return Printable(Group(Grid(columns), Text(), footer([*lines, *time_notes(time)])))


def time_notes(time: LeastTime) -> list[Line]:
    """The whole step, the memory, and what the bounds leave out."""
    total = time.total
    lines: list[Line] = [
        (
            "least time",
            f"{_seconds(total.least_seconds)} on {time.device} if compute and communication "
            f"overlap, {_seconds(total.seconds_in_turn)} if they take turns; "
            f"limited by {total.bound}",
            "bold",
        ),
        ("memory", _fit(time), "" if time.fits is not False else "bold red"),
    ]
    if time.links:
        rates = ", ".join(
            f"{name or 'every group'} {human(rate)}B/s" if name else f"{human(rate)}B/s"
            for name, rate in time.links.items()
        )
        lines.append(("link", f"{rates} in one direction, half of what a sheet prints", "dim"))
    return lines + [("note", note, "yellow") for note in time.notes]


def comparison_table(found: Comparison) -> Printable:
    """A line for each plan, the least time first, and below them what they rest on."""
    lines: list[Line] = []
    for plan in found.plans:
        lines += [
            (str(plan.mesh), text, style)
            for about, text, style in notes(plan)
            if about in ("padding", "assumed")
        ]
    if found.times:
        device = found.times[0].device
        lines.append(("least time", f"on {device}, compute and communication overlapping", "dim"))
        lines.append(("sorted", f"by the least time {_BY[found.by]}", "dim"))
    body = [Grid(_cells(comparison_cells(found)))]
    return Printable(Group(*body, Text(), footer(lines)) if lines else Group(*body))


def comparison_cells(found: Comparison) -> list[Column]:
    """A row for each plan."""
    plans = found.plans
    columns = [
        ("mesh", True, [str(plan.mesh) for plan in plans]),
        ("ranks", False, [f"{plan.mesh.ranks:,}" for plan in plans]),
        ("MACs", False, [human(plan.macs) for plan in plans]),
        ("parameters", False, [nbytes(plan.parameters) for plan in plans]),
        ("peak", False, [nbytes(plan.peak) for plan in plans]),
        ("on the wire", False, [nbytes(plan.wire_bytes) for plan in plans]),
        ("padding", False, [_added(plan) for plan in plans]),
    ]
    if found.times:
        columns += [
            ("compute", False, [_seconds(time.compute_seconds) for time in found.times]),
            (
                "communication",
                False,
                [_seconds(time.communication_seconds) for time in found.times],
            ),
            ("bound", True, [time.bound for time in found.times]),
            ("least time", False, [_seconds(time.least_seconds) for time in found.times]),
            *_by_work(found),
            ("fits", True, [_YES_NO[time.fits] for time in found.times]),
        ]
    return columns


_BY = {
    SAMPLE: "for one sample: that of a step, by the samples of all ranks in it",
    MACS: "for 10^15 MACs of the forward: that of a step, by the MACs of the forward on all ranks. "
    "A mesh that shares the data among more ranks works on a larger batch in a step",
    STEP: "of a step, whatever work that is",
}
"""What times are divided by, in words."""


def _by_work(found: Comparison) -> list[Column]:
    """What a step does, and the time for the same work; no column if steps are compared."""
    if found.by == STEP:
        return []
    unit = "sample" if found.by == SAMPLE else "PMAC forward"
    shown = [f"{done:,}" if found.by == SAMPLE else human(done) for done in found.work]
    return [
        ("samples" if found.by == SAMPLE else "forward MACs, all ranks", False, shown),
        (f"time by {unit}", False, [_seconds(seconds) for seconds in found.seconds]),
    ]


_YES_NO = {True: "yes", False: "no", None: ABSENT}


def _added(plan: Plan) -> str:
    padded = plan.padded
    if padded is None:
        return ABSENT
    return f"+{percent(padded.added)}" if padded.sent > padded.useful else "none"


def _how_often(plan: Plan) -> str:
    """How often a step gathers the parameters of a module, where that is known of each."""
    times = sorted(set(plan.gathers.values()))
    if not times or len(plan.gathers) < len(plan.padding):
        return ""
    words = {1: "once", 2: "twice"}
    said = " or ".join(words.get(number, f"{number:,} times") for number in times)
    return f"; it gathers those of each module {said} a step"


def _fit(time: LeastTime) -> str:
    if time.device.memory is None:
        return f"peak {nbytes(time.peak)}; how much {time.device} has is not known"
    share = time.peak / time.device.memory
    verb = "fits into" if time.fits else "does not fit into"
    return (
        f"peak {nbytes(time.peak)} {verb} {nbytes(time.device.memory)} ({percent(share)}); what "
        "the allocator and libraries take beside tensors is not in it"
    )


def _cells(columns: Iterable[Column]) -> list[Cells]:
    return [Cells(head, cells, left, keep=True) for head, left, cells in columns]


def _seconds(seconds: float) -> str:
    """Seconds in three digits, 0 as a dash."""
    return duration(round(seconds * 1e9)) if seconds else ABSENT
