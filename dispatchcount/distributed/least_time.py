"""The least time of a planned step on a device: of compute, of communication, and which bounds.

Compute is on the roofline of the device (`dispatchcount.hardware.roofline`). Communication takes
its bytes on the wire by the bytes a second of the link in one direction. Both are lower bounds:
links reach their figure only with large messages, and waiting for other ranks is in neither. A step
that overlaps the two as far as they go takes the larger; one that does not overlap takes the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from dispatchcount.distributed.mesh import Mesh
from dispatchcount.errors import UsageError
from dispatchcount.hardware.device import Device
from dispatchcount.hardware.roofline import RooflineRow, roofline
from dispatchcount.report.brief import Brief

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.distributed.planned import Plan

COMMUNICATION = "communication"
"""What bounds a module that sends for longer than it computes; the others are the roofline's."""

_DIRECTIONS = 2
"""Data sheets give the bandwidth of a link as the sum of both directions."""


@dataclass(frozen=True, slots=True, repr=False)
class ModuleTime(Brief):
    """A module, with the modules below it, or the whole step.

    Attributes:
        name: the module, ``""`` for the root and for the whole.
        compute_seconds: the least time of its operators on the roofline.
        communication_seconds: the least time of what is sent of its data.
        bound: ``"compute"``, ``"memory"``, ``"communication"`` or ``"neither"``.
    """

    name: str
    compute_seconds: float
    communication_seconds: float
    bound: str

    @property
    def least_seconds(self) -> float:
        """The larger of both: the time if they overlap as far as they go."""
        return max(self.compute_seconds, self.communication_seconds)

    @property
    def seconds_in_turn(self) -> float:
        """The sum of both: the least time if nothing overlaps."""
        return self.compute_seconds + self.communication_seconds


@dataclass(frozen=True, repr=False)
class LeastTime:
    """A plan on a device. Times are lower bounds, in seconds.

    Attributes:
        device: what each rank is.
        total: the whole step.
        modules: every module, work outside of all modules first.
        peak: bytes of tensors that are alive at once.
        links: bytes a second in one direction, by dimension of the mesh; ``""`` is any other group.
        notes: what the bounds leave out, a sentence each.
    """

    device: Device
    total: ModuleTime
    modules: tuple[ModuleTime, ...]
    peak: int
    links: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def compute_seconds(self) -> float:
        """The least time of all operators."""
        return self.total.compute_seconds

    @property
    def communication_seconds(self) -> float:
        """The least time of everything that is sent."""
        return self.total.communication_seconds

    @property
    def least_seconds(self) -> float:
        """The least time of the step, compute and communication overlapping."""
        return self.total.least_seconds

    @property
    def bound(self) -> str:
        """What takes longest: ``"compute"``, ``"memory"`` or ``"communication"``."""
        return self.total.bound

    @property
    def fits(self) -> bool | None:
        """True if the tensors fit into the device's memory; None if its size is not known.

        What the allocator, kernels' workspaces and NCCL take beside tensors is not in it.
        """
        return None if self.device.memory is None else self.peak <= self.device.memory

    def by_module(self) -> dict[str, ModuleTime]:
        """Each module's times, with the modules below it, ``""`` for the root."""
        return {row.name: row for row in self.modules}

    def table(self, top: int | None = 15) -> ConsoleRenderable:
        """The modules that take longest, as a rich table; ``str()`` is plain text."""
        from dispatchcount.distributed.show import time_table

        return time_table(self, top)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.distributed.show import time_line

        return time_line(self)

    def _repr_html_(self) -> str:
        from dispatchcount.distributed.show import time_table

        return time_table(self)._repr_html_()

    def __rich__(self) -> ConsoleRenderable:
        return self.table()


def least_time(
    plan: Plan, device: Device, interconnect: float | Mapping[str, float] | None
) -> LeastTime:
    """The plan on `device`; see `Plan.on`."""
    roof = roofline(plan.report, device)
    links = _links(plan.mesh, device, interconnect)
    computing, sending = roof.by_module(), _sending(plan, links)
    modules = plan.report.modules
    rows = tuple(
        _row(module.name, computing[module.name], seconds)
        for module, seconds in zip(modules, sending, strict=True)
        if module.name in computing or seconds
    )
    whole = sum(
        seconds for module, seconds in zip(modules, sending, strict=True) if module.parent < 0
    )
    notes = list(roof.notes)
    if plan.wire_bytes and not links:
        notes.append(f"{device} has no interconnect: communication bounds nothing")
    return LeastTime(device, _row("", roof.total, whole), rows, plan.peak, links, tuple(notes))


def _row(name: str, computing: RooflineRow, sending: float) -> ModuleTime:
    compute = computing.least_seconds
    bound = COMMUNICATION if sending > compute else computing.bound
    return ModuleTime(name, compute, sending, bound)


def _sending(plan: Plan, links: Mapping[str, float]) -> list[float]:
    """Seconds of what is sent, for each module of the report, with those below it."""
    own: dict[str, float] = {}
    for row in plan.by_collective():
        rate = links.get(row.group.dimension, links.get("", 0.0))
        for name, traffic in row.modules.items():
            own[name] = own.get(name, 0.0) + (traffic.wire_bytes / rate if rate else 0.0)
    modules = plan.report.modules
    seconds = [own.get(module.name, 0.0) for module in modules]
    for index in range(len(modules) - 1, -1, -1):  # a parent's index is smaller
        if modules[index].parent >= 0:
            seconds[modules[index].parent] += seconds[index]
    return seconds


def _links(
    mesh: Mesh, device: Device, interconnect: float | Mapping[str, float] | None
) -> dict[str, float]:
    """Bytes a second in one direction by dimension; under ``""`` for all that are not named.

    Raises:
        UsageError: a dimension is none of the mesh's, or a figure is no positive number.
    """
    given: dict[str, float | None] = (
        dict(interconnect) if isinstance(interconnect, Mapping) else {"": interconnect}
    )
    unknown = [name for name in given if name and name not in mesh.names]
    if unknown:
        raise UsageError(
            f"interconnect names {', '.join(map(repr, unknown))}, which the mesh {mesh} does not "
            f"have; its dimensions are {', '.join(mesh.names)}"
        )
    if given.get("") is None:
        given[""] = device.interconnect
    links = {}
    for name, rate in given.items():
        if rate is None:
            continue
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < inf:
            raise UsageError(
                f"interconnect is {rate!r}; give bytes a second, both directions together, as a "
                "positive number such as 900e9, or numbers by dimension of the mesh"
            )
        links[name] = rate / _DIRECTIONS
    return links
