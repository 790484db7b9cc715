"""The class that an operator is in."""

from __future__ import annotations

import dispatchcount.rules.library  # noqa: F401
from dispatchcount.rules.core.classify import classify
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import OpKind, Registry


def test_classes_follow_from_entry_and_kernel() -> None:
    local = Registry()
    local.rule("my::scaled")(lambda x: Cost())
    local.free("my::shape")
    local.unknown({"my::secret": "closed source"})
    assert classify("my::scaled", composite=False, registry=local).kind is OpKind.RULE
    assert classify("my::scaled_", composite=False, registry=local).kind is OpKind.RULE
    assert classify("my::scaled", composite=True, registry=local).kind is OpKind.COMPOSITE
    assert classify("my::shape", composite=True, registry=local).kind is OpKind.FREE
    assert classify("my::secret", composite=False, registry=local).reason == "closed source"
    assert classify("my::other", composite=False, registry=local).kind is None
