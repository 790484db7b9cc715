"""The registry: which entry an operator has, and who may change it."""

from __future__ import annotations

from typing import Any

import pytest

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import OpKind, Registry, RegistryEntry, takes_out


def rule(*_: Any, **__: Any) -> Cost:
    return Cost()


def names(registry: Registry, packet: str, overload: str = "") -> str | None:
    """The reason of the entry that an overload has, which names it here."""
    entry = registry.get(packet, overload)
    return None if entry is None else entry.reason


def test_the_most_specific_entry_is_found() -> None:
    registry = Registry()
    for name in ("my::op", "my::op.out", "my::op_"):
        registry.add(name, RegistryEntry(OpKind.UNKNOWN, reason=name))
    assert names(registry, "my::op", "Tensor") == "my::op"
    assert names(registry, "my::op", "out") == "my::op.out"
    assert names(registry, "my::op_") == "my::op_"
    assert names(registry, "my::other") is None


def test_an_in_place_packet_has_the_entry_of_its_twin() -> None:
    registry = Registry()
    for name in ("my::op", "my::op.out"):
        registry.add(name, RegistryEntry(OpKind.UNKNOWN, reason=name))
    assert names(registry, "my::op_", "out") == "my::op.out"
    assert names(registry, "my::op_", "Tensor") == "my::op"
    assert names(registry, "my::op__") is None


def test_a_taken_name_is_an_error() -> None:
    registry = Registry()
    registry.rule("my::op")(rule)
    with pytest.raises(
        ValueError, match=r"my::op already has an entry \(rule\); pass replace=True"
    ):
        registry.move("my::op")(rule)
    registry.rule("my::op", replace=True)(max)
    entry = registry.get("my::op")
    assert entry is not None
    assert entry.rule is max


def test_a_local_registry_is_asked_before_its_parent() -> None:
    parent = Registry()
    parent.unknown({"my::op": "parent's", "my::other": "parent's"})
    local = Registry(parent)
    local.unknown({"my::op": "local"})
    assert (names(local, "my::op"), names(local, "my::other")) == ("local", "parent's")
    assert names(parent, "my::op") == "parent's"
    assert list(local.names()) == ["my::op", "my::other", "my::op"]


def test_every_change_shows_in_the_version() -> None:
    parent = Registry()
    local = Registry(parent)
    seen = [local.version]
    parent.free("my::op")
    seen.append(local.version)
    local.free("my::op", "my::other")
    seen.append(local.version)
    parent.remove("my::op")
    seen.append(local.version)
    assert seen == sorted(set(seen))
    assert parent.get("my::op") is None


def test_an_entry_says_its_family_and_what_its_rule_takes() -> None:
    registry = Registry()

    @registry.rule("my::op")
    def op(x: Any, *, out: Any) -> Cost:
        return Cost()

    assert registry.get("my::op") == RegistryEntry(
        OpKind.RULE, op, family="test_registry", takes_out=True
    )


def test_takes_out() -> None:
    assert takes_out(lambda x, *, out: 0)
    assert takes_out(lambda x, **kwargs: 0)
    assert not takes_out(lambda x, y: 0)
    assert not takes_out(max)  # it does not tell its parameters
