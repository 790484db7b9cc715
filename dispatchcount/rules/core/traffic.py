"""The operators that are collectives, and what each of them sends.

A collective moves data among the ranks of a process group. Two figures are kept of it:

* its *payload*, the bytes of the whole that it is about. `Pattern.payload` says which side that is,
  because a figure of an all-gather means little unless it is said if it stands before or after
  gathering: what the rank hands in (``"input"``) or what the rank gets back (``"output"``);
* its *wire bytes*, the bytes that pass this rank's link in one direction. torch does not say which
  algorithm its backend takes, so the common one is assumed: a ring, and for an all-to-all direct
  messages between all pairs.

A group of one rank has no wire: 0 bytes pass. Where the size of the group does not divide a
product, the figure of that call is rounded up to a whole byte, for no wire carries a part of one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from dispatchcount.rules.core.group import Group

INPUT, OUTPUT = "input", "output"


def all_of_it_twice(payload: int, size: int) -> int:
    """2 · (n - 1) / n · payload: a ring scatters the sums, then gathers them.

    The payload is cut into n pieces. In each of 2 · (n - 1) steps every rank hands one piece on.
    """
    return -(-2 * (size - 1) * payload // size)


def all_but_own(payload: int, size: int) -> int:
    """(n - 1) / n · payload: each rank hands on n - 1 of the n pieces, and keeps one.

    That holds for the ring of an all-gather (payload: what is gathered) and of a reduce-scatter
    (payload: what is reduced), and for the pairs of an all-to-all (payload: what is sent). Where an
    all-to-all sends unequal pieces, it is the share with equal ones.
    """
    return -(-(size - 1) * payload // size)


def all_of_it(payload: int, size: int) -> int:
    """1 · payload: it passes the rank's link once.

    That holds for a message from one rank to another, at both of its ends; for each rank's part of
    a gather or scatter; and for a broadcast or a reduction to one rank, where every rank of the
    ring hands the whole on.
    """
    return payload


class Pattern(NamedTuple):
    """How data move in a collective.

    Attributes:
        name: what people call it.
        payload: `INPUT` or `OUTPUT`, the side whose bytes are the payload.
        formula: the bytes on the wire, from the payload and the number of ranks.
        reduces: True if values are combined, which takes an operation per element handed in.
        pairwise: True if it has two ends, whatever the size of the group is.
    """

    name: str
    payload: str
    formula: Callable[[int, int], int]
    reduces: bool = False
    pairwise: bool = False

    def wire(self, payload: int, group: Group) -> int:
        """The bytes on the wire of a call in a group.

        Raises:
            ValueError: the group's size matters, and the group was not to be found.
        """
        if self.pairwise:
            return 0 if group.size == 1 else payload
        if not group.size:
            raise ValueError(
                f"the process group {group.name!r} of this {self.name} is not known to"
                " torch.distributed, so what it sends cannot be worked out"
            )
        return self.formula(payload, group.size) if group.size > 1 else 0


ALL_REDUCE = Pattern("all-reduce", INPUT, all_of_it_twice, reduces=True)
ALL_GATHER = Pattern("all-gather", OUTPUT, all_but_own)
REDUCE_SCATTER = Pattern("reduce-scatter", INPUT, all_but_own, reduces=True)
ALL_TO_ALL = Pattern("all-to-all", INPUT, all_but_own)
BROADCAST = Pattern("broadcast", INPUT, all_of_it)
REDUCE = Pattern("reduce", INPUT, all_of_it, reduces=True)
GATHER = Pattern("gather", INPUT, all_of_it)
SCATTER = Pattern("scatter", OUTPUT, all_of_it)
SEND = Pattern("send", INPUT, all_of_it, pairwise=True)
RECEIVE = Pattern("receive", OUTPUT, all_of_it, pairwise=True)
MESSAGES = Pattern("messages", INPUT, all_of_it, pairwise=True)
"""Sends and receives in one call; the payload is the tensors of both."""
BARRIER = Pattern("barrier", INPUT, all_of_it)
"""Ranks wait for one another. The payload is nothing: the tensor that it is given has no use."""


class Layout(Enum):
    """Where among an operator's operands lies what is handed in, and what comes back."""

    RESULT = "result"
    """The first operand is handed in; the result comes back."""
    IN_PLACE = "in place"
    """The first operand is handed in, and what comes back is written over it."""
    FILLED = "filled"
    """The first operand is filled with what comes back; the second is handed in."""
    EXCHANGED = "exchanged"
    """The first two operands are buffers. One may be longer than what is sent, which is data, so
    the shorter one counts on both sides."""
    SENT = "sent"
    """The first operand is handed in; nothing comes back."""
    RECEIVED = "received"
    """The first operand is filled with what comes back; nothing is handed in."""
    LISTED = "listed"
    """The first operand lists what each tensor of the fourth is: a send or a receive."""
    COPIED = "copied"
    """The second operand is copied into the first, which is handed in; the result comes back."""
    NOTHING = "nothing"
    """No operand moves."""


class Collective(NamedTuple):
    """What is known of an operator that is a collective."""

    pattern: Pattern
    layout: Layout


def _table(*rows: tuple[Pattern, Layout, str]) -> dict[str, Collective]:
    return {op: Collective(pattern, layout) for pattern, layout, ops in rows for op in ops.split()}


