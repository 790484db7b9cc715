"""Tables of laws fold equal siblings as those of reports do, and say the sum of what they fold."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.cli import main
from dispatchcount.laws.table import selected
from dispatchcount.render.select import select
from tests.laws.code import meta

pytestmark = pytest.mark.torch_alone


class Block(nn.Module):
    """Two layers: ``2 · width · inner`` MACs a row."""

    def __init__(self, width: int = 8, inner: int = 32) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(self.up(x).relu())


class Stack(nn.Module):
    """Blocks of some widths, in a container that has no call of its own."""

    def __init__(self, *inner: int) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.layers = nn.ModuleList(Block(8, wide) for wide in inner)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Twice(Stack):
    """The second block runs two times, so that it is not equal to the others."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[1](super().forward(x) @ meta(3, 8))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "equal": lambda: Stack(*[32] * 32),
    "one differs": lambda: Stack(32, 32, 16, 32),
    "one runs twice": lambda: Twice(*[32] * 4),
    "in a Sequential": lambda: nn.Sequential(nn.Linear(8, 8), *(Block() for _ in range(3))),
    "layers side by side": lambda: nn.Sequential(*(nn.Linear(8, 8) for _ in range(4)), nn.ReLU()),
    "blocks of blocks": lambda: nn.Sequential(*(Stack(32, 32) for _ in range(2)))[:1],
    "only a root": lambda: nn.Linear(8, 8),
}


@cache
def model(name: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[name]().eval()


@cache
def law(name: str) -> dc.Law:
    with torch.no_grad():
        return dc.law(model(name), lambda b: model(name)(meta(b, 8)), b=2)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("depth", [0, 1, 2, None])
def test_rows_are_those_of_a_reports_table(name: str, fold: bool, depth: int | None) -> None:
    with torch.no_grad(), dc.profile(model(name)) as prof:
        model(name)(meta(5, 8))
    shown = [
        (row.path or "(root)", row.level, row.module.type, row.stats.flops)
        for row in select(prof.report, depth, fold=fold).rows
        if row.stats.flops
    ]
    formulas = selected(law(name), depth, "flops", fold=fold)
    # Each formula is a multiple of b alone: "8,192·b".
    found = [
        (row.path, row.level, row.type, 5 * int(row.formula.removesuffix("·b").replace(",", "")))
        for row in formulas
    ]
    assert found == shown


def test_a_folded_row_has_the_sum_of_its_modules() -> None:
    assert str(law("equal").table(depth=3)).splitlines()[:8] == [
        "module             type    flops",
        "───────────────────────────────────",
        "(root)             Stack   16,472·b",  # 64 + 16,384 + 24
        "  first            Linear  64·b",
        "  layers.0–31 ×32  Block   16,384·b",  # 32 · (2 · 8 · 32)
        "    up             Linear  8,192·b",
        "    down           Linear  8,192·b",
        "  head             Linear  24·b",
    ]
    under = "folded: 32 equal modules as 1 row marked ×"
    assert under in str(law("equal").table(depth=3))
    assert under in law("equal").to_markdown(3)
    assert "| `layers.0–31.up` | Linear | 8,192·b |" in law("equal").to_markdown(3)
    assert "folded" not in str(law("equal").table(depth=0))
    # Blocks with another inner size or number of calls keep rows of their own.
    texts = [row.name for row in selected(law("one differs"), 2, "flops")]
    assert texts[:4] == ["(root)", "first", "layers", "0–1, 3 ×3"]
    texts = [row.name for row in selected(law("one runs twice"), 2, "flops")]
    assert [text for text in texts if text not in ("up", "down")] == [
        "(root)",
        "first",
        "layers",
        "0, 2–3 ×3",
        "1",
        "head",
    ]


def test_the_command_line_unfolds(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    path = f"{tmp_path}/law.json"
    law("equal").to_json(path)
    assert main(["law", path]) == 0
    folded = capsys.readouterr().out
    assert "layers.0–31 ×32" in folded
    assert "--unfold shows every one" in folded
    assert main(["law", path, "--unfold"]) == 0
    every = capsys.readouterr().out
    assert every.count("Block") == 32
    assert "×" not in every


@pytest.mark.parametrize(
    ("metric", "option"),
    [
        ("nonzero_params", "nonzero"),
        ("nonzero_macs", "nonzero"),
        ("weighed_macs", "nonzero"),
        ("time_ns", "time"),
    ],
)
def test_what_a_run_must_be_asked_for_is_no_figure_of_a_law(metric: str, option: str) -> None:
    """Laws are made of runs that do not read weights or a clock: such a figure is never a 0."""
    found = law("equal")
    assert metric not in found.metrics()
    assert metric not in str(found)
    with pytest.raises(ValueError, match=f"'{metric}' is no metric of a law; it is one of flops, "):
        found.polynomial(metric)
    with pytest.raises(dc.LawError, match=rf"a law does not have it; profile .*{option}=True"):
        getattr(found(b=3), metric)
    assert "did not count it" not in str(found)


def test_figures_of_batches_add_up() -> None:
    found = law("equal")
    both = found(b=2) + found(b=3)
    assert both.flops == found(b=5).flops
    assert both.params == 2 * found(b=5).params
    assert both.absent == {}
