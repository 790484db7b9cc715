"""Errors that say that values were asked for, which tensors of a plan do not have."""

from __future__ import annotations


def asks_for_values(error: BaseException) -> bool:
    """True if an error says that a tensor without values was asked for one."""
    from torch._subclasses import fake_tensor

    kinds = ("DataDependentOutputException", "DynamicOutputShapeException")
    classes = tuple(getattr(fake_tensor, name) for name in kinds if hasattr(fake_tensor, name))
    said = ("cannot be called on meta tensors", "is not supported for tensor subclasses")
    return isinstance(error, classes) or any(text in str(error) for text in said)
