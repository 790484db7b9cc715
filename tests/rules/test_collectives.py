"""Traffic between ranks: bytes of this rank, the payload, and what passes its link."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
import torch

from dispatchcount.capture.plan import Plan
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.group import Group, group_among
from dispatchcount.rules.core.registry import RULES, OpKind
from dispatchcount.rules.core.traffic import (
    ALL_GATHER,
    ALL_REDUCE,
    ALL_TO_ALL,
    COLLECTIVES,
    FUSED,
    RECEIVE,
    REDUCE_SCATTER,
    SEND,
)
from tests.rules.util import S, ask

pytestmark = pytest.mark.torch_alone

FOUR = Group("0", (0, 1, 2, 3), "dp")
ONE = Group("1", (2,))


def ring_all_reduce(pieces: int, piece: int) -> int:
    """The bytes that one rank hands on, by running a ring: each rank has `pieces` of a tensor.

    Rank 0 is watched. In step s of the first half it hands piece -s on, which the next rank adds;
    in step s of the second half it hands on piece 1 - s, which is complete.
    """
    handed_on = 0
    sums = [[{rank} for _ in range(pieces)] for rank in range(pieces)]
    for half in (0, 1):
        for step in range(pieces - 1):
            sent = [(rank, (rank - step + half) % pieces) for rank in range(pieces)]
            parts = [set(sums[rank][place]) for rank, place in sent]
            for (rank, place), part in zip(sent, parts, strict=True):
                sums[(rank + 1) % pieces][place] |= part
                handed_on += piece if rank == 0 else 0
    assert all(part == set(range(pieces)) for rank in sums for part in rank)
    return handed_on


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_a_ring_that_runs_hands_on_as_many_bytes_as_the_formula_says(size: int) -> None:
    group = Group("0", tuple(range(size)))
    assert ALL_REDUCE.wire(size * 12, group) == ring_all_reduce(size, 12)
    # Each half of it is a reduce-scatter and an all-gather.
    assert REDUCE_SCATTER.wire(size * 12, group) * 2 == ring_all_reduce(size, 12)
    assert ALL_GATHER.wire(size * 12, group) * 2 == ring_all_reduce(size, 12)


@pytest.mark.parametrize("payload", [0, 1, 7, 12, 13_476_831_232])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1024])
def test_what_does_not_divide_is_rounded_up_to_a_byte(payload: int, size: int) -> None:
    group, share = Group("0", tuple(range(size))), Fraction(size - 1, size)
    assert ALL_REDUCE.wire(payload, group) == ceil(2 * share * payload)
    for pattern in (ALL_GATHER, REDUCE_SCATTER, ALL_TO_ALL):
        assert pattern.wire(payload, group) == ceil(share * payload)


def test_ddp_of_llama_7b_on_1024_ranks() -> None:
    # 2 bytes for each of 6,738,415,616 parameters; 2 · 1023 / 1024 of them on the wire.
    group = Group("0", tuple(range(1024)))
    assert ALL_REDUCE.wire(2 * 6_738_415_616, group) == 26_927_340_528


def test_a_group_of_one_rank_has_no_wire() -> None:
    for op, (pattern, _layout) in COLLECTIVES.items():
        assert pattern.wire(1000, ONE) == 0, op


def test_a_message_passes_the_link_once_at_both_ends() -> None:
    assert SEND.wire(1000, FOUR) == RECEIVE.wire(1000, FOUR) == 1000
    assert SEND.wire(1000, Group("")) == 1000  # put into a peer's memory, without a group


def test_a_group_that_is_not_known_is_no_silent_zero() -> None:
    with pytest.raises(ValueError, match="process group 'gone' of this all-reduce is not known"):
        ask("_c10d_functional::all_reduce", S(8), "sum", Group("gone"), out=S(8))


def test_each_layout_of_operands() -> None:
    x = S(8)  # 32 bytes

    def moved(cost: Cost) -> tuple[int, int]:
        return cost.payload_bytes, cost.wire_bytes

    # 2 · 3/4 · 32 = 48; each of the 8 elements is added to.
    reduced = ask("_c10d_functional::all_reduce", x, "sum", FOUR, out=x)
    assert reduced == Cost(arithmetic=8, payload_bytes=32, wire_bytes=48)
    # The payload is what comes back, 4 · 32 bytes, of which 3/4 pass.
    gathered = ask("_c10d_functional::all_gather_into_tensor", x, 4, FOUR, out=S(32))
    assert gathered == Cost(payload_bytes=128, wire_bytes=96)
    gather = ask("c10d::_allgather_base_", S(32), x, FOUR, out=(S(32), None))
    assert gather == Cost(bytes_read=32, bytes_written=128, payload_bytes=128, wire_bytes=96)
    scatter = ask("c10d::_reduce_scatter_base_", S(2), x, FOUR, None, out=(S(2), None))
    assert scatter == Cost(
        arithmetic=8, bytes_read=32, bytes_written=8, payload_bytes=32, wire_bytes=24
    )
    # Coalesced: one call, whose payload is the sum of the tensors'.
    many = ask("_c10d_functional::all_reduce_coalesced", [x, S(4)], "sum", FOUR, out=[x, S(4)])
    assert moved(many) == (48, 72)
    # Lists of outputs, as `dist.all_gather` gives them.
    listed = ask("c10d::allgather_", [[x, x, x, x]], [x], FOUR, out=())
    assert moved(listed) == (128, 96)
    assert moved(ask("c10d::alltoall_base_", x, x, FOUR, (), (), out=())) == (32, 24)
    assert moved(ask("symm_mem::all_to_all_vdev", S(100), x, S(4), S(4), FOUR, out=())) == (32, 24)
    assert moved(ask("c10d::broadcast_", [x], FOUR, 0, 0, out=())) == (32, 32)
    assert moved(ask("c10d::gather_", [[x] * 4], [x], FOUR, 0, out=())) == (32, 32)
    assert moved(ask("c10d::scatter_", [x], [[x] * 4], FOUR, 0, out=())) == (32, 32)
    assert moved(ask("c10d::send", [x], FOUR, 1, 0, out=())) == (32, 32)
    assert moved(ask("c10d::recv_", [x], FOUR, 1, 0, out=())) == (32, 32)
    both = ask(
        "_c10d_functional::batch_p2p_ops",
        ["isend", "irecv"],
        [1, 1],
        [0, 0],
        [x, S(4)],
        FOUR,
        out=[x, S(4)],
    )
    assert both == Cost(bytes_read=32, bytes_written=16, payload_bytes=48, wire_bytes=48)
    assert ask("c10d::barrier", S(1), FOUR, (), out=()) == Cost(bytes_read=0, bytes_written=0)


def test_products_with_a_collective_in_them() -> None:
    # A is 8 · 16 here and 32 · 16 when gathered: 2,048 bytes, of which 3/4 pass.
    group = ask(
        "symm_mem::fused_all_gather_matmul",
        S(8, 16),
        [S(16, 4)],
        0,
        FOUR,
        out=(S(32, 16), [S(32, 4)]),
    )
    assert (group.macs, group.payload_bytes, group.wire_bytes) == (32 * 16 * 4, 2048, 1536)
    # The product is 32 · 4, 512 bytes, of which each rank keeps 8 · 4.
    scattered = ask(
        "symm_mem::fused_matmul_reduce_scatter", S(32, 16), S(16, 4), "sum", 0, FOUR, out=S(8, 4)
    )
    assert (scattered.macs, scattered.payload_bytes) == (32 * 16 * 4, 512)
    assert scattered.wire_bytes == 384


def test_what_only_waits_or_copies_is_no_collective() -> None:
    for op in (
        "_c10d_functional::wait_tensor",
        "_c10d_functional::_wrap_tensor_autograd",
        "fsdp::chunk_cat",
        "fsdp::split_with_sizes_copy",
        "fsdp::all_gather_copy_in",
        "fsdp::copy_",
    ):
        assert op not in COLLECTIVES
        entry = RULES.get(op)
        assert entry is not None
        assert entry.kind in (OpKind.FREE, OpKind.MOVE)


def test_every_operator_that_is_given_a_group_is_a_collective_or_free() -> None:
    """A new operator of torch's that moves data among ranks must get a pattern."""
    import torch.distributed._functional_collectives
    import torch.distributed._symmetric_memory

    for schema in torch._C._jit_get_all_schemas():
        library = schema.name.partition("::")[0]
        if library not in ("c10d", "_c10d_functional", "_c10d_functional_autograd", "symm_mem"):
            continue
        plan = Plan(_overload(schema.name), RULES)
        known = schema.name in COLLECTIVES or schema.name in FUSED
        assert plan.keyless or known or plan.group is None, schema


