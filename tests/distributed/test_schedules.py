"""Shares of waiting against the orders in which torch's own schedules act, and against papers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dispatchcount.distributed import bubble
from dispatchcount.distributed.schedules import SCHEDULES
from dispatchcount.errors import UsageError
from tests.distributed.torch_schedules import FORWARD, TO_INPUTS, UNIT, has, orders, waiting

pytestmark = pytest.mark.torch_alone

RUN = [name for name, one in SCHEDULES.items() if one.torch]
"""Those that torch has."""


@pytest.mark.parametrize("name", RUN)
@settings(max_examples=40, deadline=None)
@given(ranks=st.integers(1, 6), batches=st.integers(1, 16), each=st.integers(1, 3))
def test_a_share_is_that_of_torchs_own_schedule(
    name: str, ranks: int, batches: int, each: int
) -> None:
    """Each rank's, exactly; whatever a backward takes, where the formula does not ask for more."""
    known = SCHEDULES[name]
    if not has(known.torch):
        pytest.skip(f"this torch has no schedule {known.torch}")
    each = known.stages or each
    try:
        found = bubble(name, ranks, batches, each)
    except UsageError:
        assume(False)
    try:
        acting = orders(known.torch, ranks, batches, each)
    except ValueError:
        assume(False)  # torch's 1F1B wants as many micro-batches as ranks; the formula does not
    assert waiting(acting, UNIT) == [found.share] * ranks
    if known.parts != 3:
        other = UNIT | {FORWARD: 3, "whole": 7}
        assert waiting(acting, other) == [found.share] * ranks


@pytest.mark.parametrize("name", RUN)
def test_numbers_that_are_refused_would_be_told_wrongly(name: str) -> None:
    """A refusal has a reason: torch refuses as well, or waits longer than by the formula."""
    known = SCHEDULES[name]
    if not has(known.torch):
        pytest.skip(f"this torch has no schedule {known.torch}")
    each = known.stages or 2
    seen = set()
    for ranks, batches in [(4, 1), (4, 2), (4, 3), (4, 9), (3, 7), (6, 4)]:
        try:
            bubble(name, ranks, batches, each)
            continue
        except UsageError:
            seen.add((ranks, batches))
        try:
            acting = orders(known.torch, ranks, batches, each)
        except ValueError:
            continue
        assert min(waiting(acting, UNIT)) > known.share(ranks, batches, each)
    assert bool(seen) == (name not in ("gpipe", "1f1b"))


def test_zero_bubbles_wait_as_the_paper_has_it_for_other_times_too() -> None:
    """Table 2: ZB-H1 waits (p - 1)(F + B - W) where B, to the inputs, takes at least W."""
    for forward, inputs, weights in [(2, 1, 1), (1, 2, 1), (2, 3, 2), (5, 4, 1)]:
        times = UNIT | {FORWARD: forward, TO_INPUTS: inputs, "to weights": weights}
        [share] = set(waiting(orders("InterleavedZeroBubble", 4, 8, 1), times))
        idle, work = 3 * (forward + inputs - weights), 8 * (forward + inputs + weights)
        assert share == Fraction(idle, idle + work)


def test_shares_by_hand() -> None:
    assert bubble("1f1b", 8, 32).share == bubble("GPipe", 8, 32).share == Fraction(7, 39)
    # Two stages a rank halve the waiting: 7 / (2 · 32 + 7).
    assert bubble("interleaved", 8, 32, 2).share == Fraction(7, 71)
    assert bubble("looped-bfs", 8, 32, 2).share == Fraction(7, 71)
    # Of three equal parts, one of waiting is left: (p - 1) · 1 of m · 3 + (p - 1) · 1.
    assert bubble("zb-h1", 8, 32).share == Fraction(7, 103)
    assert bubble("interleaved-zb", 8, 32, 2).share == Fraction(7, 199)
    assert bubble("zb-h2", 8, 32).share == 0
    # Two stages a rank: 2 · 3 · 32 units of work.
    assert bubble("zbv", 8, 32).share == bubble("dualpipev", 8, 32).share == Fraction(7, 199)
    assert bubble("zbv", 8, 32).virtual == 2
    assert bubble("1f1b", 8, 32).seconds(32.0) == pytest.approx(39.0)
    assert bubble("1f1b", 1, 4).share == 0


@pytest.mark.parametrize("name", RUN)
def test_a_schedule_goes_by_torchs_name_too(name: str) -> None:
    known = SCHEDULES[name]
    same = "interleaved-zb" if name == "zb-h1" else name
    found = bubble(known.torch, 4, 8)
    assert (found.schedule, found.share) == (same, bubble(name, 4, 8).share)
    assert found.formula in str(found)
    assert found.source in str(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pipedream", 2, 2), "no schedule is called 'pipedream'"),
        ((None, 2, 2), "no schedule is called None"),
        (("1f1b", 0, 2), "stages is 0"),
        (("1f1b", 2, True), "microbatches is True"),
        (("zbv", 2, 4, 2.0), "virtual is 2.0"),
        (("1f1b", 2, 2, 2), "1f1b has 1 stage on each rank, got virtual=2; other numbers are for "),
        (("zbv", 2, 4, 3), "zbv has 2 stages on each rank"),
        (("interleaved", 4, 9, 2), "goes into 2 rounds of at least 4; got 9"),
        (("interleaved", 4, 3, 2), "at least 4 micro-batches, one for each rank; got 3"),
        (("zb-h2", 4, 6), "at least 7 micro-batches; got 6"),
        (("dualpipev", 4, 7), "at least 8 micro-batches; got 7"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bubble(*arguments)  # type: ignore[arg-type]
