"""One call and the rule for it: what it costs, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from dispatchcount.costing.apply import Costed, cost_of
from dispatchcount.costing.paths import signature_text
from dispatchcount.report.rows import COUNTED, FAILED, UNKNOWN, ZERO
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import OpKind, RegistryEntry
from dispatchcount.rules.core.shape import Shape

pytestmark = pytest.mark.torch_alone

A, B, OUT = Shape((2, 3)), Shape((3, 5)), Shape((2, 5))
READ, WRITTEN = (2 * 3 + 3 * 5) * 4, 2 * 5 * 4


def ruled(rule: Any) -> RegistryEntry:
    return RegistryEntry(OpKind.RULE, rule)


def applied(entry: RegistryEntry | None, out: Any = OUT) -> Costed:
    return cost_of(entry, (A, B), {}, out)


def test_a_rule_counts_and_bytes_follow_from_the_shapes() -> None:
    costed = applied(ruled(lambda a, b: Cost(macs=a[0] * a[1] * b[1])))
    macs = 2 * 3 * 5
    cost = Cost(
        macs=macs, bytes_read=READ, bytes_written=WRITTEN, bops=32 * 32 * macs, sized_macs=macs
    )
    assert costed == Costed(cost, COUNTED)


def test_a_number_is_macs_whose_output_is_activations() -> None:
    costed = applied(ruled(lambda a, b: 30))
    assert (costed.cost.macs, costed.cost.activations) == (30, 2 * 5)
    assert applied(ruled(lambda a, b: 0)).cost.activations == 0


def test_bytes_that_a_rule_gives_stand() -> None:
    costed = applied(ruled(lambda a, b: Cost(bytes_read=7)))
    assert (costed.cost.bytes_read, costed.cost.bytes_written) == (7, WRITTEN)


@pytest.mark.parametrize("entry", [None, RegistryEntry(OpKind.COMPOSITE)])
def test_no_rule_is_unknown_and_its_bytes_are_known(entry: RegistryEntry | None) -> None:
    costed = applied(entry)
    assert costed.status == UNKNOWN
    assert (costed.cost.bytes_read, costed.cost.bytes_written) == (READ, WRITTEN)
    assert "dispatchcount.register" in costed.message


def test_a_view_is_free() -> None:
    assert applied(RegistryEntry(OpKind.FREE)) == Costed(
        Cost(bytes_read=0, bytes_written=0, bops=0), ZERO
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("many", "TypeError: a rule returns a Cost or an int of MACs, this one returned 'many'"),
        (True, "TypeError: a rule returns a Cost or an int of MACs, this one returned True"),
        (Cost(macs=-1), "ValueError: a Cost has no negative parts, macs is -1"),
        (Cost(macs=0.5), "TypeError: a Cost is made of ints, macs is 0.5"),  # type: ignore[arg-type]
    ],
)
def test_a_nonsensical_answer_fails_and_says_so(answer: Any, message: str) -> None:
    costed = applied(ruled(lambda a, b: answer))
    assert (costed.status, costed.message) == (FAILED, message)
    assert costed.cost.bytes_read == READ


def test_what_a_rule_raises_is_kept_as_the_message() -> None:
    costed = applied(ruled(lambda a: 0))
    assert costed.status == FAILED
    assert costed.message.startswith("TypeError: ")


def test_a_size_that_depends_on_data_is_not_shown_to_a_rule() -> None:
    costed = applied(ruled(lambda a, b: 30), out=Shape((-1, 5)))
    assert costed.status == UNKNOWN
    assert "depends on data" in costed.message


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("other shapes", "other shapes"),
        ((1, 3, 224, 224), "(1, 3, 224, 224)"),
        (((1, 3), None), "(1, 3), -"),
        ((("x", (1, 3)),), "x=(1, 3)"),
        ((), "()"),
    ],
)
def test_inputs_of_a_module_as_text(inputs: Any, text: str) -> None:
    assert signature_text(inputs) == text
