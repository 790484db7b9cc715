"""Builds a target, runs it once and counts it: what ``profile`` and ``compare`` do with a model."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from dispatchcount.cli import model_options
from dispatchcount.cli.advice import advice
from dispatchcount.cli.decoding import decode
from dispatchcount.cli.feed import make_inputs, written
from dispatchcount.cli.foreign import ForeignError, foreign
from dispatchcount.cli.labels import commit
from dispatchcount.cli.running import device_of
from dispatchcount.cli.targets import load_model, split
from dispatchcount.errors import UsageError, described, text_of
from dispatchcount.integrations.backward import to_run_backward_from
from dispatchcount.profiler import Profile, profile

if TYPE_CHECKING:
    from dispatchcount.report.decoding import Step
    from dispatchcount.report_api import Report


@dataclass
class Counted:
    """One run of a target.

    Attributes:
        report: what it cost.
        failure: what went wrong in it; the report is of what ran before that.
        steps: the steps of ``--prefill`` and ``--decode``.
    """

    report: Report
    failure: UsageError | None = None
    steps: list[Step] = field(default_factory=list)


def counted(
    target: str,
    args: argparse.Namespace,
    say: Callable[[str], None],
    check: Callable[[], object] = lambda: None,
) -> Counted:
    """Build `target` and run it as the options say.

    Args:
        target: the model.
        args: the options of `dispatchcount.cli.model_options`, and ``prefill`` and ``decode``.
        say: shows what is being done.
        check: called once more before the run, when all modules of the target are known.

    Raises:
        UsageError: the target or an option is wrong, or the model cannot be profiled at all.
    """
    library, _ = split(target)
    place = device_of(args.device or ("meta" if library == "transformers" else "cpu"))
    dtype = model_options.dtype(args.dtype)
    optimizer = model_options.optimizer(args.optimizer, args.backward)
    _check_steps(args, library)
    say(f"building {target} on {place}")
    model, library = load_model(target, place, dtype, model_options.settings(args))
    with foreign(f"{type(model).__name__}.train({args.train}) raised"):
        model.train(args.train)
    if args.prefill is None:
        inputs = make_inputs(
            model,
            library,
            args.input,
            args.inputs,
            place,
            batch=args.batch,
            length=args.length,
            dtype=dtype,
        )
        with foreign("the inputs cannot be described:"):
            shapes = written(inputs) if args.inputs is None else f"{args.inputs} {written(inputs)}"
    else:
        shapes = f"{args.batch or 1},{args.prefill}:int64 decode={args.decode or 0}"
    check()
    say(f"running {type(model).__name__} on {place}")
    labels = _labels(target, shapes, place, model, args)
    with foreign(f"{type(model).__name__} cannot be profiled:"):
        prof = profile(
            model,
            convention=args.convention or "fvcore",
            time=args.time,
            memory=args.memory,
            nonzero=args.nonzero,
            labels=labels,
        )
    steps: list[Step] = []

    def work() -> None:
        if args.prefill is not None:
            steps.extend(
                decode(model, prof, args.batch or 1, args.prefill, args.decode or 0, place)
            )
            return
        positional, named = inputs
        out = model(*positional, **named)
        if args.backward:
            to_run_backward_from(out).backward()
        if step is not None:
            step.step()

    with foreign(f"--optimizer {args.optimizer}: it cannot be made for {type(model).__name__}:"):
        step = optimizer(model.parameters()) if optimizer is not None else None
    report, cause = _ran(prof, work, grad=args.backward)
    if cause is None:
        return Counted(report, None, steps)
    if isinstance(cause, UsageError):
        return Counted(report, cause)
    where = report.meta.stopped_in or "its root"
    hint = advice(cause, model, place, args.input)
    said = text_of(cause).rstrip(".") if hint else text_of(cause)
    failure = UsageError(f"the model raised {type(cause).__name__} in {where}: {said}{hint}")
    failure.__cause__ = cause
    return Counted(report, failure)


def _ran(
    prof: Profile, work: Callable[[], None], *, grad: bool
) -> tuple[Report, BaseException | None]:
    """The report of one run of `work`, and what went wrong in it."""
    cause = None
    try:
        with ExitStack() as stack:
            stack.enter_context(foreign("the model raised"))
            stack.enter_context(torch.set_grad_enabled(grad))
            stack.enter_context(prof)
            work()
    except ForeignError as error:
        cause = error.__cause__
    try:
        with foreign("no report can be made of the run:"):
            return prof.report, cause
    except ForeignError:
        if cause is None:
            raise
        raise UsageError(f"the model could not be run: {described(cause)}") from cause


def _labels(
    target: str, shapes: str, place: str, model: Any, args: argparse.Namespace
) -> dict[str, str]:
    """What to remember of a run; what was given with ``--label`` wins."""
    mode = "train" if args.train else "eval"
    if args.backward:
        mode += " and backward" + (f" and {args.optimizer}" if args.optimizer else "")
    with foreign("the parameters cannot be looked at:"):
        dtypes = sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters()})
    labels = {"model": target, "input": shapes, "device": place, "mode": mode}
    if dtypes:
        labels["dtype"] = " ".join(dtypes)
    if args.config:
        labels["config"] = ",".join(
            f"{key}={value}" for key, value in model_options.settings(args).items()
        )
    return labels | commit() | dict(args.label)


def _check_steps(args: argparse.Namespace, library: str) -> None:
    """Raise a UsageError if ``--prefill`` and ``--decode`` do not fit the other options."""
    if args.decode is not None and args.prefill is None:
        raise UsageError("--decode comes after a prompt: --prefill 2048 --decode 8")
    if args.prefill is None:
        return
    if library != "transformers":
        raise UsageError("--prefill is for language models of transformers")
    other = {"--input": args.input, "--inputs": args.inputs, "--length": args.length}
    other["--backward"] = args.backward
    for name, value in other.items():
        if value:
            raise UsageError(f"--prefill makes its own inputs and steps; leave {name} out")
