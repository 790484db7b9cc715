"""Collectives and other traffic between ranks: this rank's bytes, and one operation per element where values are reduced.

What travels over the wire depends on the algorithm and is not counted; what this rank hands in and gets back is.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, nbytes, numel, shapes


@RULES.move(
    *(
        f"{space}::{name}"
        for space in ("_c10d_functional", "_c10d_functional_autograd")
        for name in ("all_gather_into_tensor", "all_to_all_single")
    ),
    *(
        f"_c10d_functional::{name}"
        for name in ("all_gather_into_tensor_out", "all_gather_into_tensor_coalesced", "broadcast", "broadcast_")
    ),
    "_dtensor::shard_dim_alltoall", "symm_mem::_low_contention_all_gather", "symm_mem::_low_contention_all_gather_ce_multicast",
    "symm_mem::_low_contention_all_gather_ce_multicast_out", "symm_mem::multimem_all_gather_out", "symm_mem::nvshmem_all_to_all",
    "symm_mem::nvshmem_broadcast", "fsdp::chunk_cat",
)  # fmt: skip
def passed_on(*_: Any, **__: Any) -> Cost:
    """Reads what is sent, writes what comes back."""
    return Cost()


@RULES.rule(
    "_c10d_functional::all_reduce", "_c10d_functional::all_reduce_", "_c10d_functional::all_reduce_coalesced",
    "_c10d_functional::all_reduce_coalesced_", "_c10d_functional::reduce_scatter_tensor",
    "_c10d_functional::reduce_scatter_tensor_out", "_c10d_functional::reduce_scatter_tensor_coalesced",
    "_c10d_functional_autograd::reduce_scatter_tensor", "c10d::allreduce_",
    "symm_mem::_low_contention_reduce_scatter", "symm_mem::multimem_all_reduce_", "symm_mem::multimem_one_shot_all_reduce",
    "symm_mem::multimem_one_shot_all_reduce_out", "symm_mem::multimem_one_shot_reduce_out", "symm_mem::one_shot_all_reduce",
    "symm_mem::one_shot_all_reduce_out", "symm_mem::two_shot_all_reduce_", "symm_mem::two_shot_all_reduce_out",
    "symm_mem::reduce_scatter_out", "symm_mem::tile_reduce", "symm_mem::multi_root_tile_reduce",
    "symm_mem::nccl_reduce_scatter_offset",
)  # fmt: skip
def reduced(sent: Any, *_: Any, **__: Any) -> Cost:
    """One operation per element handed in."""
    return Cost(arithmetic=numel((sent,)))


@RULES.rule("c10d::allreduce_coalesced_", "c10d::reduce_")
def reduced_in_place(tensors: Any, *_: Any, **__: Any) -> Cost:
    """One operation per element; the result takes the tensors' place. After `reduce_` that holds on the root, and elsewhere the
    tensors may hold partial sums: taken as written on every rank, for the rule does not know which one this is.
    """
    return Cost(
        arithmetic=numel(tensors), bytes_read=nbytes(tensors), bytes_written=nbytes(tensors)
    )


@RULES.rule("symm_mem::one_shot_all_reduce_copy", "symm_mem::one_shot_all_reduce_copy_out")
def copied_and_reduced(buffer: Shape, sent: Shape, *_: Any, **__: Any) -> Cost:
    """One operation per element handed in; the buffer is written first."""
    return Cost(arithmetic=sent.numel)


@RULES.move(
    "c10d::_allgather_base_", "c10d::allgather_", "c10d::allgather_coalesced_", "c10d::allgather_into_tensor_coalesced_",
    "c10d::alltoall_", "c10d::alltoall_base_", "c10d::gather_", "c10d::gather_into_tensor_", "c10d::scatter_",
)  # fmt: skip
def filled(outputs: Any, inputs: Any, *_: Any, **__: Any) -> Cost:
    """The tensors to fill come first, and are not read."""
    return Cost(bytes_read=nbytes((inputs,)), bytes_written=nbytes((outputs,)))


@RULES.rule(
    "c10d::_reduce_scatter_base_", "c10d::reduce_scatter_", "c10d::reduce_scatter_tensor_coalesced_"
)
def filled_with_sums(outputs: Any, inputs: Any, *_: Any, **__: Any) -> Cost:
    """One operation per element handed in; the tensors to fill come first, and are not read."""
    return Cost(
        arithmetic=numel((inputs,)), bytes_read=nbytes((inputs,)), bytes_written=nbytes((outputs,))
    )


@RULES.move("c10d::broadcast_")
def broadcast(tensors: Any, *_: Any, **__: Any) -> Cost:
    """Read on the root, written elsewhere: taken as both."""
    return Cost(bytes_read=nbytes(tensors), bytes_written=nbytes(tensors))


@RULES.move("c10d::send", "_c10d_functional::isend", "symm_mem::nccl_put", "symm_mem::nccl_put_signal",
            "symm_mem::nccl_put_with_signal", "symm_mem::nvshmem_put", "symm_mem::nvshmem_put_with_signal")  # fmt: skip
def sent(tensors: Any, *_: Any, **__: Any) -> Cost:
    """Read here, written elsewhere."""
    return Cost(bytes_read=nbytes((tensors,)), bytes_written=0)


@RULES.move("c10d::recv_", "c10d::recv_any_source_", "_c10d_functional::irecv", "symm_mem::nccl_get", "symm_mem::nccl_get_out",
            "symm_mem::nvshmem_get", "symm_mem::nvshmem_get_out", "symm_mem::memset32_")  # fmt: skip
def received(tensors: Any, *_: Any, **__: Any) -> Cost:
    """Written here."""
    return Cost(bytes_read=0, bytes_written=nbytes((tensors,)))


@RULES.move("_c10d_functional::batch_p2p_ops")
def batch_p2p(ops: Any, peers: Any, tags: Any, tensors: Any, *_: Any, **__: Any) -> Cost:
    """Each tensor is read or written, as its name in the list says."""
    each = list(zip(ops, shapes(tensors), strict=False))
    read = sum(s.nbytes for op, s in each if "send" in str(op))
    return Cost(bytes_read=read, bytes_written=sum(s.nbytes for _, s in each) - read)


@RULES.move("symm_mem::all_to_all_vdev", "symm_mem::all_to_all_vdev_2d", "symm_mem::all_to_all_vdev_2d_offset",
            "symm_mem::nccl_all_to_all_nd", "symm_mem::memcpy_to_multicast_")  # fmt: skip
def exchanged(first: Shape, second: Shape, *_: Any, **__: Any) -> Cost:
    """One of the two is read and the other written; a buffer may be longer than what is sent, which is data."""
    least = min(first.nbytes, second.nbytes)
    return Cost(bytes_read=least, bytes_written=least)


@RULES.move("fsdp::all_gather_copy_in")
def all_gather_copy_in(inputs: Any, output: Shape, *_: Any, **__: Any) -> Cost:
    """Copies this rank's shards into its part of the gathered tensor."""
    return Cost(bytes_read=nbytes(inputs), bytes_written=nbytes(inputs))


