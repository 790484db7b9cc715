"""``dispatchcount profile``: builds a model, runs it once, and shows what it costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchcount.cli.common import TABLE_OPTIONS, add_convention, add_table_options, emit, given, load_torch, show, usage
from dispatchcount.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "profile",
        help="build a model, run it once and show what it costs",
        description=(
            "Builds TARGET with random weights, runs it once and shows what each module costs. TARGET is package.module:callable "
            "or file.py:callable (returns the model), torchvision:resnet50, timm:NAME or transformers:ConfigClass."
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
        help="shape of a positional input: 1,3,224,224 or with a dtype 1,128:int64; repeat for more",
    )
    parser.add_argument("--inputs", metavar="FILE.py:MAKE", help="a function that returns a tensor, a tuple or a dict of inputs")
    parser.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="cpu, meta (no memory, no computing) or cuda; cpu by default"
    )
    parser.add_argument("--train", action="store_true", help="in train mode; eval otherwise")
    parser.add_argument("--backward", action="store_true", help="also run backward from the sum of the floating outputs")
    parser.add_argument("--time", action="store_true", help="also measure time by operator and module")
    parser.add_argument("--memory", action="store_true", help="also measure bytes held and the peak of live tensors")
    parser.add_argument("--strict", action="store_true", help="exit 1 if an operator could not be counted")
    add_table_options(parser)
    parser.add_argument("--operators", action="store_true", help="show the operators as well")
    parser.add_argument("--json", metavar="FILE", help="save the report there")
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Profile the target."""
    with _progress() as say:
        say("loading torch")
        torch = load_torch()

        from dispatchcount.cli.targets import load_model, make_inputs
        from dispatchcount.profiler import profile

        device = _device(args.device)
        say(f"building {args.target} on {device}")
        model, library = load_model(args.target, device)
        model.train(args.train)
        positional, named = make_inputs(model, library, args.input, args.inputs, device)
        say(f"running {type(model).__name__} on {device}")
        prof = profile(model, convention=args.convention or "fvcore", time=args.time, memory=args.memory)
        try:
            with torch.set_grad_enabled(args.backward), prof:
                out = model(*positional, **named)
                if args.backward:
                    _scalar(out).backward()
        except Exception as error:  # whatever the model raises
            failure: Exception | None = error
        else:
            failure = None
        report = prof.report
    options = given(args, TABLE_OPTIONS)
    if failure is None or report.flops:
        with usage():
            show(report.table(**options))
    if args.operators:
        emit("", None)
        show(report.operators(exact="exact" in options))
    if args.memory and report.memory is not None:
        emit("", None)
        show(report.memory_table())
    if args.json:
        emit(report.to_json(), args.json)
    if failure is not None:
        where = report.meta.stopped_in
        raise UsageError(f"the model raised {type(failure).__name__} in {where or 'its root'}: {failure}") from failure
    return 1 if args.strict and _uncounted(report) else 0


def _uncounted(report: Any) -> int:
    issues = [*report.unknown_ops, *report.failed_ops]
    if issues:
        print(f"dispatchcount: {len(issues)} operators could not be counted: {', '.join(issues)}", file=sys.stderr)
    return len(issues)


def _device(text: str) -> str:
    import torch

    try:
        device = torch.device(text)
        if device.type != "meta":
            torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {text}: torch has no such device here ({reason}); cpu and meta are always there") from None
    return str(device)


def _scalar(out: Any) -> Any:
    """The sum of the floating tensors in an output that have a gradient, to run backward from."""
    import torch
    from torch.utils import _pytree as pytree

    tensors = [t for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor) and t.requires_grad]
    if not tensors:
        raise ValueError("no tensor in the output has a gradient, so there is nothing to run backward from")
    return sum((t.sum() for t in tensors[1:]), tensors[0].sum())


@contextmanager
def _progress() -> Iterator[Any]:
    """A spinner on standard error that says what is being done; nothing where that is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("starting") as status:
        yield status.update
