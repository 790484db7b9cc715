"""Runs of one thing, oldest first, and what the thing may cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatchcount.dashboard.collect import METRICS, Run
from dispatchcount.errors import UsageError
from dispatchcount.report.budget import Limit, parse_limits

_DRAWN = {metric.key for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one model, input and set of other labels.

    Attributes:
        name: the model, and the labels that tell it apart from other series of the model.
        model: the model.
        input: the input.
        runs: oldest first.
        budgets: what it may cost.
    """

    name: str
    model: str
    input: str
    runs: tuple[Run, ...]
    budgets: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """What models may cost.

    Attributes:
        model: the model that it is for; None for all.
        limits: the most of each metric.
    """

    model: str | None
    limits: tuple[Limit, ...]


def parse_budget(text: str) -> Budget:
    """A budget from ``"flops=4.2G,params=26M"`` or ``"resnet50:flops=4.2G"``.

    A model's name may hold colons (``torchvision:resnet50:flops=4.2G``).

    Raises:
        dispatchcount.errors.UsageError: a metric or an amount is not known, has no trend, or is a
            percentage, which needs a baseline.
    """
    first, _, _ = text.partition("=")
    model, colon, _ = first.rpartition(":")
    limits = parse_limits(text[len(model) + len(colon) :])
    for limit in limits:
        if limit.metric not in _DRAWN:
            raise UsageError(
                f"{limit.metric} has no trend to draw a budget into; "
                f"it is one of {', '.join(metric.key for metric in METRICS)}"
            )
        if limit.percent:
            raise UsageError(
                f"{limit.metric}={limit.text} is a share of a baseline; "
                "give an amount, such as 4.2G"
            )
    return Budget(model or None, limits)


def in_series(runs: Iterable[Run], along: Iterable[str], budgets: Sequence[Budget]) -> list[Series]:
    """The runs in series, by the series' name.

    Args:
        runs: all runs.
        along: labels that differ between the runs of one series, beside the commit.
        budgets: later ones replace earlier ones of the same metric.

    Raises:
        dispatchcount.errors.UsageError: a budget is for a model that no run has.
    """
    along = tuple(along)
    groups: defaultdict[tuple[tuple[str, str], ...], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.identity(along)].append(run)
    models = {dict(identity)["model"] for identity in groups}
    for budget in budgets:
        if budget.model is not None and budget.model not in models:
            raise UsageError(
                f"no run has the model {budget.model!r} that a budget is for; "
                f"there is {', '.join(sorted(models))}"
            )
    names = _names(list(groups))
    made = [
        Series(
            names[identity],
            dict(identity)["model"],
            dict(identity)["input"],
            tuple(sorted(group, key=lambda run: (run.created, run.file))),
            _limits(dict(identity)["model"], budgets),
        )
        for identity, group in groups.items()
    ]
    return sorted(made, key=lambda series: series.name)


def _limits(model: str, budgets: Sequence[Budget]) -> tuple[Limit, ...]:
    """The limits of a model; those for it alone come after those for all."""
    found = {
        limit.metric: limit
        for own in (False, True)
        for budget in budgets
        if budget.model == (model if own else None)
        for limit in budget.limits
    }
    return tuple(found.values())


def _names(
    identities: list[tuple[tuple[str, str], ...]],
) -> dict[tuple[tuple[str, str], ...], str]:
    """A name for each series: its model, its input, and what else tells it from its like."""
    # The values that each label has among the series of a model.
    values: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    keys = {key for identity in identities for key, _ in identity}
    for labels in map(dict, identities):
        for key in keys:
            values[labels["model"]][key].add(labels.get(key, ""))
    names = {}
    for identity in identities:
        labels = dict(identity)
        model, given = labels.pop("model"), labels.pop("input")
        apart = sorted(key for key, found in values[model].items() if len(found) > 1)
        told = [
            f"{key}={labels[key]}" if key in labels else f"no {key}"
            for key in apart
            if key != "input"
        ]
        names[identity] = ", ".join(filter(None, [model, given, *told]))
    return names
