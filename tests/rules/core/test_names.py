"""Names of operators: how they are written, and if torch has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dispatchcount as dc
import dispatchcount.rules.library
from dispatchcount.rules.core.names import aten, candidates, target_name, words
from dispatchcount.rules.core.registry import RULES


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("aten::mm", "aten::mm"),
        ("aten.add.Tensor", "aten::add.Tensor"),
        ("aten::mm.default", "aten::mm.default"),
        ("aten::_amp_update_scale_", "aten::_amp_update_scale_"),
        ("prim::device", "prim::device"),
        ("higher_order::cond", "higher_order::cond"),
        ("triton::anything", "triton::anything"),  # known to torch when it is launched
        (torch.ops.aten.add, "aten::add"),
        (torch.ops.aten.add.Tensor, "aten::add.Tensor"),
        (torch.ops.aten.mm.default, "aten::mm"),
        (torch.ops.higher_order.cond, "higher_order::cond"),
    ],
)
def test_names_that_torch_has(target: Any, name: str) -> None:
    assert target_name(target) == name


def test_an_operator_has_to_be_there_when_it_is_named() -> None:
    with pytest.raises(ValueError, match="latelib::later"):
        dc.register("latelib::later")
    library = torch.library.Library("latelib", "DEF")
    library.define("later(Tensor x) -> Tensor")
    assert target_name("latelib::later") == "latelib::later"
    library.define("twice_(Tensor(a!) x) -> Tensor(a!)")
    assert target_name("latelib::twice") == "latelib::twice"  # the rule of both forms


def test_every_entry_of_the_registry_that_torch_has_may_be_named() -> None:
    names = {name.partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    assert all(
        target_name(name) == name
        for name in list(RULES.names())[::40]
        if name.partition(".")[0] in names
    )


def test_tables_of_names_are_text() -> None:
    assert words("""
        abs  acos
        add
    """) == ["abs", "acos", "add"]
    assert aten(" abs acos ") == ["aten::abs", "aten::acos"]


@pytest.mark.parametrize(
    ("packet", "overload", "names"),
    [
        ("aten::add", "", ["aten::add"]),
        ("aten::add", "out", ["aten::add.out", "aten::add"]),
        (
            "aten::add_",
            "Tensor",
            ["aten::add_.Tensor", "aten::add_", "aten::add.Tensor", "aten::add"],
        ),
        ("aten::__ior__", "", ["aten::__ior__"]),
    ],
)
def test_names_whose_rule_serves_an_overload(packet: str, overload: str, names: list[str]) -> None:
    assert list(candidates(packet, overload)) == names


def test_a_triton_kernel_is_named_by_its_function_whatever_is_around_it() -> None:
    """Classes of these names, because triton is not installed everywhere."""

    class JITFunction:
        __name__ = "my_kernel"

    class Autotuner:
        def __init__(self, fn: Any) -> None:
            self.fn = fn

    assert target_name(JITFunction()) == "triton::my_kernel"
    assert target_name(Autotuner(Autotuner(JITFunction()))) == "triton::my_kernel"
