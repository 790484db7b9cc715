"""Many inputs: what each sample cost, the distribution over them, and how often each module ran."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatchcount.report.rows import Stats
from dispatchcount.report.tally import Tally

if TYPE_CHECKING:
    from dispatchcount.report.model import Report


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of one figure over the samples; `p95` is the nearest-rank 95th percentile, `std` the population's."""

    mean: float
    std: float
    min: int
    median: float
    p95: int
    max: int


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


def distribution(values: list[int]) -> Distribution:
    """The distribution of a non-empty list of counts."""
    ordered = sorted(values)
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return Distribution(
        statistics.fmean(ordered),
        statistics.pstdev(ordered),
        ordered[0],
        statistics.median(ordered),
        ordered[rank],
        ordered[-1],
    )


def profile_stats(report: Report) -> list[dict[str, Stats]]:
    """For each of `Report.profiles`: every module's total and own figures in one sample of it."""
    results = []
    for profile in report.profiles:
        own = [Tally() for _ in report.modules]
        total = [Tally() for _ in report.modules]
        for row in profile:
            own[row.module].add_cost(row.cost)
            own[row.module].calls += row.calls
        for index, tally in enumerate(own):
            total[index].add(tally)
            total[index].calls = tally.calls
        for index in range(len(report.modules) - 1, -1, -1):
            parent = report.modules[index].parent
            if parent >= 0:
                total[parent].add(total[index])
        results.append(
            {
                module.name: total[i].stats(report.convention_, params=module.params, self_=own[i].stats(report.convention_))
                for i, module in enumerate(report.modules)
            }
        )
    return results


def by_sample(report: Report) -> list[tuple[str, dict[str, Stats]]]:
    """Each sample's label and every module's figures in it, in the order they ran. Equal samples share one dict."""
    profiles = profile_stats(report)
    return [(sample.label, profiles[sample.profile]) for sample in report.samples]


def sample_flops(report: Report) -> list[int]:
    """Each sample's flops, in the order they ran."""
    profiles = [_profile_flops(report, profile) for profile in range(len(report.profiles))]
    return [profiles[sample.profile] for sample in report.samples]


def _profile_flops(report: Report, profile: int) -> int:
    tally = Tally()
    for row in report.profiles[profile]:
        tally.add_cost(row.cost)
    return tally.stats(report.convention_).flops


def by_module_over_samples(report: Report) -> dict[str, ModuleSamples]:
    """For every module its execution rate and distributions over the samples; empty without samples."""
    if not report.samples:
        return {}
    profiles = profile_stats(report)
    rows: dict[str, ModuleSamples] = {}
    for module in report.modules[1:]:
        flops = [profiles[s.profile][module.name].flops for s in report.samples]
        calls = [profiles[s.profile][module.name].calls for s in report.samples]
        ran = sum(1 for c in calls if c)
        rows[module.name] = ModuleSamples(ran / len(calls), sum(calls) / len(calls), distribution(flops), distribution(calls))
    return rows
