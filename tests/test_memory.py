"""Memory by module and the peak. Bytes are worked out beside the numbers; the peak is also counted by brute force."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.render.numbers import nbytes
from dispatchcount.report.rows import Memory, ModuleMemory

KB = 1024
"""Bytes of the 256 floats that most tensors here have."""


class Count(TorchDispatchMode):
    """After every operator, adds up all storages it has seen that are not gone. Slow, and as simple as can be."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.seen: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = self.add(known)
        self.op = ""

    def add(self, tensors: Any) -> int:
        self.seen = {key: pair for key, pair in self.seen.items() if not pair[0].expired()}
        for tensor in torch.utils._pytree.tree_leaves(tensors):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.seen[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        return sum(size for _, size in self.seen.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        now = self.add((args, kwargs, out))
        if now > self.peak:
            self.peak, self.op = now, f"{func.namespace}.{func._opname}"
        return out


def followed(model: nn.Module | None, run: Callable[[], Any]) -> Memory:
    """Memory in a block around `run`, after the peak was compared with the count by brute force."""
    models = () if model is None else (model,)
    known = [t for m in models for t in (*m.parameters(), *m.buffers(), *(p.grad for p in m.parameters() if p.grad is not None))]
    count = Count(*known)
    del known
    with count, dc.profile(*models, memory=True) as prof:
        run()
    memory = prof.report.memory
    assert memory is not None
    assert (memory.peak, memory.peak_op) == (count.peak, count.op)
    return memory


def by_name(model: nn.Module, run: Callable[[], Any], column: str) -> dict[str, int]:
    """One column by module name, zeros left out."""
    with dc.profile(model, memory=True) as prof:
        run()
    report = prof.report
    assert report.memory is not None
    return {report.modules[row.module].name: n for row in report.memory.modules if (n := getattr(row, column))}


# The peak.


def test_a_chain_of_known_lifetimes() -> None:
    x = torch.ones(256)

    def run() -> None:
        a = x + 1  # x, a: 2 KB
        b = a * 2  # x, a, b: 3 KB
        del a  # x, b
        c = b.exp()  # x, b, c: 3 KB
        d = c.view(16, 16)  # a view has no memory of its own
        c.mul_(2)  # nor has what is done in place
        del b, c  # x, d's storage
        d.add(1).add(1).add(1)  # x, d and two at a time: 4 KB, first at the second add

    memory = followed(None, run)
    assert memory == Memory((), 4 * KB, "(no module)", "aten.add")


def test_gradients_keep_what_they_need() -> None:
    w = torch.ones(256, requires_grad=True)

    def forward() -> Tensor:
        y = w
        for _ in range(5):
            y = y.exp()  # saves its result
        return y

    assert followed(None, forward).peak == 6 * KB
    with torch.no_grad():
        assert followed(None, forward).peak == 3 * KB


def test_parameters_and_buffers_count_from_the_start() -> None:
    model = nn.BatchNorm1d(256)  # weight, bias, running mean and variance, and an int64 count of batches
    assert followed(model, lambda: None) == Memory((ModuleMemory(1, parameters=2 * KB),), 4 * KB + 8, "(no module)", "")
    unused = nn.Linear(256, 1, bias=False)
    assert followed(nn.ModuleList([model, unused]), lambda: None).peak == 5 * KB + 8


class Wide(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (torch.cat([x] * 8) + 1).sum(0)


def test_the_peak_says_where_it_stood() -> None:
    model = nn.Sequential(nn.Flatten(0, 0), nn.Sequential(nn.ReLU(), Wide()), nn.ReLU())
    with dc.profile(model, memory=True) as prof, torch.no_grad():
        model(torch.ones(1, 256))
    memory = prof.report.memory
    assert memory is not None
    # the input (a view of which goes in), ReLU's result, eight of it, and as many once more
    assert (memory.peak, memory.peak_module, memory.peak_op) == ((1 + 1 + 8 + 8) * KB, "1.1", "aten.add")


def test_a_storage_that_grows_is_looked_at_again() -> None:
    x = torch.zeros(0)

    def run() -> None:
        x.resize_(256).zero_()
        x.resize_(512).zero_()

    assert followed(None, run).peak == 2 * KB


def test_sparse_tensors_are_what_they_store() -> None:
    x = torch.eye(256).to_sparse()  # 256 floats, 2 × 256 int64 indices
    with dc.profile(memory=True) as prof:
        torch.clone(x)
    assert prof.report.memory is not None
    assert prof.report.memory.peak == 2 * (KB + 4 * KB)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(16, 64), nn.Linear(64, 16), nn.LayerNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(nn.functional.gelu(self.a(self.norm(x))))


class Stack(nn.Module):
    def __init__(self, how: bool | None) -> None:
        super().__init__()
        self.blocks, self.how = nn.ModuleList([Block() for _ in range(4)]), how

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x) if self.how is None else checkpoint(block, x, use_reentrant=self.how)
        return x


def train(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer | None = None, steps: int = 1) -> None:
    for _ in range(steps):
        model(x).square().sum().backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_lowers_the_peak(reentrant: bool) -> None:
    x = torch.randn(64, 16, requires_grad=True)
    plain, checkpointed = (Stack(how) for how in (None, reentrant))
    assert followed(checkpointed, lambda: train(checkpointed, x)).peak < followed(plain, lambda: train(plain, x)).peak


PROGRAMS: dict[str, Callable[[], tuple[nn.Module, Callable[[], Any]]]] = {}


def program(make: Callable[[], tuple[nn.Module, Callable[[], Any]]]) -> Any:
    PROGRAMS[make.__name__] = make
    return make


@program
def adam() -> Any:
    model = Stack(None)
    optimizer = torch.optim.Adam(model.parameters())
    return model, lambda: train(model, torch.randn(8, 16), optimizer, 3)


@program
def momentum_without_foreach() -> Any:
    model = Stack(None)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, foreach=False)
    return model, lambda: train(model, torch.randn(8, 16), optimizer, 2)


@program
def accumulation() -> Any:
    model = Stack(None)
    train(model, torch.randn(3, 16))  # gradients are there before the block
    return model, lambda: train(model, torch.randn(8, 16), steps=3)


@program
def reentrant() -> Any:
    model = Stack(True)
    return model, lambda: train(model, torch.randn(8, 16, requires_grad=True), steps=2)


@program
def non_reentrant() -> Any:
    model = Stack(False)
    return model, lambda: train(model, torch.randn(8, 16), steps=2)


@program
def convolutions() -> Any:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(392, 10))
    return model, lambda: train(model, torch.randn(2, 3, 16, 16), torch.optim.SGD(model.parameters(), 0.1))