def test_a_group_is_found_by_its_class_alone() -> None:
    assert group_among(S(3), "0", FOUR, None) is FOUR
    assert group_among(S(3), "0") == Group("")
    assert (FOUR.size, str(FOUR), str(ONE)) == (4, "dp: 4 ranks 0–3", "group 1: 1 rank 2")
    assert str(Group("9", tuple(range(0, 40, 4)))) == (
        "group 9: 10 ranks 0, 4, 8, 12, 16, 20, 24, 28, …"
    )


def _overload(name: str) -> object:
    library, _, op = name.partition("::")
    return getattr(getattr(torch.ops, library), op).default


def test_what_sharding_checks_and_copies_here() -> None:
    """Shards of 4 + 2 floats are read, and written into their part of the gathered tensor."""
    copied = ask("fsdp::all_gather_copy_in", [S(4), S(2)], S(24), [4, 2], 6, 0, out=(S(6), S(24)))
    assert copied == Cost(bytes_read=24, bytes_written=24)
    assert ask("symm_mem::memset32_", S(8), 0, 0, 8) == Cost(bytes_read=0, bytes_written=32)
    assert ask("c10d::check_for_nan", S(8)) == Cost(arithmetic=8)


def test_products_with_scales_send_what_those_without_do() -> None:
    args = (S(8, 16), [S(16, 4)])
    out = (S(32, 16), [S(32, 4)])
    plain = ask("symm_mem::fused_all_gather_matmul", *args, 0, FOUR, out=out)
    scale = S(8, 1)
    name = "symm_mem::fused_all_gather_scaled_matmul"
    assert ask(name, *args, scale, [scale], 0, FOUR, out=out) == plain
    # Rows that arrive one after the other are multiplied as all at once.
    arriving = ask("symm_mem::_async_input_mm", S(32, 16), S(16, 4), S(4), 0, out=S(32, 4))
    assert arriving == Cost(macs=32 * 16 * 4, activations=128)


def test_a_copy_that_is_reduced_is_the_payload_and_not_the_buffer() -> None:
    """8 floats are copied into a buffer of 100 that all ranks see: 2 · 3/4 of 32 bytes pass."""
    found = ask("symm_mem::one_shot_all_reduce_copy", S(100), S(8), "sum", FOUR, out=S(8))
    assert found == Cost(arithmetic=8, payload_bytes=32, wire_bytes=48)
