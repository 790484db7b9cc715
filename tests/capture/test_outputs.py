"""The shapes that module calls return: noted for each stack of calls, and never touched."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.capture.record import MAX_INPUTS
from dispatchcount.report.shapes import inputs_by_module, outputs_by_module

pytestmark = pytest.mark.torch_alone


class Returns(nn.Module):
    """Returns whatever it is given to return."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result

    def forward(self, x: Tensor) -> Any:
        return self.result


def outputs(report: dc.Report, name: str = "") -> list[str]:
    return list(outputs_by_module(report)[report.module_index(name)])


def test_each_module_has_the_shapes_that_it_returned() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 5))
    with dc.profile(net) as prof:
        for batch in (2, 2, 4):
            net(torch.zeros(batch, 3, 8, 8))
    report = prof.report
    assert outputs(report) == ["(2, 5)", "(4, 5)"]
    # 8 − 3 + 1 = 6
    assert outputs(report, "0") == ["(2, 8, 6, 6)", "(4, 8, 6, 6)"]
    assert outputs(report, "2") == ["(2, 288)", "(4, 288)"]
    assert inputs_by_module(report)[report.module_index("3")] == {"(2, 288)": 2, "(4, 288)": 1}
    assert dc.Report.from_json(report.to_json()) == report


NESTED = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (torch.zeros(2, 3), ["(2, 3)"]),
        (nn.Parameter(torch.zeros(4)), ["(4)"]),
        (torch.zeros(()), ["()"]),
        (NESTED, ["nested"]),
        ((torch.zeros(2), (torch.zeros(3), None)), ["(2), (3), -"]),
        ([torch.zeros(2), torch.zeros(3)], ["(2), (3)"]),
        ({"logits": torch.zeros(2, 5), "cache": None}, ["logits=(2, 5), cache=-"]),
        ((None, 3, "text"), []),
        ({"loss": 3.0}, []),
        (None, []),
        (7, []),
        (NotImplemented, []),
    ],
    ids=str,
)
def test_what_a_call_may_return(result: Any, text: list[str]) -> None:
    net = Returns(result)
    with dc.profile(net) as prof:
        net(torch.zeros(1))
    assert outputs(prof.report) == text
    assert prof.report.meta.notes == ()


def test_many_shapes_are_named_up_to_a_number() -> None:
    net = nn.Identity()

    class Slices(nn.Module):
        def forward(self, x: Tensor, size: int) -> Tensor:
            return x[:size]

    cut = Slices()
    with dc.profile({"a": net, "b": cut}) as prof:
        for size in range(1, 21):
            cut(torch.zeros(30), size)
    assert outputs(prof.report, "b") == [*(f"({size})" for size in range(1, MAX_INPUTS + 1)), "…"]


def test_a_fold_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatchcount.capture.record.MAX_RECORDS", 3)
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with dc.profile(net) as prof:
        for batch in range(1, 7):
            net(torch.zeros(batch, 4))
    assert outputs(prof.report, "2") == [f"({batch}, 2)" for batch in range(1, 7)]


@pytest.mark.parametrize("options", [{}, {"memory": True}, {"time": True}, {"functions": True}])
def test_in_training_and_under_every_observer(options: dict[str, Any]) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    optimizer = torch.optim.SGD(net.parameters())
    with dc.profile(net, **options) as prof:
        for _ in range(2):
            net(torch.zeros(5, 4)).sum().backward()
            optimizer.step()
    assert outputs(prof.report, "0") == ["(5, 3)"]
    assert outputs(prof.report) == ["(5, 3)"]


def test_in_a_checkpoint_that_runs_again() -> None:
    part = nn.Linear(4, 3)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = part

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = checkpoint(self.part, x, use_reentrant=False)
            return out.sum()

    net = Net()
    with dc.profile(net) as prof:
        net(torch.zeros(5, 4, requires_grad=True)).backward()
    assert outputs(prof.report, "part") == ["(5, 3)"]
    assert outputs(prof.report) == ["()"]


def test_calls_that_raise_return_nothing() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.second(self.first(x))
            return out

    net = Net()
    with pytest.raises(RuntimeError), dc.profile(net) as prof:
        net(torch.zeros(5, 4))
    assert outputs(prof.report, "first") == ["(5, 3)"]
    assert outputs(prof.report, "second") == outputs(prof.report) == []


def test_a_subclass_of_a_container_is_not_looked_into() -> None:
    class Loud(dict[str, Any]):
        def __iter__(self) -> Any:
            raise AssertionError("looked into")

        keys = values = items = __len__ = __iter__

    net = Returns(Loud())
    with dc.profile(net) as prof:
        net(torch.zeros(1))
    assert outputs(prof.report) == []


def test_runs_are_merged_with_all_their_shapes() -> None:
    def run(batch: int) -> dc.Report:
        net = nn.Linear(4, 3)
        with dc.profile(net) as prof:
            net(torch.zeros(batch, 4))
        return prof.report

    assert outputs(run(2) + run(2)) == ["(2, 3)"]
    many = dc.Report.merge([run(batch) for batch in range(1, 13)])
    assert outputs(many) == [f"({batch}, 3)" for batch in range(1, 13)]  # each under its own inputs
