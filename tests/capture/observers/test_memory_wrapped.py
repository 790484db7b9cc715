"""Parameters that are made of other tensors: sharded, quantized, nested, wrapped twice. What counts is what they are made of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map

import dispatchcount as dc
from tests.capture.test_subclasses import TORCH, newer
from tests.follow import KB

pytestmark = pytest.mark.torch_alone

limited = pytest.mark.skipif(
    TORCH < (2, 8), reason="tensor-parallel steps raise below torch 2.8: see docs/limitations.md"
)

Parts = dict[str, Any]


class Wrapper(torch.Tensor):
    """Holds tensors and other things by name; operators run on the first tensor."""

    parts: Parts

    @staticmethod
    def __new__(cls, **parts: Any) -> Wrapper:
        first = next(part for part in parts.values() if isinstance(part, Tensor))
        return torch.Tensor._make_wrapper_subclass(
            cls, first.shape, dtype=first.dtype, requires_grad=first.requires_grad
        )

    def __init__(self, **parts: Any) -> None:
        for name, part in parts.items():
            setattr(self, name, part)

    def first(self) -> Tensor:
        return next(part for part in vars(self).values() if isinstance(part, Tensor))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return cls(**vars(args[0]))
        opened = tree_map(
            lambda value: value.first() if isinstance(value, Wrapper) else value,
            (args, kwargs or {}),
        )
        return func(*opened[0], **opened[1])


class Named(Wrapper):
    """What it names are not all tensors, as the mesh of a DTensor is none."""

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return list(vars(self)), None


class Unreadable(Wrapper):
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        raise ValueError("not now")


def floats(count: int = 256) -> Tensor:
    return torch.ones(count)


WRAPPED: dict[str, tuple[Callable[[], Tensor], int]] = {
    "one tensor": (lambda: Named(local=floats()), KB),
    "and things that are none": (
        lambda: Named(mesh=object(), local=floats(), scale=None, of="w"),
        KB,
    ),
    "values and scales": (
        lambda: Named(values=torch.ones(256, dtype=torch.int8).float(), scales=floats(64)),
        KB + 256,
    ),
    "one storage for two": (lambda: Named(**dict(zip("ab", floats().chunk(2), strict=True))), KB),
    "two levels": (lambda: Named(inner=Named(mesh=3, local=floats()), other=floats(64)), KB + 256),
    "no names": (lambda: Wrapper(local=floats(), mesh=object()), KB),
    "names that raise": (lambda: Unreadable(local=floats()), KB),
    "no names, two levels": (lambda: Wrapper(local=Wrapper(local=floats())), KB),
    "nested": (
        lambda: torch.nested.nested_tensor([floats(200), floats(56)], layout=torch.jagged),
        KB + 3 * 8,
    ),
}


class Holder(nn.Module):
    def __init__(self, parameter: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + 1


@pytest.mark.parametrize("how", WRAPPED)
def test_a_wrapped_parameter_is_as_big_as_what_is_inside(how: str) -> None:
    make, size = WRAPPED[how]
    model = Holder(make())
    with dc.profile(model, memory=True) as prof, torch.no_grad():
        model(torch.ones(128))  # 512 bytes, and as many come out
    memory = prof.report.memory
    assert memory is not None
    assert memory.parameters == size
    assert memory.peak == size + KB


def test_what_is_in_the_tables_and_is_no_tensor_is_passed_over() -> None:
    model = nn.Linear(16, 16, bias=False)
    model._parameters["odd"] = "text"  # type: ignore[assignment]
    model._buffers["odd"] = 3  # type: ignore[assignment]
    with dc.profile(model, memory=True) as prof:
        pass
    assert prof.report.memory is not None
    assert prof.report.memory.parameters == prof.report.memory.peak == KB


class Gated(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Tokens(nn.Module):
    def __init__(self, vocabulary: int = 100, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(Gated(width, 3 * width) for _ in range(layers))
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


TRACKED = """
import sys
import torch, torch.distributed as dist
import torch.nn.functional as F
import dispatchcount as dc
from torch.distributed.fsdp import fully_shard
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed._tools.mem_tracker import MemTracker
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.testing._internal.distributed.fake_pg import FakeStore
from tests.capture.observers.test_memory_wrapped import Tokens

how, ranks = sys.argv[1], int(sys.argv[2])
dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=ranks)

def build():
    torch.manual_seed(0)
    model = Tokens()
    mesh = dist.device_mesh.init_device_mesh("cpu", (ranks,))
    for part in (*model.layers, model) if how == "sharded" else ():
        fully_shard(part, mesh=mesh)
    split = {"gate": ColwiseParallel(), "up": ColwiseParallel(), "down": RowwiseParallel()}
    for part in model.layers if how == "parallel" else ():
        parallelize_module(part, mesh, split)
    return model, torch.optim.Adam(model.parameters(), foreach=False), torch.arange(80).view(4, 20)

def step(model, optimizer, tokens):
    F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()

model, optimizer, tokens = build()
if how == "sharded":
    tracker = FSDPMemTracker(model, optimizer)
    tracker.track_inputs((tokens,))
else:
    tracker = MemTracker()
    tracker.track_external(model, optimizer, tokens)
with tracker:
    step(model, optimizer, tokens)
(figures,) = tracker.get_tracker_snapshot("peak").values()
model, optimizer, tokens = build()
with dc.profile(model, memory=True) as prof:
    step(model, optimizer, tokens)
memory = prof.report.memory
print(figures["Total"], memory.peak, memory.parameters, memory.gradients, memory.optimizer)
"""


@pytest.mark.parametrize(
    ("how", "ranks", "layer", "rest"),
    [
        ("plain", 1, 1, 1),
        pytest.param("sharded", 2, 2, 2, marks=newer),
        pytest.param("sharded", 4, 4, 4, marks=newer),
        pytest.param("parallel", 2, 2, 1, marks=limited),
        pytest.param("parallel", 4, 4, 1, marks=limited),
    ],
)
def test_the_peak_of_a_training_step_is_that_of_torch_s_own_trackers(
    how: str, ranks: int, layer: int, rest: int
) -> None:
    """Of a plain model, of one that FSDP shards (it frees what it gathered without an operator), and of a tensor-parallel one.

    In a process of its own: a process group is the process's.
    """
    pytest.importorskip("torch.distributed._tools.fsdp2_mem_tracker")
    done = subprocess.run(
        [sys.executable, "-c", TRACKED, how, str(ranks)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tracked, peak, parameters, gradients, optimizer = map(int, done.stdout.split())
    assert peak == tracked
    products, others = (
        3 * 3 * 32 * 96,
        2 * 100 * 32 + 3 * 32,
    )  # three in each layer; embedding, head and norms
    local = products // layer + others // rest
    assert parameters == gradients == 4 * local
    assert optimizer == 2 * 4 * local + 4 * (
        2 + 3 * 4
    )  # two moments, and a step count for each of 14 parameters
