"""The public `Report` and `Diff`: the data of `report/` with the methods that show and save it.

`report/` knows no renderer and `render/` knows only data; this floor stands above both. Each method
imports what it hands on to, so that reading a report does not load every renderer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from dispatchcount.report.diff import DiffData
from dispatchcount.report.model import ReportData
from dispatchcount.report.ranks import RanksData, by_rank

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.hardware.device import Device
    from dispatchcount.hardware.roofline import Roofline
    from dispatchcount.hardware.utilization import Utilization
    from dispatchcount.render.select import Depth

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


class Report(ReportData):
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

    def table(
        self,
        depth: Depth = "auto",
        columns: Sequence[str] | None = None,
        *,
        sort: str | None = None,
        min_share: float = 0.0,
        exact: bool = False,
        fold: bool = True,
        flat: bool = False,
        top: int | None = None,
        batch: int | None = None,
    ) -> ConsoleRenderable:
        """The module tree as a rich table. `str()` is plain text.

        Equal siblings are one row with their sum, ``layers.0–31 ×32``, unless `fold` is False.
        By default as much as fits a window is shown: the biggest modules are opened first, and a …
        marks those with more in them; ``depth=None`` shows all. With ``flat=True`` the biggest
        `top` modules of every depth are listed.

        See `dispatchcount.render.console.table.module_table` for the arguments.
        """
        from dispatchcount.render.console.table import module_table

        return module_table(
            self,
            depth=depth,
            columns=columns,
            sort=sort,
            min_share=min_share,
            exact=exact,
            fold=fold,
            flat=flat,
            top=top,
            batch=batch,
        )

    def overview(
        self,
        top: int | None = 5,
        *,
        depth: Depth = "auto",
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        min_share: float = 0.0,
        exact: bool = False,
        fold: bool = True,
        batch: int | None = None,
    ) -> ConsoleRenderable:
        """Where the flops go, and below it the table: what `print(report)` shows.

        Args:
            top: how many of the biggest modules and of the biggest operators are named, None for
                all, 0 for none.
            depth: as of `table`.
            columns: as of `table`.
            sort: as of `table`.
            min_share: as of `table`.
            exact: show every digit.
            fold: True to show equal siblings as one row with their sum.
            batch: as of `table`.
        """
        from dispatchcount.render.console.overview import overview

        return overview(
            self,
            top=top,
            depth=depth,
            columns=columns,
            sort=sort,
            min_share=min_share,
            exact=exact,
            fold=fold,
            batch=batch,
        )

    def tree(
        self,
        depth: Depth = None,
        *,
        min_share: float = 0.0,
        exact: bool = False,
        fold: bool = True,
    ) -> ConsoleRenderable:
        """The modules as a rich tree with their share of the total; `fold` as of `table`."""
        from dispatchcount.render.console.tree import module_tree

        return module_tree(self, depth=depth, min_share=min_share, exact=exact, fold=fold)

    def operators(
        self,
        top: int | None = 15,
        *,
        sort: str = "flops",
        exact: bool = False,
        notes: bool = True,
    ) -> ConsoleRenderable:
        """The operators as a rich table, biggest first.

        Args:
            top: how many to show, None for all.
            sort: the column to order them by.
            exact: show every digit.
            notes: False leaves out the lines on the whole report, where `table` has just said them.

        Raises:
            ValueError: `sort` is not known or `top` is negative.
        """
        from dispatchcount.render.console.operators import operator_table

        return operator_table(self, top=top, sort=sort, exact=exact, notes=notes)

    def collectives(self, top: int | None = 15, *, exact: bool = False) -> ConsoleRenderable:
        """What was sent between ranks as a rich table: by operator and group, and by module.

        Args:
            top: how many modules to show, None for all.
            exact: show every digit.

        Raises:
            ValueError: `top` is negative.
        """
        from dispatchcount.render.console.collectives import collective_table

        return collective_table(self, top=top, exact=exact)

    def arch(self, *, fold: bool = True) -> ConsoleRenderable:
        """The architecture as `print(model)` shows it, with each module's figures.

        Equal siblings stand there once, with their sum, unless `fold` is False.
        """
        from dispatchcount.render.console.arch import architecture

        return architecture(self, fold=fold)

    def histogram(self, bins: int = 10) -> ConsoleRenderable:
        """The flops of the samples as a rich histogram."""
        from dispatchcount.render.console.histogram import histogram

        return histogram(self, bins=bins)

    def memory_table(
        self, depth: Depth = "auto", *, exact: bool = False, fold: bool = True
    ) -> ConsoleRenderable:
        """The bytes of each kind that every module holds, and the peak, as a rich table.

        `depth` and `fold` are as of `table`.
        """
        from dispatchcount.render.console.memory import memory_table

        return memory_table(self, depth=depth, exact=exact, fold=fold)

    def side_by_side(
        self,
        depth: Depth = "auto",
        *,
        samples: Sequence[str] | None = None,
        columns: Sequence[str] = ("calls", "flops", "share"),
        exact: bool = False,
        fold: bool = True,
    ) -> ConsoleRenderable:
        """Samples beside each other: the modules each ran, how often, at what cost.

        `samples` are labels, by default the first ones; ``columns=("flops", "bytes")`` shows other
        figures of each. `depth` and `fold` are as of `table`; what folds is equal in every sample.
        """
        from dispatchcount.render.console.side_by_side import side_by_side

        return side_by_side(
            self, depth=depth, samples=samples, columns=columns, exact=exact, fold=fold
        )

    def samples_table(
        self,
        top: int | None = 15,
        *,
        depth: Depth = "auto",
        exact: bool = False,
        fold: bool = True,
    ) -> ConsoleRenderable:
        """The most expensive samples, and how often and at what cost each module ran in all.

        `depth` and `fold` are as of `table`; what folds is equal in every sample.
        """
        from dispatchcount.render.console.samples import samples_table

        return samples_table(self, top=top, depth=depth, exact=exact, fold=fold)

    def plot(
        self,
        kind: str = "bars",
        path: str | PathLike[str] | None = None,
        *,
        metric: str = "flops",
        top: int | None = 15,
        depth: int | None = 6,
    ) -> Any:
        """A matplotlib figure: ``"bars"``, ``"icicle"`` or ``"memory"``; written to `path` too.

        See `dispatchcount.render.plots.plot.plot` for the arguments.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from dispatchcount.render.plots.plot import plot

        return plot(self, kind, path, metric=metric, top=top, depth=depth)

    def to_html(
        self, path: str | PathLike[str] | None = None, *, device: Device | None = None
    ) -> str:
        """One self-contained HTML page; written to `path` as well, if given.

        Args:
            path: where to write it.
            device: also show the run on the roofline of this device.

        Raises:
            dispatchcount.DeviceError: the device has neither peaks nor a bandwidth.
            OSError: `path` cannot be written.
        """
        from dispatchcount.render.html.page import to_html

        if device is None:
            return to_html(self, path)
        from dispatchcount.hardware.page import roof_data

        return to_html(self, path, roof_data(self.roofline(device)))

    def to_chrome_trace(
        self, path: str | PathLike[str] | None = None, metric: str = "flops"
    ) -> bytes:
        """A Chrome/Perfetto trace: modules as nested slices as wide as `metric`.

        It is written to `path` as well, if given.
        """
        from dispatchcount.render.traces.chrome import to_chrome_trace

        return to_chrome_trace(self, path, metric)

    def to_speedscope(self, path: str | PathLike[str] | None = None) -> bytes:
        """A speedscope file with a profile for each metric; written to `path` too, if given."""
        from dispatchcount.render.traces.speedscope import to_speedscope

        return to_speedscope(self, path)

    def to_csv(self, path: str | PathLike[str] | None = None) -> str:
        """A line for each module, raw integers; written to `path` as well, if given."""
        from dispatchcount.render.text.modules import to_csv

        return to_csv(self, path)

    def to_jsonl(self, path: str | PathLike[str] | None = None) -> bytes:
        """A JSON object for each module and line; written to `path` as well, if given."""
        from dispatchcount.render.text.modules import to_jsonl

        return to_jsonl(self, path)

    def to_markdown(
        self,
        depth: Depth = "auto",
        *,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        exact: bool = False,
        fold: bool = True,
        batch: int | None = None,
    ) -> str:
        """The module table as GitHub Markdown, with the arguments of `table`."""
        from dispatchcount.render.text.modules import to_markdown

        return to_markdown(
            self, depth, columns=columns, sort=sort, exact=exact, fold=fold, batch=batch
        )

    def to_latex(
        self,
        depth: Depth = "auto",
        *,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        exact: bool = False,
        fold: bool = True,
        batch: int | None = None,
    ) -> str:
        """The module table for a paper, in LaTeX with booktabs, with the arguments of `table`."""
        from dispatchcount.render.text.latex import to_latex

        return to_latex(
            self, depth, columns=columns, sort=sort, exact=exact, fold=fold, batch=batch
        )

    def to_openmetrics(self) -> str:
        """The totals and each module's figures as OpenMetrics text."""
        from dispatchcount.render.text.openmetrics import to_openmetrics

        return to_openmetrics(self)

    def to_tensorboard(self, writer: Any, step: int = 0) -> None:
        """Add the totals as scalars to a `torch.utils.tensorboard.SummaryWriter`."""
        from dispatchcount.render.tensorboard import to_tensorboard

        to_tensorboard(self, writer, step)

    def to_frame(self) -> Any:
        """The modules as a pandas DataFrame, indexed by name.

        Raises:
            ImportError: pandas is not installed.
        """
        from dispatchcount.render.frame import to_frame

        return to_frame(self)

    def __str__(self) -> str:
        return str(self.overview())

    def __repr__(self) -> str:
        from dispatchcount.render.text.line import report_line

        return report_line(self)

    def __rich__(self) -> ConsoleRenderable:
        return self.overview()

    def _repr_html_(self) -> str:
        from dispatchcount.render.html.notebook import to_notebook

        return to_notebook(self)


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
