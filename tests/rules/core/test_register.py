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


def numbers(_: Any, *given: Any, out: Any, **named: Any) -> int:
    """A rule that costs what its numbers say: a sum that tells their places apart."""
    values = [*given, *named.values()]
    flat = [x for value in values for x in (value if isinstance(value, tuple) else [value])]
    return round(sum(10**place * number for place, number in enumerate(flat)))


NUMBERS = {
    "float factor": ((1.5,), {}, 2),  # round(1.5)
    "float factor, int k": ((0.25, 7), {}, 70),  # round(0.25 + 10 * 7)
    "float[] factors": (([1.0, 2.0, 3.0],), {}, 321),
    "float? factor=None": ((4.0,), {}, 4),
    "Scalar factor": ((5.0,), {}, 5),
    "*, float factor": ((), {"factor": 6.0}, 6),
    "float first, *, float factor": ((1.0,), {"factor": 6.0}, 61),
    "bool flag, float factor": ((True, 2.0), {}, 21),
}


@pytest.mark.parametrize("later", [False, True], ids=["a rule at once", "a rule later"])
@pytest.mark.parametrize("schema", NUMBERS)
def test_a_rule_is_given_numbers(schema: str, later: bool) -> None:
    """A user's operator may choose its work by any number: a capacity factor is a float."""
    args, named, macs = NUMBERS[schema]
    name = f"op{list(NUMBERS).index(schema)}_{int(later)}"
    library = torch.library.Library("numlib", "FRAGMENT")
    library.define(f"{name}(Tensor x, {schema}) -> Tensor")
    library.impl(name, lambda x, *_, **__: x.clone(), "CPU")
    operator = getattr(torch.ops.numlib, name)
    if later:  # blocks share what they learned of operators
        with dc.profile() as prof:
            operator(torch.ones(2), *args, **named)
        assert prof.report.unknown_ops
        dc.register(operator)(numbers)
    with dc.profile(rules={} if later else {operator: numbers}, strict=True) as prof:
        operator(torch.ones(2), *args, **named)
    assert prof.report.macs == macs


def test_calls_with_other_floats_are_other_calls() -> None:
    library = torch.library.Library("numlib", "FRAGMENT")
    library.define("route(Tensor x, float factor) -> Tensor")
    library.impl("route", lambda x, factor: x.clone(), "CPU")
    with dc.profile(rules={"numlib::route": lambda x, factor: round(4 * factor)}) as prof:
        for factor in (1.0, 1.25, 1.25):
            torch.ops.numlib.route(torch.ones(2), factor)
    assert prof.report.macs == 4 + 5 + 5


def test_a_rule_in_place_of_ours_is_given_floats() -> None:
    rules = {"aten::leaky_relu": lambda x, slope: round(x.numel * slope)}
    with dc.profile(rules=rules) as prof:
        torch.nn.functional.leaky_relu(torch.ones(8), 0.25)
    assert prof.report.macs == 2  # 8 · 0.25


def test_the_rule_of_a_named_kernel_is_given_floats() -> None:
    @dc.kernel("route", cost=lambda x, factor, *, more: round(x.numel * factor + more))
    def route(x: torch.Tensor, factor: float, *, more: float) -> torch.Tensor:
        return x

    with dc.profile() as prof:
        route(torch.ones(4), 1.25, more=2.0)
        route(torch.ones(4), 2.0, more=1.0)
    assert prof.report.macs == (5 + 2) + (8 + 1)


def test_a_rule_for_no_operator() -> None:
    with pytest.raises(TypeError, match=r"needs the operator that the rule is for: @dc\.register"):
        dc.register()
