"""``dispatchcount law``: the exact formula of what a model costs, or what a saved one says."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from dispatchcount.cli import streams
from dispatchcount.cli.common import add_convention, depth, emit, load_torch, show, usage
from dispatchcount.cli.configs import is_saved
from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.model_options import add_config_option, settings
from dispatchcount.cli.paths import STANDARD, code, inputs, output
from dispatchcount.cli.running import device_of, progress
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.laws.law_api import Law

FORMATS = ("table", "markdown", "latex", "python")


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "law",
        help="the exact formula of what a model costs, in the sizes of its inputs",
        description=(
            "Builds TARGET with random weights, runs it a dozen times or more at sizes that it"
            " chooses, and shows the exact formula of what each module costs. TARGET is named as"
            " for `profile`, or is the JSON file of a law."
        ),
        epilog="examples: dispatchcount law transformers:GPT2Config --input b,s:int64 "
        "--size b=2,s=16 --json gpt2.law.json    "
        "dispatchcount law gpt2.law.json --at b=8,s=4096",
    )
    parser.add_argument("target", metavar="TARGET", help="a model, or a law as JSON")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="SHAPE",
        help="shape of a positional input in numbers and sizes: b,3,h,w or b,s:int64;"
        " repeat for more",
    )
    parser.add_argument(
        "--size",
        type=_sizes,
        default={},
        metavar="SIZES",
        help="the sizes and small values to begin with: b=2,s=16",
    )
    parser.add_argument(
        "--far", type=_sizes, default={}, metavar="SIZES", help="largest values to run: n=60"
    )
    parser.add_argument(
        "--at", type=_sizes, metavar="SIZES", help="show the figures at these sizes: b=8,s=4096"
    )
    parser.add_argument(
        "--device", default="meta", metavar="DEVICE", help="meta, cpu or cuda; meta by default"
    )
    add_config_option(parser)
    parser.add_argument("--train", action="store_true", help="in train mode; eval otherwise")
    parser.add_argument(
        "--backward",
        action="store_true",
        help="also run backward from the sum of the floating outputs",
    )
    parser.add_argument("--metric", default="flops", metavar="METRIC", help="macs, bytes_read …")
    parser.add_argument("--depth", type=depth, default=2, metavar="N", help="levels, or all")
    parser.add_argument(
        "--unfold",
        dest="fold",
        action="store_false",
        help="a row for each module, also where siblings are equal",
    )
    parser.add_argument(
        "--causal", action="store_true", help="count the pairs that a causal mask leaves"
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="how it is shown")
    parser.add_argument(
        "--verify",
        type=_runs,
        default=0,
        metavar="N",
        help="then hold the law against N more runs, at random sizes inside its domain",
    )
    parser.add_argument("--json", metavar="FILE", help="save the law there")
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make or read the law, save it, and show it."""
    if is_saved(args.target):
        if args.input or args.size or args.verify:
            raise UsageError(
                f"{args.target} is read as the file of a law, and --input, --size and --verify "
                "need a model to run: give a target as for `profile`, such as net.py:build, "
                "transformers:GPT2Config or the config.json of a model"
            )
        law = load_law(args.target)
        saved = output(args.json, inputs(args.target))
    else:
        saved = output(args.json, code(args.target))
        if saved is not None:
            saved = os.path.abspath(saved)  # foreign code may go to another folder
        law = _make(args)
    if args.convention is not None:
        law = law.with_convention(args.convention)
    if args.causal:
        with usage():
            law = law.causal()
    # The law is saved before it is shown: a reader of the table may go away.
    if args.json is not None:
        emit(law.to_json(), saved)
    if args.json is None or saved is not None:
        _show(law, args)
    return 0


def load_law(path: str) -> Law:
    """The law in a file, ``-`` for standard input.

    Raises:
        dispatchcount.LawError: there is no such file, or it holds no law.
        OSError: standard input cannot be read.
    """
    from dispatchcount.laws.law_api import Law

    return Law.from_json(streams.take() if path == STANDARD else path)


def _make(args: argparse.Namespace) -> Law:
    """The law of a model.

    Raises:
        UsageError: the target, a shape or a size is wrong.
    """
    if not args.input or not args.size:
        raise UsageError(
            "give the shapes of the inputs and the sizes in them: --input b,s:int64 --size b=2,s=16"
        )
    _check_names(args.input, args.size)
    with progress() as say:
        say("loading torch")
        torch = load_torch()

        from dispatchcount.cli.feed import tensor_of
        from dispatchcount.cli.targets import load_model
        from dispatchcount.integrations.backward import to_run_backward_from
        from dispatchcount.laws.make import law

        device = device_of(args.device)
        say(f"building {args.target} on {device}")
        model, _ = load_model(args.target, device, settings=settings(args))
        output(args.json, code(args.target))
        with foreign(f"{type(model).__name__}.train({args.train}) raised"):
            model.train(args.train)

        def forward(**sizes: int) -> None:
            out = model(*(tensor_of(_filled(shape, sizes), device) for shape in args.input))
            if args.backward:
                to_run_backward_from(out).backward()

        with usage(), torch.set_grad_enabled(args.backward):
            made = law(
                model,
                forward,
                far=args.far,
                convention=args.convention or "fvcore",
                progress=say,
                **args.size,
            )
            if args.verify:
                made.verify(model, forward, args.verify, progress=say)
            return made


def _show(law: Law, args: argparse.Namespace) -> None:
    with usage():
        if args.at is not None:
            try:
                figures = law(**args.at)
            except TypeError as error:
                raise UsageError(f"--at: {error}") from error
            lines = [
                f"{metric}: {getattr(figures, metric):,}"
                if metric not in figures.absent
                else f"{metric}: {figures.absent[metric]}"
                for metric in law.metrics()
            ]
            emit("\n".join(lines), None)
        elif args.format == "table":
            show(law.table(args.depth, args.metric, fold=args.fold))
        elif args.format == "markdown":
            emit(law.to_markdown(args.depth, args.metric, fold=args.fold), None)
        elif args.format == "latex":
            emit(law.to_latex([args.metric]), None)
        else:
            emit(law.python(args.metric), None)


def _sizes(text: str) -> dict[str, int]:
    """Sizes written ``b=2,s=16``."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name.isidentifier() or not value.isascii() or not value.isdigit():
            raise argparse.ArgumentTypeError(f"{part!r} is no size; give them as b=2,s=16")
        if len(value) > 18 or name in found or not int(value):
            raise argparse.ArgumentTypeError(
                f"{part!r} is no size; each has one value, an integer from 1 up"
            )
        found[name] = int(value)
    return found


def _check_names(shapes: list[str], sizes: dict[str, int]) -> None:
    """Find names in shapes that are no sizes, and sizes that no shape has.

    Raises:
        UsageError: there are some.
    """
    used = {
        part.strip()
        for shape in shapes
        for part in shape.partition(":")[0].split(",")
        if part.strip().isidentifier()
    }
    for name in used - set(sizes):
        raise UsageError(f"--input has {name!r}, for which --size gives no value: {name}=16")
    for name in set(sizes) - used:
        raise UsageError(f"--size has {name!r}, which is in no --input")


def _filled(shape: str, sizes: dict[str, int]) -> str:
    """A shape with numbers in place of the names of sizes."""
    parts, separator, dtype = shape.partition(":")
    filled = [str(sizes.get(part.strip(), part)) for part in parts.split(",")]
    return ",".join(filled) + separator + dtype


def _runs(text: str) -> int:
    """A number of runs."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of runs; give a whole number from 1 to 1000000"
        )
    return int(text)
