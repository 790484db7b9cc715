"""What a report is shown and saved as: tables, pages, traces, text. `Report` inherits it.

Each method imports what it hands on to, so that reading a report does not load every renderer.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.report.model import ReportData

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.hardware.device import Device
    from dispatchcount.render.select import Depth


class ReportForms(ReportData):
    """The data of a report with the forms that it is shown and saved in; see `Report`."""

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
        from dispatchcount.hardware.roofline import roofline

        return to_html(self, path, roof_data(roofline(self, device)))

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
        from dispatchcount.render.text.module_texts import module_texts
        from dispatchcount.render.text.modules import to_markdown

        texts = module_texts(
            self, depth, columns=columns, sort=sort, exact=exact, fold=fold, batch=batch
        )
        return to_markdown(self, texts, exact=exact)

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
        from dispatchcount.render.text.module_texts import module_texts

        texts = module_texts(
            self, depth, columns=columns, sort=sort, exact=exact, fold=fold, batch=batch
        )
        return to_latex(texts)

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
