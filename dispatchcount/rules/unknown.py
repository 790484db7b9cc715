"""Operators that knowingly have no rule, with the reason."""

from __future__ import annotations

from dispatchcount.rules.registry import RULES
from dispatchcount.rules.words import words

_TEST = "an operator of torch's own test suite"
_TESTS = words("""
    _foobar _test_autograd_multiple_dispatch _test_autograd_multiple_dispatch_view _test_autograd_multiple_dispatch_view_copy
    _test_functorch_fallback _test_optional_filled_intlist _test_optional_floatlist _test_optional_intlist
    _test_parallel_materialize _test_warn_in_autograd
""")
RULES.unknown({f"aten::{name}": _TEST for name in _TESTS})

_SYMBOLIC = "stands for any ONNX operator in a graph that is being exported; it has no mathematics of its own"
RULES.unknown(
    {"onnx_symbolic::_symbolic": _SYMBOLIC, "onnx_symbolic::_symbolic_multi_out": _SYMBOLIC}
)
