"""``dispatchcount ops``: every operator that the installed torch registers, with its class."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rich.console import Group
from rich.text import Text

from dispatchcount.cli.common import emit, load_torch, show
from dispatchcount.cli.foreign import ForeignError, foreign
from dispatchcount.errors import UsageError
from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.plain import Printable, clean
from dispatchcount.rules.core.classify import Classified, classify
from dispatchcount.rules.core.registry import OpKind

NO_CLASS = "none"
KINDS = (*(kind.value for kind in OpKind), NO_CLASS)

MEANING = {
    "rule": "a formula",
    "movement": "zero by definition, but moves bytes",
    "free": "zero by definition, touches no memory",
    "composite": "runs as other operators, which are counted",
    "unknown": "knowingly without a rule, for a reason",
    NO_CLASS: "in no class: named as unknown in every report",
}

# Operators that torch registers only when these are imported.
_REGISTER = (
    "torch.distributed",
    "torch.distributed._functional_collectives",
    "torch.distributed._symmetric_memory",
    "torch.distributed.fsdp",
    "torch.distributed.tensor",
    "torch.nn.attention.varlen",
    "torch.nn.modules.linear_cross_entropy",
    "torchvision",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One overload: its packet, its overload name ("" for the default) and its class."""

    packet: str
    overload: str
    found: Classified

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return self.found.kind.value if self.found.kind else NO_CLASS

    @property
    def namespace(self) -> str:
        """``"aten"``."""
        return self.packet.partition("::")[0]


def registered() -> list[tuple[str, str, bool]]:
    """Every overload that the installed torch (and torchvision) registers.

    Returns:
        For each its packet, its overload name, and True if it is composite.
    """
    torch = load_torch()
    from dispatchcount.capture.composite import runs_as_parts

    for module in _REGISTER:
        # What cannot be imported registers nothing.
        with suppress(ForeignError), foreign(f"{module} cannot be imported:"):
            import_module(module)
    rows = []
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        packet, _, overload = name.partition(".")
        rows.append((packet, overload, runs_as_parts(name)))
    return rows


def inventory() -> list[Row]:
    """Every registered overload with its class."""
    import dispatchcount.rules.library  # noqa: F401  (fills the registry)

    return [Row(p, o, classify(p, o, composite=composite)) for p, o, composite in registered()]


def choose(rows: list[Row], kinds: list[str], namespaces: list[str], search: str) -> list[Row]:
    """The rows of these classes and namespaces (of all if empty) whose name contains `search`."""
    return [
        row
        for row in rows
        if (not kinds or row.kind in kinds)
        and (not namespaces or row.namespace in namespaces)
        and search.lower() in f"{row.packet}.{row.overload}".lower()
    ]


def counts(rows: list[Row]) -> dict[str, int]:
    """Overloads in each class, in the order of `KINDS`."""
    found = Counter(row.kind for row in rows)
    return {kind: found[kind] for kind in KINDS}


def packets(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows by packet."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.packet, []).append(row)
    return grouped


def table(rows: list[Row]) -> Group:
    """One line a packet."""
    lines = []
    for packet, overloads in packets(rows).items():
        for found in dict.fromkeys(row.found for row in overloads):
            same = [row for row in overloads if row.found == found]
            why = clean(found.family or found.reason)
            lines.append((clean(packet), str(len(same)), same[0].kind, why))
    headers = ("operator", "overloads", "class", "family or reason")
    columns = [
        Cells(header, [line[place] for line in lines], header != "overloads", keep=True)
        for place, header in enumerate(headers)
    ]
    return Group(Grid(columns), Text(), Text(summary(rows), "dim"))


def summary(rows: list[Row]) -> str:
    """``"3683 overloads: 2016 rule, 546 movement, …"``."""
    return f"{len(rows)} overloads: " + ", ".join(
        f"{n} {kind}" for kind, n in counts(rows).items() if n
    )


def as_json(rows: list[Row]) -> str:
    """A list of objects, one an overload."""
    return json.dumps(
        [
            {
                "operator": r.packet,
                "overload": r.overload,
                "class": r.kind,
                "family": r.found.family,
                "reason": r.found.reason,
            }
            for r in rows
        ],
        indent=1,
    )


def as_markdown(rows: list[Row], version: str) -> str:
    """A page: the classes with their counts, then every packet by namespace, class and family."""
    lines = [
        "# Operators",
        "",
        f"What `dispatchcount ops --markdown` says of torch {version}: {len(rows)} overloads.",
        "",
    ]
    lines += ["| class | overloads | meaning |", "|---|---:|---|"]
    lines += [f"| {kind} | {n} | {MEANING[kind]} |" for kind, n in counts(rows).items()]
    for namespace in sorted({row.namespace for row in rows}):
        lines += [
            "",
            f"## {namespace}",
            "",
            "| class | family or reason | operators |",
            "|---|---|---|",
        ]
        groups: dict[tuple[str, str], dict[str, None]] = {}
        for row in rows:
            if row.namespace == namespace:
                why = row.found.family or row.found.reason
                groups.setdefault((row.kind, why), {})[row.packet.partition("::")[2]] = None
        for (kind, why), names in sorted(
            groups.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])
        ):
            lines.append(f"| {kind} | {why} | {' '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines) + "\n"


def add_parser(subparsers: Any) -> None:
    """Add the ``ops`` subcommand."""
    parser = subparsers.add_parser(
        "ops", help="list every operator of the installed torch and how it is counted"
    )
    parser.add_argument(
        "search",
        nargs="?",
        default="",
        metavar="SEARCH",
        help="show the operators whose name contains this",
    )
    parser.add_argument(
        "--class",
        dest="kinds",
        action="append",
        default=[],
        choices=KINDS,
        help="only this class; may be given more than once",
    )
    parser.add_argument(
        "--namespace",
        dest="namespaces",
        action="append",
        default=[],
        metavar="NAME",
        help="only this namespace, such as aten",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print a JSON list, one object an overload"
    )
    form.add_argument("--markdown", action="store_true", help="print the page docs/operators.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the inventory.

    Raises:
        dispatchcount.errors.UsageError: no operator was found.
    """
    everything = inventory()
    rows = choose(everything, args.kinds, args.namespaces, args.search)
    if not rows:
        raise UsageError(_nothing(everything, args.namespaces))
    if args.json:
        emit(as_json(rows), None)
    elif args.markdown:
        emit(as_markdown(rows, load_torch().__version__.partition("+")[0]), None)
    else:
        show(Printable(table(rows)))
    return 0


def _nothing(everything: list[Row], namespaces: list[str]) -> str:
    known = sorted({row.namespace for row in everything})
    strange = [name for name in namespaces if name not in known]
    if strange:
        return f"torch registers no namespace {', '.join(strange)}; there are {', '.join(known)}"
    return "no operator fits; leave out --class or --namespace, or search for less"
