"""Totals as TensorBoard scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

SCALARS = (
    "flops",
    "macs",
    "activations",
    "params",
    "arithmetic",
    "transcendentals",
    "bytes_read",
    "bytes_written",
)


def to_tensorboard(report: ReportData, writer: Any, step: int = 0) -> None:
    """Add the totals and the number of operators not counted as ``dispatchcount/flops`` … at `step`.

    Args:
        report: the report.
        writer: a `torch.utils.tensorboard.SummaryWriter`, or anything with its ``add_scalar``. TensorBoard keeps scalars as
            float32: seven digits.
        step: the training step.
    """
    for metric in SCALARS:
        writer.add_scalar(f"dispatchcount/{metric}", getattr(report, metric), step)
    writer.add_scalar("dispatchcount/uncounted_ops", len(report.issues), step)
