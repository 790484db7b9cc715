"""What is worked out from a plan: least times, comparisons, text and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.distributed import Plan, compare, plan
from dispatchcount.distributed.mesh import Mesh, mesh_of
from dispatchcount.distributed.padding import Padding
from dispatchcount.errors import ReportError, UsageError
from tests.distributed.decoder import PRODUCTS, SCORES, Decoder
from tests.distributed.spread import LACKING, adamw, both, plans, sharded, step

pytestmark = pytest.mark.torch_alone

DEVICE = dc.Device(
    peak={"float32": 1e12}, bandwidth=1e15, memory=10**6, interconnect=2e9, name="mine"
)


FORWARD = PRODUCTS + 2 * SCORES
"""MACs of a batch in the forward."""


def skip_unless_plans() -> None:
    if LACKING:
        pytest.skip(f"this torch lacks {LACKING}")


@pytest.fixture(scope="module")
def planned() -> Plan:
    skip_unless_plans()
    return plan(Decoder, both, step(), {"dp": 4, "tp": 2}, rank=3, optimizer=adamw)


@pytest.fixture(scope="module")
def wide() -> Plan:
    skip_unless_plans()
    return plan(Decoder, sharded, step(), "dp=6", optimizer=adamw)


# Meshes


def test_a_mesh_says_where_a_rank_stands() -> None:
    mesh = mesh_of("pp=2, dp=3,tp=4")
    assert mesh == Mesh(("pp", "dp", "tp"), (2, 3, 4))
    assert (mesh.ranks, str(mesh)) == (24, "pp=2,dp=3,tp=4")
    # 17 = 1 · 12 + 1 · 4 + 1
    assert mesh.coordinates(17) == {"pp": 1, "dp": 1, "tp": 1}
    assert mesh.along("pp", 17) == (5, 17)
    assert mesh.along("dp", 17) == (13, 17, 21)
    assert mesh.along("tp", 17) == (16, 17, 18, 19)


# Least times


def test_communication_takes_its_bytes_by_half_of_the_interconnect(planned: Plan) -> None:
    time = planned.on(DEVICE)
    assert time.communication_seconds == pytest.approx(planned.wire_bytes / 1e9)
    assert time.compute_seconds == pytest.approx(planned.report.roofline(DEVICE).least_seconds)
    assert time.least_seconds == max(time.communication_seconds, time.compute_seconds)
    assert time.total.seconds_in_turn == time.communication_seconds + time.compute_seconds
    assert time.bound == "communication"
    assert planned.on(DEVICE, 1e20).bound != "communication"


def test_a_module_has_what_is_sent_of_its_data_and_of_modules_below(planned: Plan) -> None:
    rows = planned.on(DEVICE).by_module()
    for name in ("layers.0", ""):
        bytes_ = sum(row.wire_bytes for row in planned.by_collective(name))
        assert rows[name].communication_seconds == pytest.approx(bytes_ / 1e9)


def test_each_dimension_may_have_a_link_of_its_own(planned: Plan) -> None:
    sent = {"dp": 0, "tp": 0}
    for row in planned.by_collective():
        sent[row.group.dimension] += row.wire_bytes
    time = planned.on(DEVICE, {"dp": 4e9})
    assert time.communication_seconds == pytest.approx(sent["dp"] / 2e9 + sent["tp"] / 1e9)


def test_it_fits_or_not_or_nobody_knows(planned: Plan) -> None:
    peak = planned.peak
    for memory, fits in ((peak, True), (peak - 1, False), (None, None)):
        device = dc.Device(peak={"float32": 1e12}, memory=memory)
        assert planned.on(device).fits is fits
    small = planned.on(dc.Device(peak={"float32": 1e12}, memory=peak - 1))
    assert "does not fit into" in str(small)
    assert "has no interconnect: communication bounds nothing" in str(small)


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf"), True, "fast", {"dp": 0}])
def test_a_rate_is_a_positive_number(planned: Plan, rate: object) -> None:
    with pytest.raises(UsageError, match="bytes a second"):
        planned.on(DEVICE, rate)  # type: ignore[arg-type]


def test_a_rate_of_no_dimension_is_refused(planned: Plan) -> None:
    with pytest.raises(UsageError, match=r"'ep', which the mesh dp=4,tp=2 does not have"):
        planned.on(DEVICE, {"ep": 1e9})
    with pytest.raises(UsageError, match="which no mesh has"):
        compare([planned], DEVICE, {"ep": 1e9})


# Comparisons


def test_the_least_time_for_the_same_work_comes_first(planned: Plan, wide: Plan) -> None:
    """A step of dp=6 has 6 batches, and one of dp=4,tp=2 has 4: the same times 8 / 6 ranks' work."""
    found = compare([wide, planned], DEVICE)
    assert found.by == "macs"
    assert set(found.plans) == {planned, wide}
    forward = [one.mesh.ranks * one.report.by_phase()["forward"].macs for one in found.plans]
    assert found.work == tuple(forward) == tuple(one.forward_macs for one in found.plans)
    # Sequence parallelism spreads all products over tp, so ranks of one batch do it once together.
    assert (wide.forward_macs, planned.forward_macs) == (6 * FORWARD, 4 * FORWARD)
    assert list(found.seconds) == sorted(found.seconds)
    assert found.seconds == tuple(
        pytest.approx(10**15 * time.least_seconds / work)
        for time, work in zip(found.times, found.work, strict=True)
    )
    assert compare([wide, planned]).plans == (wide, planned)
    # The mesh dp=6 has no dimension tp, which is left out for it alone.
    linked = compare([wide, planned], DEVICE, {"tp": 8e9})
    assert linked.times[linked.plans.index(wide)].links == {"": 1e9}
    for text in (str(found), found.to_markdown()):
        assert "time by PMAC forward" in text
        assert text.index(str(found.plans[0].mesh)) < text.index(str(found.plans[1].mesh))
    with pytest.raises(UsageError, match="no plan to compare"):
        compare([])


