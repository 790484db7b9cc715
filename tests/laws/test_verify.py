"""A law is held against more runs, and a law that is wrong somewhere is found out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.cli import main
from tests.laws.code import Nothing, meta, of, product

pytestmark = pytest.mark.torch_alone


def net(hidden: int = 8) -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 4))


def forward(model: nn.Module) -> Callable[[int, int], Tensor]:
    return lambda b, s: model(meta(b, s, 4))


def test_runs_agree_with_a_law_that_is_right() -> None:
    model = net()
    law = dc.law(model, forward(model), b=2, s=3)
    said: list[str] = []
    agreed = law.verify(model, forward(model), times=10, progress=said.append)
    assert len(agreed) == len(said) <= 10
    assert all(set(sizes) == {"b", "s"} for sizes in agreed)
    assert agreed == law.verify(model, forward(model), times=10)
    assert agreed != law.verify(model, forward(model), times=10, seed=1)


def odd_class(s: int) -> None:
    """One of eight lengths costs a product more: what `dc.law` chooses to run meets none of them."""
    product(s, 3, 5)
    if s % 8 == 5:
        product(s, 7, 2)


def test_a_law_that_is_wrong_in_one_residue_class_is_found_out() -> None:
    law = of(odd_class, s=16)
    assert str(law.macs) == "15·s"  # so it says, and docs/laws.md names this limit
    with pytest.raises(
        dc.LawError, match=r"the law is wrong at s=\d+: it says [\d,]+ flops"
    ) as told:
        law.verify(Nothing(), odd_class, times=50)
    s = int(str(told.value).partition("s=")[2].partition(":")[0])
    assert s % 8 == 5


def test_a_saved_law_and_a_model_that_has_changed_since() -> None:
    law = dc.Law.from_json(dc.law(net(), forward(net()), b=2, s=3).to_json())
    model = net(9)
    with pytest.raises(dc.LawError, match=r"the law is wrong at b=\d+, s=\d+: it says"):
        law.verify(model, forward(model), times=1)


def test_a_row_of_one_module_is_compared_as_well() -> None:
    """The whole is the same where one of two equal layers does the work of both."""

    class Pair(nn.Sequential):
        def forward(self, x: Tensor, second: int = 1) -> Tensor:
            return self[second](self[0](x))

    model = Pair(nn.Linear(4, 4, device="meta"), nn.Linear(4, 4, device="meta"))
    law = dc.law(model, lambda b: model(meta(b, 4)), b=2)
    said = r"it says [\d,]+ flops for module 0, and a run has [\d,]+"
    with pytest.raises(dc.LawError, match=said):
        law.verify(model, lambda b: model(meta(b, 4), second=0), times=1)


class Applied(nn.Module):
    """One function of a weight and the input."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], weights: int = 1) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(meta(4, 4))
        self.spare = nn.ParameterList([nn.Parameter(meta(4)) for _ in range(weights - 1)])

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        # Each costs what the other does, so that the whole is as it was.
        (Applied(lambda x, w: x.exp()), Applied(lambda x, w: x.sqrt()), "operator aten.(exp|sqrt)"),
        (nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Identity(), nn.Linear(4, 4)), "module"),
        (Applied(torch.matmul), Applied(torch.matmul, weights=2), "params for the whole"),
    ],
    ids=["another operator", "another module", "parameters that do nothing"],
)
def test_work_that_only_moved_is_found_out(before: nn.Module, after: nn.Module, row: str) -> None:
    before, after = before.to("meta"), after.to("meta")
    law = dc.law(before, lambda b: before(meta(b, 4)), b=2)
    assert law.verify(before, lambda b: before(meta(b, 4)), times=3)
    with pytest.raises(dc.LawError, match=rf"the law is wrong at b=\d+: .*{row}"):
        law.verify(after, lambda b: after(meta(b, 4)), times=1)


def test_code_that_raises_inside_the_domain() -> None:
    law = of(lambda s: product(s, 3, 5), s=16)

    def refuses(s: int) -> None:
        raise ValueError(f"{s} is too much")

    with pytest.raises(dc.LawError, match=r"but the code raises there: .*is too much"):
        law.verify(Nothing(), refuses)


def test_what_cannot_be_verified_says_why() -> None:
    model = net()
    law = dc.law(model, forward(model), b=2, s=3)
    with pytest.raises(ValueError, match=r"times=0: give how many runs to compare with"):
        law.verify(model, forward(model), times=0)


def test_a_view_of_causal_attention_is_no_law_of_the_code() -> None:
    def attend(s: int) -> None:
        x = meta(1, 2, s, 4)
        nn.functional.scaled_dot_product_attention(x, x, x)

    law = of(attend, s=16)
    with pytest.raises(dc.LawError, match="no run can agree with this view"):
        law.causal(sizes=["s"]).verify(Nothing(), attend)


def test_on_the_command_line(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "net.py"
    file.write_text(
        "from torch import nn\n\n\n"
        "class Odd(nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) if x.shape[1] % 8 != 5 else super().forward(x) * 2\n\n\n"
        "def build():\n    return nn.Linear(4, 4)\n\n\n"
        "def odd():\n    return Odd(4, 4)\n"
    )
    sizes = ["--input", "b,s,4", "--size", "b=2,s=16", "--verify"]
    assert main(["law", f"{file}:build", *sizes, "5"]) == 0
    assert main(["law", f"{file}:odd", *sizes, "60"]) == 2
    assert "the law is wrong at b=" in capsys.readouterr().err
    assert main(["law", f"{file}:build", *sizes, "none"]) == 2
    assert "'none' is no number of runs" in capsys.readouterr().err
