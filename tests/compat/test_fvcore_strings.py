"""fvcore's tables and architectures are printed as fvcore prints them.

Only the blanks that its table package drops are kept.
"""

from __future__ import annotations

from typing import Any

import fvcore.nn
import pytest
import torch
import torchvision
from torch import nn

from dispatchcount.compat import fvcore as ours
from dispatchcount.compat.fvcore import print_model_statistics as printing
from tests.compat.nets import Chain, TestNet

NUMBERS = {
    "": {"stat1": 4000, "stat2": 600000, "stat3": 0},
    "a1": {"stat1": 20, "stat2": 3000},
    "a1.b1": {"stat1": 20, "stat2": 3000},
    "a1.b1.c1": {"stat1": 20, "stat2": 3000},
    "a1.b1.c1.d1": {"stat1": 0, "stat2": 0},
    "a1.b1.c1.d2": {"stat1": 100},
    "a2": {"stat1": 123456, "stat2": 654321},
    "a2.b1": {"stat1": 0, "stat2": 100, "stat3": 40},
    "a2.b1.c1": {"stat1": 200, "stat2": 300},
    "a2.b1.c2": {"stat1": 0},
}
TABLE = """\
| module        | stat1   | stat2   | stat3   |
|:--------------|:--------|:--------|:--------|
| model         | 4K      | 0.6M    | 0       |
|  a1.b1.c1     |  20     |  3K     |         |
|   a1.b1.c1.d1 |   0     |   0     |         |
|   a1.b1.c1.d2 |   100   |         |         |
|  a2           |  0.123M |  0.654M |         |
|   a2.b1       |   0     |   100   |   40    |
|    a2.b1.c1   |    0.2K |    0.3K |         |
|    a2.b1.c2   |    0    |         |         |"""


def unspaced(table: str) -> list[list[str]]:
    """Cells without their blanks; rules and the alignment of columns of bare numbers left out."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return [line for line in lines if not set("".join(line)) <= set(":-")]


def models() -> dict[str, tuple[nn.Module, Any]]:
    return {
        "page": (TestNet(), torch.ones(1, 10)),
        "chain": (Chain(), torch.ones(1, 10)),
        "resnet": (torchvision.models.resnet18().eval(), torch.ones(1, 3, 32, 32)),
    }


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize(
    "options", [{}, {"max_depth": 1}, {"max_depth": 9, "show_param_shapes": False}, {"acts": True}]
)
def test_table(name: str, options: dict[str, Any]) -> None:
    model, x = models()[name]
    tables = []
    for module in (ours, fvcore.nn):
        given = {key: value for key, value in options.items() if key != "acts"}
        acts = module.ActivationCountAnalysis(model, x) if "acts" in options else None
        tables.append(
            module.flop_count_table(module.FlopCountAnalysis(model, x), activations=acts, **given)
        )
    assert unspaced(tables[0]) == unspaced(tables[1])
    assert unspaced(ours.parameter_count_table(model)) == unspaced(
        fvcore.nn.parameter_count_table(model)
    )


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("mode", ["owner", "caller"])
def test_architecture(name: str, mode: str) -> None:
    model, x = models()[name]
    texts = []
    for module in (ours, fvcore.nn):
        acts = module.ActivationCountAnalysis(model, x).ancestor_mode(mode)
        texts.append(
            module.flop_count_str(module.FlopCountAnalysis(model, x).ancestor_mode(mode), acts)
        )
    assert texts[0] == texts[1]
    assert ("N/A" in texts[0]) == (name == "chain" and mode == "caller")


def test_table_layout() -> None:
    texts = printing._pretty_statistics(NUMBERS)
    columns = ["stat1", "stat2", "stat3"]
    assert printing._model_stats_table(texts, stat_columns=columns) == TABLE
    assert printing._model_stats_table(texts) == TABLE
    shallow = printing._model_stats_table(texts, max_depth=2)
    assert " a2.b1 " in shallow
    assert "a2.b1.c1" not in shallow


def test_statistics() -> None:
    by_name = {
        "stat1": {name: row["stat1"] for name, row in NUMBERS.items()},
        "stat2": {name: row["stat2"] for name, row in NUMBERS.items() if "stat2" in row},
        "stat3": {"": 0, "a2.b1": 40},
    }
    assert printing._group_by_module(by_name) == NUMBERS
    texts = printing._pretty_statistics(NUMBERS, hide_zero=True)
    assert texts["a1.b1.c1.d1"] == {"stat1": "", "stat2": ""}
    marked = printing._indicate_uncalled_modules(texts, "stat3", {"", "a1"}, "*")
    assert (marked[""]["stat3"], marked["a1"]["stat3"], texts[""]["stat3"]) == ("*", "*", "")
    kept = printing._remove_zero_statistics(NUMBERS)
    assert NUMBERS.keys() - kept.keys() == {"a1.b1.c1.d1", "a2.b1.c2"}
    assert "a1.b1.c1.d1" in printing._remove_zero_statistics(NUMBERS, force_keep={"a1.b1.c1.d1"})
    deeper = NUMBERS | {"a1.b1.c1.d1.e1": {"stat1": 40}, "a2.b1.c2.d1": {"stat1": 0}}
    kept = printing._remove_zero_statistics(deeper, require_trivial_children=True)
    assert deeper.keys() - kept.keys() == {"a2.b1.c2", "a2.b1.c2.d1"}
    filled = printing._fill_missing_statistics(TestNet(), {"#flops": {"fc1": 3, "gone": 4}})
    assert filled == {
        "#flops": {"": 0, "fc1": 3, "fc2": 0, "inner": 0, "inner.fc1": 0, "inner.fc2": 0, "gone": 4}
    }
    assert printing._get_input_sizes((torch.ones(2, 3), [torch.ones(1), 4], "text")) == [
        [2, 3],
        [[1], None],
        None,
    ]


def test_printing_runs_the_model_once_for_both() -> None:
    runs = []

    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            runs.append(1)
            return super().forward(x)

    model, x = Net(2, 2), torch.ones(1, 2)
    ours.flop_count_table(
        ours.FlopCountAnalysis(model, x), activations=ours.ActivationCountAnalysis(model, x)
    )
    assert len(runs) == 1


def test_modules_deeper_than_python_recurses() -> None:
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(1500):
        outer = nn.Module()
        outer.inner = model
        model = outer
    assert printing._model_stats_str(model, {}).count("Module(") == 1500
