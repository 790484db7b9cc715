"""Which module did the work: every way in which modules are held, shared, wrapped, called and left."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from tests.nets import LAYER, Net, macs, profiled, square, x

pytestmark = pytest.mark.torch_alone


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
    assert (
        max(len(stack(report, i)) for i in range(len(report.paths))) == 5
    )  # outside, three calls, the layer


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
    assert (
        macs(report, "caller")
        == macs(report)
        == {"": 4 * LAYER + 2 * 64, "bad": 2 * LAYER, "bad.inner": 2 * LAYER, "good": 2 * LAYER}
    )
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
    assert macs(report, "caller") == {
        "": 5 * LAYER,
        "0": 2 * LAYER,
        "1": 3 * LAYER,
        "1.first": 2 * LAYER,
        "1.second": LAYER,
    }
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
    assert macs(report) == {
        "": 32 + 16 + 16 + 16 + 32,
        "0": 112,
        "0.base": 32,
        "0.down": 16 + 16,
        "0.up": 16 + 2 * 16,
    }
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
    assert (
        report.uncalled_modules == ()
    )  # no hook saw it called, but operators of the script used its weight
    (note,) = report.meta.notes
    assert note.startswith("'1' ran as TorchScript")
    traced = torch.jit.trace(Scriptable(), x())
    alone = profiled(lambda: traced(x()), traced)
    assert macs(alone)[""] == LAYER
    assert alone.meta.notes[0].startswith("the root ran as TorchScript")


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
    assert macs(report) == {"": LAYER, "0": LAYER}


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
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    expected = {"": 64 + 96, "0": 64, "2": 96}
    # torch 2.9 prints a line of gloo's own before it.
    assert done.stdout.splitlines()[-1:] == [f"{expected} 40"], done.stderr


def test_a_direct_forward_belongs_to_the_caller() -> None:
    model = Net(lambda m, y: m.layer.forward(y), layer=square())
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": LAYER, "layer": 0}
    assert (
        report.uncalled_modules == ()
    )  # it was not called, but operators of the caller used its weight


# Modules that have not every attribute of a module, or whose class makes something else of it.


class Layered(nn.Module):
    """Has one layer: 8 × 4 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        return self.layer(y)


class Unequal(Layered):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class Secretive(Layered):
    """Raises for whatever is not in its dict, and has no mode."""

    def __init__(self) -> None:
        super().__init__()
        del self.training

    def __getattr__(self, name: str) -> Any:
        if name == "layer":
            return self._modules["layer"]
        raise KeyError(name)


class Guarded(Layered):
    """Nobody may read its tables once it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = True

    def __getattribute__(self, name: str) -> Any:
        if name in (
            "_parameters",
            "_modules",
            "_buffers",
            "training",
        ) and "closed" in super().__getattribute__("__dict__"):
            raise ValueError(name)
        return super().__getattribute__(name)

    def __call__(self, y: Tensor) -> Tensor:
        return object.__getattribute__(self, "__dict__")["_modules"]["layer"](y)


class Computed(Layered):
    """Its mode and its tables' names are properties that raise."""

    def _no(self) -> Any:
        raise OSError

    training = property(_no, lambda self, mode: None)
    named_parameters = named_modules = named_children = named_buffers = property(_no)


class Mute(Layered):
    def extra_repr(self) -> str:
        raise SystemExit

    __repr__ = __str__ = extra_repr


class Stuffed(Layered):
    """Its tables hold what does not belong there."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = None
        self.register_module("none", None)
        self._modules[7] = nn.ReLU()  # type: ignore[index]
        self._modules["text"] = "text"  # type: ignore[assignment]
        self._parameters["text"] = "text"  # type: ignore[assignment]
        self._buffers["three"] = 3  # type: ignore[assignment]


class Nowhere(Layered):
    __module__ = None  # type: ignore[assignment]


class Meta(type):
    def __getattr__(cls, name: str) -> Any:
        raise ValueError(name)


class Classy(Layered, metaclass=Meta):
    pass


class Empty(nn.Sequential):
    def __len__(self) -> int:
        return 0


class Slotted(Layered):
    __slots__ = ("more",)


def frozen(model: nn.Module) -> nn.Module:
    return torch.jit.freeze(torch.jit.script(model.eval()))


def traced(model: nn.Module) -> nn.Module:
    return torch.jit.trace(model, torch.ones(3, 8))


ODD: dict[str, tuple[Callable[[], nn.Module], int]] = {
    **{
        kind.__name__: (kind, 32)
        for kind in (Unequal, Secretive, Guarded, Computed, Mute, Stuffed, Nowhere, Classy, Slotted)
    },
    "Empty": (lambda: Empty(nn.Linear(8, 4, bias=False)), 32),
    "scripted": (lambda: torch.jit.script(Layered()), 32),
    "traced": (lambda: traced(Layered()), 32),
    "frozen": (
        lambda: frozen(Layered()),
        0,
    ),  # its weights are constants in its code, and no parameters
    "traced and frozen": (lambda: frozen(traced(Layered())), 0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("place", ["root", "inside", "found"])
@pytest.mark.parametrize("kind", ODD)
def test_modules_without_all_of_a_module_are_read_as_far_as_they_can_be(
    kind: str, place: str, memory: bool
) -> None:
    make, params = ODD[kind]
    odd = make()
    model = Net(lambda m, y: m.part(y), part=odd) if place == "inside" else odd
    report = profiled(
        lambda: model(torch.ones(3, 8)), *(() if place == "found" else (model,)), memory=memory
    )
    assert report.macs == 3 * 8 * 4
    assert report.params == params
    assert not memory or (report.memory is not None and report.memory.parameters == 4 * params)
    if place != "found":
        assert report.modules[1].name == ""
    for text in (report.table(), report.arch(), report.to_json(), report.to_markdown()):
        assert str(text)


def test_a_module_that_was_never_set_up() -> None:
    class Raw(nn.Module):
        def __init__(self) -> None:
            pass

        def __call__(self, y: Tensor) -> Tensor:
            return y @ torch.ones(8, 4)

    report = profiled(lambda: model(torch.ones(3, 8)), model := Raw(), memory=True)
    assert (report.macs, report.params, [module.type for module in report.modules]) == (
        96,
        0,
        ["", "Raw"],
    )
    assert report.meta.training is None


def test_the_mode_that_a_report_states() -> None:
    assert profiled(lambda: None, Layered().eval()).meta.training is False
    assert profiled(lambda: None, Layered()).meta.training is True
    assert profiled(lambda: None, Secretive()).meta.training is None
