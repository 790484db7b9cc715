"""Wrappers leave no trace in names: their work is on the row of the module that they wrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import torch
import torch.distributed as dist
from hypothesis import strategies as st
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

import dispatchcount as dc
from dispatchcount.capture.held import walk
from dispatchcount.capture.module_class import wrapped_as

pytestmark = pytest.mark.torch_alone

Wrap = Callable[[nn.Module], nn.Module]


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """A group of this process alone, for the wrappers that ask for one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class Net(nn.Module):
    """A network with modules of its own that are called as wrappers call what they wrap."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self.module = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.module(self.layers(self.first(x)))
        return out


def compiled(module: nn.Module) -> nn.Module:
    return torch.compile(module, backend="eager")


def sharded(module: nn.Module) -> nn.Module:
    return FullyShardedDataParallel(
        module, device_id=torch.device("cpu"), use_orig_params=True, sharding_strategy=None
    )


ANYWHERE: dict[str, Wrap] = {
    "averaged": AveragedModel,
    "checkpoint": checkpoint_wrapper,
    "compile": compiled,
    "parallel": nn.DataParallel,
}
ON_TOP: dict[str, Wrap] = ANYWHERE | {"ddp": DistributedDataParallel}


def step(model: nn.Module, **options: Any) -> dc.Report:
    with dc.profile(model, **options) as prof:
        model(torch.ones(1, 4)).sum().backward()
    return prof.report


def rows(report: dc.Report) -> list[tuple[Any, ...]]:
    """What a wrapper must not change of the module table, and each module's MACs."""
    macs = report.by_module()
    return [
        (module.name, module.type, module.parent, module.aliases, macs[module.name].macs)
        for module in report.modules
        if module.name in macs
    ]


chain = st.lists(st.sampled_from(sorted(ANYWHERE)), max_size=3, unique=True)


@hypothesis.settings(max_examples=40, deadline=None, database=None)
@hypothesis.given(
    first=chain,
    layers=chain,
    inner=chain,
    last=chain,
    root=st.lists(st.sampled_from(sorted(ON_TOP)), max_size=3, unique=True),
)
def test_any_wrappers_anywhere(
    first: list[str], layers: list[str], inner: list[str], last: list[str], root: list[str]
) -> None:
    plain = step(Net())
    net: Any = Net()

    def wrap(module: nn.Module, names: list[str]) -> nn.Module:
        for name in names:
            module = ON_TOP[name](module)
        return module

    # A copy of a module with a process group cannot be made, so copies lie inside.
    root = sorted(root, key=lambda name: name == "ddp")
    net.layers[0] = wrap(net.layers[0], inner)
    net.first, net.layers, net.module = (
        wrap(net.first, first),
        wrap(net.layers, layers),
        wrap(net.module, last),
    )
    report = step(wrap(net, root))
    recomputed = {
        name: 0 if "recompute" not in (by := report.by_phase(name)) else by["recompute"].macs
        for name in report.by_module()
    }
    assert [(*row[:4], row[4] - recomputed[row[0]]) for row in rows(report)] == rows(plain)
    assert report.meta.model == "Net"
    assert report.params == plain.params == 40 + 72 + 72 + 36
    assert [p.name for m in report.modules for p in m.parameters] == [
        p.name for m in plain.modules for p in m.parameters
    ]
    if not any("checkpoint" in names for names in (first, layers, inner, last, root)):
        assert report.paths == plain.paths
    report.self_check()


def test_the_macs_of_a_step_by_hand() -> None:
    # Forward 4·8 + 8·8 + 8·8 + 8·4 = 192. Backward forms as many for the weights, and as many for
    # the inputs, but none for the input of the network.
    net = Net()
    assert step(net).macs == step(DistributedDataParallel(net)).macs == 192 + 192 + (192 - 4 * 8)


def test_fully_sharded_modules_of_the_first_kind() -> None:
    plain, net = step(Net()), Net()
    net.layers = sharded(net.layers)  # type: ignore[assignment]
    report = step(sharded(net))
    assert rows(report) == rows(plain)
    assert report.paths == plain.paths


def test_a_diff_matches_row_by_row() -> None:
    net = Net()
    plain, wrapped = step(net), step(DistributedDataParallel(compiled(net)))
    assert set(plain.by_module()) == set(wrapped.by_module())
    assert {name: stats.macs for name, stats in plain.by_module().items()} == {
        name: stats.macs for name, stats in wrapped.by_module().items()
    }


def test_what_a_wrapper_does_is_the_wrapped_modules() -> None:
    class Copying(nn.DataParallel):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.module(x[:2])  # with fewer rows at first
            out: torch.Tensor = self.module(x @ torch.ones(4, 4))
            return out

    with dc.profile(copying := Copying(Net())) as prof:
        copying(torch.ones(3, 4))
    report = prof.report
    # 2 rows and 3 rows of 192 each, and the wrapper's own product of 3·4·4 on the root's row.
    assert report.macs == 5 * 192 + 48
    root = report.by_module()[""]
    assert root.self_ is not None
    assert (root.self_.macs, root.calls) == (48, 2)
    assert {shapes: stats.calls for shapes, stats in report.by_call("").items()} == {
        "(2, 4)": 1,
        "(3, 4)": 1,
    }
    report.self_check()


