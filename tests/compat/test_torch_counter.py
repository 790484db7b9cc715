"""torch's flop counter: its numbers where they are right, right ones where not, and its table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode as Theirs

from dispatchcount.compat import torch as ours
from dispatchcount.compat.torch import FlopCounterMode, flop_registry, register_flop_formula
from tests.compat.nets import TestNet


def flops(function: Any, *args: Any, counter: Any = FlopCounterMode) -> int:
    with counter(display=False) as counted:
        function(*args)
    return counted.get_total_flops()


def r(*sizes: int) -> torch.Tensor:
    return torch.randn(*sizes, requires_grad=True)


SAME = {
    "mm": (torch.mm, (r(4, 5), r(5, 6)), 240),
    "matmul": (torch.matmul, (r(3, 4, 5), r(3, 5, 6)), 720),
    "addmm": (torch.addmm, (r(4, 6), r(4, 5), r(5, 6)), 240),
    "bmm": (torch.bmm, (r(3, 4, 5), r(3, 5, 6)), 720),
    "baddbmm": (torch.baddbmm, (r(3, 4, 6), r(3, 4, 5), r(3, 5, 6)), 720),
    "einsum": (lambda x, y: torch.einsum("bij,bjk->bik", x, y), (r(3, 4, 5), r(3, 5, 6)), 720),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), (r(2, 3, 6, 6), r(6, 3, 4, 4)), 28_800),
    "conv1d": (lambda x, w: F.conv1d(x, w, padding=1), (r(2, 3, 6), r(6, 3, 4)), 1_440),
    "conv_transpose2d": (
        lambda x, w: F.conv_transpose2d(x, w),
        (r(1, 4, 5, 5), r(4, 8, 3, 3)),
        14_400,
    ),
    "backward of mm": (lambda x, y: (x @ y).sum().backward(), (r(4, 5), r(5, 6)), 720),
    "backward of conv": (
        lambda x, w: F.conv2d(x, w).sum().backward(),
        (r(2, 3, 6, 6), r(6, 3, 3, 3)),
        3 * 10_368,
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_same_numbers(name: str) -> None:
    function, args, expected = SAME[name]
    assert flops(function, *args) == flops(function, *args, counter=Theirs) == expected


def test_resnet18_forward_and_backward() -> None:
    """The number of torch's own test: the images require gradients as well."""
    model, x = torchvision.models.resnet18(), torch.randn(1, 3, 224, 224, requires_grad=True)
    assert flops(lambda: model(x).sum().backward()) == 10_884_440_064


def test_same_numbers_by_module_and_operator() -> None:
    model, x = torchvision.models.resnet18().eval(), torch.randn(1, 3, 64, 64)
    answers = []
    for counter in (FlopCounterMode, Theirs):
        with torch.no_grad(), counter(display=False) as counted:
            model(x)
        answers.append(
            {name: row for name, row in counted.get_flop_counts().items() if any(row.values())}
        )
    assert answers[0] == answers[1]
    assert torch.ops.aten.convolution in answers[0]["ResNet.layer1.0.conv1"]


def test_right_where_theirs_is_zero() -> None:
    heads = torch.randn(1, 2, 5, 4)
    cases: list[tuple[Any, tuple[Any, ...], int]] = [
        (F.scaled_dot_product_attention, (heads, heads, heads), 2 * 2 * 2 * 5 * 5 * 4),
        (nn.LSTM(8, 6), (torch.randn(3, 2, 8),), 2 * 6 * 24 * (8 + 6)),
        (torch.mv, (torch.randn(3, 4), torch.randn(4)), 24),
        (torch.dot, (torch.randn(4), torch.randn(4)), 8),
        (lambda x, y: torch.zeros(3, 5).addmm_(x, y), (torch.randn(3, 4), torch.randn(4, 5)), 120),
    ]
    for function, args, expected in cases:
        with torch.no_grad():
            assert flops(function, *args) == expected
            assert flops(function, *args, counter=Theirs) == 0


def test_table() -> None:
    model = nn.Sequential(TestNet(), nn.Linear(10, 10))
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(1, 10))
        torch.ones(10, 10) @ torch.ones(10, 10)
    assert counter.get_table(2) == (
        "Module               FLOP    % Total\n"
        "---------------  --------  ---------\n"
        "Global           3000.000    100.00%\n"
        " - aten.mm       2000.000     66.67%\n"
        " - aten.addmm    1000.000     33.33%\n"
        " Sequential      1000.000     33.33%\n"
        "  - aten.addmm   1000.000     33.33%\n"
        "  Sequential.0    800.000     26.67%\n"
        "   - aten.addmm   800.000     26.67%\n"
        "  Sequential.1    200.000      6.67%\n"
        "   - aten.addmm   200.000      6.67%"
    )


def test_table_is_theirs_but_for_the_blanks() -> None:
    model, x = torchvision.models.resnet18().eval(), torch.randn(1, 3, 64, 64)
    tables = []
    for counter in (FlopCounterMode, Theirs):
        with torch.no_grad(), counter(display=False) as counted:
            model(x)
        tables.append(
            [
                sorted(line.split())
                for line in counted.get_table(3).splitlines()
                if "---" not in line
            ]
        )
    assert sorted(tables[0]) == sorted(tables[1])


