"""Long runs and large models: what is kept follows distinct calls, sums are exact after folding, and nothing recurses."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.capture import calls as module_calls
from dispatchcount.capture import dispatch, record
from tests.nets import Net
from tests.work import python_calls

META: dict[str, Any] = {"device": "meta"}


def grown(run: Callable[[], Any]) -> int:
    """Bytes of Python memory that a run leaves behind."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        run()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def step(width: int) -> Tensor:
    """Work of a shape of its own: `width` MACs for each of two rows."""
    return torch.ones(2, width) @ torch.ones(width, 1)


def test_a_loop_of_equal_calls_is_one_record() -> None:
    x = torch.ones(4)
    with dc.profile() as prof:
        torch.relu(x)
        more = grown(lambda: [torch.relu(x) for _ in range(20_000)] and None)
    assert more < 100_000  # bytes, however many calls; what waits to be sorted in is a list of pointers
    assert [(entry.op, entry.calls) for entry in prof.report.entries] == [("aten.relu", 20_001)]


def test_memory_stays_bounded_when_no_call_is_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_RECORDS", 100)
    monkeypatch.setattr(dispatch, "LIMIT", 100)
    with dc.profile() as prof:
        for width in range(1, 500):
            step(width)
        more = grown(lambda: [step(width) for width in range(500, 2_000)] and None)
    assert more < 500_000  # what is held between two folds; three records of each of 1,500 steps would be 5 MB
    assert prof.report.macs == 2 * sum(range(1, 2_000))
    assert prof.report.by_operator()["aten.mm"].calls == 1_999


def test_stacks_of_calls_stay_bounded_when_no_input_is_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_NODES", 20)
    monkeypatch.setattr(record, "MAX_SIGNATURES", 8)
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    with dc.profile(net) as prof:
        for rows in range(1, 301):
            net(torch.ones(rows, 1))
    report = prof.report
    assert len(report.paths) < 1 + 4 * (20 + 8)
    for name in ("", "0", "0.0", "0.1"):
        assert sum(row.calls for row in report.by_call(name).values()) == 300, name
    assert report.by_module()["0.0"].macs == sum(range(1, 301))
    assert sum(row.macs for row in report.by_call("").values()) == report.macs


def test_a_full_tree_takes_no_more_work_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_NODES", 50)

    def work(modules: int) -> int:
        net = nn.Sequential(*(nn.Identity() for _ in range(modules)))
        with dc.profile(net) as prof:
            return python_calls(lambda: [net(torch.ones(rows)) for rows in (1, 2)] and prof.report)

    assert work(2_000) < 2.2 * work(1_000)


Call = tuple[int, int, bool]

calls = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.booleans()), min_size=1, max_size=20)


def run_calls(todo: list[Call], limit: int) -> dc.Report:
    """Calls of one of three parts on so many rows, some with a backward; each call a sample."""
    kept = record.MAX_RECORDS
    record.MAX_RECORDS = limit
    net = Net(
        lambda self, part, x: getattr(self, f"part{part}")(x), part0=nn.Linear(3, 2), part1=nn.Tanh(), part2=nn.Bilinear(3, 3, 2)
    )
    net.part2.forward = lambda x: nn.functional.bilinear(x, x, net.part2.weight)
    try:
        with dc.profile(net) as prof:
            for number, (part, rows, backward) in enumerate(todo):
                with prof.sample(str(number)):
                    out = net(part, torch.ones(rows, 3, requires_grad=True))
                    if backward:
                        out.sum().backward()
        return prof.report
    finally:
        record.MAX_RECORDS = kept


@settings(max_examples=25, deadline=None)
@given(todo=calls, limit=st.integers(1, 12))
def test_how_many_events_wait_changes_nothing(todo: list[Call], limit: int) -> None:
    whole = run_calls(todo, 10**9)
    with pytest.MonkeyPatch.context() as patch:
        for module in (dispatch, module_calls):
            patch.setattr(module, "LIMIT", limit)
        piecemeal = run_calls(todo, 10**9)
    assert (piecemeal.entries, piecemeal.paths, piecemeal.by_sample()) == (whole.entries, whole.paths, whole.by_sample())


@settings(max_examples=25, deadline=None)
@given(todo=calls, limit=st.integers(1, 12))
def test_folding_changes_no_sum(todo: list[Call], limit: int) -> None:
    whole, folded = run_calls(todo, 10**9), run_calls(todo, limit)
    assert Counter(folded.entries) == Counter(whole.entries)
    assert folded.by_module() == whole.by_module()
    assert folded.by_phase() == whole.by_phase()
    assert folded.by_sample() == whole.by_sample()
    assert folded.issues == whole.issues


def deep(depth: int) -> nn.Module:
    model: nn.Module = nn.Linear(1, 1, bias=False)
    for _ in range(depth):
        model = nn.Sequential(model)
    return model


def with_deep_stack(run: Callable[[], Any]) -> None:
    """A thousand calls of a module inside a module take more of Python's and C's stack than there is by default."""
    limit, size = sys.getrecursionlimit(), threading.stack_size(256 << 20)
    sys.setrecursionlimit(100_000)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)


def test_a_model_a_thousand_levels_deep() -> None:
    model = deep(1_000)
    prof = dc.profile(model)

    def run() -> None:
        with prof:
            model(torch.ones(1, 1)).backward()

    with_deep_stack(run)
    report = prof.report  # from here on with Python's own limit
    name = ".".join(["0"] * 1_000)
    rows = report.by_module()
    assert rows[name].macs == rows[""].macs == report.macs == 2  # one forward; backward for the weight alone
    assert (rows[name].calls, rows[""].calls, len(report.paths)) == (1, 1, 1_002)
    assert report.by_module("caller")[""].macs == 2
    assert dc.Report.from_json(report.to_json()) == report
    assert (report + report).macs == 4
    for text in (
        report.table(depth=None),
        report.tree(depth=None),
        report.arch(),
        report.to_csv(),
        report.to_markdown(depth=None),
    ):
        assert str(text)


@pytest.mark.parametrize("children", [10, 5_000])
def test_thousands_of_modules(children: int) -> None:
    """A tree of 5,001 modules, ten children each, and one of the same size with all of them side by side."""

    def tree(count: int) -> nn.Module:
        if count == 1:
            return nn.Linear(1, 1, bias=False, device="meta")
        share, more = divmod(count - 1, children)
        sizes = [share + (i < more) for i in range(children)]
        return nn.Sequential(*(tree(size) for size in sizes if size))

    model = tree(5_001)
    leaves = sum(isinstance(module, nn.Linear) for module in model.modules())
    x = torch.empty(1, 1, **META)
    with dc.profile(model) as prof:
        model(x)
    report = prof.report
    assert (report.macs, report.params) == (leaves, leaves)
    assert len(report.modules) == len(report.paths) == 5_002  # and the row of what runs outside
    assert all(row.calls == 1 for row in report.by_module().values())
    assert report.uncalled_modules == ()