@program
def recurrent() -> Any:
    model = nn.LSTM(8, 16, num_layers=2, bidirectional=True)
    return model, lambda: model(torch.randn(5, 2, 8))[0].sum().backward()


@program
def encoder() -> Any:
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return model, lambda: train(model, torch.randn(2, 5, 16))


@program
def inference() -> Any:
    model = nn.Sequential(Stack(None), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)).eval()
    return model, lambda: torch.inference_mode()(model)(torch.randn(2, 5, 16))


@program
def penalty() -> Any:
    model = Stack(None)

    def run() -> None:
        x = torch.randn(8, 16, requires_grad=True)
        (grad,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        grad.square().sum().backward()

    return model, run


@program
def functional() -> Any:
    model = Stack(None)

    def run() -> None:
        def loss(parameters: Any, x: Tensor) -> Tensor:
            return torch.func.functional_call(model, parameters, (x,)).sum()

        torch.func.vmap(torch.func.grad(loss), (None, 0))(dict(model.named_parameters()), torch.randn(3, 8, 16))

    return model, run


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_peak_of_real_programs_is_the_brute_force_count(name: str) -> None:
    followed(*PROGRAMS[name]())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "add", "exp", "mul_", "view", "half", "drop", "swap", "cat", "detach", "backward", "grow"]),
        st.integers(0, 7),
        st.integers(0, 7),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans())
def test_the_peak_of_any_program_is_the_brute_force_count(steps: list[tuple[str, int, int]], grad: bool) -> None:
    def run() -> None:
        live: list[Tensor] = [torch.ones(4, 8, requires_grad=grad)]
        for op, i, j in steps:
            x, y = live[i % len(live)], live[j % len(live)]
            if op == "new":
                live.append(torch.ones(4, 8 * (i + 1), requires_grad=grad))
            elif op == "add" and x.shape == y.shape:
                live.append(x + y)
            elif op == "exp":
                live.append(x.exp())
            elif op == "mul_" and not (x.requires_grad or x._is_view()):
                x.mul_(2)
            elif op == "view":
                live.append(x.view(-1, x.shape[0]))
            elif op == "half":
                live.append(x[:1])
            elif op == "drop" and len(live) > 1:
                del live[i % len(live)]
            elif op == "swap":
                live.reverse()
            elif op == "cat" and x.numel() < 1000:
                live.append(torch.cat([x, x]))
            elif op == "detach":
                live.append(x.detach())
            elif op == "backward" and x.requires_grad:
                x.sum().backward(retain_graph=j > 3, inputs=[x] if x.is_leaf else None) if j != 7 else None
            elif op == "grow" and not x.requires_grad and not x._is_view():
                live.append(x.new_empty(0).resize_(16 * (j + 1)).zero_())
            x = y = live[0]

    try:
        followed(None, run)
    except RuntimeError as error:
        if "second time" not in str(error):
            raise


