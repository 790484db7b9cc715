"""Operators of torch's own machinery: marks, streams, graph tokens, helpers of its compilers.

Those of its test suite are here too.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten, words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes
from dispatchcount.rules.pointwise import per_element

RULES.free(
    "profiler::_record_function_enter", "profiler::_record_function_enter_new",
    "profiler::_record_function_exit", "debug_mode_ops::annotate", "coor::current_device",
    "mempool::begin", "mempool::end", "inductor::_reinterpret_tensor",
    "inductor::resize_storage_bytes_", "inductor_prims::inductor_reserve_rng_state",
    "_inductor_test::realize", "export::access_subclass_inner_tensor", "mkldnn::_nbytes",
    "mkldnn::data_ptr", "mkldnn::_get_mkldnn_serialized_md", "static_runtime::VarTupleUnpack",
    "static_runtime::create_owned_ref", "static_runtime::dict_unpack",
    "static_runtime::select_tensor", family="runtime",
)  # fmt: skip
_STREAMS = words("""
    fork join record_event record_stream sync_dealloc synchronize_device synchronize_event
    synchronize_stream wait_event wait_stream
""")
RULES.free(*(f"streams::{name}" for name in _STREAMS), family="runtime")


@RULES.move(
    "static_runtime::expand_dims_copy", "static_runtime::flatten_copy",
    "static_runtime::fused_equally_split", "static_runtime::permute_copy",
    "static_runtime::reshape_copy", "static_runtime::to_copy", "static_runtime::to_maybe_copy_out",
)  # fmt: skip
def copied(*_: Operand, **__: Operand) -> Cost:
    """Reads the input, and writes the copy."""
    return Cost()


@RULES.move("debugprims::load_tensor")
def load_tensor(*_: Operand, out: Operand, **__: Operand) -> Cost:
    """Writes what it reads from a file."""
    return Cost(bytes_read=0, bytes_written=nbytes(out))


RULES.rule("static_runtime::signed_log1p")(per_element(3, 1))  # sign(x) * log1p(|x|)
RULES.rule("static_runtime::clamp_nan_to_num")(per_element(5, 0))  # two bounds, three selects


@RULES.rule("inductor::accumulate_grad_")
def accumulate_grad_(
    variable: Shape, grad: Operand = None, new_grad: Operand = None, **_: Operand
) -> Cost:
    """Adds to the gradient that is there, or takes the first one as it is."""
    return Cost(arithmetic=variable.numel if grad is not None and new_grad is not None else 0)


@RULES.rule("flex_lib::zeros_and_scatter")
def zeros_and_scatter(
    shape: Operand, indices: Operand, values: Shape, *, out: Operand, **_: Operand
) -> Cost:
    """Adds each value to its place in a tensor of zeros."""
    return Cost(arithmetic=values.numel)


_TESTS = aten("""
    _foobar _test_autograd_multiple_dispatch _test_autograd_multiple_dispatch_view
    _test_autograd_multiple_dispatch_view_copy _test_functorch_fallback
    _test_optional_filled_intlist _test_optional_floatlist _test_optional_intlist
    _test_parallel_materialize _test_warn_in_autograd
""")
RULES.unknown(dict.fromkeys(_TESTS, "an operator of torch's own test suite"))
