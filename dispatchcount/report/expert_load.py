"""How evenly a router spreads its work over the modules it chooses from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from dispatchcount.report.brief import Brief
from dispatchcount.report.model import ReportData
from dispatchcount.report.tree import children


@dataclass(frozen=True, slots=True, repr=False)
class ExpertLoad(Brief):
    """What one expert got.

    Attributes:
        name: the expert's full name.
        calls: how often it was called.
        tokens: rows of its first input over all calls (every size but the last multiplied). None
            where they are not known: for a call without a tensor, or where a run was so varied that
            its shapes were no longer told apart.
        macs, flops: its total.
        share: its part of all experts' flops, 0 to 1; 0 where none did any.
    """

    name: str
    calls: int
    tokens: int | None
    macs: int
    flops: int
    share: float


@dataclass(frozen=True, slots=True, repr=False)
class Load(Brief):
    """The experts in order, and how uneven their load is.

    Attributes:
        experts: one row each, those never called included.
        imbalance: the busiest expert's flops over the mean. 1 is an even load, the number of
            experts is all of it on one expert, 0 is no flops at all.
    """

    experts: tuple[ExpertLoad, ...]
    imbalance: float


def expert_load(report: ReportData, name: str) -> Load:
    """The load of the experts that `name` (usually a ModuleList) holds.

    Experts are several modules that are alike, of which a router calls some. Their load is what
    they did themselves. There is no answer where it could be wrong: where the experts' weights are
    stacked in parameters of `name`, or one operator of `name` used those of all experts, no call
    says which expert worked for which token.

    Args:
        report: the report.
        name: the module that holds the experts and nothing else.

    Raises:
        KeyError: no module goes by that name.
        ValueError: it holds no experts, or what they did cannot be told; the message says which.
    """
    index = report.module_index(name)
    held = children(report.modules).get(index, [])
    stats = report.by_module()
    reason = _not_experts(report, held) or _not_their_work(report, index, held)
    if reason:
        raise ValueError(f"{report.modules[index].name or 'the root'!r} {reason}")
    rows = {report.modules[i].name: stats[report.modules[i].name] for i in held}
    whole = sum(row.flops for row in rows.values())
    experts = tuple(
        ExpertLoad(
            expert,
            row.calls,
            _tokens(report, expert),
            row.macs,
            row.flops,
            row.flops / whole if whole else 0.0,
        )
        for expert, row in rows.items()
    )
    busiest = max(expert.flops for expert in experts)
    return Load(experts, busiest * len(experts) / whole if whole else 0.0)


def _not_experts(report: ReportData, held: list[int]) -> str:
    """Why these modules, by index, are not the experts of one router; ``""`` if they are."""
    if not held:
        return "holds no modules; give the module that holds the experts"
    modules = [report.modules[i] for i in held]
    first, last = modules[0], modules[-1]
    if report.modules[modules[0].parent].type == "Sequential":
        return (
            "is a Sequential, which runs all of its modules one after another; "
            "a router chooses among several"
        )
    if len(held) == 1:
        return (
            f"holds a single module, {first.name!r} ({first.type}); a router chooses among several"
        )
    shared = next(
        (
            module
            for module in modules
            if any(_holder(a) == _holder(module.name) for a in module.aliases)
        ),
        None,
    )
    if shared is not None:
        return (
            f"holds {shared.name!r} under another name as well, "
            "and which of the two was called is not known"
        )
    build = _builds(report)
    for module, i in zip(modules, held, strict=True):
        if build[i] != build[held[0]]:
            return (
                f"holds modules that are not alike, such as {first.name!r} ({first.type}) "
                f"and {module.name!r} ({module.type}); "
                f"give the module that holds the experts alone"
            )
    if (
        not report.modules[first.parent].container
        and len({_stem(module.name) for module in modules}) > 1
    ):
        return (
            f"holds modules named in different ways, {first.name!r} to {last.name!r}: "
            "one may run whatever a router chooses"
        )
    return ""


def _not_their_work(report: ReportData, index: int, held: list[int]) -> str:
    """Why what the modules did is not what the experts did; ``""`` if it is."""
    rows = report.by_module()
    holder, modules = report.modules[index], [report.modules[i] for i in held]
    own = rows[holder.name].self_
    work = sum(rows[module.name].macs for module in modules)
    fused = next((module for module in modules if module.fused), None)
    if fused is not None:
        return (
            f"holds {fused.name!r}, whose parameters were used by operators of another module: "
            "its own load is not known"
        )
    if holder.params and own is not None and own.macs > 0 and own.macs >= work:
        return (
            f"has parameters and did {own.macs:,} MACs itself, the modules in it {work:,}: "
            f"its experts run as one operator, which does not say who did what"
        )
    if not any(rows[module.name].calls for module in modules):
        return (
            "holds modules of which none was called; "
            "if its experts ran, then inside operators that do not say who did what"
        )
    return ""


def _builds(report: ReportData) -> list[tuple[object, ...]]:
    """For each module by index what two alike modules share.

    That is its class, the shapes of its own parameters, and the same of each of its children. Every
    distinct build has a number, by which a parent names those of its children: otherwise a deep
    chain of modules would be a tuple in a tuple in a tuple …
    """
    known: dict[tuple[object, ...], int] = {}
    builds: list[tuple[object, ...]] = [()] * len(report.modules)
    inside: list[list[object]] = [[] for _ in report.modules]
    for index in range(len(report.modules) - 1, -1, -1):  # children come after their parent
        module = report.modules[index]
        shapes = tuple(parameter.shape for parameter in module.parameters)
        builds[index] = (module.type, shapes, tuple(inside[index]))
        if module.parent >= 0:
            inside[module.parent].append(known.setdefault(builds[index], len(known)))
    return builds


def _holder(name: str) -> str:
    return name.rpartition(".")[0]


def _stem(name: str) -> str:
    """The last part of a name without its numbers: the same for ``expert0`` and ``expert12``."""
    return re.sub(r"\d+", "", name.rpartition(".")[2])


def _tokens(report: ReportData, name: str) -> int | None:
    tokens = 0
    for signature, row in report.by_call(name).items():
        sizes = re.search(r"\((\d+(?:, \d+)*)\)", signature)
        if sizes is None:
            return None
        tokens += row.calls * prod(int(size) for size in sizes[1].split(", ")[:-1])
    return tokens
