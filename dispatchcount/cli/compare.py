"""``dispatchcount compare``: several models in one table, a row each."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import add_convention, emit, load, load_torch, names, show, usage
from dispatchcount.cli.configs import is_saved
from dispatchcount.cli.labels import add_label_option
from dispatchcount.cli.model_options import add_model_options
from dispatchcount.cli.paths import code, inputs, output
from dispatchcount.cli.running import progress
from dispatchcount.errors import UsageError
from dispatchcount.render.comparison import FORMATS, Compared, Comparison

if TYPE_CHECKING:
    from dispatchcount.report_api import Report


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "compare",
        help="several models or reports in one table, a row each",
        description="Shows a row for each MODEL: its parameters, flops, activations, bytes, and "
        "where they were measured its peak memory and time. A MODEL is a report as JSON, or a "
        "target as of `dispatchcount profile`, which is run with the options below. Reports need "
        "no torch.",
        epilog="examples: dispatchcount compare before.json after.json    "
        "dispatchcount compare torchvision:resnet50 timm:vit_base_patch16_224 --format latex",
    )
    parser.add_argument("models", metavar="MODEL", nargs="+", help="a report, or a target")
    parser.add_argument("--format", choices=[*FORMATS], default="table", help="table by default")
    parser.add_argument(
        "--columns",
        type=names,
        metavar="A,B",
        help="params,flops,macs,activations,bytes,peak,input …",
    )
    parser.add_argument("--sort", metavar="COLUMN", help="biggest first by this column")
    parser.add_argument("--exact", action="store_true", help="every digit")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write there instead of to standard output"
    )
    add_model_options(parser)
    add_label_option(parser)
    add_convention(parser)
    parser.set_defaults(run=run, prefill=None, decode=None)


def run(args: argparse.Namespace) -> int:
    """Show the comparison."""
    reports = [model for model in args.models if is_saved(model)]
    reads = [*inputs(*reports), *code(*(one for one in args.models if one not in reports))]
    written = output(args.output, reads)
    if written is not None:
        written = os.path.abspath(written)  # Foreign code may change the folder.
    found = {one: load(one, args.convention) for one in reports}
    found |= _counted([one for one in args.models if one not in found], args)
    with usage():
        rows = _named(args.models, [found[model] for model in args.models])
        comparison = Comparison(rows, args.columns, args.sort, exact=args.exact)
    shown = FORMATS[args.format](comparison)
    if isinstance(shown, str):
        emit(shown, written)
    else:
        show(shown, written)
    return 0


def _counted(targets: list[str], args: argparse.Namespace) -> dict[str, Report]:
    """The reports of targets.

    Raises:
        UsageError: one cannot be run; the message names it.
    """
    if not targets:
        return {}
    reports: dict[str, Report] = {}
    with progress() as say:
        say("loading torch")
        load_torch()
        from dispatchcount.cli.counted import counted

        for target in dict.fromkeys(targets):
            done = counted(target, args, say)
            if done.failure is not None:
                raise UsageError(f"{target}: {done.failure}") from done.failure
            reports[target] = done.report
    return reports


def _named(models: list[str], reports: list[Report]) -> list[Compared]:
    """Rows that are called as their model, and those of the same model by their file as well."""
    titles = [
        report.labels.get("model") or report.meta.model or model
        for model, report in zip(models, reports, strict=True)
    ]
    often = Counter(titles)
    return [
        Compared(title if often[title] == 1 else f"{title} ({Path(model).stem})", report)
        for title, model, report in zip(titles, models, reports, strict=True)
    ]
