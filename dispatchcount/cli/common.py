"""What several commands share: reading reports, writing results, options."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatchcount import files
from dispatchcount.cli import streams
from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.paths import STANDARD
from dispatchcount.errors import DispatchcountError, UsageError
from dispatchcount.render.hints import in_shell
from dispatchcount.report.conventions import CONVENTIONS

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.report_api import Report


def add_convention(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--convention``."""
    parser.add_argument(
        "--convention",
        choices=sorted(CONVENTIONS),
        help="count flops by this convention instead of the report's own",
    )


TABLE_OPTIONS = ("depth", "columns", "sort", "min_share", "exact", "fold", "flat", "top")
"""The attributes that `add_table_options` adds. An option that was not given has none."""


ROW_OPTIONS = ("depth", "exact", "fold")
"""The attributes that `add_row_options` adds. An option that was not given has none."""


def add_row_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every view that has a row for each module."""
    absent = argparse.SUPPRESS
    parser.add_argument(
        "--depth",
        type=depth,
        default=absent,
        metavar="N",
        help="levels of modules, or all; by default what fits a window, the biggest first",
    )
    parser.add_argument("--exact", action="store_true", default=absent, help="every digit")
    parser.add_argument(
        "--unfold",
        dest="fold",
        action="store_false",
        default=absent,
        help="a row for each module, also where siblings are equal",
    )


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the module table."""
    absent = argparse.SUPPRESS
    add_row_options(parser)
    parser.add_argument(
        "--columns",
        type=names,
        default=absent,
        metavar="A,B",
        help="columns of the table: type,params,flops,share,self_flops …",
    )
    parser.add_argument(
        "--sort", default=absent, metavar="COLUMN", help="biggest first by this column"
    )
    parser.add_argument(
        "--min-share",
        type=share,
        default=absent,
        metavar="SHARE",
        help="hide modules below this share of all flops: 1%%",
    )
    parser.add_argument(
        "--flat",
        action="store_true",
        default=absent,
        help="the modules of every depth in one list, biggest first by their own work",
    )
    parser.add_argument(
        "--top",
        type=how_many,
        default=absent,
        metavar="N",
        help="how many of the biggest modules and operators to name, or all",
    )


def module_view(report: Report, options: dict[str, Any]) -> ConsoleRenderable:
    """What a command shows of a report by the options of the table that were given."""
    return report.table(**options) if "flat" in options else report.overview(**options)


def option_of(name: str) -> str:
    """The option that sets an argument of a rendering."""
    return "--unfold" if name == "fold" else f"--{name.replace('_', '-')}"


def given(args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options among `names` that were given, with their values."""
    return {name: getattr(args, name) for name in names if hasattr(args, name)}


def load_torch() -> Any:
    """Import torch, without its remark that NumPy is not installed: nothing here needs NumPy."""
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    with foreign("torch cannot be imported:"):
        import torch

    return torch


def load(path: str, convention: str | None = None) -> Report:
    """The report in a file, ``-`` for standard input, under `convention` if one is given.

    Raises:
        dispatchcount.ReportError: there is no such file, or it holds no report.
        OSError: standard input cannot be read.
    """
    from dispatchcount.report_api import Report

    if os.path.isdir(path):
        reports = sorted(Path(path).glob("*.json"))
        such = f"one of its files, such as {reports[0]}" if reports else "the name of a report"
        raise UsageError(f"{path} is a folder; give {such}")
    report = Report.from_json(streams.take() if path == STANDARD else path)
    return report if convention is None else report.with_convention(convention)


def emit(result: str | bytes, path: str | None) -> None:
    """Write a result to a file, or to standard output if there is none.

    Raises:
        OSError: it cannot be written.
    """
    if path is not None:
        files.write(path, result)
    elif isinstance(result, bytes):
        streams.put(result)
    else:
        streams.put(result if result.endswith("\n") else f"{result}\n")


def show(renderable: ConsoleRenderable, path: str | None = None) -> None:
    """Show a rich renderable.

    A terminal gets it in colour and at its width, anything else as plain text of full width, in
    colour if ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` asks for it (as for the log of a CI job) and
    ``NO_COLOR`` does not forbid it.

    Raises:
        OSError: the file cannot be written.
    """
    if path is None and sys.stdout.isatty():
        _on_terminal(renderable)
    elif path is None and _colour_is_forced():
        emit(_coloured(renderable), None)
    else:
        emit(f"{renderable}\n", path)


def _on_terminal(renderable: ConsoleRenderable) -> None:
    """Print to the terminal, through a pager if it is longer than the window.

    The pager is that of ``PAGER``, as `pydoc` starts it. ``less`` is told to keep colours and to
    leave the text on the screen, unless ``LESS`` says otherwise.
    """
    from rich.console import Console

    console = Console()
    lines = console.render_lines(renderable, pad=False)
    if len(lines) < console.height or not sys.stdin.isatty() or console.is_dumb_terminal:
        console.print(renderable)
        return
    os.environ.setdefault("LESS", "-FRX")
    with console.pager(styles=True):
        console.print(renderable)


def _colour_is_forced() -> bool:
    """True if the environment asks for colour where there is no terminal."""
    forced = os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") != "0"
    return bool(forced) and not os.environ.get("NO_COLOR")


def _coloured(renderable: ConsoleRenderable) -> str:
    """It as text with the codes of colours, as wide as it needs to be."""
    from rich.console import Console

    width = max(map(len, str(renderable).split("\n")))
    stream = StringIO()
    # Names may hold characters that are two cells wide, so that twice the length is enough.
    console = Console(
        file=stream,
        width=2 * width + 1,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
    )
    console.print(renderable)
    return stream.getvalue()


@contextmanager
def usage() -> Iterator[None]:
    """Turn what a renderer says of a wrong option into an error that the command line prints.

    Notes of what is rendered inside name options of the command line.

    Raises:
        dispatchcount.errors.UsageError: a ValueError was raised inside.
    """
    try:
        with in_shell():
            yield
    except DispatchcountError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error


def names(text: str) -> list[str]:
    """Names with commas between them; there must be at least one."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError(f"there is no name in {text!r}")
    return found


def depth(text: str) -> int | None:
    """A depth: a whole number, or ``all``."""
    if text == "all":
        return None
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no depth; give a whole number such as 3, or all"
        )
    return number


def how_many(text: str) -> int | None:
    """How many rows to show: a whole number, or ``all``."""
    try:
        return depth(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of rows; give a whole number such as 10, or all"
        ) from None


def share(text: str) -> float:
    """A share of the total: ``0.01`` or ``1%``."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; give 0.01 or 1%")
    return number
