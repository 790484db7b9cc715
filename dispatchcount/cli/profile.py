"""``dispatchcount profile``: builds a model, runs it once, and shows what it costs."""

from __future__ import annotations

import argparse
import os
from typing import Any

from dispatchcount.cli.common import (
    TABLE_OPTIONS,
    add_convention,
    add_table_options,
    emit,
    given,
    load_torch,
    show,
    usage,
)
from dispatchcount.cli.foreign import ForeignError, foreign
from dispatchcount.cli.paths import code, output
from dispatchcount.cli.running import device_of, progress, to_run_backward_from
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError, described, text_of


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "profile",
        help="build a model, run it once and show what it costs",
        description=(
            "Builds TARGET with random weights, runs it once and shows what each module costs. "
            "TARGET is package.module:callable or file.py:callable (returns the model), "
            "torchvision:resnet50, timm:NAME or transformers:ConfigClass."
        ),
        epilog="examples: dispatchcount profile torchvision:resnet50    "
        "dispatchcount profile net.py:build --input 1,3,32,32 --device meta --json net.json",
    )
    parser.add_argument("target", metavar="TARGET", help="the model")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="SHAPE",
        help="shape of a positional input: 1,3,224,224 or with a dtype 1,128:int64;"
        " repeat for more",
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE.py:MAKE",
        help="a function that returns a tensor, a tuple or a dict of inputs",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="cpu, meta (no memory, no computing) or cuda; cpu by default",
    )
    parser.add_argument("--train", action="store_true", help="in train mode; eval otherwise")
    parser.add_argument(
        "--backward",
        action="store_true",
        help="also run backward from the sum of the floating outputs",
    )
    parser.add_argument(
        "--time", action="store_true", help="also measure time by operator and module"
    )
    parser.add_argument(
        "--memory", action="store_true", help="also measure bytes held and the peak of live tensors"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit 1 if an operator could not be counted"
    )
    add_table_options(parser)
    parser.add_argument("--operators", action="store_true", help="show the operators as well")
    parser.add_argument("--json", metavar="FILE", help="save the report there")
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Profile the target."""
    saved = output(args.json, code(args.target, args.inputs))
    if saved is not None:
        saved = os.path.abspath(saved)  # Foreign code may change the folder.
    with progress() as say:
        say("loading torch")
        load_torch()

        from dispatchcount.cli.feed import make_inputs, written
        from dispatchcount.cli.targets import load_model

        device = device_of(args.device)
        say(f"building {args.target} on {device}")
        model, library = load_model(args.target, device)
        with foreign(f"{type(model).__name__}.train({args.train}) raised"):
            model.train(args.train)
        inputs = make_inputs(model, library, args.input, args.inputs, device)
        output(saved, code(args.target, args.inputs))
        with foreign("the inputs cannot be described:"):
            shapes = written(inputs) if args.inputs is None else f"{args.inputs} {written(inputs)}"
        say(f"running {type(model).__name__} on {device}")
        mode = f"{'train' if args.train else 'eval'}{' and backward' if args.backward else ''}"
        labels = {"model": args.target, "input": shapes, "device": device, "mode": mode}
        report, failure = _ran(model, inputs, labels, args)
    # The report is saved before it is shown: a reader of the table may go away.
    if args.json is not None:
        emit(report.to_json(), saved)
    if args.json is None or saved is not None:
        _show(report, args, failed=failure is not None)
    if failure is not None:
        raise failure
    return 1 if args.strict and _uncounted(report) else 0


def _ran(
    model: Any, inputs: Any, labels: dict[str, str], args: argparse.Namespace
) -> tuple[Any, UsageError | None]:
    """The report of one run of `model`, and what went wrong in it."""
    import torch

    from dispatchcount.profiler import profile

    positional, named = inputs
    with foreign(f"{type(model).__name__} cannot be profiled:"):
        prof = profile(
            model,
            convention=args.convention or "fvcore",
            time=args.time,
            memory=args.memory,
            labels=labels,
        )
    cause = None
    try:
        with foreign("the model raised"), torch.set_grad_enabled(args.backward), prof:
            out = model(*positional, **named)
            if args.backward:
                to_run_backward_from(out).backward()
    except ForeignError as error:
        cause = error.__cause__
    try:
        with foreign("no report can be made of the run:"):
            report = prof.report
    except ForeignError:
        if cause is None:
            raise
        raise UsageError(f"the model could not be run: {described(cause)}") from cause
    if cause is None:
        return report, None
    where = report.meta.stopped_in or "its root"
    failure = UsageError(f"the model raised {type(cause).__name__} in {where}: {text_of(cause)}")
    failure.__cause__ = cause
    return report, failure


def _show(report: Any, args: argparse.Namespace, *, failed: bool) -> None:
    options = given(args, TABLE_OPTIONS)
    if report.flops or not failed:
        with usage():
            show(report.table(**options))
    if args.operators:
        emit("", None)
        show(report.operators(exact="exact" in options))
    if args.memory and report.memory is not None:
        emit("", None)
        show(report.memory_table())


def _uncounted(report: Any) -> int:
    issues = [*report.unknown_ops, *report.failed_ops]
    if issues:
        complain(f"{len(issues)} operators could not be counted: {', '.join(issues)}")
    return len(issues)
