"""MFU in a loop with Hugging Face's Accelerate.

model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
utilization = UtilizationMeter(accelerator, model)
for batch in loader:
    with utilization.batch(batch), accelerator.accumulate(model):
        accelerator.backward(model(**batch).loss)
        optimizer.step()
        optimizer.zero_grad()
    if accelerator.sync_gradients and step % 100 == 0:
        utilization.log(step)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from dispatchcount.hardware.device import Device
from dispatchcount.integrations.costs import BatchCost
from dispatchcount.integrations.job import JobThroughput, over_ranks
from dispatchcount.integrations.meter import Meter
from dispatchcount.integrations.signature import mixed_dtype


class UtilizationMeter:
    """Counts and times the batches of a loop that an `Accelerator` runs.

    A step is all that leads to one update of the parameters: the batches up to the one at which
    ``accelerator.sync_gradients`` is True. Its time is that inside the blocks of its batches and
    between them.

    Args:
        accelerator: the `Accelerator`.
        model: as `accelerator.prepare` returned it.
        device: whose peak MFU is of; see `Meter`.
        options: what else `Meter` takes.

    Attributes:
        meter: the meter.
    """

    def __init__(
        self, accelerator: Any, model: nn.Module, device: Device | None = None, **options: Any
    ) -> None:
        self._accelerator = accelerator
        mixed = {"dtype": mixed_dtype(accelerator.mixed_precision)}
        self.meter = Meter(model, device, **(mixed | options))

    @contextmanager
    def batch(self, batch: Any) -> Iterator[BatchCost]:
        """One batch; an exception drops the step that it belongs to."""
        if not self.meter.under_way:
            self.meter.start_step()
        try:
            with self.meter.batch(batch) as cost:
                yield cost
        except BaseException:
            self.meter.drop_step()
            raise
        if self._accelerator.sync_gradients:
            self.meter.end_step()

    def log(self, step: int | None = None) -> JobThroughput:
        """Log the figures since the last call through the accelerator's trackers.

        Every process must call it: the figures are those of all processes together.
        """
        job = over_ranks(self.meter.recent())
        self._accelerator.log(job.logs(), step=step)
        return job
