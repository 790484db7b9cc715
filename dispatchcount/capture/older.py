"""What torch before 2.8 needs: there a mode sees a higher-order operator only if it is registered with that operator."""

from __future__ import annotations

from typing import Any

from torch._ops import _higher_order_ops
from torch.utils._python_dispatch import TorchDispatchMode


def register_with_higher_order_operators(mode_type: type[TorchDispatchMode]) -> None:
    """Have every higher-order operator there is now call `mode_type`; does nothing where torch asks modes by itself."""
    if hasattr(TorchDispatchMode, "supports_higher_order_operators"):
        return
    for operator in _higher_order_ops.values():
        if mode_type not in operator.python_key_table:
            operator.py_impl(mode_type)(_handler(operator))


def _handler(operator: Any) -> Any:
    def handle(mode: Any, *args: Any, **kwargs: Any) -> Any:
        return mode.__torch_dispatch__(operator, (), args, kwargs)

    return handle
