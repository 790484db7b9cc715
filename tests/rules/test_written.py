"""An operator writes the operands that its schema names, each once.

It does so if it returns them, something else or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
import dispatchcount.rules.library
from dispatchcount.capture.plan import Plan
from dispatchcount.cli.ops import registered
from dispatchcount.costing.apply import Costed, cost_of
from dispatchcount.report.rows import COUNTED, ZERO
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.group import Group
from dispatchcount.rules.core.registry import RULES, OpKind, RegistryEntry
from dispatchcount.rules.core.shape import Shape, nbytes

DERIVED = RegistryEntry(OpKind.RULE, lambda *_, **__: Cost())
"""A rule that leaves the bytes to the caller."""

EXPLICIT = {
    "symm_mem::nccl_put": "is read, and written on another rank",
    "symm_mem::nvshmem_put": "is read, and written on another rank",
    "symm_mem::all_to_all_vdev": "as much is written as is sent",
    "symm_mem::all_to_all_vdev_2d": "as much is written as is sent",
    "symm_mem::all_to_all_vdev_2d_offset": "as much is written as is sent",
    "symm_mem::nccl_all_to_all_nd": "as much is written as is sent",
    "fsdp::split_with_sizes_copy": "as much is written as was gathered",
}
"""Operators without a tensor result whose rule says something else of the bytes, and why it may."""


def overloads() -> list[Any]:
    """Every operator of the dispatcher that has a schema."""
    found = []
    for packet, overload, _ in registered():
        space, _, name = packet.partition("::")
        operator = getattr(
            getattr(getattr(torch.ops, space), name, None), overload or "default", None
        )
        if operator is not None and torch._C._dispatch_has_kernel(operator.name()):
            found.append(operator)
    return found


def writes(value: Any) -> bool:
    return value.alias_info is not None and value.alias_info.is_write


def operand(kind: str, size: int) -> Any:
    """A tensor of `size` elements, or a list of one; no to every flag; nothing for other types."""
    one = Shape((size,))
    made = {
        "Tensor": one,
        "Optional[Tensor]": one,
        "List[Tensor]": (one,),
        "List[List[Tensor]]": ((one,),),
        "bool": False,
    }
    return made.get(kind)


class Made:
    """A call whose operands differ in size, and what the operator's schema says it writes."""

    def __init__(self, operator: Any) -> None:
        schema = operator._schema
        self.plan = Plan(operator, RULES)
        given = {a.name: operand(str(a.type), 2**i) for i, a in enumerate(schema.arguments)}
        if isinstance(self.plan.group, int):
            given[schema.arguments[self.plan.group].name] = Group("0", (0, 1))
        returned = []
        fresh = []
        for i, result in enumerate(schema.returns):
            same = [
                a
                for a in schema.arguments
                if writes(result)
                and writes(a)
                and result.alias_info.before_set & a.alias_info.before_set
            ]
            returned.append(given[same[0].name] if same else operand(str(result.type), 3**i))
            fresh += [] if same else [returned[-1]]
        self.args = tuple(given[a.name] for a in schema.arguments if not a.kwarg_only)
        self.kwargs = {
            a.name: given[a.name]
            for a in schema.arguments
            if a.kwarg_only and a.name not in self.plan.outs
        }
        self.out = returned[0] if len(returned) == 1 else tuple(returned)
        self.declared = [given[a.name] for a in schema.arguments if writes(a)]
        self.expected = nbytes(self.declared) + nbytes(fresh)
        self.silent = bool(self.declared) and not nbytes(self.out)

    def cost(self, entry: RegistryEntry | None) -> Costed:
        return cost_of(
            entry,
            self.args,
            self.kwargs,
            self.out,
            written=self.plan.unreturned,
            filled=self.plan.filled,
        )


@pytest.fixture(scope="module")
def calls() -> list[Made]:
    return [Made(operator) for operator in overloads()]


def test_every_schema_is_believed(calls: list[Made]) -> None:
    assert len(calls) > 3500
    assert sum(bool(made.declared) for made in calls) > 1300
    wrong = {
        made.plan.func.name(): (made.cost(DERIVED).cost.bytes_written, made.expected)
        for made in calls
    }
    assert {name: both for name, both in wrong.items() if both[0] != both[1]} == {}


def test_no_operator_writes_nothing_for_returning_nothing(calls: list[Made]) -> None:
    """With the rules that there are.

    Some rules cannot be asked, because the numbers among their arguments are made up.
    """
    entries = [
        (made, RULES.get(made.plan.packet, made.plan.overload)) for made in calls if made.silent
    ]
    costs = [
        (made, made.cost(entry))
        for made, entry in entries
        if entry is not None and entry.rule is not None
    ]
    assert sum(costed.status in (COUNTED, ZERO) for _, costed in costs) > 190
    wrong = {
        made.plan.packet: costed.cost.bytes_written
        for made, costed in costs
        if costed.cost.bytes_written != made.expected
    }
    assert wrong.keys() == EXPLICIT.keys()


