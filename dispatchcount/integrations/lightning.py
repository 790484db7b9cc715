"""MFU in the logs of Lightning's `Trainer`, and of a loop with Fabric.

    trainer = lightning.Trainer(callbacks=[UtilizationCallback()])

With Fabric the loop is yours: use `Meter` on the model that ``fabric.setup`` returns, and
``fabric.log_dict(over_ranks(meter.recent()).logs())``.
"""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError as error:
    raise ImportError(
        "this callback needs lightning: pip install 'dispatchcount[lightning]'"
    ) from error

from dispatchcount.hardware.device import Device, checked_device
from dispatchcount.integrations.costs import BatchCost
from dispatchcount.integrations.job import JobThroughput, over_ranks
from dispatchcount.integrations.meter import Meter
from dispatchcount.integrations.signature import mixed_dtype


class UtilizationCallback(Callback):
    """Counts what the steps of a `Trainer` cost, times them, and logs MFU.

    A step is all that leads to one update of the parameters: with ``accumulate_grad_batches``
    several batches. Its time runs from the end of the step before, so that waiting for data is in
    it; validation is not.

    The figures ``mfu``, ``hfu``, ``flops_per_step``, ``flops_per_s`` and ``tokens_per_s`` go to the
    trainer's loggers every ``log_every_n_steps`` steps.

    Args:
        device: whose peak MFU is of; see `Meter`.
        job: log the figures of all ranks together, flops and tokens added up and MFU averaged; else
            each rank's own. The ranks exchange them where they log.
        options: what else `Meter` takes: ``every``, ``law`` and ``sizes``, ``rules`` …

    Attributes:
        meter: the meter, once training has begun.
        last: what was logged last.
    """

    def __init__(self, device: Device | None = None, *, job: bool = True, **options: Any) -> None:
        self.meter: Meter | None = None
        self.last: JobThroughput | None = None
        self._device = None if device is None else checked_device(device)
        self._job, self._options = job, options
        self._saved: dict[str, Any] = {}
        # The block of the batch that is worked on, and what it yielded.
        self._batch: Any = None
        self._cost = BatchCost()
        # Updates of parameters as Lightning counts them, and steps that ended.
        self._updates = self._steps = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Training starts, or goes on from a checkpoint."""
        mixed = {"dtype": mixed_dtype(trainer.precision)}
        self.meter = Meter(pl_module, self._device, **(mixed | self._options))
        if self._saved:
            self.meter.load_state_dict(self._saved)
        self._updates = trainer.global_step

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """An epoch starts: time runs from here."""
        self._abandon()
        self._begin()

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """A batch will be worked on."""
        if self.meter is not None:
            self._abandon()
            self._begin()
            self._batch = self.meter.batch(batch)
            self._cost = self._batch.__enter__()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A batch was worked on; if the parameters were updated, the step ends."""
        if self.meter is None or self._batch is None:
            return
        if pl_module.automatic_optimization and not _worked(outputs):
            self._cost.skip()  # `training_step` returned None, so nothing went backward
        work, self._batch = self._batch, None
        work.__exit__(None, None, None)
        if trainer.global_step == self._updates:
            return  # gradients accumulate
        self._updates = trainer.global_step
        self.meter.end_step()
        self._steps += 1  # Lightning's own count goes up by one for each of several optimizers
        if self._steps % trainer.log_every_n_steps == 0:
            self._log(trainer)
        self._begin()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """An epoch ended."""
        self._abandon()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Validation took time that is not the next step's."""
        self._begin()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Training failed: nothing of ours stays open."""
        work, self._batch = self._batch, None
        if self.meter is not None:
            self.meter.drop_step()
        if work is not None:
            work.__exit__(type(exception), exception, exception.__traceback__)

    def _abandon(self) -> None:
        """Close a batch that was begun and never worked on.

        Lightning ends an epoch so where the module's ``on_train_batch_start`` returns -1.
        """
        work, self._batch = self._batch, None
        if work is not None:
            self._cost.skip()
            work.__exit__(None, None, None)

    def state_dict(self) -> dict[str, Any]:
        """What goes into a checkpoint: the sums so far."""
        return self.meter.state_dict() if self.meter is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the sums of a checkpoint."""
        self._saved = state_dict

    def _begin(self) -> None:
        """The next step's time runs from now, unless batches of it were worked on already."""
        if self.meter is not None and not self.meter.under_way:
            self.meter.start_step()

    def _log(self, trainer: Any) -> None:
        assert self.meter is not None
        own = self.meter.recent()
        self.last = over_ranks(own) if self._job else JobThroughput((own,))
        figures = self.last.logs()
        for logger in trainer.loggers if figures else ():  # all steps may have been skipped
            logger.log_metrics(figures, step=trainer.global_step)


def _worked(outputs: Any) -> bool:
    """True if a training step gave a loss, as Lightning hands it on."""
    return outputs is not None and not (isinstance(outputs, dict) and outputs.get("loss") is None)
