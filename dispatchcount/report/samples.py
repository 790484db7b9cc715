"""Many inputs: what each sample cost, the distribution over them, and how often each module ran.

Samples that did the same share a profile, so that everything here is worked out once for each
profile and then weighed by how many samples took it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import sqrt

from dispatchcount.report.metrics import Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import ModuleCost
from dispatchcount.report.tally import Tally
from dispatchcount.report.tree import upward


@dataclass(frozen=True, slots=True)
class Distribution:
    """How one figure is spread over the samples.

    Attributes:
        mean: the sum of the figures over the number of samples.
        std: the population's standard deviation.
        min, median, max: the smallest, the middle and the largest figure.
        p95: the nearest-rank 95th percentile.
    """

    mean: float
    std: float
    min: int
    median: float
    p95: int
    max: int

    def of(self, number: int) -> Distribution:
        """The distribution of the sums of so many that have the same figure in every sample."""
        return Distribution(*(number * getattr(self, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Range:
    """How many samples have a figure from `least` to `most`, both included."""

    least: int
    most: int
    samples: int


@dataclass(frozen=True, slots=True)
class ModuleSamples:
    """How one module fared over the samples.

    Attributes:
        execution_rate: share of the samples in which it ran, 0 to 1.
        calls_per_sample: mean number of calls.
        flops: distribution of its total over all samples, 0 where it did not run.
        calls: distribution of its calls.
    """

    execution_rate: float
    calls_per_sample: float
    flops: Distribution
    calls: Distribution

    def of(self, number: int) -> ModuleSamples:
        """How so many modules fared together that did the same in every sample."""
        return ModuleSamples(
            self.execution_rate,
            number * self.calls_per_sample,
            self.flops.of(number),
            self.calls.of(number),
        )


def distribution(values: Iterable[int]) -> Distribution:
    """The distribution of a number of counts, at least one."""
    return _weighted(Counter(values))


def ranges(values: Sequence[int], number: int) -> list[Range]:
    """The values, at least one, in at most `number` ranges of equal width, empty ones included.

    Args:
        values: the figures of the samples.
        number: the most ranges, at least one. Fewer do where the values are close together.
    """
    least, most = min(values), max(values)
    width = (most - least) // number + 1
    samples = [0] * ((most - least) // width + 1)
    for value in values:
        samples[(value - least) // width] += 1
    return [
        Range(start, min(start + width - 1, most), samples[index])
        for index, start in enumerate(range(least, most + 1, width))
    ]


def _weighted(weights: Mapping[int, int]) -> Distribution:
    """The distribution of values, each with how often it occurs.

    Sums are exact; only the last step rounds.
    """
    ordered = sorted(weights)
    number = sum(weights.values())
    whole = sum(value * weights[value] for value in ordered)
    squares = sum(value * value * weights[value] for value in ordered)
    lower, upper, rank = _at(
        ordered, weights, ((number + 1) // 2, number // 2 + 1, -(-95 * number // 100))
    )
    return Distribution(
        whole / number,
        sqrt(number * squares - whole * whole) / number,
        ordered[0],
        lower if number % 2 else (lower + upper) / 2,
        rank,
        ordered[-1],
    )


def _at(ordered: list[int], weights: Mapping[int, int], ranks: tuple[int, ...]) -> list[int]:
    """The values at ranks of the sorted list in which each value stands as often as it occurs.

    Ranks are counted from 1 and ascend.
    """
    found: list[int] = []
    passed = 0
    for value in ordered:
        passed += weights[value]
        while len(found) < len(ranks) and ranks[len(found)] <= passed:
            found.append(value)
    return found


def profile_stats(report: ReportRows, profile: int) -> dict[str, Stats]:
    """Every module's total and own figures in one sample that took `Report.profiles[profile]`."""
    own = [Tally() for _ in report.modules]
    total = [Tally() for _ in report.modules]
    for row in report.profiles[profile]:
        own[row.module].add_cost(row.cost)
        own[row.module].calls += row.calls
    for index, tally in enumerate(own):
        total[index].add(tally)
        total[index].calls = tally.calls
    for index, parent in upward(report.modules):
        total[parent].add(total[index])
    return {
        module.name: total[i].stats(
            report.flop_definition,
            elements=module.elements,
            self_=own[i].stats(report.flop_definition),
        )
        for i, module in enumerate(report.modules)
    }


def by_sample(report: ReportRows) -> list[tuple[str, dict[str, Stats]]]:
    """Each sample's label and every module's figures in it, in the order they ran.

    Equal samples share one dict.
    """
    profiles = [profile_stats(report, profile) for profile in range(len(report.profiles))]
    return [(sample.label, profiles[sample.profile]) for sample in report.samples]


def sample_flops(report: ReportRows) -> list[int]:
    """Each sample's flops, in the order they ran."""
    profiles = [sum(_flops(report, row) for row in profile) for profile in report.profiles]
    return [profiles[sample.profile] for sample in report.samples]


def _flops(report: ReportRows, row: ModuleCost) -> int:
    return report.flop_definition.flops(row.cost)


def by_module_over_samples(report: ReportRows) -> dict[str, ModuleSamples]:
    """Execution rate and distributions of every module over the samples.

    It is empty without samples.
    """
    number = len(report.samples)
    if not number:
        return {}
    flops: list[Counter[int]] = [Counter() for _ in report.modules]
    calls: list[Counter[int]] = [Counter() for _ in report.modules]
    for profile, weight in Counter(sample.profile for sample in report.samples).items():
        did, called = _totals(report, report.profiles[profile])
        for row, value in did.items():
            flops[row][value] += weight
        for row, value in called.items():
            calls[row][value] += weight
    rows: dict[str, ModuleSamples] = {}
    for index, module in enumerate(report.modules):
        for counter in (flops[index], calls[index]):
            if absent := number - counter.total():
                counter[0] += absent
        if index:
            spread = _weighted(calls[index])
            rows[module.name] = ModuleSamples(
                (number - calls[index][0]) / number, spread.mean, _weighted(flops[index]), spread
            )
    return rows


def _totals(
    report: ReportRows, profile: tuple[ModuleCost, ...]
) -> tuple[dict[int, int], dict[int, int]]:
    """Flops of the modules that did anything and of those above them, and calls of those called."""
    flops: dict[int, int] = {}
    calls: dict[int, int] = {}
    for row in profile:
        calls[row.module] = calls.get(row.module, 0) + row.calls
        module = row.module
        while module >= 0 and module not in flops:  # those above one that is there are there, too
            flops[module] = 0
            module = report.modules[module].parent
        flops[row.module] += _flops(report, row)
    for module in sorted(flops, reverse=True):  # a parent's index is smaller than its children's
        parent = report.modules[module].parent
        if parent >= 0:
            flops[parent] += flops[module]
    return flops, calls