def test_fake_and_meta_tensors_have_the_sizes_that_they_stand_for() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    def peak(run: Callable[[nn.Module], Any]) -> int:
        model = Stack(None)
        with dc.profile(model, memory=True) as prof:
            run(model)
        assert prof.report.memory is not None
        return prof.report.memory.peak

    real = peak(lambda model: model(torch.ones(8, 16)))
    with torch.device("meta"):
        assert peak(lambda model: model(torch.ones(8, 16))) == real
    with FakeTensorMode():
        assert peak(lambda model: model(torch.ones(8, 16))) == real


# What modules hold.


def test_parameters_gradients_and_optimizer_state() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4, bias=False))
    model[2].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    run = lambda: train(model, torch.randn(5, 8), optimizer, 2)  # noqa: E731
    first = (8 * 16 + 16) * 4
    assert by_name(model, run, "parameters") == {"0": first, "2": 16 * 4 * 4}
    assert by_name(model, run, "gradients") == {"0": first}  # though the loop has dropped them by the end
    assert by_name(model, run, "optimizer") == {"0": 2 * first + 2 * 4}  # two moments, and a step count for each parameter


def test_totals_are_the_sums_of_the_rows() -> None:
    model = Stack(None)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    memory = followed(model, lambda: train(model, torch.randn(5, 16), optimizer))
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert (memory.parameters, memory.gradients, memory.optimizer) == (size, size, size)
    assert memory.saved == sum(row.saved for row in memory.modules)


def test_a_tied_parameter_counts_once() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight = model[0].weight
    memory = followed(model, lambda: train(model, torch.randn(5, 8)))
    assert (memory.parameters, memory.gradients) == (256, 256)


def test_state_of_parameters_outside_the_model_has_no_module() -> None:
    model, other = nn.Linear(8, 8), torch.ones(256, requires_grad=True)
    optimizer = torch.optim.SGD([other], 0.1, momentum=0.9)

    def run() -> None:
        other.sum().backward()
        optimizer.step()

    assert by_name(model, run, "optimizer") == {"(no module)": KB}


def test_modules_without_a_root_are_found_as_they_are_called() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
    with dc.profile(memory=True) as prof:
        kept = model(torch.ones(5, 8))
    report = prof.report
    assert report.memory is not None
    assert report.memory.parameters == (8 * 16 + 16) * 4
    assert report.memory.saved == (5 * 8 + 5 * 16) * 4  # the weight is no activation
    del kept


# What is saved for backward.


def test_saved_bytes_belong_to_the_module_that_ran() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x = torch.randn(5, 8)
    expected = {"0": 5 * 8 * 4, "1": 5 * 16 * 4}  # its input; its result, which the last layer saves too: once
    assert by_name(model, lambda: model(x), "saved") == expected
    assert by_name(model, lambda: model(x).sum().backward(), "saved") == expected
    assert by_name(model, lambda: torch.no_grad()(model)(x), "saved") == {}


def test_what_was_released_does_not_add_up() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    inputs = [torch.randn(5, 8) for _ in range(6)]  # the user holds all of them
    expected = {"0": 5 * 8 * 4, "1": 5 * 16 * 4}
    losses: list[Tensor] = []

    def keep_losses() -> None:
        losses.extend(model(x).sum() for x in inputs[:1])
        for x in inputs:
            losses[-1].backward()
            losses.append(model(x).sum())

    assert by_name(model, lambda: [model(x).sum().backward() for x in inputs], "saved") == expected
    assert by_name(model, lambda: [model(x).shape for x in inputs], "saved") == expected  # the graphs are gone
    assert by_name(model, keep_losses, "saved") == expected  # the graphs live on, what they saved does not
    held = {name: 6 * size for name, size in expected.items()}
    assert by_name(model, lambda: losses.extend([model(x) for x in inputs]), "saved") == held


