"""`Plan`: what one rank of a cluster does in a step. Frozen plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING

from dispatchcount.distributed.mesh import Mesh
from dispatchcount.distributed.padding import Padding, gathers, together
from dispatchcount.report.collectives import Collective
from dispatchcount.report.ranks import PLANNED, RANK, WORLD_SIZE
from dispatchcount.report.rows import FORWARD, Memory
from dispatchcount.report_api import Report

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.distributed.least_time import LeastTime
    from dispatchcount.hardware.device import Device


@dataclass(frozen=True, repr=False)
class Plan:
    """A step of one rank. Made by `dispatchcount.distributed.plan`.

    All figures are those of the one rank: of the shards that it holds, the work that it does, and
    the bytes that pass its own link.

    Attributes:
        mesh: the dimensions of the cluster.
        rank: the rank that was planned.
        report: everything that the rank does in the step, as a run would have it.
        padding: what FSDP adds to parameters, for each module that they are sharded at.
        load: tokens by expert that were assumed, by the name of the layer.
        samples: what all ranks together work on in a step, in the user's unit; None if not given.
    """

    mesh: Mesh
    rank: int
    report: Report
    padding: tuple[Padding, ...] = ()
    load: tuple[tuple[str, tuple[int, ...]], ...] = ()
    samples: int | None = None

    @property
    def labelled(self) -> Report:
        """The report, whose labels say that it was planned, and for which rank of which mesh.

        By them reports of several ranks become the page or the table of the job:

            plans = [plan(build, parallelize, step, {"pp": 4}, rank) for rank in range(4)]
            job = dc.Report.merge([one.labelled for one in plans], axis="rank")
        """
        facts = {RANK: str(self.rank), WORLD_SIZE: str(self.mesh.ranks), PLANNED: "yes"}
        return self.report.with_labels(mesh=str(self.mesh), **facts)

    @property
    def coordinates(self) -> dict[str, int]:
        """Where the rank stands in each dimension of the mesh."""
        return self.mesh.coordinates(self.rank)

    # Computes

    @property
    def flops(self) -> int:
        """Flops under the report's convention."""
        return self.report.flops

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.report.macs

    @property
    def forward_macs(self) -> int:
        """Multiply-accumulates of the forward on all ranks, if each does what this one does.

        Plans of one model are compared by it: the backward and what is recomputed are the way that
        a mesh does the work, and the forward is the work. What several ranks do alike is in it as
        often as it is done.
        """
        phases = self.report.by_phase()
        return self.mesh.ranks * phases[FORWARD].macs if FORWARD in phases else 0

    # Stores

    @property
    def params(self) -> int:
        """Elements of the parameters, on all ranks together and each once."""
        return self.report.params

    @property
    def local_params(self) -> int:
        """Those of them that the rank holds."""
        return self.report.local_params

    @property
    def memory(self) -> Memory:
        """The bytes by kind and module, and the peak."""
        assert self.report.memory is not None, "a plan's report is made with memory=True"
        return self.report.memory

    @property
    def parameters(self) -> int:
        """Bytes of the parameters that the rank holds."""
        return self.memory.parameters

    @property
    def gradients(self) -> int:
        """Bytes of their gradients."""
        return self.memory.gradients

    @property
    def optimizer(self) -> int:
        """Bytes of the optimizer's state for them."""
        return self.memory.optimizer

    @property
    def activations(self) -> int:
        """Bytes that autograd keeps for backward, at most; parameters are not in it."""
        return self.memory.saved

    @property
    def peak(self) -> int:
        """The most bytes of tensors that are alive at once, parameters and all else together."""
        return self.memory.peak

    # Sends

    @property
    def payload_bytes(self) -> int:
        """Bytes of the wholes that collectives are about."""
        return self.report.payload_bytes

    @property
    def wire_bytes(self) -> int:
        """Bytes that pass the rank's link in one direction."""
        return self.report.wire_bytes

    def by_collective(self, name: str | None = None) -> list[Collective]:
        """What is sent, by operator and group; see `Report.by_collective`."""
        return self.report.by_collective(name)

    @cached_property
    def padded(self) -> Padding | None:
        """The padding of all modules together; None without FSDP."""
        return together(self.padding)

    @cached_property
    def gathers(self) -> dict[str, int]:
        """How often the step gathers the parameters that FSDP sharded at each module."""
        return gathers(self.padding, self.by_collective())

    @property
    def imbalance(self) -> dict[str, float]:
        """Of each layer with an assumed load: the busiest expert's tokens by their mean."""
        return {
            name: max(tokens) * len(tokens) / sum(tokens) if sum(tokens) else 1.0
            for name, tokens in self.load
        }

    # All ranks

    def redundancy(
        self,
        logical: Plan | None = None,
        metric: str = "macs",
        *,
        distinct: Mapping[str, int] | None = None,
    ) -> dict[str, float | None]:
        """How many times over all ranks hold or do what there is once: ranks · local ÷ logical.

        It is told by module, with those below it, as if every rank did and held what this one does.
        None where there is nothing.

            one = plan(build, None, step, {"dp": 1}, samples=1)
            plan(build, parallelize, step, "dp=4,tp=8", samples=4).redundancy(one)["layers.0"]

        Without `logical`, elements of parameters are compared. Logical MACs are not in a plan of
        one rank: tensors that a layer hands on are plain ones, which do not say what other ranks
        have.

        Args:
            logical: a plan of the same model on one rank. Its work is taken as often as its samples
                go into those of this plan; both then need `samples`.
            metric: what of `logical` is compared with, as of `Ranks.spread`.
            distinct: as of `Ranks.redundancy`.

        Raises:
            UsageError: there is no such metric, samples are missing, the logical plan is one of
                several ranks, or `distinct` names no module.
        """
        from dispatchcount.distributed.repeated import repeated

        return repeated(self, logical, metric, distinct or {})

    # With hardware

    def on(
        self, device: Device, interconnect: float | Mapping[str, float] | None = None
    ) -> LeastTime:
        """The least time of compute and of communication, and if the rank fits into the device.

        Args:
            device: what each rank is.
            interconnect: bytes a second of its link, both directions together as data sheets have
                it, instead of the device's; or by dimension of the mesh, ``{"dp": 100e9}``, where
                some ranks are reached by another link.

        Raises:
            dispatchcount.DeviceError: the device has neither peaks nor a bandwidth.
            dispatchcount.errors.UsageError: `interconnect` is no positive number, or names a
                dimension that the mesh lacks.
        """
        from dispatchcount.distributed.least_time import least_time

        return least_time(self, device, interconnect)

    # Text and files

    def table(self) -> ConsoleRenderable:
        """What the rank computes, stores and sends, as rich tables; ``str()`` is plain text."""
        from dispatchcount.distributed.show import plan_table

        return plan_table(self)

    def to_markdown(self) -> str:
        """The same as GitHub Markdown."""
        from dispatchcount.distributed.markdown import plan_markdown

        return plan_markdown(self)

    def to_html(
        self, path: str | PathLike[str] | None = None, *, device: Device | None = None
    ) -> str:
        """The page of the rank's report, as of `labelled`; written to `path` as well, if given.

        Args:
            path: where to write it.
            device: also show the step on the roofline of this device.

        Raises:
            dispatchcount.DeviceError: the device has neither peaks nor a bandwidth.
            OSError: `path` cannot be written.
        """
        return self.labelled.to_html(path, device=device)

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The plan as JSON, its report included; written to `path` as well, if given."""
        from dispatchcount.distributed.serialize import to_json

        return to_json(self, path)

    @classmethod
    def from_json(cls, source: bytes | str | PathLike[str]) -> Plan:
        """A plan from JSON bytes or from a file.

        Raises:
            dispatchcount.ReportError: it is no plan; the message says what is wrong and where.
        """
        from dispatchcount.distributed.serialize import from_json

        return from_json(source, make=cls)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.distributed.show import plan_line

        return plan_line(self)

    def _repr_html_(self) -> str:
        from dispatchcount.distributed.show import plan_table

        return plan_table(self)._repr_html_()

    def __rich__(self) -> ConsoleRenderable:
        return self.table()
