"""`Meter`: MFU of a training loop, from the step that ran.

    meter = dispatchcount.Meter(model, device=dispatchcount.device("h100-sxm"))
    for batch in loader:
        with meter.step(batch):
            model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        if step % 100 == 0:
            print(meter.recent())

The first step of each new signature of the batch is counted by the profiler. Every other step is
only timed, and costs what the counted one of its signature cost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import nn

from dispatchcount.capture.held import check_module
from dispatchcount.errors import expect, expect_function, kind_of
from dispatchcount.hardware.at_hand import as_torch_rounds, device_at_hand
from dispatchcount.hardware.device import Device, checked_device
from dispatchcount.hardware.utilization import NO_COST, StepCost
from dispatchcount.integrations.clocks import Clock, Interval, clock_for
from dispatchcount.integrations.costs import BatchCost, Costs
from dispatchcount.integrations.law_costs import HasMacs
from dispatchcount.integrations.signature import place_of, token_count, tokens_in
from dispatchcount.integrations.throughput import Throughput


class _Step:
    """A step that is under way.

    Attributes:
        start: the clock's mark at its beginning.
        cost, tokens, counted, batches: sums over the batches that were worked on.
        working: True while one is.
    """

    def __init__(self, start: Any) -> None:
        self.start = start
        self.cost: StepCost = NO_COST
        self.tokens = 0
        self.counted = False
        self.batches = 0
        self.working = False

    def add(self, done: BatchCost, tokens: int) -> None:
        """A batch was worked on."""
        if done.cost is not None:
            self.cost += done.cost
            self.counted |= done.counted
            self.tokens += tokens
            self.batches += 1


class Meter:
    """Cost, time and utilization of the steps of a training loop.

    Args:
        model: whose training it is; wrapped by DDP, FSDP or the like if it is.
        device: whose peak MFU is of. By default the one at hand; a device that is not known gives
            flops a second and no MFU. On the device at hand float32 products are at the TF32 peak
            if torch may round them as the meter is made: see `Device.rounds`.
        every: count every so many batches of a signature again, and warn if their cost moved: for
            models whose work depends on the contents of a batch. None never does.
        law: says what a batch costs, ``law(**sizes(batch))``, instead of counting. It is one of
            `dispatchcount.law`, made of a batch's forward and backward, or any function that
            answers with an object that has `macs`. A batch for which it raises `LawError` is
            counted.
        sizes: says the sizes of a batch that `law` asks for, by name.
        dtype: in which the law's products run, ``"bfloat16"``. By default autocast's where it is on
            as a batch begins, else the first parameter's.
        tokens: says how many tokens a batch holds. By default the elements of ``input_ids``.
        rules: rules for operators that have none; see `profile`.
        clock: takes the time; by default the host's clock for a model on the CPU, and events in
            the accelerator's stream else.

    Attributes:
        device: as above.

    Raises:
        ValueError: `every` is not a whole number from 1 up, or one of `law` and `sizes` is missing.
        TypeError: `model` is no module, `device` is not a `Device`, or another argument is of the
            wrong kind.
    """

    def __init__(
        self,
        model: nn.Module,
        device: Device | None = None,
        *,
        every: int | None = None,
        law: Callable[..., HasMacs] | None = None,
        sizes: Callable[[Any], Mapping[str, int]] | None = None,
        dtype: str | None = None,
        tokens: Callable[[Any], int | None] = token_count,
        rules: Mapping[Any, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_module(model)
        expect_function(tokens, "tokens", "a function of a batch that says how many tokens it has")
        if clock is not None and not hasattr(clock, "mark"):
            raise TypeError(f"clock is {kind_of(clock)}; give an object with `mark` and `between`")
        if device is None:
            device = as_torch_rounds(device_at_hand())
        self.device = checked_device(device)
        self._costs = Costs(model, every=every, law=law, sizes=sizes, dtype=dtype, rules=rules)
        self._tokens = tokens
        self._model = model
        self._clock = clock
        self._open: _Step | None = None
        # Steps whose time the accelerator has not reached yet, in order.
        self._waiting: deque[tuple[Interval, _Step]] = deque()
        self._total = self._recent = self._last = Throughput(self.device)

    def __repr__(self) -> str:
        return f"<Meter of {type(self._model).__name__} on {self.device}: {self.total}>"

    @contextmanager
    def step(self, batch: Any = None) -> Iterator[BatchCost]:
        """Time one step. A step that an exception leaves does not count.

        Inside of another step it is a part of that one, and not timed by itself.

        Args:
            batch: what is worked on in the step: anything of tensors. None if the step is made of
                several batches, each in a block of `batch`.

        Yields:
            What the step costs, with a method `skip` for a batch or step that is not worked on.
        """
        if self._open is not None:
            with nullcontext(BatchCost()) if batch is None else self.batch(batch) as cost:
                yield cost
            return
        self.start_step()
        try:
            with nullcontext(BatchCost()) if batch is None else self.batch(batch) as cost:
                yield cost
        except BaseException:
            self.drop_step()
            raise
        if cost.skipped:
            self.drop_step()
        self.end_step()

    @contextmanager
    def batch(self, batch: Any, *, training: bool | None = None) -> Iterator[BatchCost]:
        """One batch of a step of several: gradient accumulation.

        Outside of a step it makes one of its own. Inside of another batch it adds nothing, because
        its work is part of that batch's.

            with meter.step():
                for part in parts:
                    with meter.batch(part):
                        model(part).loss.backward()
                optimizer.step()

        Args:
            batch: what is worked on.
            training: the model's mode as it works on the batch. None if it is in that mode already;
                a trainer that calls ``model.train()`` itself, after an evaluation, says True.
        """
        step = self._open
        if step is None:
            with self.step(), self.batch(batch, training=training) as cost:
                yield cost
        elif step.working:
            yield BatchCost()
        else:
            step.working = True
            try:
                with self._costs.of(batch, training) as cost:
                    yield cost
            finally:
                step.working = False
            step.add(cost, tokens_in(batch, self._tokens))

    @property
    def under_way(self) -> bool:
        """True if a step is open in which a batch was worked on already."""
        return self._open is not None and self._open.batches > 0

    def start_step(self) -> None:
        """Begin a step where a with-block has no place, as in callbacks of a trainer.

        A step that is open already is dropped.
        """
        if self._clock is None:  # only now: the model may have been moved since the meter was made
            self._clock = clock_for(place_of(self._model))
        self._open = _Step(self._clock.mark())

    def end_step(self) -> None:
        """End the step that is open; one in which no batch was worked on is dropped."""
        step, self._open = self._open, None
        if step is None or not step.batches or self._clock is None:
            return
        self._waiting.append((self._clock.between(step.start, self._clock.mark()), step))
        while self._waiting and self._waiting[0][0].ready():
            self._settle()

    def drop_step(self) -> None:
        """Forget the step that is open."""
        self._open = None

    @property
    def last(self) -> Throughput:
        """The last step.

        On an accelerator this waits until the step is done: ask where you log, not in every step.
        """
        self._settle_all()
        return self._last

    @property
    def total(self) -> Throughput:
        """All steps so far, those before a checkpoint included; waits as `last` does."""
        self._settle_all()
        return self._total

    def recent(self) -> Throughput:
        """The steps since the last call of `recent`; waits as `last` does."""
        self._settle_all()
        recent, self._recent = self._recent, Throughput(self.device)
        return recent

    def state_dict(self) -> dict[str, Any]:
        """What to save in a checkpoint, so that `total` goes on where it was."""
        total = self.total
        return {
            "steps": total.steps,
            "counted": total.counted,
            "seconds": total.seconds,
            "tokens": total.tokens,
            "timed_seconds": total.timed_seconds,
            "timed_tokens": total.timed_tokens,
            "macs": _macs(total.cost),
            "timed_macs": _macs(total.timed_cost),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint. Costs by signature are not in it: each is counted again once.

        Raises:
            ValueError, TypeError: it is not what `state_dict` gave.
        """
        expect(state, Mapping, "the state", "what meter.state_dict() returned")
        for key in ("macs", "timed_macs"):
            expect(state.get(key, {}), Mapping, f"{key} in the state", "what state_dict() returned")
        missing = [key for key in self.state_dict() if key not in state]
        if missing:
            raise ValueError(
                f"this is no state of a Meter: it lacks {', '.join(missing)}; give what "
                "meter.state_dict() returned"
            )
        self._total = Throughput(
            self.device,
            steps=state["steps"],
            counted=state["counted"],
            cost=StepCost(**state["macs"]),
            seconds=state["seconds"],
            tokens=state["tokens"],
            timed_cost=StepCost(**state["timed_macs"]),
            timed_seconds=state["timed_seconds"],
            timed_tokens=state["timed_tokens"],
        )

    def _settle_all(self) -> None:
        while self._waiting:
            self._settle()

    def _settle(self) -> None:
        """Add the step that waits for longest to the sums."""
        interval, step = self._waiting.popleft()
        seconds = interval.seconds()
        timed = not step.counted
        self._last = Throughput(
            self.device,
            steps=1,
            counted=int(step.counted),
            cost=step.cost,
            seconds=seconds,
            tokens=step.tokens,
            timed_cost=step.cost if timed else NO_COST,
            timed_seconds=seconds if timed else 0.0,
            timed_tokens=step.tokens if timed else 0,
        )
        self._recent += self._last
        self._total += self._last


def _macs(cost: StepCost) -> dict[str, dict[str, int]]:
    """The cost as plain data, for a checkpoint."""
    return {
        "model": dict(cost.model),
        "hardware": dict(cost.hardware),
        "unmasked": dict(cost.unmasked),
    }