def moved(call: Callable[[], Any], name: str) -> tuple[int, int]:
    """Bytes that an operator read and wrote."""
    with dc.profile() as prof:
        call()
    assert not prof.report.failed_ops
    stats = prof.report.by_operator()[name]
    return stats.bytes_read, stats.bytes_written


X, Y = torch.rand(3), torch.rand(5)


@pytest.mark.parametrize(
    ("name", "call", "read", "written"),
    [
        ("_foreach_add_", lambda: torch._foreach_add_([X, Y], [X, Y]), 4 * 16, 4 * 8),
        ("_foreach_add", lambda: torch._foreach_add([X, Y], [X, Y]), 4 * 16, 4 * 8),
        ("_foreach_mul_", lambda: torch._foreach_mul_([X, Y], 2.0), 4 * 8, 4 * 8),
        ("_foreach_zero_", lambda: torch._foreach_zero_([X, Y]), 0, 4 * 8),
        ("_foreach_copy_", lambda: torch._foreach_copy_([X, Y], [X, Y]), 4 * 8, 4 * 8),
        (
            "split_copy",
            lambda: torch.split_copy(Y, 3, out=[torch.empty(3), torch.empty(2)]),
            4 * 5,
            4 * 5,
        ),
        ("add", lambda: torch.add(X, X, out=torch.empty(3)), 4 * 6, 4 * 3),
        ("add_", lambda: X.add_(X), 4 * 6, 4 * 3),
        (
            "_amp_foreach_non_finite_check_and_unscale_",
            lambda: torch._amp_foreach_non_finite_check_and_unscale_(
                [X, Y], torch.zeros(1), torch.ones(1)
            ),
            4 * (8 + 1 + 1),
            4 * (8 + 1),  # found_inf
        ),
        (
            "_amp_update_scale_",
            lambda: torch._amp_update_scale_(
                torch.ones(1), torch.zeros(1, dtype=torch.int32), torch.zeros(1), 2.0, 0.5, 9
            ),
            12,
            8,
        ),
        # It writes the noise that it drew too.
        ("rrelu_with_noise", lambda: torch.rrelu(X, training=True), 4 * 6, 4 * 6),
    ],
)
def test_in_place_lists_and_more(name: str, call: Any, read: int, written: int) -> None:
    assert moved(call, f"aten.{name}") == (read, written)


@pytest.mark.parametrize(
    ("name", "make", "tensors"),
    [
        ("adam", torch.optim.Adam, 4),  # the parameters, their gradients and two moments
        ("adamw", torch.optim.AdamW, 4),
        ("sgd", lambda p, **kwargs: torch.optim.SGD(p, momentum=0.9, **kwargs), 3),
        ("adagrad", torch.optim.Adagrad, 3),
    ],
)
def test_fused_optimizers(name: str, make: Any, tensors: int) -> None:
    parameter = torch.nn.Parameter(torch.rand(10))
    parameter.grad = torch.rand(10)
    step = make([parameter], fused=True).step
    steps = 4 * (name == "adagrad")  # whose schema has the step counter among what is written
    assert moved(step, f"aten._fused_{name}_")[1] == tensors * 10 * 4 + steps


def test_collectives_that_return_no_tensor() -> None:
    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        x = torch.rand(3)
        assert moved(lambda: dist.reduce(x, 0), "c10d.reduce_") == (12, 12)
        assert moved(lambda: dist.all_reduce_coalesced([x, x]), "c10d.allreduce_coalesced_") == (
            24,
            24,
        )
        assert moved(lambda: dist.all_reduce(x), "c10d.allreduce_") == (12, 12)
    finally:
        dist.destroy_process_group()


def test_chunk_cat_of_fsdp() -> None:
    """Two chunks of (4,) and (4, 2): 12 elements into (2, 6)."""
    import torch.distributed.fsdp

    out = torch.empty(2, 6)
    gathered = [torch.ones(4), torch.ones(4, 2)]
    assert moved(lambda: torch.ops.fsdp.chunk_cat(gathered, 0, 2, out=out), "fsdp.chunk_cat") == (
        48,
        48,
    )


def test_operators_of_ones_own() -> None:
    """What they write besides their result, by position and by name."""

    library = torch.library.Library("written", "DEF")
    library.define("step(Tensor x, Tensor(a!) cache, *, Tensor(b!) count) -> Tensor")
    library.define("fill(Tensor(a!) x) -> ()")
    library.impl("step", lambda x, cache, *, count: x.clone(), "CPU")
    library.impl("fill", lambda x: None, "CPU")

    seen = []
    rules = {
        torch.ops.written.step: lambda x, cache, *, out: Cost(),
        torch.ops.written.fill: lambda x, *, out: seen.append(out) or Cost(),
    }
    with dc.profile(rules=rules) as prof:
        torch.ops.written.step(torch.rand(2), torch.rand(3), count=torch.rand(5))
        torch.ops.written.fill(torch.rand(7))
    rows = prof.report.by_operator()
    assert (rows["written.step"].bytes_read, rows["written.step"].bytes_written) == (
        4 * (2 + 3),
        4 * (2 + 3 + 5),
    )
    assert rows["written.fill"].bytes_written == 4 * 7
    assert seen == [(7,)]
