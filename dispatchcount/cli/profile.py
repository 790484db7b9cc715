"""``dispatchcount profile``: builds a model, runs it once, and shows what it costs."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import (
    ROW_OPTIONS,
    TABLE_OPTIONS,
    add_convention,
    add_table_options,
    emit,
    given,
    load_torch,
    module_view,
    option_of,
    show,
    usage,
)
from dispatchcount.cli.job import Job
from dispatchcount.cli.labels import add_label_option
from dispatchcount.cli.model_options import add_model_options, number
from dispatchcount.cli.paths import code, output
from dispatchcount.cli.running import progress
from dispatchcount.cli.saved import add_output_option, save, saving
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError
from dispatchcount.render.numbers import plural

if TYPE_CHECKING:
    from dispatchcount.cli.counted import Counted


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "profile",
        help="build a model, run it once and show what it costs",
        description=(
            "Builds TARGET with random weights, runs it once and shows what each module costs. "
            "TARGET is package.module:callable or file.py:callable (returns the model), "
            "torchvision:resnet50, timm:NAME, transformers:LlamaForCausalLM, "
            "transformers:LlamaConfig, or a config.json or its folder."
        ),
        epilog="examples: dispatchcount profile torchvision:resnet50    "
        "dispatchcount profile net.py:build --input 1,3,32,32 --device meta -o net.json    "
        "dispatchcount profile transformers:LlamaConfig --prefill 2048 --decode 8",
    )
    parser.add_argument(
        "targets", nargs="+", metavar="TARGET", help="the model; of several, each is a row"
    )
    add_model_options(parser)
    parser.add_argument(
        "--prefill",
        type=number(1),
        metavar="N",
        help="run a language model on a prompt of N tokens, and keep its key-value cache",
    )
    parser.add_argument(
        "--decode",
        type=number(0),
        metavar="N",
        help="after --prefill: make N tokens, one in each step",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit 1 if an operator could not be counted"
    )
    add_table_options(parser)
    parser.add_argument("--operators", action="store_true", help="show the operators as well")
    add_output_option(parser)
    parser.add_argument("--json", metavar="FILE", help="save the report there; - prints it instead")
    add_label_option(parser)
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Profile the target, or compare several."""
    job = Job()
    if len(args.targets) > 1:
        return _several(args) if job.shows else 0
    (target,) = args.targets
    args.output, args.json = [job.own(name) for name in args.output], job.own(args.json)
    args.label = [*job.labels.items(), *args.label]
    reads = code(target, args.inputs)
    files = saving(args.output, reads)
    saved = output(args.json, reads)
    if saved is not None:
        saved = os.path.abspath(saved)  # Foreign code may change the folder.

    def check() -> None:
        # The file of a target such as package.module:build is known once it is imported.
        for name in [saved, *(name for name, _ in files)]:
            output(name, code(target, args.inputs))

    with progress() as say:
        say("loading torch")
        load_torch()
        from dispatchcount.cli.counted import counted

        done = counted(target, args, say, check)
        say("costing what ran")
    # The report is saved before it is shown: a reader of the table may go away.
    if args.json is not None and (job.shows or saved is not None):
        emit(done.report.to_json(), saved)
    save(done.report, files)
    ranks = job.gather(done.report, failed=done.failure is not None)
    if job.shows and (args.json is None or saved is not None):
        _show(done, args)
        if ranks is not None:
            emit("", None)
            show(ranks.table())
    if done.failure is not None:
        raise done.failure
    return 1 if args.strict and _uncounted(done.report) else 0


_COMPARISONS = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".txt": "table"}
"""The forms in which several targets are saved, by the ending of the file's name."""


def _several(args: argparse.Namespace) -> int:
    """Compare several targets, as ``dispatchcount compare`` does."""
    from dispatchcount.cli import compare

    shared = ("columns", "sort", "exact")
    of_one = [name for name in TABLE_OPTIONS if hasattr(args, name) and name not in shared]
    for name in (*of_one, "prefill", "decode", "strict", "operators", "json"):
        if name in of_one or getattr(args, name) not in (None, False):
            raise UsageError(f"{option_of(name)} is for one target; {len(args.targets)} are given")
    if len(args.output) > 1:
        raise UsageError("several targets are one table; give one -o FILE")
    file = args.output[0] if args.output else None
    form = "table" if file is None else _COMPARISONS.get(os.path.splitext(file)[1])
    if form is None:
        raise UsageError(
            f"-o {file}: several targets are saved as one table, {' '.join(_COMPARISONS)}; "
            "profile each by itself for another form"
        )
    options = given(args, shared)
    defaults = {"columns": None, "sort": None, "exact": False}
    rest = {"models": args.targets, "format": form, "output": file}
    return compare.run(argparse.Namespace(**vars(args) | defaults | options | rest))


def _show(done: Counted, args: argparse.Namespace) -> None:
    report, options = done.report, given(args, TABLE_OPTIONS)
    with_modules = bool(report.flops or done.failure is None)
    if with_modules:
        with usage():
            show(module_view(report, options))
    if done.steps:
        from dispatchcount.render.console.decoding import decoding_table

        emit("", None)
        show(decoding_table(report, done.steps, exact="exact" in options))
    if args.operators:
        emit("", None)
        with usage():
            show(report.operators(exact="exact" in options, notes=not with_modules))
    if args.memory and report.memory is not None:
        emit("", None)
        with usage():
            show(report.memory_table(**given(args, ROW_OPTIONS)))


def _uncounted(report: Any) -> int:
    issues = [*report.unknown_ops, *report.failed_ops]
    if issues:
        complain(f"{plural(len(issues), 'operator')} could not be counted: {', '.join(issues)}")
    return len(issues)
