"""torchinfo's names: ``from dispatchcount.compat.torchinfo import summary``."""

from __future__ import annotations

from dispatchcount.compat.torchinfo.enums import (
    ColumnSettings,
    Mode,
    RowSettings,
    Units,
    Verbosity,
)
from dispatchcount.compat.torchinfo.model_statistics import ModelStatistics
from dispatchcount.compat.torchinfo.torchinfo import clear_cached_forward_pass, summary

__all__ = [
    "ColumnSettings",
    "Mode",
    "ModelStatistics",
    "RowSettings",
    "Units",
    "Verbosity",
    "clear_cached_forward_pass",
    "summary",
]
