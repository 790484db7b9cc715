"""What modules hold, byte by byte, and how it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.report.rows import Memory, ModuleMemory
from tests.follow import KB, READABLE, Stack, by_name, followed, saves, train

pytestmark = pytest.mark.torch_alone


def test_parameters_gradients_and_optimizer_state() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4, bias=False))
    model[2].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    run = lambda: train(model, torch.randn(5, 8), optimizer, 2)  # noqa: E731
    first = (8 * 16 + 16) * 4
    assert by_name(model, run, "parameters") == {"0": first, "2": 16 * 4 * 4}
    assert by_name(model, run, "gradients") == {
        "0": first
    }  # though the loop has dropped them by the end
    assert by_name(model, run, "optimizer") == {
        "0": 2 * first + 2 * 4
    }  # two moments, and a step count for each parameter


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
    assert report.memory.saved == (5 * 8 + 5 * 16) * 4 * READABLE  # the weight is no activation
    del kept


def test_saved_bytes_belong_to_the_module_that_ran() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x = torch.randn(5, 8)
    expected = {
        "0": 5 * 8 * 4,
        "1": 5 * 16 * 4,
    }  # its input; its result, which the last layer saves too: once
    saves(model, lambda: model(x), expected)
    saves(model, lambda: model(x).sum().backward(), expected)
    saves(model, lambda: torch.no_grad()(model)(x), {})


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

    saves(model, lambda: [model(x).sum().backward() for x in inputs], expected)
    saves(model, lambda: [model(x).shape for x in inputs], expected)  # the graphs are gone
    saves(model, keep_losses, expected)  # the graphs live on, what they saved does not
    held = {name: 6 * size for name, size in expected.items()}
    saves(model, lambda: losses.extend([model(x) for x in inputs]), held)


def test_a_backward_that_keeps_its_graph_releases_nothing() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
    inputs = [torch.randn(5, 8) for _ in range(3)]

    def run() -> None:
        kept = [model(x).sum() for x in inputs]
        for loss in kept:
            loss.backward(retain_graph=True)
        kept.append(model(torch.randn(5, 8)).sum())

    saves(model, run, {"0": 4 * 5 * 8 * 4, "1": 4 * 5 * 16 * 4})


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
    saves(Doubling(), lambda: Doubling()(x), {"(Doubling)": KB})
    model = nn.Sequential(Doubling(), nn.Flatten(0))
    saves(model, lambda: model(x).sum().backward(), {"0": KB})


def test_tensors_that_hooks_moved_count_where_they_are() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())

    def run() -> None:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
            model(torch.randn(5, 8)).sum().backward()

    with dc.profile(model, memory=True) as prof:
        run()
    assert prof.report.memory is not None
    # halves of the input, of the result and of the weight, which was copied
    assert prof.report.memory.saved == (5 * 8 + 5 * 16) * 2 * READABLE


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
    saves(
        model, lambda: model(x).sum().backward(), {"": 2 * KB, "block.0": KB}
    )  # both inputs, one result at a time


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
    model = nn.Sequential(
        nn.Sequential(nn.Linear(64, 64), nn.ReLU()), nn.Linear(64, 64, bias=False)
    )
    with dc.profile(model) as prof:
        pass
    first, relu, last = (prof.report.module_index(name) for name in ("0.0", "0.1", "1"))
    weight, bias = 16 * KB, 256
    rows = (
        ModuleMemory(first, *[weight + bias] * 3, saved=4 * KB),
        ModuleMemory(relu, saved=4 * KB),
        ModuleMemory(last, *[weight] * 3),
    )
    report = replace(prof.report, memory=Memory(rows, 123_456, "0.1", "aten.relu"))
    assert str(report.memory_table()).splitlines()[:8] == [
        "module  parameters  gradients  optimizer    saved  together",
        "───────────────────────────────────────────────────────────",
        # 2 * 16,384 + 256 of each kind and 2 * 4,096 saved: 107,264 in all
        "(root)     33.0 kB    33.0 kB    33.0 kB  8.19 kB    107 kB",
        "  0        16.6 kB    16.6 kB    16.6 kB  8.19 kB   58.1 kB",
        "    0      16.6 kB    16.6 kB    16.6 kB  4.10 kB   54.0 kB",
        "    1         0 B        0 B        0 B   4.10 kB   4.10 kB",
        "  1        16.4 kB    16.4 kB    16.4 kB     0 B    49.2 kB",
        "",
    ]
    assert "4 modules below depth 0; depth=None shows all" in str(report.memory_table(depth=0))
    assert "peak   123 kB of tensors alive at once, in 0.1, at aten.relu" in str(
        report.memory_table()
    )
    assert "peak   123,456 bytes of tensors alive at once" in str(report.memory_table(exact=True))
    assert dc.Report.from_json(report.to_json()).memory == report.memory
    with pytest.raises(ValueError, match="negative"):
        report.memory_table(depth=-1)
