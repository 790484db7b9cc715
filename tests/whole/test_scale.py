"""Long runs and large models: what is kept follows distinct calls, sums are exact after folding, and nothing recurses."""

from __future__ import annotations

import copy
import gc
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
from dispatchcount import session
from dispatchcount.capture import calls as module_calls
from dispatchcount.capture import counter, dispatch, modules, record
from dispatchcount.capture.observers import saved
from tests.nets import LEVELS, Net
from tests.work import python_calls

pytestmark = pytest.mark.torch_alone

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
    assert (
        more < 100_000
    )  # bytes, however many calls; what waits to be sorted in is a list of pointers
    assert [(entry.op, entry.calls) for entry in prof.report.entries] == [("aten.relu", 20_001)]


def test_memory_stays_bounded_when_no_call_is_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_RECORDS", 100)
    for module in (dispatch, counter):
        monkeypatch.setattr(module, "LIMIT", 100)
    with dc.profile() as prof:
        for width in range(1, 500):
            step(width)
        more = grown(lambda: [step(width) for width in range(500, 2_000)] and None)
    assert (
        more < 500_000
    )  # what is held between two folds; three records of each of 1,500 steps would be 5 MB
    assert prof.report.macs == 2 * sum(range(1, 2_000))
    assert prof.report.by_operator()["aten.mm"].calls == 1_999


def test_stacks_of_calls_stay_bounded_when_no_input_is_like_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "MAX_NODES", 20)
    monkeypatch.setattr(record, "MAX_INPUTS", 8)
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


class Making(nn.Module):
    """Makes what it calls, anew each time."""

    def __init__(self, make: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.make = make
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.make(self.calls)(x)


class Renaming(Making):
    """Holds it while it is called, under a name that never comes again."""

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        name = f"part{self.calls}"
        self.add_module(name, self.make(self.calls))
        x = self.get_submodule(name)(x)
        delattr(self, name)
        return x


class Replacing(Making):
    """Holds it until the next call, under one name."""

    def forward(self, x: Tensor) -> Tensor:
        self.part = self.make(self.calls)
        return self.part(x)


LINEAR = 2 * 4 * 4
"""MACs of `stack` on two rows of four."""


def stack(number: int) -> nn.Module:
    """Three levels, with work at the lowest."""
    return nn.Sequential(nn.ReLU(), nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.Tanh()))


def of_its_own_class(number: int) -> nn.Module:
    return type(f"Made{number}", (nn.Sequential,), {})(*stack(number))


def function_of_its_own(x: Tensor) -> Tensor:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * 2

    return Twice.apply(x.clone().requires_grad_())


