"""``dispatchcount roofline``: the least time that a device needs for a saved report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import emit, how_many, load, load_torch, show, usage
from dispatchcount.cli.paths import inputs, output
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.hardware.device import Device
    from dispatchcount.hardware.roofline import Roofline


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "roofline",
        help="the least time a device needs for a report, and what limits it",
        description="Shows a saved report on the roofline of a device: flops, bytes, intensity and "
        "least time of each operator or module, and whether arithmetic or memory limits it.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="h100-sxm, mi300x … as `dispatchcount devices` lists them; by default the one at hand",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure the device at hand instead, by large products and tensors (a few seconds)",
    )
    parser.add_argument(
        "--tf32",
        action="store_true",
        help="torch was set to round float32 matrix products to TF32",
    )
    parser.add_argument(
        "--no-tf32",
        action="store_true",
        help="torch was set not to round float32 convolutions and recurrent layers to TF32, which "
        "it does by default; with --tf32 as well, it rounded matrix products alone",
    )
    parser.add_argument(
        "--by", default="operator", metavar="WHAT", help="operator (default), module or phase"
    )
    parser.add_argument(
        "--top", type=how_many, default=15, metavar="N", help="how many rows, or all"
    )
    parser.add_argument(
        "--json", action="store_true", help="every row of every kind as JSON instead of a table"
    )
    parser.add_argument("--plot", metavar="FILE", help="also draw it there, as PNG, SVG or PDF")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write there instead of to standard output"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the roofline."""
    if args.measure and args.device:
        raise UsageError("--measure takes the device at hand; leave --device out")
    written = output(args.output, inputs(args.file))
    drawn = None if args.plot is None else output(args.plot, inputs(args.file))
    report = load(args.file)
    chosen = _device(args)
    if args.tf32:
        chosen = chosen.with_tf32()
    if args.no_tf32:
        chosen = chosen.without_tf32()
    roof = report.roofline(chosen)
    with usage():
        if drawn is not None:
            _plot(roof, drawn)
        if args.json:
            emit(roof.to_json() + b"\n", written)
        else:
            show(roof.table(args.top, by=args.by), written)
    return 0


def _device(args: argparse.Namespace) -> Device:
    """The device that is named or measured, or the one at hand."""
    if args.measure or args.device is None:
        load_torch()
    if args.measure:
        from dispatchcount.hardware.measure import measure_device

        return measure_device()
    from dispatchcount.hardware.find import device

    return device(args.device)


def _plot(roof: Roofline, path: str) -> None:
    try:
        roof.plot(path)
    except ImportError as error:
        raise UsageError(str(error)) from error
