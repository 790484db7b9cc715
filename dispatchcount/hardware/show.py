"""Rooflines, utilizations and the device table as text, tables and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Group
from rich.text import Text

from dispatchcount import files
from dispatchcount.render.console.grid import Cells, Grid, heat
from dispatchcount.render.numbers import ABSENT, duration, human, nbytes, percent, plural
from dispatchcount.render.plain import Printable, named
from dispatchcount.render.summary import Line, footer
from dispatchcount.render.top import check_top

if TYPE_CHECKING:
    from dispatchcount.hardware.device import Device
    from dispatchcount.hardware.roofline import Roofline, RooflineRow
    from dispatchcount.hardware.utilization import Utilization

GROUPS = ("operator", "module", "phase")
"""What the rows of a roofline's table may be."""


def roofline_table(roof: Roofline, *, top: int | None = 15, by: str = "operator") -> Printable:
    """The rows with the longest least time first, and below them the run and what bounds mean.

    Args:
        roof: the roofline.
        top: how many rows, None for all.
        by: ``"operator"``, ``"module"`` (each module's own work) or ``"phase"``.

    Raises:
        ValueError: `by` is not known, or `top` is negative.
    """
    if by not in GROUPS:
        raise ValueError(f"by={by!r} is not known; it is one of {', '.join(GROUPS)}")
    check_top(top, "rows")
    rows = sorted(_rows(roof, by), key=lambda row: -row.least_seconds)
    shown = rows[:top]
    timed = bool(roof.total.seconds)
    names = [named(row.name) if by == "module" else row.name for row in shown]
    columns = [
        Cells(by, names, True, [heat(row.share) for row in shown], keep=True),
        Cells("calls", [human(row.calls) for row in shown]),
        Cells("flops", [human(row.flops) for row in shown]),
        Cells("bytes", [nbytes(row.nbytes) for row in shown]),
        Cells("flops/byte", [_number(row.intensity) for row in shown]),
        Cells("bound", [row.bound for row in shown], True, keep=True),
        Cells("least time", [_seconds(row.least_seconds) for row in shown], keep=True),
        Cells("share", [percent(row.share) for row in shown], keep=True),
    ]
    if timed:
        columns += [
            Cells("time", [_seconds(row.seconds) for row in shown]),
            Cells("flops/s", [_number(row.flops_per_s) for row in shown]),
            Cells("of roof", [_percent(row.of_roof) for row in shown], keep=True),
        ]
    left_out = len(rows) - len(shown)
    hidden: list[Line] = (
        [("hidden", f"{plural(left_out, by)} with less", "dim")] if left_out else []
    )
    return Printable(Group(Grid(columns), Text(), footer(hidden + _summary(roof))))


def roofline_line(roof: Roofline) -> str:
    """``<Roofline on NVIDIA H100 SXM: at least 1.94 ms, 35.2 % of it limited by memory>``."""
    memory = percent(roof.share("memory"))
    least = _seconds(roof.least_seconds)
    return f"<Roofline on {roof.device}: at least {least}, {memory} of it limited by memory>"


def roofline_json(roof: Roofline, path: str | PathLike[str] | None = None) -> bytes:
    """The device, the whole run and the rows by operator, module and phase as JSON."""
    data = orjson.dumps(
        {
            "device": device_row(roof.device),
            "total": _row(roof.total),
            "operators": [_row(row) for row in roof.by_operator().values()],
            "modules": [_row(row) for row in roof.by_module().values()],
            "phases": [_row(row) for row in roof.by_phase().values()],
            "notes": list(roof.notes),
        },
        option=orjson.OPT_INDENT_2,
    )
    if path is not None:
        files.write(path, data)
    return data


def device_row(device: Device) -> dict[str, Any]:
    """A device as plain data, what is not known left out."""
    row: dict[str, Any] = {"name": device.name, "title": str(device), "peak": dict(device.peak)}
    for kind in ("bandwidth", "memory", "interconnect", "units"):
        if getattr(device, kind) is not None:
            row[kind] = getattr(device, kind)
    row |= {"vector": dict(device.vector), "sparse_peak": device.sparse_peak}
    row |= {"rounds": list(device.rounds)}
    row |= {"measured": device.measured, "note": device.note}
    if device.source is not None:
        row["source"] = {
            "document": str(device.source),
            "url": device.source.url,
            "seen": device.source.seen,
            "quoted_by": device.source.quoted_by,
        }
    return row


def utilization_text(used: Utilization) -> str:
    """MFU and HFU with what counts in them, a line each."""
    lines = [
        f"MFU        {_percent(used.mfu)} of {used.device}",
        *([f"  unmasked {_percent(used.mfu_unmasked)}"] if used.mfu_unmasked != used.mfu else []),
        f"HFU        {_percent(used.hfu)}",
        f"flops      {human(used.flops)} in {_seconds(used.seconds)}: {human(used.flops_per_s)}/s",
        f"what counts: {used.counts}",
        *used.notes,
    ]
    return "\n".join(lines)


