"""Which module did the work: every way in which modules are held, named, shared, called and left."""

from __future__ import annotations

import contextlib
import copy
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc


class Net(nn.Module):
    """Modules by name and a function that uses them."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


def profiled(run: Callable[[], Any], *models: Any) -> dc.Report:
    with dc.profile(*models) as prof:
        run()
    prof.report.self_check()
    return prof.report


def macs(report: dc.Report, ancestors: str = "owner") -> dict[str, int]:
    return {name: row.macs for name, row in report.by_module(ancestors).items() if row.macs or name != "(no module)"}


def x(rows: int = 2, width: int = 4) -> Tensor:
    return torch.ones(rows, width)


LAYER = 2 * 4 * 4
"""MACs of Linear(4, 4) on a batch of two."""


def square() -> nn.Linear:
    return nn.Linear(4, 4)


def test_every_module_has_a_row_called_or_not() -> None:
    model = nn.Sequential(square(), nn.ModuleDict({"spare": square()}), nn.ReLU())
    report = profiled(lambda: model[2](model[0](x())), model)
    assert macs(report) == {"": LAYER, "0": LAYER, "1": 0, "1.spare": 0, "2": 0}
    calls = {name: row.calls for name, row in report.by_module().items()}
    assert calls == {"(no module)": 0, "": 0, "0": 1, "1": 0, "1.spare": 0, "2": 1}
    assert report.uncalled_modules == ("", "1.spare")
    assert report.params == 40
    assert report.by_module()["1"].params == 20


def test_self_and_total() -> None:
    model = Net(lambda m, y: m.layer(y) @ torch.ones(4, 8), layer=square())
    report = profiled(lambda: model(x()), model)
    row = report.by_module()[""]
    assert row.macs == row.total.macs == LAYER + 64
    assert row.self_ is not None
    assert row.self_.macs == 64


def test_recursion_counts_every_call_once() -> None:
    class Recursive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = square()

        def forward(self, y: Tensor, depth: int) -> Tensor:
            return self.layer(y) if depth == 1 else self(self.layer(y), depth - 1)

    model = Recursive()
    report = profiled(lambda: model(x(), 3), model)
    assert macs(report) == macs(report, "caller") == {"": 3 * LAYER, "layer": 3 * LAYER}
    assert report.by_module()[""].calls == 3
    assert max(len(stack(report, i)) for i in range(len(report.paths))) == 5  # outside, three calls, the layer


def stack(report: dc.Report, path: int) -> list[int]:
    found = []
    while path >= 0:
        found.append(path)
        path = report.paths[path].parent
    return found


def test_a_shared_module_works_at_each_call_and_has_its_parameters_once() -> None:
    layer = square()
    model = Net(lambda m, y: m.b(m.a(y)), a=nn.Sequential(layer), b=nn.Sequential(layer))
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 2 * LAYER, "a": 2 * LAYER, "a.0": 2 * LAYER, "b": 0}
    assert macs(report, "caller") == {"": 2 * LAYER, "a": LAYER, "b": LAYER, "a.0": 2 * LAYER}
    assert report.params == 20
    (row,) = [module for module in report.modules if module.name == "a.0"]
    assert row.aliases == ("b.0",)
    assert report.by_call("b.0") == report.by_call("a.0")


def test_tied_parameters_count_once() -> None:
    embedding, head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    head.weight = embedding.weight
    model = nn.Sequential(embedding, head)
    report = profiled(lambda: model(torch.zeros(2, dtype=torch.long)), model)
    assert report.params == 40
    assert macs(report)["1"] == 2 * 4 * 10
    assert report.modules[3].parameters[0].tied_to == "0.weight"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_module_that_raises_and_is_caught_is_left(error: type[BaseException]) -> None:
    def fail(m: Any, y: Tensor) -> Tensor:
        m.inner(y)
        raise error("no")

    def forward(m: Any, y: Tensor) -> Tensor:
        with contextlib.suppress(error):
            m.bad(y)
        return m.good(y) @ torch.ones(4, 8)

    model = Net(forward, bad=Net(fail, inner=square()), good=square())
    report = profiled(lambda: [model(x()), model(x())], model)
    assert macs(report, "caller") == macs(report) == {"": 4 * LAYER + 2 * 64, "bad": 2 * LAYER, "bad.inner": 2 * LAYER, "good": 2 * LAYER}
    assert report.by_module()[""].self_.macs == 2 * 64  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_calls_after_one_that_was_stopped_start_afresh(error: type[BaseException]) -> None:
    stop = [True]

    def forward(m: Any, y: Tensor) -> Tensor:
        y = m.first(y)
        if stop.pop():
            stop.append(False)
            raise error
        return m.second(y)

    model = nn.Sequential(square(), Net(forward, first=square(), second=square()))

    def run() -> None:
        with pytest.raises(error):
            model(x())
        stop[:] = [False]
        model(x())

    report = profiled(run, model)
    assert macs(report, "caller") == {"": 5 * LAYER, "0": 2 * LAYER, "1": 3 * LAYER, "1.first": 2 * LAYER, "1.second": LAYER}
    assert [len(stack(report, i)) for i, path in enumerate(report.paths) if path.module == 1] == [2]


def test_modules_created_in_the_block() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = square()

        def forward(self, y: Tensor) -> Tensor:
            if not hasattr(self, "later"):
                self.later = square()
            return self.later(self.first(y))

    model = Growing()
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 2 * LAYER, "first": LAYER, "later": LAYER}
    assert report.params == 40


def test_a_module_made_anew_in_every_call_is_one_row() -> None:
    model = Net(lambda m, y: square()(y))
    report = profiled(lambda: [model(x()) for _ in range(5)], model)
    (name,) = set(macs(report)) - {""}
    assert name == "(Linear)"
    assert macs(report)[name] == 5 * LAYER
    assert report.by_module()[name].calls == 5
    assert report.params == 0  # the model holds none


def test_lazy_modules() -> None:
    model = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d())
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 64, "0": 64, "1": 0}
    assert report.params == 4 * 8 + 8 + 16
    never = nn.Sequential(nn.LazyLinear(8))
    assert profiled(lambda: None, never).params == 0


def test_parametrized_modules() -> None:
    class LowRank(nn.Module):
        """A weight plus a product of two thin ones."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.randn(6, 2)), nn.Parameter(torch.randn(2, 4))

        def forward(self, weight: Tensor) -> Tensor:
            return weight + self.a @ self.b

    model = nn.Sequential(nn.Linear(4, 6))
    nn.utils.parametrize.register_parametrization(model[0], "weight", LowRank())
    report = profiled(lambda: model(x()), model)
    rows = macs(report)
    assert rows["0.parametrizations.weight.0"] == 6 * 2 * 4
    assert rows["0"] == rows[""] == 6 * 2 * 4 + 2 * 4 * 6
    assert report.params == 24 + 6 + 12 + 8

    normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 6))
    report = profiled(lambda: normed(x()), normed)
    assert report.macs == 2 * 4 * 6
    assert report.params == 24 + 6 + 6  # direction, a length for each row, bias


