"""What batches cost: the first of each signature is counted, the others cost the same."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dispatchcount.errors import LawError, expect_function
from dispatchcount.hardware.utilization import StepCost, step_cost
from dispatchcount.integrations.law_costs import HasMacs, LawCosts
from dispatchcount.integrations.signature import autocast_dtype, mode_of, signature
from dispatchcount.profiler import profile

REMEMBERED = 4096
"""Signatures whose cost is remembered; of more, the one not seen for longest is forgotten."""

_WATCHED = 64
"""Batches after which it is said once if most of them had to be counted."""


class BatchCost:
    """The cost of one batch, known once its block has ended.

    Attributes:
        cost: its matrix work; None while the block is open, and if the batch was skipped.
        counted: True if the profiler counted it.
        skipped: True after `skip`.
    """

    def __init__(self) -> None:
        self.cost: StepCost | None = None
        self.counted = False
        self.skipped = False

    def skip(self) -> None:
        """Say that the batch's work was not done, so that its cost does not count."""
        self.skipped = True


def _name_of(dtype: Any) -> str:
    """The name that torch has for a dtype, which is given as text or as the dtype.

    Raises:
        ValueError: torch has no such dtype.
    """
    name = str(dtype).removeprefix("torch.")
    if not isinstance(getattr(torch, name, None), torch.dtype):
        raise ValueError(f"dtype={dtype!r} is no dtype of torch; give one such as 'bfloat16'")
    return name


class Costs:
    """Finds out what each batch costs, counting as seldom as can be.

    Args:
        model: whose modules work on the batches.
        every: count every so many batches of a signature again; None never does.
        law: answers for sizes by name with an object that has `macs`, of forward and backward; see
            `LawCosts`. Only batches for whose sizes it does not hold are counted then.
        sizes: for the law, the sizes of a batch.
        dtype: for the law, the dtype that products run in. None takes that of autocast where it is
            on as a batch begins, else that of the model's first floating parameter.
        rules: rules for operators that have none; see `profile`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every: int | None = None,
        law: Callable[..., HasMacs] | None = None,
        sizes: Callable[[Any], Mapping[str, int]] | None = None,
        dtype: str | None = None,
        rules: Mapping[Any, Any] | None = None,
    ) -> None:
        if every is not None and (type(every) is not int or every < 1):
            raise ValueError(f"every={every!r}: give a whole number of batches from 1 up, or None")
        if (law is None) != (sizes is None):
            raise ValueError(
                "law and sizes belong together: sizes(batch) says the sizes that law(**sizes) takes"
            )
        for name, function in (("law", law), ("sizes", sizes)):
            if function is not None:
                expect_function(function, name, "a law, and a function of a batch: see `Meter`")
        profile(model, rules=rules)  # runs nothing, and refuses rules that cannot be used
        self._model, self._rules = model, rules
        self._every = every
        self._law = LawCosts(law, sizes) if law is not None and sizes is not None else None
        self._dtype = None if dtype is None else _name_of(dtype)
        self._refused = False
        self._known: OrderedDict[Hashable, StepCost] = OrderedDict()
        self._since: dict[Hashable, int] = {}
        self._batches = self._counts = 0
        self._moved: set[Hashable] = set()
        self._named: set[str] = set()

    @contextmanager
    def of(self, batch: Any, training: bool | None = None) -> Iterator[BatchCost]:
        """Inside the block the batch is worked on; after it, what is yielded holds the cost.

        Args:
            batch: what is worked on.
            training: see `Meter.batch`.
        """
        result = BatchCost()
        lawful = self._by_law(batch)
        if lawful is not None:
            yield result
            if not result.skipped:
                result.cost = lawful
            return
        key = signature(batch), mode_of(self._model, training)
        self._batches += 1
        if not self._due(key):
            yield result
            if not result.skipped:
                result.cost = self._known[key]
            return
        with profile(self._model, rules=self._rules) as prof:
            yield result
        self._counts += 1
        self._say_if_often()
        if not result.skipped:  # a batch that was skipped says nothing of others like it
            result.cost, result.counted = step_cost(prof.report), True
            self._remember(key, result.cost)

    def _by_law(self, batch: Any) -> StepCost | None:
        """What the law says of a batch; None without a law, and where it does not hold.

        A batch beyond the law's domain is counted, because it is no reason to stop a training.
        """
        if self._law is None:
            return None
        dtype = self._dtype or autocast_dtype(self._model) or _dtype_of(self._model)
        try:
            return self._law.cost(batch, dtype)
        except LawError as error:
            if not self._refused:
                self._refused = True
                warnings.warn(
                    f"a batch is counted, because the law does not hold for it: {error}",
                    stacklevel=2,
                )
            return None

    def _due(self, key: Hashable) -> bool:
        """True if a batch of this signature has to be counted."""
        if key not in self._known:
            return True
        self._known.move_to_end(key)
        self._since[key] += 1
        return self._every is not None and self._since[key] >= self._every

    def _remember(self, key: Hashable, cost: StepCost) -> None:
        self._say_what_is_missing(cost)
        before = self._known.get(key)
        if before is not None and before != cost and key not in self._moved:
            self._moved.add(key)
            warnings.warn(
                f"batches of one signature do not cost the same: {before.flops:,} flops, then "
                f"{cost.flops:,}. What the model does depends on more than shapes; a smaller "
                "`every` counts more often",
                stacklevel=2,
            )
        self._known[key] = cost
        self._since[key] = 0
        if len(self._known) > REMEMBERED:
            oldest, _ = self._known.popitem(last=False)
            del self._since[oldest]

    def _say_what_is_missing(self, cost: StepCost) -> None:
        """Warn once of each operator without a rule: its work is missing from every figure."""
        missing = [op for op in cost.uncounted if op not in self._named]
        self._named.update(missing)
        if missing:
            warnings.warn(
                f"the cost of {', '.join(missing)} is not known, so the figures are too small; "
                "give it with `rules` or dispatchcount.register",
                stacklevel=2,
            )

    def _say_if_often(self) -> None:
        if self._batches == _WATCHED and 2 * self._counts > self._batches:
            warnings.warn(
                f"{self._counts} of the first {self._batches} batches had new shapes and were "
                "counted, which takes time; pad to few lengths, or give a `law`",
                stacklevel=2,
            )


def _dtype_of(model: nn.Module) -> str:
    """The dtype of the model's first floating parameter."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return str(parameter.dtype).removeprefix("torch.")
    return "float32"