@RULES.move("fsdp::split_with_sizes_copy")
def split_with_sizes_copy(gathered: Shape, *_: Any, **__: Any) -> Cost:
    """Copies the gathered tensor apart, into tensors that are there."""
    return Cost(bytes_read=gathered.nbytes, bytes_written=gathered.nbytes)


@RULES.move("fsdp::copy_")
def copy_(tensor: Shape, data: Shape, **_: Any) -> Cost:
    """Reads the source, writes the destination."""
    return Cost(bytes_read=data.nbytes, bytes_written=tensor.nbytes)


@RULES.rule("c10d::check_for_nan")
def check_for_nan(tensor: Shape, **_: Any) -> Cost:
    """A comparison per element."""
    return Cost(arithmetic=tensor.numel)


RULES.free(
    "_c10d_functional::wait_tensor", "_c10d_functional::_wrap_tensor_autograd", "c10d::barrier", "c10d::monitored_barrier_",
    "_dtensor::mesh_get_process_group", "symm_mem::_barrier", "symm_mem::_rendezvous", "symm_mem::get_remote_tensors",
    "symm_mem::nccl_wait_for_signal", "symm_mem::nccl_wait_signal", "symm_mem::nvshmem_wait_for_signal",
    "symm_mem::stream_write_value32_", family="collectives",
)  # fmt: skip
