"""Many inputs in one block: what each cost, the spread, and how often each module ran."""

from __future__ import annotations

import statistics
from itertools import count

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.capture import record
from dispatchcount.costing import samples
from dispatchcount.report.samples import Distribution, ModuleSamples, distribution
from tests.work import python_calls

pytestmark = pytest.mark.torch_alone


class EarlyExit(nn.Module):
    """Stages that each may end the forward, at a cost of 16 (stage) and 8 (exit) MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3))
        self.exits = nn.ModuleList(nn.Linear(4, 2, bias=False) for _ in range(3))

    def forward(self, y: Tensor, leave_at: int) -> Tensor:
        for number, (stage, out) in enumerate(zip(self.stages, self.exits, strict=True)):
            y = stage(y)
            answer = out(y)
            if number == leave_at:
                break
        return answer


STAGE, EXIT = 4 * 4, 4 * 2


def early(leaves: list[int]) -> dc.Report:
    model = EarlyExit()
    with dc.profile(model) as prof:
        for number, leave in enumerate(leaves):
            with prof.sample(f"image-{number}"):
                model(torch.ones(1, 4), leave)
    prof.report.self_check()
    return prof.report


def test_each_sample_has_its_own_figures() -> None:
    report = early([0, 2, 0, 1])
    assert report.sample_flops() == [24, 72, 24, 48]
    assert report.flops == 24 + 72 + 24 + 48
    labels, modules = zip(*report.by_sample(), strict=True)
    assert labels == ("image-0", "image-1", "image-2", "image-3")
    assert [m["stages.1"].flops for m in modules] == [0, STAGE, 0, STAGE]
    assert [m["exits"].flops for m in modules] == [EXIT, 3 * EXIT, EXIT, 2 * EXIT]
    assert [m["stages.1"].calls for m in modules] == [0, 1, 0, 1]
    assert modules[1][""].self_ is not None
    assert len(report.profiles) == 3  # the first and the third are alike


def test_the_expected_cost_of_an_early_exit_net() -> None:
    report = early([0] * 6 + [1] * 3 + [2])
    spread = report.distribution()
    assert spread == Distribution(
        mean=(6 * 24 + 3 * 48 + 72) / 10,
        std=statistics.pstdev([24] * 6 + [48] * 3 + [72]),
        min=24,
        median=24,
        p95=72,
        max=72,
    )
    over = report.by_module_over_samples()
    assert [over[f"stages.{i}"].execution_rate for i in range(3)] == [1.0, 0.4, 0.1]
    assert over["stages.1"].calls_per_sample == 0.4
    assert over["stages.1"].flops == Distribution(
        0.4 * STAGE, statistics.pstdev([0] * 6 + [STAGE] * 4), 0, 0, STAGE, STAGE
    )
    assert over[""].flops == spread
    assert over["stages"].execution_rate == 0  # a ModuleList is never called
    assert over["stages"].flops.max == 3 * STAGE
    assert over[""] == ModuleSamples(1.0, 1.0, spread, Distribution(1, 0, 1, 1, 1, 1))


def test_another_convention_is_another_view_of_the_same_samples() -> None:
    report = early([0, 2])
    assert report.with_convention("torch").sample_flops() == [48, 144]
    assert (
        report.with_convention("torch").by_module_over_samples()["stages.0"].flops.max == 2 * STAGE
    )


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=60))
def test_distributions_agree_with_the_standard_library(values: list[int]) -> None:
    spread = distribution(values)
    ordered = sorted(values)
    assert spread.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert spread.std == pytest.approx(statistics.pstdev(values), rel=1e-9, abs=1e-6)
    assert (spread.min, spread.median, spread.max) == (
        ordered[0],
        statistics.median(ordered),
        ordered[-1],
    )
    assert sum(v <= spread.p95 for v in values) >= 0.95 * len(values)
    assert sum(v < spread.p95 for v in values) < 0.95 * len(values)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_samples_add_up_to_the_block(leaves: list[int]) -> None:
    report = early(leaves)
    assert sum(report.sample_flops()) == report.flops
    over, rows = report.by_module_over_samples(), report.by_module()
    for name, row in over.items():
        assert row.flops.mean * len(leaves) == pytest.approx(rows[name].flops)
        assert row.calls_per_sample * len(leaves) == pytest.approx(rows[name].calls)


def test_what_runs_between_samples_is_in_the_report_alone() -> None:
    model = nn.Linear(4, 4, bias=False)
    with dc.profile(model) as prof:
        model(torch.ones(1, 4))
        with prof.sample("a"):
            model(torch.ones(2, 4))
        model(torch.ones(1, 4))
        with prof.sample("b"):
            pass
    assert prof.report.flops == 4 * 16
    assert prof.report.sample_flops() == [32, 0]
    assert prof.report.by_module_over_samples()[""].execution_rate == 0.5


def test_samples_of_a_loader() -> None:
    model = nn.Linear(4, 4, bias=False)
    loader = torch.utils.data.DataLoader(torch.ones(5, 4), batch_size=2)
    with dc.profile(model) as prof:
        for batch in prof.samples(loader):
            model(batch)
    assert [sample.label for sample in prof.report.samples] == ["0", "1", "2"]
    assert prof.report.sample_flops() == [32, 32, 16]
    with dc.profile(model) as prof:
        for batch in prof.samples(loader, label=lambda i, item: f"{i}: {len(item)} rows"):
            model(batch)
    assert [sample.label for sample in prof.report.samples] == [
        "0: 2 rows",
        "1: 2 rows",
        "2: 1 rows",
    ]


def test_a_training_step_as_a_sample() -> None:
    model = nn.Linear(4, 4, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dc.profile(model) as prof:
        for _ in prof.samples(range(3)):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert prof.report.sample_flops() == [64, 64, 64]


def test_a_hook_may_begin_a_sample_for_each_call() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU())
    with dc.profile(model) as prof:
        steps = prof.samples(count(), label=lambda i, _: f"step {i}")
        hook = model.register_forward_pre_hook(lambda module, args: next(steps) * 0 or None)
        for rows in (5, 1, 2):
            model(torch.ones(rows, 4)).sum()
        hook.remove()
        steps.close()
        model(torch.ones(9, 4))
    report = prof.report
    assert [s.label for s in report.samples] == ["step 0", "step 1", "step 2"]
    assert report.sample_flops() == [80, 16, 32]
    assert [row[""].calls for _, row in report.by_sample()] == [1, 1, 1]
    assert [row["0"].calls for _, row in report.by_sample()] == [1, 1, 1]


def test_samples_inside_a_module_call() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(4, 4, bias=False)

        def forward(self, y: Tensor) -> Tensor:
            for _ in prof.samples(range(3)):
                y = self.body(y)
            return y

    model = Loop()
    with dc.profile(model) as prof:
        model(torch.ones(1, 4))
    assert [(row[""].calls, row["body"].calls) for _, row in prof.report.by_sample()] == [
        (0, 1)
    ] * 3


def test_a_sample_in_a_sample_is_refused() -> None:
    model = nn.Linear(4, 4)
    with dc.profile(model) as prof, prof.sample("outer"):
        with (
            pytest.raises(
                RuntimeError,
                match="sample 'inner' was opened inside sample 'outer'; end that one first",
            ),
            prof.sample("inner"),
        ):
            pass
        model(torch.ones(1, 4))
    assert [sample.label for sample in prof.report.samples] == ["outer"]
    assert prof.report.sample_flops() == [16]
    with pytest.raises(RuntimeError, match="inside the profile's with-block"), prof.sample("late"):
        pass
    with (
        pytest.raises(RuntimeError, match="inside the profile's with-block"),
        dc.profile(model).sample("early"),
    ):
        pass


def test_a_sample_that_raises_stands_with_what_it_did() -> None:
    model = nn.Linear(4, 4, bias=False)
    with dc.profile(model) as prof:
        with pytest.raises(ValueError, match="no"), prof.sample("bad"):
            model(torch.ones(2, 4))
            raise ValueError("no")
        with prof.sample("good"):
            model(torch.ones(1, 4))
    assert prof.report.sample_flops() == [32, 16]


def test_a_loop_left_in_the_middle_ends_its_sample() -> None:
    model = nn.Linear(4, 4, bias=False)
    with dc.profile(model) as prof:
        abandoned = prof.samples([torch.ones(1, 4), torch.ones(2, 4)])
        model(next(abandoned))
    assert prof.report.sample_flops() == [16]
    del abandoned
    assert prof.report.sample_flops() == [16]
    with dc.profile(model) as prof:
        for batch in prof.samples([torch.ones(1, 4)] * 3):
            model(batch)
            break
        with prof.sample("next"):
            model(torch.ones(2, 4))
    assert prof.report.sample_flops() == [16, 32]


def test_an_abandoned_sample_does_not_end_a_later_one() -> None:
    model = nn.Linear(4, 4, bias=False)
    prof = dc.profile(model)
    with prof:
        abandoned = prof.samples([torch.ones(1, 4)] * 2)
        model(next(abandoned))
    with prof, prof.sample("now"):
        model(torch.ones(1, 4))
        abandoned.close()
        model(torch.ones(1, 4))
    assert [
        (s.label, f) for s, f in zip(prof.report.samples, prof.report.sample_flops(), strict=True)
    ] == [("now", 32)]


def test_samples_survive_records_being_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU())

    def run() -> dc.Report:
        with dc.profile(model) as prof:
            for rows in prof.samples([3, 1, 2, 3, 1, 4, 4]):
                for _ in range(2):
                    model(torch.ones(rows, 4))
        prof.report.self_check()
        return prof.report

    whole = run()
    monkeypatch.setattr(record, "MAX_RECORDS", 3)
    folded = run()
    assert (
        folded.sample_flops()
        == whole.sample_flops()
        == [2 * rows * 16 for rows in (3, 1, 2, 3, 1, 4, 4)]
    )
    assert folded.by_sample() == whole.by_sample()
    assert folded.by_module() == whole.by_module()


def test_modules_met_in_later_samples() -> None:
    model = nn.ModuleList([nn.Linear(4, 4, bias=False)])
    with dc.profile(model) as prof:
        for number in prof.samples(range(3)):
            model.append(nn.Linear(4, 4, bias=False))
            model[number](torch.ones(1, 4))
    over = prof.report.by_module_over_samples()
    assert [over[str(i)].execution_rate for i in range(4)] == [1 / 3, 1 / 3, 1 / 3, 0]


def test_no_samples() -> None:
    report = early([])
    assert report.samples == report.profiles == ()
    assert report.by_sample() == []
    assert report.by_module_over_samples() == {}
    with pytest.raises(ValueError, match="no samples; wrap each input in `with prof.sample"):
        report.distribution()


def test_ten_thousand_samples_are_as_quick_to_sum_up_as_a_hundred() -> None:
    few, many = early([0, 1, 2] * 34), early([0, 1, 2] * 340)
    for view in ("by_module_over_samples", "by_sample", "sample_flops"):
        work = [python_calls(getattr(report, view)) for report in (few, many)]
        assert (
            work[1] <= work[0] + 1000 + 2 * 1020
        )  # samples alike are weighed, not gone through module by module


def test_a_sample_costs_no_walk_over_the_modules() -> None:
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(200)))
    with dc.profile(model) as prof:
        model(torch.ones(1, 4))

        def nothing() -> None:
            with prof.sample("empty"):
                pass

        nothing()
        assert python_calls(nothing) < 50


def test_samples_of_many_kinds_are_costed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many ways in which counts grew are remembered; figures do not depend on it."""
    monkeypatch.setattr(samples, "MAX_KNOWN", 1)
    report = early([0, 2, 0, 1, 1])
    assert report.sample_flops() == [24, 72, 24, 48, 48]
    # The third was costed anew, and came out as the first, whose profile it shares.
    assert [sample.profile for sample in report.samples] == [0, 1, 0, 2, 2]
