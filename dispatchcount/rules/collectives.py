"""Collectives and other traffic between ranks, and the copies that sharded training makes.

Bytes read and written are what this rank hands in and gets back. What passes its link follows from
the payload and from the process group, which is among the operands; `rules/core/traffic.py` has the
formulas, and says of each collective which they are. If values are reduced, each element takes one
operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.group import group_among
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes, numel, shapes
from dispatchcount.rules.core.traffic import COLLECTIVES, INPUT, Layout, Pattern


def _sides(layout: Layout, args: Sequence[Operand], out: Operand) -> tuple[Operand, Operand, Cost]:
    """What a collective hands in, what comes back, and the bytes that it touches here."""
    first = args[0] if args else ()
    sent: Operand
    received: Operand
    if layout is Layout.RESULT:
        return (first,), out, Cost()
    if layout is Layout.COPIED:
        return (args[1],), out, Cost()
    if layout is Layout.FILLED:
        sent, received = (args[1],), (first,)
    elif layout is Layout.EXCHANGED:
        least = min(shapes(args[:2]), key=lambda shape: shape.nbytes)
        sent = received = (least,)
    elif layout is Layout.SENT:
        sent, received = (first,), ()
    elif layout is Layout.RECEIVED:
        sent, received = (), (first,)
    elif layout is Layout.LISTED:
        return _messages(args)
    elif layout is Layout.IN_PLACE:
        # Each rank of a broadcast or reduction reads or writes, and the rule does not know which
        # rank this is, so both are counted.
        sent = received = (first,)
    else:
        return (), (), Cost(bytes_read=0, bytes_written=0)
    return sent, received, Cost(bytes_read=nbytes(sent), bytes_written=nbytes(received))


def _messages(args: Sequence[Operand]) -> tuple[Operand, Operand, Cost]:
    """The same for a list of sends and receives, of which each tensor is one."""
    names, tensors = args[0], shapes(args[3])
    listed = names if isinstance(names, list | tuple) else ()
    read = sum(s.nbytes for op, s in zip(listed, tensors, strict=False) if "send" in str(op))
    return tensors, (), Cost(bytes_read=read, bytes_written=nbytes(tensors) - read)


def _rule(pattern: Pattern, layout: Layout) -> Callable[..., Cost]:
    """The rule of the collectives that move data in one way and have their operands alike."""

    def rule(*args: Operand, out: Operand = (), **kwargs: Operand) -> Cost:
        given = (*args, *kwargs.values())
        sent, received, cost = _sides(layout, given, out)
        payload = nbytes(sent) if pattern.payload == INPUT else nbytes(received)
        return replace(
            cost,
            arithmetic=numel(sent) if pattern.reduces else 0,
            payload_bytes=payload,
            wire_bytes=pattern.wire(payload, group_among(*given)),
        )

    rule.__doc__ = (
        f"{pattern.name}: the payload is its {pattern.payload}; {pattern.formula.__doc__}"
    )
    return rule


for _op, (_pattern, _layout) in COLLECTIVES.items():
    _enter = RULES.rule if _pattern.reduces else RULES.move
    _enter(_op)(_rule(_pattern, _layout))


@RULES.move("fsdp::chunk_cat")
def chunk_cat(*_: Operand, **__: Operand) -> Cost:
    """Reads what is to be reduced, and writes it in one piece."""
    return Cost()


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


@RULES.move("symm_mem::memset32_")
def memset32_(tensor: Shape, *_: Operand, **__: Operand) -> Cost:
    """Writes here."""
    return Cost(bytes_read=0, bytes_written=tensor.nbytes)


@RULES.rule("c10d::check_for_nan")
def check_for_nan(tensor: Shape, **_: Operand) -> Cost:
    """Takes a comparison per element."""
    return Cost(arithmetic=tensor.numel)


RULES.free(
    "_c10d_functional::wait_tensor", "_c10d_functional::_wrap_tensor_autograd",
    "_dtensor::mesh_get_process_group", "symm_mem::_rendezvous", "symm_mem::get_remote_tensors",
    "symm_mem::nccl_wait_for_signal", "symm_mem::nccl_wait_signal",
    "symm_mem::nvshmem_wait_for_signal", "symm_mem::stream_write_value32_", family="collectives",
)  # fmt: skip