def test_adapters() -> None:
    class Adapted(nn.Module):
        def __init__(self, base: nn.Linear, rank: int) -> None:
            super().__init__()
            self.base = base.requires_grad_(False)
            self.down, self.up = nn.Linear(4, rank, bias=False), nn.Linear(rank, 4, bias=False)

        def forward(self, y: Tensor) -> Tensor:
            return self.base(y) + self.up(self.down(y))

    model = nn.Sequential(square())
    model[0] = Adapted(model[0], 2)
    report = profiled(lambda: model(x()).sum().backward(), model)
    assert macs(report) == {"": 32 + 16 + 16 + 16 + 32, "0": 112, "0.base": 32, "0.down": 16 + 16, "0.up": 16 + 2 * 16}
    assert [p.trainable for p in report.modules[3].parameters] == [False, False]


class Scriptable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, y: Tensor) -> Tensor:
        return self.layer(y).relu()


@pytest.mark.filterwarnings("ignore")
def test_script_modules_are_counted_as_one_and_said_so() -> None:
    model = nn.Sequential(square(), torch.jit.script(Scriptable()))
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 2 * LAYER, "0": LAYER, "1": LAYER, "1.layer": 0}
    assert [module.type for module in report.modules[3:]] == ["Scriptable", "Linear"]
    assert report.uncalled_modules == ("1.layer",)
    (note,) = report.meta.notes
    assert "'1'" in note
    assert "TorchScript" in note
    traced = torch.jit.trace(Scriptable(), x())
    assert macs(profiled(lambda: traced(x()), traced))[""] == LAYER


@pytest.mark.filterwarnings("ignore")
def test_compiled_modules_and_functions() -> None:
    compiled = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    inner = nn.Sequential(square(), nn.ReLU())
    model = torch.compile(inner, backend=backend)
    report = profiled(lambda: model(x()), model)
    assert report.macs == LAYER
    assert next(iter(value for name, value in macs(report).items() if name.endswith("0"))) == LAYER
    assert not compiled
    model(x())
    assert len(compiled) == 1  # as it would have been without the block

    function = torch.compile(lambda y: y @ torch.ones(4, 8), backend=backend)
    assert profiled(lambda: function(x())).macs == 64
    assert len(compiled) == 1
    function(x())
    assert len(compiled) == 2

    model(x())
    assert profiled(lambda: model(x()), inner).macs == LAYER  # compiled before the block
    inner.compile(backend=backend)
    assert macs(profiled(lambda: inner(x()), inner)) == {"": LAYER, "0": LAYER, "1": 0}


