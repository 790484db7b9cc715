"""Every operator that torch registers is in exactly one class, and its rule can be called.

A release of torch that adds an operator fails the first test and names it. Give it a rule, or enter
it as unknown with a reason.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest
import torch

import dispatchcount.rules.library  # noqa: F401
from dispatchcount.rules.core.registry import RULES, RegistryEntry

# Entries that are not in the dispatcher's list of operators: they are TorchScript's own.
ELSEWHERE = {"prim::device", "prim::layout"}


NAMESPACES = {
    "aten",
    "prims",
    "quantized",
    "onednn",
    "mkldnn",
    "sparse",
    "c10d",
    "_c10d_functional",
    "fsdp",
    "profiler",
}


@pytest.fixture(scope="module")
def inventory() -> list[dict[str, str]]:
    """What `dispatchcount ops --json` says.

    It runs in a process of its own, because other tests register operators too.
    """
    code = "from dispatchcount.cli import ops; print(ops.as_json(ops.inventory()))"
    found: list[dict[str, str]] = json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )
    return found


def entries() -> list[tuple[str, str, RegistryEntry]]:
    found = []
    for name in RULES.names():
        packet, _, overload = name.partition(".")
        entry = RULES.get(packet, overload)
        assert entry is not None
        found.append((packet, overload, entry))
    return found


def schemas(packet: str, overload: str) -> list[Any]:
    """The schemas of the dispatcher's operators that an entry serves."""
    namespace, _, base = packet.partition("::")
    found = getattr(getattr(torch.ops, namespace), base, None)
    if not hasattr(
        found, "overloads"
    ):  # not in this torch, or a higher-order operator, which has no schema
        return []
    names = (
        [overload]
        if overload
        else [o for o in found.overloads() if f"{packet}.{o}" not in set(RULES.names())]
    )
    full = {o: packet if o == "default" else f"{packet}.{o}" for o in names if hasattr(found, o)}
    return [
        getattr(found, o)._schema for o, name in full.items() if torch._C._dispatch_has_kernel(name)
    ]


def test_every_operator_is_in_a_class(inventory: list[dict[str, str]]) -> None:
    assert len(inventory) > 3500
    assert {row["operator"].partition("::")[0] for row in inventory} >= NAMESPACES
    assert sorted({row["operator"] for row in inventory if row["class"] == "none"}) == []


def test_unknown_and_composite_have_a_reason(inventory: list[dict[str, str]]) -> None:
    assert [
        row for row in inventory if row["class"] in ("unknown", "composite") and not row["reason"]
    ] == []


def test_what_is_unknown_is_known_by_name(inventory: list[dict[str, str]]) -> None:
    """Nothing is parked among the unknown operators.

    They are torch's test operators, image files, placeholders of the ONNX exporter, and two sparse
    solvers.
    """
    unknown = {row["operator"] for row in inventory if row["class"] == "unknown"}
    named = (
        "aten::_test_",
        "aten::_foobar",
        "aten::_cslt_sparse_mm_search",
        "aten::_spsolve",
        "image::",
        "onnx_symbolic::",
    )
    assert {name for name in unknown if not name.startswith(named)} == set()


def test_entries_are_names_of_operators(inventory: list[dict[str, str]]) -> None:
    """A misspelt name would never be asked for.

    Names that only other releases of torch have are allowed, because they are few.
    """
    have = {row["operator"] for row in inventory}
    spaces = {name.partition("::")[0] for name in have}
    strange = {
        p for p, _, _ in entries() if p not in have and p.partition("::")[0] in spaces
    } - ELSEWHERE
    assert len(strange) < 30, strange


def test_every_rule_takes_what_its_operators_are_given() -> None:
    """With every argument, and with the defaults left out.

    `out=` and the like are not handed to a rule.
    """
    wrong = []
    for packet, overload, entry in entries():
        if entry.rule is None:
            continue
        signature = inspect.signature(entry.rule)
        for schema in schemas(packet, overload):
            for trimmed in (False, True):
                chosen = [a for a in schema.arguments if not (trimmed and a.has_default_value())]
                written = [
                    a
                    for a in chosen
                    if a.kwarg_only and a.alias_info is not None and a.alias_info.is_write
                ]
                keywords: dict[str, Any] = {
                    a.name: None for a in chosen if a.kwarg_only and a not in written
                }
                if entry.takes_out:
                    keywords["out"] = None
                try:
                    signature.bind(*(a.name for a in chosen if not a.kwarg_only), **keywords)
                except TypeError as error:
                    wrong.append(f"{schema.name}.{schema.overload_name}: {error}")
    assert wrong == []
