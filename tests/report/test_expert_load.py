"""The load of experts: a figure where it is right, a sentence where it could be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dispatchcount.report.expert_load import expert_load
from dispatchcount.report.rows import NO_MODULE, Entry, Module, Parameter, Path
from dispatchcount.report_api import Report
from tests.report.make import META, cost, entry, weights

pytestmark = pytest.mark.torch_alone


def moe(
    parts: Sequence[Module],
    calls: Sequence[int],
    *,
    own: int = 0,
    stacked: tuple[Parameter, ...] = (),
    kind: str = "ModuleList",
) -> Report:
    """A net whose module `experts` holds these parts, each called so often with 3 rows of 8 for 192 MACs a call.

    Args:
        parts: rows of modules; `named` gives those alike.
        calls: how often each ran.
        own: MACs of `experts` itself.
        stacked: parameters of `experts` itself.
        kind: its class.
    """
    container = kind in ("ModuleList", "ModuleDict")
    modules = [
        Module(NO_MODULE, ""),
        Module("", "Net"),
        Module("experts", kind, 1, "", (), stacked, container),
        *parts,
    ]
    paths = [Path(-1, 0), Path(0, 1, "(3, 8)", 1), Path(1, 2, "(3, 8)", int(not container))]
    entries: list[Entry] = [entry(2, "aten.bmm", cost(own))] if own else []
    for number, times in enumerate(calls, 3):
        if times:
            paths.append(Path(2, number, "(3, 8)", times))
            entries.append(entry(len(paths) - 1, "aten.mm", cost(192) * times, times))
    return Report(META, "fvcore", tuple(modules), tuple(paths), tuple(entries))


def named(*names: str, kind: str = "Linear") -> list[Module]:
    return [
        Module(f"experts.{name}", kind, 2, "", (), weights(f"experts.{name}", (8, 8)))
        for name in names
    ]


def refusal(report: Report, name: str = "experts") -> str:
    with pytest.raises(ValueError, match=r".{30}") as caught:
        expert_load(report, name)
    return str(caught.value)


def test_experts_that_are_alike_have_a_load_those_never_called_too() -> None:
    load = expert_load(moe(named("0", "1", "2"), [3, 0, 1]), "experts")
    assert [(e.name, e.calls, e.tokens, e.macs, e.share) for e in load.experts] == [
        ("experts.0", 3, 9, 3 * 192, 3 / 4),
        ("experts.1", 0, 0, 0, 0.0),
        ("experts.2", 1, 3, 192, 1 / 4),
    ]
    assert load.imbalance == 3 / (4 / 3)
    assert len(repr(load)) < 1000


@pytest.mark.parametrize("kind", ["ModuleList", "ModuleDict", "Moe"])
def test_what_holds_them_may_have_a_forward_and_a_small_gate(kind: str) -> None:
    gate = weights("experts", (3, 8))[:1]
    load = expert_load(
        moe(named("expert0", "expert1"), [1, 2], own=72, stacked=gate, kind=kind), "experts"
    )
    assert [e.macs for e in load.experts] == [192, 384]


def test_experts_by_any_name_may_stand_in_a_dict() -> None:
    assert (
        len(expert_load(moe(named("en", "de"), [1, 1], kind="ModuleDict"), "experts").experts) == 2
    )


def test_modules_of_different_classes_or_sizes_are_no_experts() -> None:
    other = Module("experts.gate", "Router", 2, "", (), weights("experts.gate", (8, 8)))
    bigger = Module("experts.2", "Linear", 2, "", (), weights("experts.2", (16, 8)))
    for odd in (other, bigger):
        text = refusal(moe([*named("0", "1"), odd], [1, 1, 1]))
        assert text == (
            f"'experts' holds modules that are not alike, such as 'experts.0' (Linear) and {odd.name!r} ({odd.type}); "
            f"give the module that holds the experts alone"
        )


def test_modules_that_differ_inside_are_no_experts() -> None:
    blocks = [Module(f"experts.{i}", "Expert", 2) for i in range(2)]
    inner = [
        Module("experts.0.up", "Linear", 3, "", (), weights("experts.0.up", (8, 8))),
        Module("experts.1.up", "Linear", 4, "", (), weights("experts.1.up", (8, 4))),
    ]
    assert "not alike" in refusal(moe([*blocks, *inner], [1, 1]))
    same = [*blocks, inner[0], replace(inner[0], name="experts.1.up", parent=4)]
    assert len(expert_load(moe(same, [1, 1]), "experts").experts) == 2


def test_a_shared_expert_beside_the_others_is_chosen_by_no_router() -> None:
    text = refusal(moe(named("expert0", "expert1", "shared_expert"), [1, 1, 2], kind="Moe"))
    assert text == (
        "'experts' holds modules named in different ways, 'experts.expert0' to 'experts.shared_expert': "
        "one may run whatever a router chooses"
    )


def test_experts_whose_weights_are_stacked_are_not_told_apart() -> None:
    stacked = (Parameter("experts.w", (4, 8, 8), 256),)
    assert refusal(
        moe(named("act", kind="SiLU"), [1], own=768, stacked=stacked, kind="Experts")
    ) == ("'experts' holds a single module, 'experts.act' (SiLU); a router chooses among several")
    assert refusal(
        moe(named("norm0", "norm1"), [1, 1], own=768, stacked=stacked, kind="Experts")
    ) == (
        "'experts' has parameters and did 768 MACs itself, the modules in it 384: its experts run as one operator, "
        "which does not say who did what"
    )


def test_experts_of_which_none_was_called_have_no_load() -> None:
    assert "none was called" in refusal(moe(named("0", "1"), [0, 0]))
    used = [replace(module, fused=True) for module in named("0", "1")]
    assert "'experts.0', whose parameters were used by operators of another module" in refusal(
        moe(used, [0, 0])
    )
    assert "'experts.1', whose parameters" in refusal(moe([named("0")[0], used[1]], [1, 0]))


def test_one_module_under_two_names_has_no_load_of_its_own() -> None:
    tied = replace(named("0")[0], aliases=("experts.2", "other.0"))
    assert refusal(moe([tied, *named("1")], [2, 1])).startswith(
        "'experts' holds 'experts.0' under another name as well"
    )
    elsewhere = replace(tied, aliases=("other.0",))
    assert len(expert_load(moe([elsewhere, *named("1")], [2, 1]), "experts").experts) == 2


def test_what_runs_all_it_holds_routes_nothing() -> None:
    assert refusal(moe(named("0", "1"), [1, 1], kind="Sequential")).startswith(
        "'experts' is a Sequential, which runs all"
    )
    assert refusal(moe(named("0", "1"), [1, 1]), "").startswith("'the root' holds a single module")
    assert refusal(moe(named("0", "1"), [1, 1]), "experts.0").startswith(
        "'experts.0' holds no modules"
    )
