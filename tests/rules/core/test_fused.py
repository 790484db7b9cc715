"""The parts of fused kernels cost what the operators that they stand for do."""

from __future__ import annotations

from dataclasses import replace

import pytest

import dispatchcount.rules.library  # noqa: F401  (fills RULES)
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import epilogue, function_cost, part
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from tests.rules.util import S, ask


def test_a_part_is_neither_stored_nor_handed_on() -> None:
    """2 x 3 @ 3 x 4 alone hands on 8 elements."""
    a, b, out = S(2, 3), S(3, 4), S(2, 4)
    assert ask("aten::mm", a, b, out=out) == Cost(macs=24, activations=8)
    assert part("aten::mm", a, b, out=out) == Cost(macs=24)
    assert part("aten::gather", S(9), 0, S(5), out=S(5)) == Cost()


def test_an_operator_without_a_rule_is_no_part() -> None:
    for name in ("my::op", "aten::view", "image::read_file"):
        with pytest.raises(LookupError, match=f"{name} is a part of a fused kernel"):
            part(name, out=())


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "hardswish"])
def test_functions_and_epilogues_cost_what_they_cost_alone(name: str) -> None:
    alone = ask(f"aten::{name}", S(6), out=S(6))
    assert function_cost(name, 6) == epilogue(name, S(2, 3)) == alone


def test_names_that_kernels_give_to_epilogues() -> None:
    out = S(2, 3)
    assert epilogue("swish", out) == epilogue("silu", out)
    assert epilogue("gelu", out, "tanh") == ask("aten::gelu", out, approximate="tanh", out=out)
    assert epilogue("gelu", out) == ask("aten::gelu", out, out=out)
    for name in ("", "none", "sum", "quantize", "dequantize", None):
        assert epilogue(name, out) == Cost()


def test_a_rule_that_gives_macs_alone_is_a_part_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def macs(a: Shape, b: Shape) -> int:
        return a.numel * b[-1]

    entry = replace(RULES.get("aten::mm"), rule=macs, takes_out=False)
    monkeypatch.setattr(RULES, "get", lambda name: entry)
    assert part("mylib::mm", S(2, 3), S(3, 4), out=S(2, 4)) == Cost(macs=24)