def test_a_backward_that_keeps_its_graph_releases_nothing() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
    inputs = [torch.randn(5, 8) for _ in range(3)]

    def run() -> None:
        kept = [model(x).sum() for x in inputs]
        for loss in kept:
            loss.backward(retain_graph=True)
        kept.append(model(torch.randn(5, 8)).sum())

    assert by_name(model, run, "saved") == {"0": 4 * 5 * 8 * 4, "1": 4 * 5 * 16 * 4}


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x * 3)
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 2


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Double.apply(x)


def test_functions_written_in_python_are_looked_at() -> None:
    x = torch.ones(256, requires_grad=True)
    assert by_name(Doubling(), lambda: Doubling()(x), "saved") == {"(Doubling)": KB}
    model = nn.Sequential(Doubling(), nn.Flatten(0))
    assert by_name(model, lambda: model(x).sum().backward(), "saved") == {"0": KB}


def test_tensors_that_hooks_moved_count_where_they_are() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())

    def run() -> None:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
            model(torch.randn(5, 8)).sum().backward()

    with dc.profile(model, memory=True) as prof:
        run()
    assert prof.report.memory is not None
    # halves of the input, of the result and of the weight, which was copied
    assert prof.report.memory.saved == (5 * 8 + 5 * 16) * 2


def test_recomputing_saves_again_and_one_block_at_a_time() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2):
                x = checkpoint(self.block, x, use_reentrant=True)
            return x

    model, x = Twice(), torch.ones(256, requires_grad=True)
    assert by_name(model, lambda: model(x).sum().backward(), "saved")["block.0"] == KB


# The run is untouched.


def outcome(memory: bool, time: bool, how: bool | None) -> list[Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5), Stack(how), nn.BatchNorm1d(16), nn.ReLU(inplace=True))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(8, 16, requires_grad=True)
    results = []
    with dc.profile(model, memory=memory, time=time):
        for _ in range(3):
            y = model(x)
            y.square().sum().backward()
            results += [y.detach().clone(), *(p.grad.clone() for p in model.parameters()), x.grad.clone()]
            optimizer.step()
            optimizer.zero_grad()
    return [*results, *model.state_dict().values(), torch.get_rng_state()]


@pytest.mark.parametrize("how", [None, True, False])
def test_outputs_gradients_and_state_are_the_same_bit_for_bit(how: bool | None) -> None:
    plain = outcome(False, False, how)
    observed = outcome(True, True, how)
    assert len(plain) == len(observed)
    assert all(torch.equal(a, b) for a, b in zip(plain, observed, strict=True))


def test_a_saved_tensor_changed_in_place_is_still_an_error() -> None:
    w = torch.ones(3, requires_grad=True)
    with dc.profile(memory=True) as prof:
        y = w.exp()
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    assert prof.report.memory is not None


def hooks() -> list[int]:
    module, optimizer = nn.modules.module, sys.modules[torch.optim.Optimizer.__module__]
    return [
        len(value)
        for owner in (module, optimizer)
        for name, value in vars(owner).items()
        if name.startswith("_global_") and isinstance(value, dict)
    ]


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_nothing_is_left(error: type[BaseException] | None) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    before, stored = hooks(), {name: set(module.__dict__) for name, module in model.named_modules()}
    kept = []
    prof = dc.profile(model, memory=True, time=True)
    with nullcontext() if error is None else pytest.raises(error), prof:
        kept += [model(torch.ones(5, 8)).sum(), model(torch.ones(5, 8)).sum()]
        kept[0].backward()
        if error is not None:
            raise error("stop")
    assert hooks() == before
    assert {name: set(module.__dict__) for name, module in model.named_modules()} == stored
    memory = prof.report.memory
    waiting = [loss.grad_fn for loss in kept]
    while waiting:
        node = waiting.pop()
        assert node.metadata == {}
        waiting += [below for below, _ in node.next_functions if below is not None]
    reference = weakref.ref(model)
    del model, kept, node, prof
    gc.collect()
    assert reference() is None
    assert memory is not None
    assert memory.parameters == (8 * 16 + 16 + 16 * 4 + 4) * 4


