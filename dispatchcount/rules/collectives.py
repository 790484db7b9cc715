"""Collectives and other traffic between ranks: the bytes of this rank, and what it reduces.

Bytes are what this rank hands in and gets back. What travels over the wire depends on the algorithm
and is not counted. If values are reduced, each element takes one operation.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes, numel, shapes


@RULES.move(
    "_c10d_functional::all_gather_into_tensor", "_c10d_functional::all_to_all_single",
    "_c10d_functional_autograd::all_gather_into_tensor",
    "_c10d_functional_autograd::all_to_all_single", "_c10d_functional::all_gather_into_tensor_out",
    "_c10d_functional::all_gather_into_tensor_coalesced", "_c10d_functional::broadcast",
    "_c10d_functional::broadcast_",
    "_dtensor::shard_dim_alltoall", "symm_mem::_low_contention_all_gather",
    "symm_mem::_low_contention_all_gather_ce_multicast",
    "symm_mem::_low_contention_all_gather_ce_multicast_out", "symm_mem::multimem_all_gather_out",
    "symm_mem::nvshmem_all_to_all", "symm_mem::nvshmem_broadcast", "fsdp::chunk_cat",
)  # fmt: skip
def passed_on(*_: Operand, **__: Operand) -> Cost:
    """Reads what is sent, and writes what comes back."""
    return Cost()


@RULES.rule(
    "_c10d_functional::all_reduce", "_c10d_functional::all_reduce_",
    "_c10d_functional::all_reduce_coalesced", "_c10d_functional::all_reduce_coalesced_",
    "_c10d_functional::reduce_scatter_tensor", "_c10d_functional::reduce_scatter_tensor_out",
    "_c10d_functional::reduce_scatter_tensor_coalesced",
    "_c10d_functional_autograd::reduce_scatter_tensor", "c10d::allreduce_",
    "symm_mem::_low_contention_reduce_scatter", "symm_mem::multimem_all_reduce_",
    "symm_mem::multimem_one_shot_all_reduce", "symm_mem::multimem_one_shot_all_reduce_out",
    "symm_mem::multimem_one_shot_reduce_out", "symm_mem::one_shot_all_reduce",
    "symm_mem::one_shot_all_reduce_out", "symm_mem::two_shot_all_reduce_",
    "symm_mem::two_shot_all_reduce_out", "symm_mem::reduce_scatter_out", "symm_mem::tile_reduce",
    "symm_mem::multi_root_tile_reduce", "symm_mem::nccl_reduce_scatter_offset",
)  # fmt: skip
def reduced(sent: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes one operation per element that is handed in."""
    return Cost(arithmetic=numel((sent,)))