def test_a_wrapper_of_the_users_own_keeps_its_name() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module
            self._orig_mod = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.module(x)
            return out

    report = step(Wrapper(Net()))
    assert {"module.module", "_orig_mod"} < set(report.by_module())


def test_parts_and_parameters_that_a_wrapper_adds() -> None:
    class Scaled(DistributedDataParallel):
        def __init__(self, module: nn.Module) -> None:
            super().__init__(module)
            self.scale = nn.Parameter(torch.ones(5))
            self.head = nn.Linear(4, 3)

    report = step(Scaled(Net()))
    assert [module.name for module in report.modules][1:] == [
        "", "first", "layers", "layers.0", "layers.1", "layers.2", "module", "head",
    ]  # fmt: skip
    assert [p.name for p in report.modules[1].parameters] == ["scale"]
    assert report.params == 220 + 5 + 15


def test_a_shared_module_wrapped_in_one_of_its_places() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = checkpoint_wrapper(self.a)
            self.c = compiled(self.b)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.c(self.b(self.a(x)))
            return out

    with dc.profile(twice := Twice()) as prof, torch.no_grad():
        twice(torch.ones(1, 4))
    report = prof.report
    assert [module.name for module in report.modules][1:] == ["", "a"]
    assert report.modules[2].aliases == ("b", "c")
    assert report.by_module()["a"].calls == 3
    assert report.by_module()["a"].macs == 3 * 16


def test_a_wrapper_that_no_root_holds() -> None:
    net = Net()
    with dc.profile(net) as prof:
        nn.DataParallel(net)(torch.ones(1, 4)).sum().backward()
    assert rows(prof.report) == rows(step(Net()))
    with dc.profile(nn.Linear(2, 2)) as prof:
        nn.DataParallel(net)(torch.ones(1, 4))
    names = [module.name for module in prof.report.modules]
    assert names[1:4] == ["", "(Net)", "(Net).first"]
    with dc.profile() as prof:
        for _ in range(3):  # each is gone before the next is made
            nn.DataParallel(compiled(Net()))(torch.ones(1, 4))
    assert {module.name for module in prof.report.modules[1:]} == {
        n for n, _ in net.named_modules()
    }
    assert prof.report.by_module()["layers.0"].calls == 3


def test_modules_wrapped_inside_the_block() -> None:
    net: Any = Net()
    with dc.profile(net) as prof:
        net(torch.ones(1, 4))
        net.layers = checkpoint_wrapper(net.layers)
        net.layers._checkpoint_wrapped_module[0] = compiled(net.layers[0])
        net(torch.ones(1, 4))
    assert {module.name for module in prof.report.modules[1:]} == {
        name for name, _ in Net().named_modules()
    }
    assert prof.report.by_module()["layers.0"].calls == 2


def test_samples_count_a_wrapped_call_once() -> None:
    net = nn.DataParallel(compiled(Net()))
    with dc.profile(net) as prof:
        for calls in (1, 3):
            with prof.sample(str(calls)):
                for _ in range(calls):
                    net(torch.ones(1, 4))
    assert [by[""].calls for _, by in prof.report.by_sample()] == [1, 3]
    assert [by[""].macs for _, by in prof.report.by_sample()] == [192, 3 * 192]


def test_a_wrapper_that_raises_before_it_calls() -> None:
    class Broken(nn.DataParallel):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError

    net = Broken(Net())
    with pytest.raises(ZeroDivisionError), dc.profile(net) as prof:
        net(torch.ones(1, 4))
    assert prof.report.meta.stopped_in == ""
    assert prof.report.by_module()[""].calls == 1
    assert "" not in prof.report.uncalled_modules


def test_roots_are_named_by_what_they_wrap() -> None:
    with dc.profile(nn.DataParallel(Net()), nn.DataParallel(nn.Linear(2, 2))) as prof:
        pass
    assert {"Net", "Net.layers.0", "Linear"} <= set(prof.report.by_module())


def test_names_with_wrappers_are_those_of_named_modules() -> None:
    net: Any = Net()
    net.layers = checkpoint_wrapper(net.layers)
    model = DistributedDataParallel(compiled(net))
    report = step(model, wrappers=True)
    assert [module.name for module in report.modules][1:] == [n for n, _ in model.named_modules()]


def test_a_walk_lists_what_is_wrapped_after_its_wrapper() -> None:
    net: Any = Net()
    net.layers = nn.DataParallel(compiled(net.layers))
    names = [name for name, _ in walk(net, wrapped_as)]
    assert names == [
        "", "first", "layers", "layers", "layers", "layers.0", "layers.1", "layers.2", "module",
    ]  # fmt: skip