COLLECTIVES = _table(
    (
        ALL_REDUCE,
        Layout.RESULT,
        "_c10d_functional::all_reduce _c10d_functional::all_reduce_ "
        "_c10d_functional::all_reduce_coalesced _c10d_functional::all_reduce_coalesced_ "
        "c10d::allreduce_ symm_mem::multimem_all_reduce_ symm_mem::multimem_one_shot_all_reduce "
        "symm_mem::multimem_one_shot_all_reduce_out symm_mem::one_shot_all_reduce "
        "symm_mem::one_shot_all_reduce_out symm_mem::two_shot_all_reduce_ "
        "symm_mem::two_shot_all_reduce_out",
    ),
    (ALL_REDUCE, Layout.IN_PLACE, "c10d::allreduce_coalesced_"),
    (
        ALL_REDUCE,
        Layout.COPIED,
        "symm_mem::one_shot_all_reduce_copy symm_mem::one_shot_all_reduce_copy_out",
    ),
    (
        ALL_GATHER,
        Layout.RESULT,
        "_c10d_functional::all_gather_into_tensor _c10d_functional::all_gather_into_tensor_out "
        "_c10d_functional::all_gather_into_tensor_coalesced "
        "_c10d_functional_autograd::all_gather_into_tensor symm_mem::_low_contention_all_gather "
        "symm_mem::_low_contention_all_gather_ce_multicast "
        "symm_mem::_low_contention_all_gather_ce_multicast_out symm_mem::multimem_all_gather_out",
    ),
    (
        ALL_GATHER,
        Layout.FILLED,
        "c10d::_allgather_base_ c10d::allgather_ c10d::allgather_coalesced_ "
        "c10d::allgather_into_tensor_coalesced_",
    ),
    (
        REDUCE_SCATTER,
        Layout.RESULT,
        "_c10d_functional::reduce_scatter_tensor _c10d_functional::reduce_scatter_tensor_out "
        "_c10d_functional::reduce_scatter_tensor_coalesced "
        "_c10d_functional_autograd::reduce_scatter_tensor symm_mem::_low_contention_reduce_scatter "
        "symm_mem::reduce_scatter_out symm_mem::nccl_reduce_scatter_offset",
    ),
    (
        REDUCE_SCATTER,
        Layout.FILLED,
        "c10d::_reduce_scatter_base_ c10d::reduce_scatter_ c10d::reduce_scatter_tensor_coalesced_",
    ),
    (
        ALL_TO_ALL,
        Layout.RESULT,
        "_c10d_functional::all_to_all_single _c10d_functional_autograd::all_to_all_single "
        "_dtensor::shard_dim_alltoall symm_mem::nvshmem_all_to_all",
    ),
    (ALL_TO_ALL, Layout.FILLED, "c10d::alltoall_ c10d::alltoall_base_"),
    (
        ALL_TO_ALL,
        Layout.EXCHANGED,
        "symm_mem::all_to_all_vdev symm_mem::all_to_all_vdev_2d symm_mem::all_to_all_vdev_2d_offset"
        " symm_mem::nccl_all_to_all_nd",
    ),
    (
        BROADCAST,
        Layout.RESULT,
        "_c10d_functional::broadcast _c10d_functional::broadcast_ symm_mem::nvshmem_broadcast",
    ),
    (BROADCAST, Layout.IN_PLACE, "c10d::broadcast_"),
    (BROADCAST, Layout.EXCHANGED, "symm_mem::memcpy_to_multicast_"),
    (REDUCE, Layout.IN_PLACE, "c10d::reduce_"),
    (
        REDUCE,
        Layout.RESULT,
        "symm_mem::multimem_one_shot_reduce_out symm_mem::tile_reduce "
        "symm_mem::multi_root_tile_reduce",
    ),
    (GATHER, Layout.FILLED, "c10d::gather_ c10d::gather_into_tensor_"),
    (SCATTER, Layout.FILLED, "c10d::scatter_"),
    (
        SEND,
        Layout.SENT,
        "c10d::send _c10d_functional::isend symm_mem::nccl_put symm_mem::nccl_put_signal "
        "symm_mem::nccl_put_with_signal symm_mem::nvshmem_put symm_mem::nvshmem_put_with_signal",
    ),
    (
        RECEIVE,
        Layout.RECEIVED,
        "c10d::recv_ c10d::recv_any_source_ _c10d_functional::irecv symm_mem::nccl_get "
        "symm_mem::nccl_get_out symm_mem::nvshmem_get symm_mem::nvshmem_get_out",
    ),
    (MESSAGES, Layout.LISTED, "_c10d_functional::batch_p2p_ops"),
    (BARRIER, Layout.NOTHING, "c10d::barrier c10d::monitored_barrier_ symm_mem::_barrier"),
)  # fmt: skip
"""Every collective of torch's, by its packet.

Waits, DTensor's bookkeeping and the copies that FSDP makes before and after a collective are not
among them, because they move nothing between ranks. Where a call takes several tensors (those that
are called coalesced), it is one call, and its payload is the sum of theirs.
"""

FUSED: dict[str, Pattern] = {
    "symm_mem::fused_all_gather_matmul": ALL_GATHER,
    "symm_mem::fused_all_gather_scaled_matmul": ALL_GATHER,
    "symm_mem::fused_matmul_reduce_scatter": REDUCE_SCATTER,
    "symm_mem::fused_scaled_matmul_reduce_scatter": REDUCE_SCATTER,
}
"""Matrix products with a collective in them, whose rules stand among those of products."""

_PATTERNS = {op: collective.pattern for op, collective in COLLECTIVES.items()} | FUSED
_BY_NAME = {op.replace("::", "."): pattern for op, pattern in _PATTERNS.items()}


def pattern_of(op: str) -> Pattern | None:
    """How data move in an operator, by the name that reports use, ``"c10d.allreduce_"``.

    Returns:
        None for an operator that is no collective of torch's.
    """
    return _BY_NAME.get(op)
