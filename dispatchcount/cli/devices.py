"""``dispatchcount devices``: what known devices can do at most, and where the figures come from."""

from __future__ import annotations

import argparse
from typing import Any

from dispatchcount.cli.common import emit, load_torch, show
from dispatchcount.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "devices",
        help="peaks and bandwidths of known devices, with their sources",
        description="Lists the known devices with their dense peaks. With a name, shows a "
        "device's every figure and the document it comes from. Needs no torch but for --measure.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a device: h100-sxm, mi300x …")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure the device at hand instead, by large products and tensors (a few seconds)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the devices."""
    import orjson

    from dispatchcount.hardware.catalog import devices
    from dispatchcount.hardware.find import device
    from dispatchcount.hardware.show import device_row, device_table, device_text

    if args.measure and args.name:
        raise UsageError("--measure takes the device at hand; leave the name out")
    if args.measure:
        load_torch()
        from dispatchcount.hardware.measure import measure_device

        chosen = [measure_device()]
    else:
        chosen = [device(args.name)] if args.name else list(devices().values())
    if args.json:
        rows = [device_row(known) for known in chosen]
        data = rows[0] if args.name or args.measure else rows
        emit(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n", None)
    elif args.name or args.measure:
        emit(device_text(chosen[0]), None)
    else:
        show(device_table(chosen))
    return 0
