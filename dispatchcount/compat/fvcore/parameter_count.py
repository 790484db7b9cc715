"""The names of ``fvcore.nn.parameter_count``."""

from __future__ import annotations

from torch import nn

from dispatchcount.compat._jit.params import parameter_count, parameter_rows
from dispatchcount.compat._jit.text import piped


def parameter_count_table(model: nn.Module, max_depth: int = 3) -> str:
    """The parameters of modules down to `max_depth`, as a Markdown table."""
    return piped(("name", "#elements or shape"), parameter_rows(model, max_depth))


__all__ = ["parameter_count", "parameter_count_table"]
