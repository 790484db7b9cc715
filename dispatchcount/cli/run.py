"""``dispatchcount run``: an unchanged script under a profile of the models that it calls."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from dispatchcount.cli.common import (
    ROW_OPTIONS,
    TABLE_OPTIONS,
    add_convention,
    add_table_options,
    given,
    load_torch,
    module_view,
    usage,
)
from dispatchcount.cli.foreign import ForeignError, foreign
from dispatchcount.cli.job import Job
from dispatchcount.cli.labels import add_label_option, commit
from dispatchcount.cli.paths import STANDARD
from dispatchcount.cli.saved import add_output_option, save, saving
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "run",
        help="run a script unchanged and count the models that it calls",
        description="Runs a Python script, or with -m a module, as Python would, and counts every "
        "model that it calls. The script's output and its exit status stay its own; the table goes "
        "to standard error. Options of this command stand before the script, those of the script "
        "behind it.",
        epilog="examples: dispatchcount run train.py --epochs 1    "
        "dispatchcount run -o run.json --skip 2 --steps 1 -m package.train --lr 0.1",
    )
    parser.add_argument(
        "-m",
        "--module",
        action="store_true",
        help="SCRIPT is the name of a module, as in python -m",
    )
    add_output_option(parser)
    parser.add_argument("--json", metavar="FILE", help="save the report there as JSON")
    parser.add_argument("--html", metavar="FILE", help="save the report there as a page")
    parser.add_argument(
        "--skip",
        type=_calls,
        default=0,
        metavar="N",
        help="leave out the first N calls of the model, with the steps of the optimizer after them",
    )
    parser.add_argument(
        "--steps",
        type=_calls,
        metavar="N",
        help="count N calls of the model, and no more; the script runs on to its end",
    )
    parser.add_argument(
        "--backward-only",
        action="store_true",
        help="leave out what ran in forward and in the optimizer's step",
    )
    parser.add_argument(
        "--time", action="store_true", help="also measure time by operator and module"
    )
    parser.add_argument(
        "--memory", action="store_true", help="also measure bytes held and the peak of live tensors"
    )
    parser.add_argument(
        "--nonzero",
        action="store_true",
        help="also count parameters that are not zero, and the MACs that multiply with them",
    )
    add_label_option(parser)
    add_table_options(parser)
    parser.add_argument("--operators", action="store_true", help="show the operators as well")
    add_convention(parser)
    parser.add_argument("script", metavar="SCRIPT", help="a file, or with -m a module")
    parser.add_argument(
        "arguments", metavar="…", nargs=argparse.REMAINDER, help="the script's own arguments"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the script; its exit status."""
    from dispatchcount.cli import script

    job = Job()
    args.output = [job.own(name) for name in args.output]
    args.json, args.html = job.own(args.json), job.own(args.html)
    files = _files(args)
    program = script.module(args.script) if args.module else script.script(args.script)
    load_torch()
    from dispatchcount.cli.window import Window
    from dispatchcount.profiler import profile

    labels = {"model": " ".join(["-m"] * args.module + [args.script]), "mode": "run", **commit()}
    prof = profile(
        convention=args.convention or "fvcore",
        time=args.time,
        memory=args.memory,
        nonzero=args.nonzero,
        labels=labels | job.labels | dict(args.label),
    )
    window = Window(prof, args.skip, args.steps)
    folder = os.getcwd()
    with window.watch(), job.stoppable():
        status = script.execute(program, args.arguments)
    os.chdir(folder)
    report = _report(prof, window, args)
    if report is not None:
        if args.backward_only:
            report = _backward_only(report, args.script)
        # The report is saved before it is shown: a reader of the table may go away.
        save(report, files)
        ranks = job.gather(report, failed=status != 0)
        if job.shows:
            _show(report, args)
            _say_window(window, args)
        if ranks is not None:
            _print(ranks.table())
    return status


def _files(args: argparse.Namespace) -> Any:
    """The files to write, checked before the script runs."""
    for name in (args.json, args.html, *args.output):
        if name == STANDARD:
            raise UsageError(
                "standard output belongs to the script; give the report the name of a file"
            )
    reads = [] if args.module else [args.script]
    files = saving(args.output, reads)
    for name, ending in ((args.json, ".json"), (args.html, ".html")):
        if name is not None:
            files += saving([name], reads, form=ending)
    return files


def _report(prof: Any, window: Any, args: argparse.Namespace) -> Any:
    """The report of what ran; None, with a sentence on standard error, if nothing was counted."""
    try:
        with foreign("no report can be made of the run:"):
            report = prof.report
    except ForeignError as error:
        if not isinstance(error.__cause__, RuntimeError):
            raise
        complain(
            f"nothing was counted: the script made {window.calls} calls of its model, and --skip "
            f"{args.skip} leaves out as many or more"
        )
        return None
    if not report.entries:
        complain(
            f"{args.script} ran no operator of torch in this process; processes that it starts are "
            "not followed: run the script that they run"
        )
    return report


def _backward_only(report: Any, script: str) -> Any:
    """The report of backward alone; a sentence on standard error says so if there was none."""
    from dispatchcount.report.of_phases import BACKWARDS, of_phases

    report = of_phases(report, BACKWARDS)
    if not report.entries:
        complain(f"{script} ran no backward in this process; leave --backward-only out")
    return report


def _show(report: Any, args: argparse.Namespace) -> None:
    """Show the tables that were asked for."""
    options = given(args, TABLE_OPTIONS)
    with usage():
        tables = [module_view(report, options)]
        if args.operators:
            tables.append(report.operators(exact="exact" in options, notes=False))
        if args.memory and report.memory is not None:
            tables.append(report.memory_table(**given(args, ROW_OPTIONS)))
    for table in tables:
        _print(table)


def _print(table: Any) -> None:
    """Print a table on standard error, for standard output is the script's."""
    if not sys.stderr.isatty():
        print(f"{table}\n", file=sys.stderr)
        return
    from rich.console import Console

    Console(stderr=True).print(table)


def _say_window(window: Any, args: argparse.Namespace) -> None:
    if args.skip or args.steps is not None:
        first, last = args.skip + 1, args.skip + window.counted
        complain(f"counted calls {first} to {last} of {window.calls} calls of {window.root}")


def _calls(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of calls; give a whole number such as 3"
        )
    return number
