"""ptflops' names: ``from dispatchcount.compat.ptflops import get_model_complexity_info``."""

from __future__ import annotations

from dispatchcount.compat.ptflops.flops_counter import FLOPS_BACKEND, get_model_complexity_info
from dispatchcount.compat.ptflops.utils import flops_to_string, params_to_string

__all__ = ["FLOPS_BACKEND", "flops_to_string", "get_model_complexity_info", "params_to_string"]
