"""``dispatchcount check``: a report against its budget."""

from __future__ import annotations

import argparse
from typing import Any

from dispatchcount.cli.common import add_convention, emit, load
from dispatchcount.cli.paths import inputs, output
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError
from dispatchcount.report.budget import Breach, check, growth, parse_limits


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "check",
        help="hold a report against a budget; exit 1 if it is over",
        description="Exits 1 if a figure is over its budget, or grew more than allowed against a"
        " baseline. Needs no torch.",
    )
    parser.add_argument("file", metavar="FILE", help="a report as JSON; - reads standard input")
    parser.add_argument(
        "--max", metavar="LIMITS", help="what it may cost: flops=4.2G,params=26M,unknown_ops=0"
    )
    parser.add_argument(
        "--law",
        metavar="OLD",
        help="FILE is a law, and must have the formulas of this one: exit 1 if one changed",
    )
    parser.add_argument("--baseline", metavar="OLD", help="a report that it must not outgrow")
    parser.add_argument(
        "--fail-over",
        metavar="LIMITS",
        help="how much more than the baseline it may be: flops=1%%,params=0",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is over its limit; 1 if anything is."""
    if args.law is not None:
        return _check_law(args)
    if args.max is None and args.baseline is None:
        raise UsageError(
            "there is nothing to check; give a budget with --max flops=4.2G, "
            "or --baseline old.json --fail-over flops=1%"
        )
    if (args.baseline is None) != (args.fail_over is None):
        raise UsageError(
            "--baseline and --fail-over go together: --baseline old.json --fail-over flops=1%"
        )
    budget = () if args.max is None else parse_limits(args.max)
    allowed = () if args.fail_over is None else parse_limits(args.fail_over)
    reads = inputs(args.file) if args.baseline is None else inputs(args.file, args.baseline)
    output(None, reads)
    report = load(args.file, args.convention)
    breaches: list[Breach] = list(check(report, budget))
    if args.baseline is not None:
        old = load(args.baseline, args.convention)
        breaches += growth(old, report.with_convention(old.convention), allowed)
    for breach in breaches:
        complain(str(breach))
    if not breaches:
        held = ", ".join(f"{limit.metric} {limit.text}" for limit in (*budget, *allowed))
        emit(f"within its limits: {held} ({report.convention} convention)", None)
    return 1 if breaches else 0


def _check_law(args: argparse.Namespace) -> int:
    """Print the formulas that changed; 1 if any did."""
    from dispatchcount.cli.law import load_law

    if args.max is not None or args.baseline is not None:
        raise UsageError("--law compares formulas; --max and --baseline are for reports")
    reads = inputs(args.file, args.law)
    output(None, reads)
    old, new = load_law(args.law), load_law(args.file)
    if args.convention is not None:
        old = old.with_convention(args.convention)
    changed = old.diff(new)
    if changed:
        emit(str(changed), None)
        complain(f"{len(changed.changes)} formulas changed")
        return 1
    emit("no formula changed", None)
    return 0