def test_no_tensor_lives_longer_inside_the_block() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with dc.profile(model, memory=True, time=True):
        x = torch.ones(5, 8)
        y = model(x)
        references = [StorageWeakRef(t.untyped_storage()) for t in (x, y)]
        hidden = StorageWeakRef(y.grad_fn._saved_mat1.untyped_storage())
        gc.disable()
        try:
            del x, y
            assert all(reference.expired() for reference in (*references, hidden))
        finally:
            gc.enable()


def test_tensors_can_be_swapped() -> None:
    model = nn.Linear(4, 4)
    old = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with dc.profile(model, memory=True):
            model.double()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(old)
    assert model.weight.dtype == torch.float64


def test_two_blocks_can_be_open_at_once() -> None:
    model, x = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), torch.randn(5, 8)

    def both(memory: bool) -> tuple[dc.Report, dc.Report]:
        model.zero_grad()
        with dc.profile(model, memory=memory) as outer, dc.profile(model, memory=memory) as inner:
            train(model, x)
        return outer.report, inner.report

    for report, without in zip(both(True), both(False), strict=True):
        assert report.memory is not None
        assert report.memory.saved == (5 * 8 + 5 * 16) * 4
        assert report.by_operator() == without.by_operator()  # neither sees the other at work


def test_modes_and_subclasses_of_the_user_see_nothing_of_it() -> None:
    from torch.overrides import TorchFunctionMode

    class Log(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.names.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))

    def names(memory: bool) -> list[str]:
        model, log = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), Log()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with log, dc.profile(model, memory=memory):
            train(model, torch.ones(5, 8), optimizer)
        return log.names

    assert names(True) == names(False)


def test_memory_is_bounded_however_long_the_block() -> None:
    w = torch.ones(4, requires_grad=True)
    with dc.profile(memory=True) as prof:
        watch = prof._session._memory
        for _ in range(300):
            (w.exp() * 2).sum().backward()
        assert len(watch._live._known) < 20
        assert len(watch._saved._holds) < 20
    assert prof.report.memory is not None
    assert prof.report.memory.peak < 200


# The report.


def test_a_snapshot_inside_the_block() -> None:
    model = nn.Linear(8, 8)
    with dc.profile(model, memory=True) as prof:
        model(torch.ones(5, 8)).sum().backward()
        memory = prof.report.memory
        assert memory is not None
        assert (memory.parameters, memory.gradients) == (288, 288)
        model.zero_grad()
    assert prof.report.memory is not None
    assert prof.report.memory.gradients == 0


def test_memory_is_in_the_report_only_if_asked_for() -> None:
    with dc.profile(nn.Linear(2, 2)) as prof:
        pass
    assert prof.report.memory is None
    with pytest.raises(ValueError, match="memory=True"):
        prof.report.memory_table()


def test_the_table() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(64, 64), nn.ReLU()), nn.Linear(64, 64, bias=False))
    with dc.profile(model, memory=True) as prof:
        model(torch.ones(16, 64)).sum().backward()  # 4 KiB in, 4 KiB between
        torch.optim.SGD(model.parameters(), 0.1, momentum=0.9).step()  # after a weight of 16 KiB, a bias of 256 bytes
    report = prof.report
    assert report.memory is not None
    assert str(report.memory_table()).splitlines()[:8] == [
        "module  parameters  gradients  optimizer     saved  together",
        "────────────────────────────────────────────────────────────",
        "(root)    32.2 KiB   32.2 KiB   32.2 KiB  8.00 KiB   105 KiB",
        "  0       16.2 KiB   16.2 KiB   16.2 KiB  8.00 KiB  56.8 KiB",
        "    0     16.2 KiB   16.2 KiB   16.2 KiB  4.00 KiB  52.8 KiB",
        "    1        0 B        0 B        0 B    4.00 KiB  4.00 KiB",
        "  1       16.0 KiB   16.0 KiB   16.0 KiB     0 B    48.0 KiB",
        "",
    ]
    assert "4 modules below depth 0; depth=None shows all" in str(report.memory_table(depth=0))
    assert f"{report.memory.peak:,} bytes of tensors alive at once" in str(report.memory_table(exact=True))
    assert dc.Report.from_json(report.to_json()).memory == report.memory
    with pytest.raises(ValueError, match="negative"):
        report.memory_table(depth=-1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.00 KiB"), (10235, "10.0 KiB"), (1024**2 - 1, "1.00 MiB"), (3 * 2**29, "1.50 GiB")],
)
def test_bytes_are_shown_in_binary_units(value: int, text: str) -> None:
    assert nbytes(value) == text