def one_step(model: nn.Module, x: Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(x).sum().backward()
    optimizer.step()


def hooked(model: nn.Module, x: Tensor) -> None:
    handles = [
        model.register_forward_hook(lambda *_: None),
        model.register_forward_pre_hook(lambda *_: None),
    ]
    model(x)
    for handle in handles:
        handle.remove()


Step = Callable[[nn.Module, Tensor], Any]
ANEW: dict[str, tuple[Callable[[], nn.Module] | None, Step, int]] = {
    "containers": (lambda: Making(stack), lambda m, x: m(x), LINEAR),
    "containers, backward": (lambda: Making(stack), lambda m, x: m(x).sum().backward(), 2 * LINEAR),
    "classes": (lambda: Making(of_its_own_class), lambda m, x: m(x), LINEAR),
    "names": (lambda: Renaming(stack), lambda m, x: m(x), LINEAR),
    "in one place": (lambda: Replacing(stack), lambda m, x: m(x), LINEAR),
    "models": (None, lambda _, x: stack(0)(x), LINEAR),
    "models in training": (None, lambda _, x: one_step(stack(0), x), 2 * LINEAR),
    "models of all classes": (None, lambda m, x: of_its_own_class(id(x) + len(made))(x), LINEAR),
    "copies": (lambda: stack(0), lambda m, x: copy.deepcopy(m)(x), LINEAR),
    "functions": (None, lambda _, x: function_of_its_own(x).sum().backward(), 0),
    "optimizers": (lambda: stack(0), one_step, 2 * LINEAR),
    "hooks": (lambda: stack(0), hooked, LINEAR),
}
made: list[None] = []

PLAIN: dict[str, bool] = {}
WATCHED = {"memory": True, "time": True}
EACH_WAY = [
    (what, options)
    for number, what in enumerate(ANEW)
    for options in ([PLAIN, WATCHED] if number % 2 else [WATCHED, PLAIN])
]


@pytest.mark.proof(every=2)  # each of them, by turns watched and not
@pytest.mark.parametrize(("what", "options"), EACH_WAY)
def test_what_is_made_anew_each_time_leaves_nothing_that_grows(
    what: str, options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "_REMEMBERED", 100)
    make, step, macs = ANEW[what]
    model, x = nn.Identity() if make is None else make(), torch.ones(2, 4)

    def run(times: int) -> None:
        for _ in range(times):
            made.append(None)
            step(model, x)
        made.clear()
        prof._session._tape.settle()
        gc.collect()

    with dc.profile(*(() if make is None else (model,)), **options) as prof:
        run(50)
        infos = len(prof._session._modules.infos)
        tracemalloc.start()
        run(20)  # what is let go for something new is traced from here on
        more = -tracemalloc.get_traced_memory()[0]
        run(80)
        more += tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(prof._session._modules.infos) == infos
    report = prof.report
    report.self_check()
    assert (
        more < 150_000
    )  # a row of calls takes 1,100 bytes: with five more in each of 80 steps it would be 440,000
    assert len(report.paths) < 10 * (modules.MAX_GONE + 1)
    assert report.macs == 150 * macs


def test_rows_of_modules_that_came_and_went() -> None:
    """A module in a place where others came and went has their row; beyond 32 classes or names in a place, all have one row."""
    with dc.profile(model := Making(stack)) as prof:
        for _ in range(40):
            model(torch.ones(2, 4))
    calls = {name: row.calls for name, row in prof.report.by_module().items() if row.calls}
    made = (
        "(Sequential)",
        "(Sequential).0",
        "(Sequential).1",
        "(Sequential).1.0",
        "(Sequential).1.0.0",
        "(Sequential).1.1",
    )
    assert calls == dict.fromkeys(("", *made), 40)
    with dc.profile(
        model := Making(lambda number: type(f"Made{number}", (nn.ReLU,), {})())
    ) as prof:
        for _ in range(100):
            model(torch.ones(2, 4))
    calls = {name: row.calls for name, row in prof.report.by_module().items() if name}
    several = modules.MAX_GONE + 1  # one is alive at a time
    assert calls == {"(no module)": 0, "(other modules)": 100 - several} | {
        f"(Made{i})": 1 for i in range(1, several + 1)
    }


def test_modules_alive_keep_rows_of_their_own() -> None:
    layers = [type(f"Kind{number}", (nn.Identity,), {})() for number in range(100)]
    with dc.profile(model := Making(lambda number: layers[number - 1])) as prof:
        for _ in layers:
            model(torch.ones(2, 4))
    assert {
        row.calls for name, row in prof.report.by_module().items() if name.startswith("(Kind")
    } == {1}
    assert len(prof.report.modules) == 2 + 100


def test_calls_of_shapes_without_end_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_DISTINCT", 50)
    # Blocks share what they learned, so tests that ran before would add distinct calls of theirs.
    monkeypatch.setattr(session._SHARED, "version", -1)
    with dc.profile() as prof:
        for width in range(1, 300):
            step(width)
            assert len(prof._session._recording.signatures) < 50 + dispatch.LIMIT
        prof._session._tape.settle()
        assert len(prof._session._recording.signatures) <= 50
    assert prof.report.macs == 2 * sum(range(1, 300))


def test_samples_of_many_shapes_take_no_memory_for_each_call_before_them() -> None:
    net = nn.Sequential(nn.Identity())

    def run(start: int, stop: int) -> int:
        def samples() -> None:
            for rows in range(start, stop):
                with prof.sample(str(rows)):
                    net(torch.ones(rows))

        return grown(samples)

    with dc.profile(net) as prof:
        run(1, 50)
        early, late = run(50, 150), run(650, 750)
        run(150, 650)
    assert (
        late < 1.5 * early
    )  # with a number for each call before it, a sample would take five times as much


Call = tuple[int, int, bool]

calls = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.booleans()), min_size=1, max_size=20
)


def run_calls(todo: list[Call], limit: int) -> dc.Report:
    """Calls of one of three parts on so many rows, some with a backward; each call a sample."""
    kept = record.MAX_RECORDS
    record.MAX_RECORDS = limit
    net = Net(
        lambda self, part, x: getattr(self, f"part{part}")(x),
        part0=nn.Linear(3, 2),
        part1=nn.Tanh(),
        part2=nn.Bilinear(3, 3, 2),
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
        for module in (dispatch, counter, module_calls):
            patch.setattr(module, "LIMIT", limit)
        piecemeal = run_calls(todo, 10**9)
    assert (piecemeal.entries, piecemeal.paths, piecemeal.by_sample()) == (
        whole.entries,
        whole.paths,
        whole.by_sample(),
    )


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
    """Hundreds of calls of a module inside a module take more of Python's and C's stack than there is by default."""
    limit, size = sys.getrecursionlimit(), threading.stack_size(256 << 20)
    sys.setrecursionlimit(100_000)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)


def test_a_model_of_many_levels() -> None:
    model = deep(LEVELS)
    prof = dc.profile(model)

    def run() -> None:
        with prof:
            model(torch.ones(1, 1)).backward()

    with_deep_stack(run)
    report = prof.report  # from here on with Python's own limit
    name = ".".join(["0"] * LEVELS)
    rows = report.by_module()
    assert (
        rows[name].macs == rows[""].macs == report.macs == 2
    )  # one forward; backward for the weight alone
    assert (rows[name].calls, rows[""].calls, len(report.paths)) == (1, 1, LEVELS + 2)
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
