"""Rules of the user's own: what they may be for, and that a wrong name is refused at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dispatchcount as dc
import dispatchcount.rules.library
from dispatchcount.rules.core.register import local_rules
from dispatchcount.rules.core.registry import RULES


def rule(*_: Any, **__: Any) -> int:
    return 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mylib::nope", "torch has no operator 'mylib::nope'"),
        ("mylib.nope", "import that library before"),
        ("aten::admm", "did you mean aten::addmm"),
        ("relu", "did you mean aten::relu"),  # without its library
        (
            "aten::add.Nope",
            "aten::add has no overload 'Nope'; there are Scalar, Scalar_out, Tensor, out",
        ),
        ("aten.addmm.", "has no overload ''"),
        ("aten::add.default", "has no overload 'default'"),  # TorchScript's alone
        ("higher_order::cnod", "did you mean higher_order::cond"),
        ("triton::", "torch has no operator"),
        ("ATEN::mm", "did you mean aten::mm"),
        ("aten::mm\n", "did you mean aten::mm"),
        ("", "torch has no operator ''"),
        ("::", "torch has no operator"),
    ],
)
def test_a_name_that_torch_lacks(name: str, says: str) -> None:
    before = set(RULES.names())
    with pytest.raises(ValueError, match="operator|overload") as error:
        dc.register(name)
    assert says in str(error.value)
    with pytest.raises(ValueError, match="operator|overload"):
        dc.profile(rules={name: rule})
    assert set(RULES.names()) == before


@pytest.mark.parametrize(
    "target", [3, None, b"aten::mm", ["aten::mm"], torch.ops.aten, torch.matmul, torch.nn.Linear]
)
def test_what_is_no_operator(target: Any) -> None:
    with pytest.raises(TypeError, match="a rule's target is an operator"):
        dc.register(target)


@pytest.mark.parametrize("given", [5, None, "x", dc.Cost()])
def test_what_is_no_rule(given: Any) -> None:
    with pytest.raises(TypeError, match="must be a function of shapes"):
        dc.profile(rules={"aten::mm": given})
    with pytest.raises(TypeError, match="must be a function of shapes"):
        dc.register("aten::mm")(given)


def test_a_function_that_hides_its_parameters() -> None:
    with dc.profile(rules={"aten::mm": max}) as prof:  # type: ignore[dict-item]
        torch.ones(2, 2) @ torch.ones(2, 2)
    assert set(prof.report.failed_ops) == {"aten.mm"}


def test_all_targets_or_none() -> None:
    library = torch.library.Library("alllib", "DEF")
    library.define("one(Tensor x) -> Tensor")
    with pytest.raises(ValueError, match="aten::mm already has an entry"):
        dc.register("alllib::one", "aten::mm")(rule)
    assert RULES.get("alllib::one") is None


def test_one_operator_by_two_names() -> None:
    with pytest.raises(ValueError, match="both aten::mm"):
        local_rules({torch.ops.aten.mm: rule, "aten::mm": rule})
