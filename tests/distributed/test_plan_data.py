"""What is worked out from a plan: least times, comparisons, text and files."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.distributed import Plan, compare, plan
from dispatchcount.distributed.mesh import Mesh, mesh_of
from dispatchcount.distributed.padding import Padding
from dispatchcount.errors import ReportError, UsageError
from tests.distributed.decoder import Decoder
from tests.distributed.spread import LACKING, adamw, both, plans, sharded, step

pytestmark = pytest.mark.torch_alone

DEVICE = dc.Device(
    peak={"float32": 1e12}, bandwidth=1e15, memory=10**6, interconnect=2e9, name="mine"
)


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


def test_the_least_time_comes_first(planned: Plan, wide: Plan) -> None:
    found = compare([wide, planned], DEVICE)
    times = [time.least_seconds for time in found.times]
    assert times == sorted(times)
    assert found.plans == (planned, wide)
    assert compare([wide, planned]).plans == (wide, planned)
    # The mesh dp=6 has no dimension tp, which is left out for it alone.
    assert compare([wide, planned], DEVICE, {"tp": 8e9}).times[1].links == {"": 1e9}
    for text in (str(found), found.to_markdown()):
        assert text.index("dp=4,tp=2") < text.index("dp=6")
    with pytest.raises(UsageError, match="no plan to compare"):
        compare([])


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"dispatchcount.plan"', b'"dispatchcount.report"', "no plan of dispatchcount"),
        (b'"rank":3', b'"rank":8', "rank 8 is not in the mesh"),
        (b'"rank":3', b'"rank":"3"', "rank: expected an integer"),
        (b'"ranks":4}', b'"ranks":-4}', r"mesh\[0\].ranks: expected an integer"),
        (b'"version":1,"mesh"', b'"version":2,"mesh"', "upgrade it"),
        (b'"padding"', b'"pudding"', "padding is missing"),
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
