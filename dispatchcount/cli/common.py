"""What several commands share: reading reports, writing results, options."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dispatchcount import files
from dispatchcount.errors import DispatchcountError, UsageError
from dispatchcount.report.conventions import CONVENTIONS

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.report.model import Report

STANDARD_INPUT = "-"


def add_convention(parser: argparse.ArgumentParser) -> None:
    """The option ``--convention``."""
    parser.add_argument(
        "--convention", choices=sorted(CONVENTIONS), help="count flops by this convention instead of the report's own"
    )


def load_torch() -> Any:
    """Torch, without its remark that NumPy is not installed: nothing here needs it."""
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    import torch

    return torch


def load(path: str, convention: str | None = None) -> Report:
    """The report in a file, ``-`` for standard input, under `convention` if one is given.

    Raises:
        dispatchcount.ReportError: there is no such file, or it holds no report.
    """
    from dispatchcount.report.model import Report

    report = Report.from_json(sys.stdin.buffer.read() if path == STANDARD_INPUT else path)
    return report if convention is None else report.with_convention(convention)


def emit(result: str | bytes, path: str | None) -> None:
    """Write a result to a file, or to standard output if there is none.

    Raises:
        OSError: the file cannot be written.
    """
    if path is not None:
        files.write(path, result)
    elif isinstance(result, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(result if result.endswith("\n") else f"{result}\n")


def show(renderable: ConsoleRenderable, path: str | None = None) -> None:
    """Show a rich renderable: in colour and fitted on a terminal, as plain text of full width anywhere else.

    Raises:
        OSError: the file cannot be written.
    """
    if path is None and sys.stdout.isatty():
        from rich.console import Console

        Console().print(renderable)
    else:
        emit(f"{renderable}\n", path)


@contextmanager
def usage() -> Iterator[None]:
    """Turns what a renderer says of a wrong option into an error that the command line prints.

    Raises:
        dispatchcount.errors.UsageError: a ValueError was raised inside.
    """
    try:
        yield
    except DispatchcountError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error


def depth(text: str) -> int | None:
    """A depth: a whole number, or ``all``."""
    if text == "all":
        return None
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no depth; give a whole number such as 3, or all")
    return number


def share(text: str) -> float:
    """A share of the total: ``0.01`` or ``1%``."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; give 0.01 or 1%")
    return number
