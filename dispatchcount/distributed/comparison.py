"""Several plans side by side: which mesh takes least time for the same work, and which fits.

Steps on two meshes seldom do the same work: where more ranks share the data, a step has a larger
batch. So times are divided by what a step does before they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatchcount.distributed.work import MACS, PMAC, STEP, chosen, work
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.distributed.least_time import LeastTime
    from dispatchcount.distributed.planned import Plan
    from dispatchcount.hardware.device import Device


@dataclass(frozen=True, repr=False)
class Comparison:
    """Plans of several meshes.

    Attributes:
        plans: the plans, the one with the least time for the same work first; without a device in
            the order given.
        times: each plan on the device; empty without a device.
        by: what times are divided by: ``"sample"``, ``"macs"`` or ``"step"``.
    """

    plans: tuple[Plan, ...]
    times: tuple[LeastTime, ...] = ()
    by: str = STEP

    @property
    def work(self) -> tuple[int, ...]:
        """What a step of each plan does on all ranks: samples, MACs of the forward, or 1 step."""
        return tuple(work(plan, self.by) for plan in self.plans)

    @property
    def seconds(self) -> tuple[float, ...]:
        """The least time of each plan for one sample, 10^15 MACs of the forward, or a step.

        It is empty without a device.
        """
        unit = PMAC if self.by == MACS else 1
        return tuple(
            time.least_seconds / done * unit
            for time, done in zip(self.times, self.work, strict=False)
        )

    def table(self) -> ConsoleRenderable:
        """A line for each plan, as a rich table; ``str()`` is plain text."""
        from dispatchcount.distributed.show import comparison_table

        return comparison_table(self)

    def to_markdown(self) -> str:
        """The same as GitHub Markdown."""
        from dispatchcount.distributed.markdown import comparison_markdown

        return comparison_markdown(self)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        meshes = " | ".join(str(plan.mesh) for plan in self.plans)
        return f"<Comparison of {len(self.plans)} plans: {meshes}>"

    def _repr_html_(self) -> str:
        from dispatchcount.distributed.show import comparison_table

        return comparison_table(self)._repr_html_()

    def __rich__(self) -> ConsoleRenderable:
        return self.table()


def compare(
    plans: Iterable[Plan],
    device: Device | None = None,
    interconnect: float | Mapping[str, float] | None = None,
    by: str | None = None,
) -> Comparison:
    """Plans side by side, the one with the least time for the same work first.

    Args:
        plans: what `plan` returned.
        device: what each rank is; without one there are no times.
        interconnect: as of `Plan.on`. Dimensions that a mesh lacks are left out for that mesh.
        by: what the times of steps are divided by: ``"sample"``, the `samples` that plans were made
            with; ``"macs"``, the MACs of the forward on all ranks, which of one model grow with the
            batch; or ``"step"``, nothing. By default the first of these that all plans have.

    Raises:
        UsageError: there is no plan, a plan lacks what `by` asks for, or no plan has a dimension
            that `interconnect` names.
    """
    given = list(plans)
    if not given:
        raise UsageError("there is no plan to compare; give what plan() returned")
    by = chosen(given, by)
    if device is None:
        return Comparison(tuple(given), by=by)
    if isinstance(interconnect, Mapping):
        known = {name for plan in given for name in plan.mesh.names} | {""}
        unknown = [name for name in interconnect if name not in known]
        if unknown:
            raise UsageError(
                f"interconnect names {', '.join(map(repr, unknown))}, which no mesh has"
            )
    timed = [(plan, plan.on(device, _of_mesh(plan, interconnect))) for plan in given]
    timed.sort(key=lambda pair: pair[1].least_seconds / work(pair[0], by))
    return Comparison(tuple(plan for plan, _ in timed), tuple(time for _, time in timed), by)


def _of_mesh(
    plan: Plan, interconnect: float | Mapping[str, float] | None
) -> float | Mapping[str, float] | None:
    if not isinstance(interconnect, Mapping):
        return interconnect
    return {name: rate for name, rate in interconnect.items() if name in (*plan.mesh.names, "")}
