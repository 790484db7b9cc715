"""MFU in the logs of Hugging Face's `Trainer`.

    trainer = Trainer(model, args, train_dataset=data, callbacks=[UtilizationCallback()])

`Trainer` hands its logs to W&B, TensorBoard, MLflow and whatever else it reports to, and there
``mfu``, ``hfu``, ``flops_per_step``, ``flops_per_s`` and ``tokens_per_s`` appear beside the loss.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError(
        "this callback needs transformers: pip install 'dispatchcount[transformers]'"
    ) from error

from dispatchcount.hardware.device import Device, checked_device
from dispatchcount.integrations.job import JobThroughput, over_ranks
from dispatchcount.integrations.meter import Meter
from dispatchcount.integrations.signature import mixed_dtype

_WRAPPED = ("training_step", "log")
"""The methods of a trainer that are wrapped while it trains."""

_LOSS = "loss"
"""What logs of training have, and those of evaluation or of the whole run have not."""


class UtilizationCallback(TrainerCallback):
    """Counts what the steps of a `Trainer` cost, times them, and adds MFU to its logs.

    A step is all that leads to one update of the parameters: with gradient accumulation several
    batches. Its time runs from the end of the step before, so that waiting for data is in it;
    evaluating, saving and logging are not.

    While it trains, the trainer's `training_step` and `log` are wrapped on that one object, because
    callbacks see neither a batch nor a log before it is passed on. They are taken off when training
    ends, or fails in a step.

    Args:
        device: whose peak MFU is of; see `Meter`.
        trainer: the trainer. By default the one that calls this callback.
        job: log the figures of all ranks together, flops and tokens added up and MFU averaged; else
            each rank's own. The ranks exchange them where they log.
        options: what else `Meter` takes: ``every``, ``law`` and ``sizes``, ``rules`` …

    Attributes:
        meter: the meter, once training has begun.
        last: what was logged last.
    """

    def __init__(
        self,
        device: Device | None = None,
        *,
        trainer: Any = None,
        job: bool = True,
        **options: Any,
    ) -> None:
        self.meter: Meter | None = None
        self.last: JobThroughput | None = None
        self._device = None if device is None else checked_device(device)
        self._trainer, self._job, self._options = trainer, job, options
        self._wrapped: Any = None
        # What the wrapped trainer had of its own under a name, besides its class's method.
        self._before: dict[str, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Training begins: wrap the trainer."""
        trainer = self._trainer or _calling_trainer(sys._getframe(), self)
        self._unwrap()
        mixed = {"dtype": mixed_dtype(trainer.accelerator.mixed_precision)}
        self.meter = Meter(trainer.model_wrapped, self._device, **(mixed | self._options))
        self._wrap(trainer)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """An epoch begins: time runs from here."""
        self._begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The parameters were updated: the step ends, and the next one begins."""
        if self.meter is not None:
            self.meter.end_step()
        self._begin()

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Something was logged, which took time that is not the next step's."""
        self._begin()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The model was evaluated, likewise."""
        self._begin()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint was saved, likewise."""
        self._begin()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Training ended: the trainer is as it was."""
        if self.meter is not None:
            self.meter.drop_step()
        self._unwrap()

    def _begin(self) -> None:
        """The next step's time runs from now, unless batches of it were worked on already."""
        if self.meter is not None and not self.meter.under_way:
            self.meter.start_step()

    def _wrap(self, trainer: Any) -> None:
        self._before = {name: vars(trainer)[name] for name in _WRAPPED if name in vars(trainer)}
        trainer.training_step = self._counting(trainer.training_step)
        trainer.log = self._logging(trainer.log)
        self._wrapped = trainer

    def _unwrap(self) -> None:
        trainer, self._wrapped = self._wrapped, None
        for name in _WRAPPED if trainer is not None else ():
            vars(trainer).pop(name, None)  # its class's method comes into sight again
            if name in self._before:
                setattr(trainer, name, self._before[name])

    def _counting(self, training_step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            assert self.meter is not None
            try:
                with self.meter.batch(inputs, training=True):
                    return training_step(model, inputs, *args, **kwargs)
            except BaseException:  # training is over, and on_train_end will not be called
                self.meter.drop_step()
                self._unwrap()
                raise

        return counted

    def _logging(self, log: Callable[..., Any]) -> Callable[..., Any]:
        def logged(logs: dict[str, float], *args: Any, **kwargs: Any) -> Any:
            if _LOSS in logs and self.meter is not None:
                own = self.meter.recent()
                self.last = over_ranks(own) if self._job else JobThroughput((own,))
                logs = {**logs, **self.last.logs()}
            return log(logs, *args, **kwargs)

        return logged


def _calling_trainer(frame: FrameType | None, callback: UtilizationCallback) -> Any:
    """The trainer that has `callback` among its callbacks and is calling it now.

    A trainer does not tell a callback which one it is, but it is ``self`` in a function that waits
    for the callback to return.
    """
    while frame is not None:
        caller = frame.f_locals.get("self")
        handler = getattr(caller, "callback_handler", None)
        if handler is not None and callback in handler.callbacks:
            return caller
        frame = frame.f_back
    raise RuntimeError(
        "the trainer that calls this callback was not found; give it: "
        "trainer.add_callback(UtilizationCallback(trainer=trainer))"
    )
