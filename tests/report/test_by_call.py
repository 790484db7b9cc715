"""Calls of one module by the shapes of their inputs, the load of a router, and how deep a net recurses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.capture import record
from dispatchcount.report.expert_load import expert_load
from dispatchcount.report.samples import distribution

pytestmark = pytest.mark.torch_alone


def test_calls_by_the_shape_of_their_input() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU())
    with dc.profile(model) as prof:
        for side in (8, 4, 8, 8):
            model(torch.ones(1, 3, side, side))
    calls = prof.report.by_call("0")
    assert {shape: (row.calls, row.flops) for shape, row in calls.items()} == {
        "(1, 3, 8, 8)": (3, 3 * 64 * 8 * 27),
        "(1, 3, 4, 4)": (1, 16 * 8 * 27),
    }
    assert list(calls) == ["(1, 3, 8, 8)", "(1, 3, 4, 4)"]  # most calls first
    assert prof.report.by_call("")["(1, 3, 4, 4)"].flops == 16 * 8 * 27  # with what its modules did
    with pytest.raises(KeyError, match="no module is called 'layer9'"):
        prof.report.by_call("layer9")


def test_calls_by_keyword() -> None:
    class Attend(nn.Module):
        def forward(
            self, query: Tensor, *, key: Tensor | None = None, scale: float = 1.0
        ) -> Tensor:
            return query @ (query if key is None else key).transpose(-1, -2) * scale

    model = Attend()
    with dc.profile(model) as prof:
        model(query=torch.ones(2, 4), key=torch.ones(3, 4))
        model(query=torch.ones(2, 4), scale=2.0)
        model(torch.ones(2, 4), key=torch.ones(5, 4))
        model(torch.ones(2, 4), key=torch.ones(6, 4))
    calls = {shape: row.macs for shape, row in prof.report.by_call("").items()}
    assert calls == {
        "query=(2, 4), key=(3, 4)": 2 * 4 * 3,
        "query=(2, 4)": 2 * 4 * 2,
        "(2, 4), key=(5, 4)": 2 * 4 * 5,
        "(2, 4), key=(6, 4)": 2 * 4 * 6,
    }


def test_calls_of_inputs_of_any_kind() -> None:
    model = nn.Identity()
    with dc.profile(model) as prof:
        model([torch.ones(2), torch.ones(3)])
        model({"image": torch.ones(2, 2)})
        model(None)
        model("text")
        model((torch.ones(()), 3))
    assert sum(row.calls for row in prof.report.by_call("").values()) == 5
    assert any("image=(2, 2)" in shape for shape in prof.report.by_call(""))


class Decoder(nn.Module):
    """One attention with a cache of its own; a step over t cached tokens of width 8 is 4·64 + 2·8·t MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24, bias=False), nn.Linear(8, 8, bias=False)
        self.cache: list[Tensor] = []

    def forward(self, y: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.qkv(y).chunk(3, -1)
        cache = torch.cat([cache, torch.stack([k, v])], 1)
        scores = (q @ cache[0].T).softmax(-1)
        return self.out(scores @ cache[1]), cache


def test_generation_with_a_growing_cache() -> None:
    model = Decoder()
    with dc.profile(model) as prof, torch.no_grad():
        cache = torch.zeros(2, 0, 8)
        with prof.sample("prefill"):
            y, cache = model(torch.ones(5, 8), cache)
        for _ in prof.samples(range(3), label=lambda i, _: f"step {i + 1}"):
            y, cache = model(y[-1:], cache)
    report = prof.report
    assert [s.label for s in report.samples] == ["prefill", "step 1", "step 2", "step 3"]
    step = 8 * 24 + 8 * 8
    assert report.sample_flops() == [
        5 * step + 2 * 5 * 5 * 8,
        *(step + 2 * t * 8 for t in (6, 7, 8)),
    ]
    assert {shape: row.flops for shape, row in report.by_call("").items()} == {
        "(5, 8), (2, 0, 8)": 5 * step + 2 * 25 * 8,
        "(1, 8), (2, 5, 8)": step + 2 * 6 * 8,
        "(1, 8), (2, 6, 8)": step + 2 * 7 * 8,
        "(1, 8), (2, 7, 8)": step + 2 * 8 * 8,
    }
    assert report.by_call("qkv")["(1, 8)"].calls == 3
    tokens = 1 + report.by_call("qkv")["(1, 8)"].calls
    assert tokens == 4


def test_shapes_without_end_share_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_NODES", 10)
    monkeypatch.setattr(record, "MAX_INPUTS", 4)
    model = nn.Linear(4, 4, bias=False)
    with dc.profile(model) as prof:
        for rows in range(1, 31):
            model(torch.ones(rows, 4))
    calls = prof.report.by_call("")
    assert sum(row.flops for row in calls.values()) == prof.report.flops == sum(range(1, 31)) * 16
    assert (
        len(calls) == 9 + 4 + 1
    )  # beside the root's own node, until the tree was full; then four more, and one for all others
    assert calls["…"].calls == 30 - (9 + 4)


# Routers and recursion.


class Mixture(nn.Module):
    """Sends each row to the expert that `route` names."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(experts))

    def forward(self, y: Tensor, route: Tensor) -> Tensor:
        out = torch.zeros_like(y)
        for number, expert in enumerate(self.experts):
            rows = (route == number).nonzero()[:, 0]
            if len(rows):
                out[rows] = expert(y[rows])
        return out


def test_the_load_of_a_router() -> None:
    model = Mixture(4)
    routes = [[0, 0, 0, 1], [0, 0, 2, 2], [0, 1, 1, 0]]
    with dc.profile(model) as prof:
        for route in prof.samples(routes):
            model(torch.ones(4, 4), torch.tensor(route))
    load = expert_load(prof.report, "experts")
    assert [(e.name, e.calls, e.tokens, e.macs) for e in load.experts] == [
        ("experts.0", 3, 7, 7 * 16),
        ("experts.1", 2, 3, 3 * 16),
        ("experts.2", 1, 2, 2 * 16),
        ("experts.3", 0, 0, 0),
    ]
    assert [e.share for e in load.experts] == [7 / 12, 3 / 12, 2 / 12, 0]
    assert load.imbalance == 7 / (12 / 4)
    over = prof.report.by_module_over_samples()
    assert [over[f"experts.{i}"].execution_rate for i in range(4)] == [1, 2 / 3, 1 / 3, 0]
    assert over["experts.0"].flops.max == 3 * 16
    assert prof.report.uncalled_modules == ("experts.3",)
    with pytest.raises(ValueError, match="'experts.0' holds no modules"):
        expert_load(prof.report, "experts.0")
    with pytest.raises(KeyError, match="no module is called 'router'"):
        expert_load(prof.report, "router")


def test_the_load_of_experts_that_never_ran_or_take_no_tensor() -> None:
    model = nn.ModuleList([nn.Identity(), nn.Identity()])
    with dc.profile(model) as prof:
        model[1]("text")
    load = expert_load(prof.report, "")
    assert [e.tokens for e in load.experts] == [0, None]
    assert load.imbalance == 0


def test_the_depth_of_recursion() -> None:
    class Tree(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.merge = nn.Linear(8, 4, bias=False)

        def forward(self, tree: Any) -> Tensor:
            if isinstance(tree, int):
                return torch.full((1, 4), float(tree))
            return self.merge(torch.cat([self(tree[0]), self(tree[1])], -1))

    model = Tree()
    with dc.profile(model) as prof:
        for tree in prof.samples([1, (1, 2), ((1, 2), (3, 4)), (((1, 2), 3), 4)]):
            model(tree)
    report = prof.report
    assert report.sample_flops() == [0, 32, 3 * 32, 3 * 32]
    assert report.by_module_over_samples()[""].calls == distribution([1, 3, 7, 7])
    depths = [0]
    for path in report.paths[1:]:
        depths.append(depths[path.parent] + (report.modules[path.module].name == ""))
    assert max(depths) == 4