def utilization_line(used: Utilization) -> str:
    """``<Utilization of NVIDIA H100 SXM: MFU 41.2 %, HFU 54.9 %, 407 T flops/s>``."""
    figures = (
        f"MFU {_percent(used.mfu)}, HFU {_percent(used.hfu)}, {human(used.flops_per_s)} flops/s"
    )
    return f"<Utilization of {used.device}: {figures}>"


def text_html(text: str) -> str:
    """A text as it is, for a notebook's cell."""
    return Printable(Text(text))._repr_html_()


def device_table(known: Iterable[Device]) -> Printable:
    """Devices, a line each: dense peaks, bandwidth, memory and the source's date."""
    rows = list(known)

    def peaks(dtype: str) -> list[str]:
        return [_number(device.peak.get(dtype)) for device in rows]

    columns = [
        Cells("device", [device.name for device in rows], True, keep=True),
        Cells("bfloat16", peaks("bfloat16"), keep=True),
        Cells("float16", peaks("float16")),
        Cells("tf32", peaks("tf32")),
        Cells("float32", peaks("float32"), keep=True),
        Cells("float64", peaks("float64")),
        Cells("float8", peaks("float8_e4m3fn")),
        Cells("int8", peaks("int8")),
        Cells("bytes/s", [_number(device.bandwidth) for device in rows], keep=True),
        Cells("memory", [_bytes(device.memory) for device in rows]),
        Cells("source", [_dated(device) for device in rows], True),
    ]
    lines: list[Line] = [
        ("peak", "flops a second of dense products, 2 for each multiply-accumulate", ""),
        ("sparsity", "no figure here is the doubled one that sheets print for 2:4 sparsity", ""),
        ("more", "dispatchcount devices NAME shows a device's every figure and its source", "dim"),
    ]
    return Printable(Group(Grid(columns), Text(), footer(lines)))


def device_text(device: Device) -> str:
    """All that is known of a device, a line each."""
    lines = [f"{device.name}: {device}"]
    doubled = device.sparse_peak
    for dtype, rate in device.peak.items():
        sparse = f"   (with 2:4 sparsity {human(doubled[dtype])})" if dtype in doubled else ""
        lines.append(f"  peak {dtype:<18} {human(rate):>8} flops/s{sparse}")
    lines += [f"  vector {d:<16} {human(rate):>8} flops/s" for d, rate in device.vector.items()]
    for kind, unit in (("bandwidth", "B/s"), ("memory", "B"), ("interconnect", "B/s")):
        value = getattr(device, kind)
        if value is not None:
            lines.append(f"  {kind:<23} {human(value, unit):>12}")
    if device.units is not None:
        lines.append(f"  {'units':<23} {device.units:>8,}")
    if device.note:
        lines.append(f"  note: {device.note}")
    if device.source is not None:
        lines.append(f"  source: {device.source}")
        lines.append(f"          {device.source.url}")
        if device.source.quoted_by:
            lines.append(f"  {device.source.seen}: {device.source.quoted_by}")
    return "\n".join(lines)


def _rows(roof: Roofline, by: str) -> Iterable[RooflineRow]:
    if by == "module":
        return roof.by_module(own=True).values()
    return (roof.by_phase() if by == "phase" else roof.by_operator()).values()


def _summary(roof: Roofline) -> list[Line]:
    total = roof.total
    memory = percent(roof.share("memory"))
    lines: list[Line] = [
        (
            "least time",
            f"{_seconds(total.least_seconds)} on {roof.device}, a lower bound; "
            f"{memory} of it is limited by memory",
            "bold",
        )
    ]
    if total.seconds:
        text = f"{_seconds(total.seconds)} in operators: {_percent(total.of_roof)} of the roof"
        lines.append(("measured", text, ""))
    lines.append(
        (
            "bound",
            "the larger of flops / peak and bytes / bandwidth, each operand read once; "
            "2 flops for a multiply-accumulate, 1 for other arithmetic",
            "dim",
        )
    )
    return lines + [("note", note, "yellow") for note in roof.notes]


def _row(row: RooflineRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "calls": row.calls,
        "macs": row.macs,
        "flops": row.flops,
        "flops_by_dtype": dict(row.flops_by_dtype),
        "bytes": row.nbytes,
        "intensity": row.intensity,
        "bound": row.bound,
        "compute_seconds": row.compute_seconds,
        "memory_seconds": row.memory_seconds,
        "least_seconds": row.least_seconds,
        "share": row.share,
        "seconds": row.seconds or None,
        "flops_per_s": row.flops_per_s,
        "of_roof": row.of_roof,
    }


def _dated(device: Device) -> str:
    return "" if device.source is None else f"{device.source.publisher} {device.source.date}"


def _number(value: float | None) -> str:
    return ABSENT if value is None else human(value)


def _bytes(value: float | None) -> str:
    return ABSENT if value is None else nbytes(value)


def _percent(share: float | None) -> str:
    return ABSENT if share is None else percent(share)


def _seconds(seconds: float) -> str:
    """Seconds in three digits, also below a nanosecond."""
    nanoseconds = seconds * 1e9
    return duration(round(nanoseconds)) if nanoseconds >= 10 else f"{nanoseconds:.2f} ns"
