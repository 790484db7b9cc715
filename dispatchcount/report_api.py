"""The public `Report` and `Diff`: the data of `report/` with the methods that show and save it.

`report/` knows no renderer and `render/` knows only data; this floor stands above both. Each method
imports what it hands on to, so that reading a report does not load every renderer.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from dispatchcount.report.diff import DiffData
from dispatchcount.report.model import ReportData
from dispatchcount.report.ranks import RanksData, by_rank
from dispatchcount.report_forms import ReportForms

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.hardware.device import Device
    from dispatchcount.hardware.roofline import Roofline
    from dispatchcount.hardware.utilization import Utilization

R = TypeVar("R", bound="Report")


def _report(given: Any, method: str) -> Any:
    """The report that a method was given.

    Raises:
        TypeError: it is something else, such as a profile or the path of a file.
    """
    if isinstance(given, ReportData):
        return given
    raise TypeError(
        f"{method} takes reports, got {type(given).__name__}; `prof.report` is the report of a "
        "block, and dispatchcount.Report.from_json(path) reads one"
    )


class Report(ReportForms):
    """What a profiled block did. Every figure is an exact int unless marked an estimate.

    Attributes:
        meta: versions, devices, where the block stopped, the user's labels.
        convention: name of the convention that `flops` follows; see `with_convention`.
        modules: the module table; index 0 is work outside every module, index 1 the root ``""``.
        paths: the stacks of calls seen; index 0 is outside every module.
        entries: what ran, one for each distinct path, operator, phase and dtype.
        issues: operators that could not be counted.
        samples, profiles: see `dispatchcount.Profile.sample`.
        memory: see ``profile(memory=True)``; None where it was not asked for.
        groups: the process groups that collectives were called with; see `by_collective`.
    """

    def __add__(self, other: Report) -> Report:
        """Both runs together; see `merge`."""
        return Report.merge([self, other]) if isinstance(other, Report) else NotImplemented

    @overload
    @classmethod
    def merge(cls: type[R], reports: Iterable[Report], axis: Literal["run"] = "run") -> R: ...

    @overload
    @classmethod
    def merge(cls: type[R], reports: Iterable[Report], axis: Literal["rank"]) -> Ranks: ...

    @classmethod
    def merge(cls: type[R], reports: Iterable[Report], axis: str = "run") -> R | Ranks:
        """Many runs or ranks as one.

        Calls and costs add up by module and operator; parameters are those of the first report.

        Args:
            reports: the reports.
            axis: ``"run"`` for one report of all of them; ``"rank"`` for a `Ranks`, which keeps
                each. Whose a report is, its label ``rank`` says; without labels the reports are
                those of ranks 0, 1 and so on.

        Raises:
            ValueError: there is no report, their conventions differ, their ranks contradict each
                other, or the axis is neither.
            TypeError: one is no report, or they are not in a list.
        """
        if isinstance(reports, ReportData) or not isinstance(reports, Iterable):
            raise TypeError("merge() takes the reports in a list: Report.merge([first, second])")
        reports = [_report(one, "merge()") for one in reports]
        if axis == "rank":
            return Ranks(*by_rank(reports))
        if axis != "run":
            raise ValueError(f"axis={axis!r} is not known; it is 'run' or 'rank'")
        from dispatchcount.report.merge import merge

        return merge(reports, make=cls)

    def diff(self, other: Report) -> Diff:
        """What changed from this report (old) to `other` (new).

        Raises:
            TypeError: `other` is no report.
        """
        from dispatchcount.report.diff import diff

        return diff(self, _report(other, "diff()"), make=Diff)

    def self_check(self) -> None:
        """Assert what always holds of a report; see `dispatchcount.report.invariants.self_check`.

        Raises:
            AssertionError: it does not hold; the message names the module and metric.
        """
        from dispatchcount.report.invariants import self_check

        self_check(self)

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The report as JSON by the schema in the package; written to `path` as well, if given."""
        from dispatchcount.report.json.serialize import to_json

        return to_json(self, path)

    @classmethod
    def from_json(cls: type[R], source: bytes | str | PathLike[str]) -> R:
        """A report from JSON bytes or from a file.

        Raises:
            dispatchcount.ReportError: it is not a report; the message says what is wrong and where.
        """
        from dispatchcount.report.json.serialize import from_json

        return from_json(source, make=cls)

    def roofline(self, device: Device) -> Roofline:
        """The least time that `device` needs for each operator and module, and what limits it.

        Raises:
            dispatchcount.DeviceError: the device has neither peaks nor a bandwidth.
            TypeError: it is not a `Device`; `dispatchcount.device` finds one by its name.
        """
        from dispatchcount.hardware.roofline import roofline

        return roofline(self, device)

    def utilization(self, device: Device, seconds: float) -> Utilization:
        """MFU and HFU of this run, which took `seconds` without the profiler on one `device`.

        Raises:
            dispatchcount.DeviceError: `seconds` is not a positive number.
            TypeError: `device` is not a `Device`; `dispatchcount.device` finds one by its name.
        """
        from dispatchcount.hardware.utilization import utilization

        return utilization(self, device, seconds)


