"""Totals as TensorBoard scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispatchcount.report.metrics import COMPARED

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


def to_tensorboard(report: ReportData, writer: Any, step: int = 0) -> None:
    """Add the totals as ``dispatchcount/flops`` … at `step`, and the number of uncounted operators.

    Args:
        report: the report.
        writer: a `torch.utils.tensorboard.SummaryWriter`, or anything with its ``add_scalar``.
            TensorBoard keeps scalars as
            float32: seven digits.
        step: the training step.
    """
    for metric in COMPARED:
        if metric.key != "calls":
            writer.add_scalar(f"dispatchcount/{metric.key}", metric.value(report.total), step)
    writer.add_scalar("dispatchcount/uncounted_ops", len(report.issues), step)