def test_data_parallel_on_one_device() -> None:
    model = nn.DataParallel(nn.Sequential(square()))
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": LAYER, "module": LAYER, "module.0": LAYER}


def test_distributed_data_parallel() -> None:
    """In a process of its own: a process group is the process's."""
    program = """
import torch, torch.distributed as dist, dispatchcount as dc
from torch import nn
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)))
with dc.profile(model) as prof:
    model(torch.ones(2, 4)).sum().backward()
prof.report.self_check()
print({name: row.macs for name, row in prof.report.by_module().items() if row.macs}, prof.report.params)
dist.destroy_process_group()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    expected = {"": 64 + 96, "module": 160, "module.0": 64, "module.2": 96}
    assert done.stdout.strip() == f"{expected} 40", done.stderr


def test_a_direct_forward_belongs_to_the_caller() -> None:
    model = Net(lambda m, y: m.layer.forward(y), layer=square())
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": LAYER, "layer": 0}
    assert report.uncalled_modules == ("layer",)


def test_two_roots_of_one_class_are_two_rows() -> None:
    first, second = square(), square()
    report = profiled(lambda: second(first(x())), first, second)
    assert macs(report) == {"": 2 * LAYER, "Linear": LAYER, "Linear#2": LAYER}
    assert report.params == 40


def test_roots_by_name() -> None:
    encoder, decoder = nn.Sequential(square()), square()
    report = profiled(lambda: decoder(encoder(x())), {"enc": encoder, "dec": decoder})
    assert macs(report) == {"": 2 * LAYER, "enc": LAYER, "enc.0": LAYER, "dec": LAYER}


def test_roots_are_found_as_they_are_called() -> None:
    first, second = nn.Sequential(square()), nn.Sequential(square(), square())
    report = profiled(lambda: second(first(x())))
    assert macs(report) == {"": 3 * LAYER, "Sequential": LAYER, "Sequential.0": LAYER} | {
        "Sequential#2": 2 * LAYER,
        "Sequential#2.0": LAYER,
        "Sequential#2.1": LAYER,
    }
    one = profiled(lambda: first(x()))
    assert macs(one) == {"": LAYER, "0": LAYER}


def test_a_part_called_before_its_whole_is_no_root_of_its_own() -> None:
    model = nn.Sequential(square(), square())
    report = profiled(lambda: [model[0](x()), model(x())])
    assert macs(report) == {"": 3 * LAYER, "0": 2 * LAYER, "1": LAYER}


def test_one_root_inside_another() -> None:
    model = nn.Sequential(square(), square())
    report = profiled(lambda: model(x()), model, model[1])
    assert macs(report)["1"] == LAYER
    assert report.macs == 2 * LAYER


def test_the_same_model_twice_is_one_root() -> None:
    model = square()
    assert macs(profiled(lambda: model(x()), model, model)) == {"": LAYER}


@pytest.mark.parametrize("wrong", [3, "model", lambda y: y, {"enc": 3}, None])
def test_what_is_no_module_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"not a torch.nn.Module; .* profile\(\)"):
        dc.profile(wrong)


def test_blocks_in_blocks_each_count_what_runs_in_them() -> None:
    model = square()
    with dc.profile(model) as outer:
        model(x())
        with dc.profile(model) as inner:
            model(x())
        model(x())
    assert outer.report.macs == 3 * LAYER
    assert inner.report.macs == LAYER
    assert macs(outer.report) == {"": 3 * LAYER}


def test_a_block_entered_twice_goes_on_and_used_again_starts_anew() -> None:
    model = square()
    prof = dc.profile(model)
    with pytest.raises(RuntimeError, match="nothing was profiled yet"):
        _ = prof.report
    with prof:
        model(x())
        with prof:
            model(x())
        model(x())
    assert prof.report.macs == 3 * LAYER
    with prof:
        model(x())
    assert prof.report.macs == LAYER


def test_a_block_inside_a_module_call() -> None:
    model = Net(lambda m, y: m.layer(y), layer=square())
    reports = []

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, y: Tensor) -> Tensor:
            with dc.profile(self.model) as prof:
                y = self.model(y)
            reports.append(prof.report)
            return y

    outer = Outer()
    report = profiled(lambda: outer(x()), outer)
    assert macs(report) == {"": LAYER, "model": LAYER, "model.layer": LAYER}
    assert macs(reports[0]) == {"": LAYER, "layer": LAYER}


def test_a_block_opened_in_one_module_and_closed_after_it() -> None:
    model = Net(lambda m, y: (prof.__enter__(), m.layer(y))[1], layer=square())
    prof = dc.profile(model)
    model(x())
    model.layer(x())
    prof.__exit__(None, None, None)
    prof.report.self_check()
    assert macs(prof.report) == {"": 2 * LAYER, "layer": 2 * LAYER}


def test_a_snapshot_inside_the_block() -> None:
    model = nn.Sequential(square())
    with dc.profile(model) as prof:
        model(x())
        first = prof.report
        model(x())
        assert prof.report.macs == 2 * LAYER
    assert first.macs == LAYER
    assert prof.report is prof.report
    first.self_check()


def test_a_copy_of_the_model_made_inside_the_block() -> None:
    model = nn.Sequential(square())
    with dc.profile(model) as prof:
        twin = copy.deepcopy(model)
        twin(x())
        model(x())
    report = prof.report
    report.self_check()
    assert macs(report)["0"] == LAYER
    assert report.macs == 2 * LAYER
    assert report.params == 20
    with dc.profile() as prof:
        model(x())
        twin = copy.deepcopy(model)
        twin(x())
    assert macs(prof.report) == {"": 2 * LAYER} | {name: LAYER for name in ("Sequential", "Sequential.0", "Sequential#2", "Sequential#2.0")}


def test_the_module_in_which_the_block_stopped() -> None:
    def fail(m: Any, y: Tensor) -> Tensor:
        raise ValueError("shapes differ")

    model = nn.Sequential(square(), Net(fail))
    prof = dc.profile(model)
    with pytest.raises(ValueError, match="shapes differ"), prof:
        model(x())
    assert prof.report.meta.stopped_in == "1"
    assert prof.report.meta.error == "ValueError: shapes differ"
    assert macs(prof.report) == {"": LAYER, "0": LAYER, "1": 0}
    with pytest.raises(ZeroDivisionError), prof:
        _ = 1 // 0
    assert prof.report.meta.stopped_in == "(no module)"


def test_modules_that_hold_themselves_or_each_other() -> None:
    model = Net(lambda m, y: m.layer(y), layer=square())
    model.again = model
    model.layer.parent = model
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": LAYER, "layer": LAYER}
    assert report.params == 20


def test_a_thousand_levels() -> None:
    model: nn.Module = square()
    for _ in range(1000):
        model = nn.Sequential(model)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        done: list[dc.Report] = []
        threading.stack_size(512 * 1024 * 1024)
        thread = threading.Thread(target=lambda: done.append(profiled(lambda: model(x()), model)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
        sys.setrecursionlimit(limit)
    (report,) = done
    rows = {name: row for name, row in report.by_module().items() if name != "(no module)"}
    assert len(rows) == 1001
    assert {row.macs for row in rows.values()} == {LAYER}
    report.by_module("caller")


def test_ten_thousand_modules_take_ten_times_the_work_of_a_thousand() -> None:
    def work(width: int) -> int:
        model = nn.Sequential(*(nn.Identity() for _ in range(width)))
        steps = 0

        def see(frame: Any, event: str, arg: Any) -> None:
            nonlocal steps
            steps += 1

        sys.setprofile(see)
        try:
            report = profiled(lambda: model(x()), model)
            assert len(report.by_module()) == width + 2
        finally:
            sys.setprofile(None)
        return steps

    work(10)
    assert work(10_000) < 11 * work(1_000)


def test_modules_are_let_go() -> None:
    model = nn.Sequential(square())
    gone = weakref.ref(model[0])
    with dc.profile(model) as prof:
        model(x()).sum().backward()
    report = prof.report
    del model
    gc.collect()
    assert gone() is not None  # the profile may be used again
    del prof
    gc.collect()
    assert gone() is None
    assert report.by_module()["0"].macs == 2 * LAYER


def test_names_are_what_they_are() -> None:
    model = nn.Sequential()
    model.add_module("müller 层", square())
    model.add_module("[red]", square())
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 2 * LAYER, "müller 层": LAYER, "[red]": LAYER}


def test_a_module_without_parameters_and_one_without_a_call() -> None:
    report = profiled(lambda: None, nn.ReLU())
    assert (report.flops, report.params, report.by_module()[""].calls) == (0, 0, 0)
    assert profiled(lambda: nn.ReLU()(x())).by_module()[""].calls == 1
    assert profiled(lambda: None).modules[0].name == "(no module)"
