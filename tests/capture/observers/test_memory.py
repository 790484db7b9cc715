"""The peak of live bytes: worked out by hand, and against a count by brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.report.rows import Memory, ModuleMemory
from tests.follow import KB, Stack, followed, train

pytestmark = pytest.mark.torch_alone


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


@pytest.mark.parametrize("optimizers", [1, 2])
def test_the_state_of_an_optimizer_counts_from_the_start_if_it_is_told(optimizers: int) -> None:
    """A step of Adam keeps two moments as large as the weight, and a step of 4 bytes."""
    model = nn.Linear(16, 16, bias=False)
    known = [torch.optim.Adam(model.parameters(), foreach=False) for _ in range(optimizers)]
    x = torch.ones(1, 16)
    for optimizer in known:
        model(x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    with dc.profile(model, memory=True) as unaware:
        model(x)
    with dc.profile(model, memory=known) as aware:
        model(x)
    state = optimizers * (2 * KB + 4)
    before, after = unaware.report.memory, aware.report.memory
    assert before is not None
    assert after is not None
    assert (before.optimizer, after.optimizer) == (0, state)
    assert after.peak == before.peak + state == KB + 2 * 64 + state


def test_memory_takes_optimizers_alone() -> None:
    with pytest.raises(TypeError, match="memory has a Linear, not a torch.optim.Optimizer"):
        dc.profile(memory=[nn.Linear(1, 1)])
    with dc.profile(memory=[]) as prof:
        torch.ones(256).add(1)
    assert prof.report.memory is not None
    assert prof.report.memory.peak == 2 * KB


def test_parameters_and_buffers_count_from_the_start() -> None:
    model = nn.BatchNorm1d(
        256
    )  # weight, bias, running mean and variance, and an int64 count of batches
    assert followed(model, lambda: None) == Memory(
        (ModuleMemory(1, parameters=2 * KB),), 4 * KB + 8, "(no module)", ""
    )
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
    assert (memory.peak, memory.peak_module, memory.peak_op) == (
        (1 + 1 + 8 + 8) * KB,
        "1.1",
        "aten.add",
    )


def test_the_peak_may_stand_in_a_module_that_no_root_holds() -> None:
    with dc.profile(nn.Identity(), memory=True) as prof, torch.no_grad():
        Wide()(torch.ones(1, 256))
    memory = prof.report.memory
    assert memory is not None
    assert (memory.peak, memory.peak_module) == (17 * KB, "(Wide)")


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


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_lowers_the_peak(reentrant: bool) -> None:
    x = torch.randn(64, 16, requires_grad=True)
    plain, checkpointed = (Stack(how) for how in (None, reentrant))
    assert (
        followed(checkpointed, lambda: train(checkpointed, x)).peak
        < followed(plain, lambda: train(plain, x)).peak
    )


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
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(392, 10),
    )
    return model, lambda: train(
        model, torch.randn(2, 3, 16, 16), torch.optim.SGD(model.parameters(), 0.1)
    )


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
    model = nn.Sequential(
        Stack(None), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    ).eval()
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

        torch.func.vmap(torch.func.grad(loss), (None, 0))(
            dict(model.named_parameters()), torch.randn(3, 8, 16)
        )

    return model, run


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_peak_of_real_programs_is_the_brute_force_count(name: str) -> None:
    followed(*PROGRAMS[name]())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "new",
                "add",
                "exp",
                "mul_",
                "view",
                "half",
                "drop",
                "swap",
                "cat",
                "detach",
                "backward",
                "grow",
            ]
        ),
        st.integers(0, 7),
        st.integers(0, 7),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans())
def test_the_peak_of_any_program_is_the_brute_force_count(
    steps: list[tuple[str, int, int]], grad: bool
) -> None:
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
                live.append(
                    x.detach().clone()
                )  # a plain detach would let mul_ change what exp saved, which torch refuses
            elif op == "backward" and x.requires_grad:
                x.sum().backward(
                    retain_graph=j > 3, inputs=[x] if x.is_leaf else None
                ) if j != 7 else None
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
