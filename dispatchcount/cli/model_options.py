"""The options that say how a target is built and run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import reduce
from typing import Any

from dispatchcount.cli.configs import merged, setting
from dispatchcount.cli.nearest import nearest
from dispatchcount.errors import UsageError


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of models, their inputs and their run."""
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
        "--batch", type=number(1), metavar="N", help="the first size of every input"
    )
    parser.add_argument(
        "--length",
        type=number(1),
        metavar="N",
        help="tokens of each sequence, for models of transformers; 128 by default",
    )
    add_config_option(parser)
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="cpu, meta (no memory, no computing) or cuda; by default meta for models of "
        "transformers, and cpu for others",
    )
    parser.add_argument(
        "--dtype",
        metavar="DTYPE",
        help="of the parameters and of floating inputs: bfloat16, float16 …; by default what the "
        "configuration asks for, or float32",
    )
    parser.add_argument("--train", action="store_true", help="in train mode; eval otherwise")
    parser.add_argument(
        "--backward",
        action="store_true",
        help="also run backward from the sum of the floating outputs",
    )
    parser.add_argument(
        "--optimizer",
        metavar="NAME",
        help="with --backward: also make a step of this optimizer of torch.optim: sgd, adamw …",
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


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``; `settings` reads it."""
    parser.add_argument(
        "--config",
        type=_setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set this in the configuration of transformers: num_hidden_layers=4; repeat for more",
    )


def number(least: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` on."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value < 1 << 40:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return value

    return parse


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """All that ``--config`` sets, in one dict."""
    return reduce(merged, args.config, {})


def dtype(name: str | None) -> Any:
    """A floating dtype by its name in torch; None if there is no name.

    Raises:
        UsageError: torch has no such dtype, or it is not one that parameters can have.
    """
    import torch

    if name is None:
        return None
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(
            f"--dtype {name}: torch has no floating dtype of that name; "
            "give float32, bfloat16, float16 or float64"
        )
    return found


def optimizer(name: str | None, backward: bool) -> Any:
    """The class of an optimizer of torch by its name in small letters; None if there is no name.

    Raises:
        UsageError: torch has no such optimizer, or there is no backward to make a step after.
    """
    import torch

    if name is None:
        return None
    if not backward:
        raise UsageError("--optimizer makes a step after a backward; add --backward")
    known = {
        one.lower(): kind
        for one, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and one != "Optimizer"
    }
    if name.lower() not in known:
        raise UsageError(
            f"--optimizer {name}: torch.optim has none of that name"
            f"{nearest(name.lower(), sorted(known))}"
        )
    return known[name.lower()]


def _setting(text: str) -> dict[str, Any]:
    try:
        return setting(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