@RULES.rule("c10d::allreduce_coalesced_", "c10d::reduce_")
def reduced_in_place(tensors: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes one operation per element, and writes the result in the place of the tensors.

    After `reduce_` that holds on the root; elsewhere the tensors may hold partial sums. They count
    as written on every rank, because the rule does not know which rank this is.
    """
    return Cost(
        arithmetic=numel(tensors), bytes_read=nbytes(tensors), bytes_written=nbytes(tensors)
    )


@RULES.rule("symm_mem::one_shot_all_reduce_copy", "symm_mem::one_shot_all_reduce_copy_out")
def copied_and_reduced(buffer: Shape, sent: Shape, *_: Operand, **__: Operand) -> Cost:
    """Writes the buffer first, then takes one operation per element that is handed in."""
    return Cost(arithmetic=sent.numel)


@RULES.move(
    "c10d::_allgather_base_", "c10d::allgather_", "c10d::allgather_coalesced_",
    "c10d::allgather_into_tensor_coalesced_", "c10d::alltoall_", "c10d::alltoall_base_",
    "c10d::gather_", "c10d::gather_into_tensor_", "c10d::scatter_",
)  # fmt: skip
def filled(outputs: Operand, inputs: Operand, *_: Operand, **__: Operand) -> Cost:
    """Reads the inputs and writes the tensors to fill, which come first and are not read."""
    return Cost(bytes_read=nbytes((inputs,)), bytes_written=nbytes((outputs,)))


@RULES.rule(
    "c10d::_reduce_scatter_base_", "c10d::reduce_scatter_", "c10d::reduce_scatter_tensor_coalesced_"
)
def filled_with_sums(outputs: Operand, inputs: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes one operation per element that is handed in.

    The tensors to fill come first and are not read.
    """
    return Cost(
        arithmetic=numel((inputs,)), bytes_read=nbytes((inputs,)), bytes_written=nbytes((outputs,))
    )


@RULES.move("c10d::broadcast_")
def broadcast(tensors: Operand, *_: Operand, **__: Operand) -> Cost:
    """Reads on the root and writes elsewhere; both are counted, on every rank."""
    return Cost(bytes_read=nbytes(tensors), bytes_written=nbytes(tensors))


@RULES.move(
    "c10d::send", "_c10d_functional::isend", "symm_mem::nccl_put", "symm_mem::nccl_put_signal",
    "symm_mem::nccl_put_with_signal", "symm_mem::nvshmem_put", "symm_mem::nvshmem_put_with_signal",
)  # fmt: skip
def sent(tensors: Operand, *_: Operand, **__: Operand) -> Cost:
    """Reads here; another rank writes."""
    return Cost(bytes_read=nbytes((tensors,)), bytes_written=0)


@RULES.move(
    "c10d::recv_", "c10d::recv_any_source_", "_c10d_functional::irecv", "symm_mem::nccl_get",
    "symm_mem::nccl_get_out", "symm_mem::nvshmem_get", "symm_mem::nvshmem_get_out",
    "symm_mem::memset32_",
)  # fmt: skip
def received(tensors: Operand, *_: Operand, **__: Operand) -> Cost:
    """Writes here."""
    return Cost(bytes_read=0, bytes_written=nbytes((tensors,)))


@RULES.move("_c10d_functional::batch_p2p_ops")
def batch_p2p(
    ops: Sequence[object],
    peers: Operand,
    tags: Operand,
    tensors: Operand,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Reads or writes each tensor, as its name in the list says."""
    each = list(zip(ops, shapes(tensors), strict=False))
    read = sum(s.nbytes for op, s in each if "send" in str(op))
    return Cost(bytes_read=read, bytes_written=sum(s.nbytes for _, s in each) - read)


@RULES.move(
    "symm_mem::all_to_all_vdev", "symm_mem::all_to_all_vdev_2d",
    "symm_mem::all_to_all_vdev_2d_offset", "symm_mem::nccl_all_to_all_nd",
    "symm_mem::memcpy_to_multicast_",
)  # fmt: skip
def exchanged(first: Shape, second: Shape, *_: Operand, **__: Operand) -> Cost:
    """Reads one of the two tensors and writes the other.

    A buffer may be longer than what is sent, which is data, so the shorter one counts.
    """
    least = min(first.nbytes, second.nbytes)
    return Cost(bytes_read=least, bytes_written=least)


@RULES.move("fsdp::all_gather_copy_in")
def all_gather_copy_in(inputs: Operand, output: Shape, *_: Operand, **__: Operand) -> Cost:
    """Copies this rank's shards into its part of the gathered tensor."""
    return Cost(bytes_read=nbytes(inputs), bytes_written=nbytes(inputs))


@RULES.move("fsdp::split_with_sizes_copy")
def split_with_sizes_copy(gathered: Shape, *_: Operand, **__: Operand) -> Cost:
    """Copies the gathered tensor apart, into tensors that are there."""
    return Cost(bytes_read=gathered.nbytes, bytes_written=gathered.nbytes)


@RULES.move("fsdp::copy_")
def copy_(tensor: Shape, data: Shape, **_: Operand) -> Cost:
    """Reads the source, and writes the destination."""
    return Cost(bytes_read=data.nbytes, bytes_written=tensor.nbytes)


@RULES.rule("c10d::check_for_nan")
def check_for_nan(tensor: Shape, **_: Operand) -> Cost:
    """Takes a comparison per element."""
    return Cost(arithmetic=tensor.numel)


RULES.free(
    "_c10d_functional::wait_tensor", "_c10d_functional::_wrap_tensor_autograd", "c10d::barrier",
    "c10d::monitored_barrier_", "_dtensor::mesh_get_process_group", "symm_mem::_barrier",
    "symm_mem::_rendezvous", "symm_mem::get_remote_tensors", "symm_mem::nccl_wait_for_signal",
    "symm_mem::nccl_wait_signal", "symm_mem::nvshmem_wait_for_signal",
    "symm_mem::stream_write_value32_", family="collectives",
)  # fmt: skip