def test_times_are_divided_by_samples_where_plans_say_them(planned: Plan, wide: Plan) -> None:
    """As many samples as batches of 2; or few for one of them, which turns the order around."""
    fair = [replace(wide, samples=12), replace(planned, samples=8)]
    found = compare(fair, DEVICE)
    assert found.by == "sample"
    assert found.work == tuple(one.samples for one in found.plans)
    by_macs = compare([wide, planned], DEVICE, by="macs")
    assert [one.mesh for one in found.plans] == [one.mesh for one in by_macs.plans]
    first = found.plans[0]
    slow = [replace(one, samples=1) if one is first else one for one in found.plans]
    assert compare(slow, DEVICE).plans[-1].mesh == first.mesh
    assert "time by sample" in str(found)
    assert Plan.from_json(fair[0].to_json()) == fair[0]
    # Of a step, whatever it does.
    found = compare(fair, DEVICE, by="step")
    assert found.seconds == tuple(time.least_seconds for time in found.times)
    assert list(found.seconds) == sorted(found.seconds)
    assert "time by" not in str(found)
    # One plan without them: the next way that all have.
    assert compare([fair[0], planned], DEVICE).by == "macs"
    with pytest.raises(UsageError, match=r"by is 'sample', and the plan of dp=4,tp=2 was made wit"):
        compare([fair[0], planned], DEVICE, by="sample")
    with pytest.raises(UsageError, match="by is 'tokens'; it is one of sample, macs, step"):
        compare(fair, DEVICE, by="tokens")


@plans
def test_a_step_without_macs_is_compared_as_it_is() -> None:
    idle = plan(lambda: nn.Linear(1, 1), None, lambda model: None, {"dp": 2})
    assert compare([idle], DEVICE).by == "step"
    with pytest.raises(UsageError, match="has a forward without MACs"):
        compare([idle], DEVICE, by="macs")


# Redundancy