class Diff(DiffData):
    """Two reports compared under the older one's convention.

    Attributes:
        old: the report that is compared with.
        new: the other, under the convention of `old`.
        rows: modules, then operators, that changed, each with the biggest change of flops first.
    """

    old: Report
    new: Report

    def table(
        self, top: int | None = 30, *, exact: bool = False, fold: bool = True
    ) -> ConsoleRenderable:
        """The totals and the biggest `top` changes as rich tables; `str()` is plain text.

        Equal changes are one row with their sum, and so is a tree that was added or removed, unless
        `fold` is False.
        """
        from dispatchcount.render.diff import diff_table

        return diff_table(self, top, exact=exact, fold=fold)

    def to_markdown(
        self, top: int | None = 30, *, fold: bool = True, page: str | None = None
    ) -> str:
        """The same as GitHub Markdown, for a comment on a pull request.

        Args:
            top: as of `table`.
            fold: as of `table`.
            page: the address of the page that `to_html` wrote, to be linked.

        Raises:
            ValueError: `top` is negative, or `page` is not an address.
        """
        from dispatchcount.render.diff import diff_markdown

        return diff_markdown(self, top, fold=fold, page=page)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """One self-contained HTML page of both reports; written to `path` as well, if given."""
        from dispatchcount.render.html.page import diff_to_html

        return diff_to_html(self, path)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.render.text.line import diff_line

        return diff_line(self)

    def _repr_html_(self) -> str:
        from dispatchcount.render.diff import diff_table

        return diff_table(self)._repr_html_()

    def __rich__(self) -> ConsoleRenderable:
        return self.table()


class Ranks(RanksData[Report]):
    """The reports of a job, one for each rank; see `dispatchcount.distributed.gather`.

    Attributes:
        world: how many ranks the job has.
        ranks: those whose reports there are, in ascending order.
        reports: their reports, in the same order.
    """

    def table(
        self, metric: str = "flops", depth: int | None = 2, *, exact: bool = False
    ) -> ConsoleRenderable:
        """Each module over the ranks: sum, mean, least, most, the slowest rank, imbalance.

        See `dispatchcount.render.console.ranks.ranks_table` for the arguments.
        """
        from dispatchcount.render.console.ranks import ranks_table

        return ranks_table(self, metric, depth, exact=exact)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """One self-contained HTML page of all ranks; written to `path` as well, if given.

        It has a heat map by module and rank, and every rank's figures in all its views.

        Raises:
            ValueError: the conventions of the reports differ.
            OSError: `path` cannot be written.
        """
        from dispatchcount.render.html.page import ranks_to_html

        return ranks_to_html(self, path)

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """All reports as JSON in one file; written to `path` as well, if given."""
        from dispatchcount.report.json.ranks_file import to_json

        return to_json(self, path)

    @classmethod
    def from_json(cls, source: bytes | str | PathLike[str]) -> Ranks:
        """The ranks from JSON bytes or from a file.

        Raises:
            dispatchcount.ReportError: it holds something else; the message says what and where.
        """
        from dispatchcount.report.json.ranks_file import from_json

        return from_json(source, make=cls, report=Report)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.render.console.ranks import ranks_line

        return ranks_line(self)

    def __rich__(self) -> ConsoleRenderable:
        return self.table()