def test_prints_when_the_block_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with FlopCounterMode(depth=1) as counter:
        nn.Linear(2, 3)(torch.ones(1, 2))
    assert capsys.readouterr().out == counter.get_table(1) + "\n"
    with FlopCounterMode():
        pass
    assert "Global         0         0%" in capsys.readouterr().out


def test_modules_argument_is_not_needed() -> None:
    with pytest.warns(UserWarning, match="mods argument is not needed"):
        FlopCounterMode(nn.Linear(2, 2))


def test_own_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "flop_registry", dict(flop_registry))

    @torch.library.custom_op("dispatchcount_tests::attn", mutates_args=())
    def attn(x: torch.Tensor, heads: int) -> torch.Tensor:
        return x + 1

    target = torch.ops.dispatchcount_tests.attn

    @register_flop_formula(target)
    def formula(x: Any, heads: int, out_shape: Any = None) -> int:
        assert tuple(x) == tuple(out_shape) == (3, 4)
        return 7 * heads

    assert flops(lambda: attn(torch.ones(3, 4), 3)) == 21  # odd: no pairs of multiply and add
    with pytest.raises(RuntimeError, match="duplicate registrations"):
        register_flop_formula(target)(formula)
    with pytest.raises(ValueError, match="expected each target to be OpOverloadPacket"):
        register_flop_formula("aten::mm")(formula)
    with pytest.raises(ValueError, match="expected each target to be OpOverloadPacket"):
        register_flop_formula(torch.ops.aten.mm.default)(formula)


def test_custom_mapping_for_one_block() -> None:
    def sine(x: Any, out_shape: Any = None) -> int:
        return 8 * out_shape[0]

    def product(a: torch.Tensor, b: torch.Tensor, out_val: Any = None) -> int:
        return a.shape[0] + out_val.numel()

    product._get_raw = True  # type: ignore[attr-defined]
    mapping = {torch.ops.aten.sin: sine, torch.ops.aten.mm: product}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        torch.sin(torch.ones(3))
        torch.ones(2, 3) @ torch.ones(3, 4)
    assert counter.get_flop_counts() == {"Global": {torch.ops.aten.sin: 24, torch.ops.aten.mm: 10}}
    assert flops(torch.sin, torch.ones(3)) == 0


def test_a_formula_that_fails_is_named() -> None:
    def broken(x: Any, out_shape: Any = None) -> int:
        raise KeyError("no")

    with (
        pytest.warns(UserWarning, match="formula of aten.sin failed"),
        FlopCounterMode(display=False, custom_mapping={torch.ops.aten.sin: broken}),
    ):
        torch.sin(torch.ones(3))


def test_nothing_counted_yet() -> None:
    counter = FlopCounterMode(display=False)
    assert counter.get_total_flops() == Theirs(display=False).get_total_flops() == 0
    with pytest.raises(RuntimeError, match="nothing was counted yet"):
        counter.report  # noqa: B018


def test_rows_are_there_without_counts() -> None:
    """What torch's dicts answer to code that never asks whether a key is there."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Identity()))
    counters = []
    for counter in (Theirs, FlopCounterMode):
        with counter(display=False) as counted:
            torch.ones(2).view(2)
        assert sum(counted.flop_counts["Global"].values()) == 0
        with counted:
            model(torch.ones(3, 2))
            torch.ones(0, 3) @ torch.ones(3, 2)
        counters.append(counted)
    theirs, mine = (counted.get_flop_counts() for counted in counters)
    assert mine == theirs | {"Sequential.1": {}, "Sequential.2": {}, "Sequential.2.0": {}}
    assert mine["Global"] == {torch.ops.aten.addmm: 24, torch.ops.aten.mm: 0}  # 2 * 3*2*2
    counted = counters[1]
    assert (
        counted.flop_counts["Sequential.1"][torch.ops.aten.mm]
        == counted.flop_counts["nowhere"][torch.ops.aten.mm]
        == 0
    )
    assert counted.flop_counts is counted.flop_counts
    assert FlopCounterMode(display=False).flop_counts["Global"] == {}
    with FlopCounterMode(display=False) as counted:
        nn.Linear(2, 2)(torch.ones(3, 2))
        assert sum(counted.flop_counts["Global"].values()) == 24  # inside the block too


def test_table_names_what_is_not_counted() -> None:
    @torch.library.custom_op("dispatchcount_tests::unheard", mutates_args=())
    def unheard(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    with FlopCounterMode(display=False) as counter:
        unheard(torch.ones(2) @ torch.ones(2, 2))
    assert (
        counter.get_table().splitlines()[-1] == "not counted: dispatchcount_tests.unheard (1 call)"
    )


def test_formulas_of_torch_are_here_too() -> None:
    from dispatchcount.compat.torch import mm_flop, sdpa_flop_count

    assert mm_flop((2, 3), (3, 4)) == 48
    assert (
        sdpa_flop_count((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4)) == 288
    )  # 2 products of 2 heads * 3*3*4, 2 flops each
    assert not hasattr(ours, "never_heard_of")