@plans
def test_what_ranks_hold_and_do_alike() -> None:
    """On dp=2,tp=2: with plain tensor parallelism, tp does norms twice and no product."""
    from tests.distributed.spread import tensor_parallel

    def spread(model: Decoder, mesh: object) -> nn.Module:
        return tensor_parallel(model, mesh["tp"])  # type: ignore[index]

    once = plan(Decoder, None, step(), {"dp": 1}, samples=1, optimizer=adamw)
    both_ways = plan(Decoder, spread, step(), "dp=2,tp=2", samples=2, optimizer=adamw)
    held = both_ways.redundancy()
    assert held["layers.0.gated.up"] == 2.0  # by dp; tp shares its rows
    assert held["layers.0.before"] == held["embed"] == 4.0
    done = both_ways.redundancy(once)
    assert {value for name, value in done.items() if name and value is not None} == {1.0}
    # Norms are done by both ranks of tp, embeddings are looked up twice.
    assert both_ways.redundancy(once, "transcendentals")["layers.0.before"] == 2.0
    assert both_ways.redundancy(once, "memory_gradients")["layers.0.gated.up"] == 2.0
    assert both_ways.redundancy(once, "memory_optimizer")["embed"] == 4.0
    # Two different modules under a name, each on two ranks.
    assert both_ways.redundancy(distinct={"embed": 2})["embed"] == 2.0
    for arguments, message in (
        ((once, "flop"), "metric 'flop' is not known"),
        ((both_ways,), "the logical plan is on dp=2,tp=2; give one of the model on one rank"),
        ((replace(once, samples=None),), "the plan of dp=1 was made without samples="),
    ):
        with pytest.raises(UsageError, match=message):
            both_ways.redundancy(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is no such module"):
        both_ways.redundancy(distinct={"nowhere": 2})


# Padding


def test_padding_is_told_by_module(wide: Plan) -> None:
    """6 ranks: 64 rows become 66, 96 stay, 128 become 132."""
    layer = 4 * 4 * 66 * 64 + 2 * 4 * 66  # query key value merge, two norms
    layer += 4 * (2 * 132 * 64 + 66 * 128)  # gate up, down
    useful = 4 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64)
    assert wide.padding[1] == Padding("layers.0", 6, useful, layer)
    assert wide.padding[0].sent - wide.padding[0].useful == 4 * 2  # the last norm
    assert wide.padded == Padding("", 6, 378_112, 2 * layer + 4 * (2 * 96 * 64 + 66))


# Text and files


def test_a_plan_comes_back_from_json(planned: Plan, tmp_path: object) -> None:
    assert Plan.from_json(planned.to_json()) == planned


def test_its_page_says_which_rank_of_which_mesh(planned: Plan, tmp_path: Path) -> None:
    facts = {"mesh": "dp=4,tp=2", "rank": "3", "world_size": "8", "planned": "yes"}
    assert planned.labelled.labels == {**planned.report.labels, **facts}
    assert planned.labelled.macs == planned.report.macs
    written = planned.to_html(tmp_path / "plan.html")
    assert written == planned.labelled.to_html()
    assert (tmp_path / "plan.html").read_text() == written


def test_some_ranks_of_a_mesh_side_by_side(planned: Plan) -> None:
    job = dc.Report.merge([planned.labelled], axis="rank")
    assert (job.world, job.ranks, job.planned) == (8, (3,), True)
    assert "planned for 3 alone" in repr(job)
    assert "ranks 3 alone" in str(job)
    assert not dc.Report.merge([planned.report], axis="rank").planned


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"dispatchcount.plan"', b'"dispatchcount.report"', "no plan of dispatchcount"),
        (b'"rank":3', b'"rank":8', "rank 8 is not in the mesh"),
        (b'"rank":3', b'"rank":"3"', "rank: expected an integer"),
        (b'"ranks":4}', b'"ranks":-4}', r"mesh\[0\].ranks: expected an integer"),
        (b'"version":1,"mesh"', b'"version":2,"mesh"', "upgrade it"),
        (b'"padding"', b'"pudding"', "padding is missing"),
        (b'"padding"', b'"samples":0,"padding"', "samples: expected an integer from 1 up"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    planned: Plan, old: bytes, new: bytes, message: str
) -> None:
    data = planned.to_json()
    assert old in data
    with pytest.raises(ReportError, match=message):
        Plan.from_json(data.replace(old, new, 1))


def test_it_shows_itself(planned: Plan) -> None:
    time, found = planned.on(DEVICE), compare([planned], DEVICE)
    for value in (planned, planned.table(), time, time.table(), found, found.table()):
        assert "\n" not in repr(value)
        assert len(repr(value)) < 400
        assert value._repr_html_().startswith("<")
    assert repr(planned).startswith("<Plan of rank 3 of dp=4,tp=2: ")
    for text in (str(planned), planned.to_markdown()):
        assert "as rank 3 (dp 1, tp 1) has it" in text.replace("\\", "")
        assert "dp: 4 ranks 1, 3, 5, 7" in text
    with pytest.raises(ValueError, match="negative"):
        time.table(-1)


@plans
def test_an_operator_without_a_rule_is_named() -> None:
    """No output hides a gap."""

    @torch.library.custom_op("plan_test::odd", mutates_args=())
    def odd(x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    odd.register_fake(lambda x: torch.empty_like(x))
    planned = plan(lambda: nn.Linear(1, 1), None, lambda model: odd(torch.ones(2)), {"dp": 2})
    assert "plan_test.odd" in str(planned)
