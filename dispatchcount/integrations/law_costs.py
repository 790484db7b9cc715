"""What batches cost by a law: any size, without counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from dispatchcount.errors import expect
from dispatchcount.hardware.utilization import MODEL_PHASES, StepCost
from dispatchcount.hardware.work import masked_once, rate_of
from dispatchcount.laws.law import LawData
from dispatchcount.laws.views import by_phase_and_operator

REMEMBERED = 4096
"""Sizes whose cost is remembered; of more, the ones not asked for longest are worked out anew."""


class HasMacs(Protocol):
    """What a law answers with, whoever made it."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""


class LawCosts:
    """The matrix work of batches, worked out from their sizes.

    A law of `dispatchcount.law` tells phases apart, so that what is recomputed, by checkpointing or
    by a fused attention's backward, is in HFU and not in MFU. Of any other function every
    multiply-accumulate is taken as one of forward and backward.

    Args:
        law: answers for sizes by name with an object that has `macs`, of one batch's forward and
            backward.
        sizes: says the sizes of a batch.

    Raises:
        LawError: the law has no formula for its multiply-accumulates.
    """

    def __init__(
        self, law: Callable[..., HasMacs], sizes: Callable[[Any], Mapping[str, int]]
    ) -> None:
        self._sizes = sizes
        work = _work_of_law(law) if isinstance(law, LawData) else _work_of_function(law)
        self._work = lru_cache(maxsize=REMEMBERED)(work)

    def cost(self, batch: Any, dtype: str) -> StepCost:
        """What `batch` costs, in products of `dtype`.

        Raises:
            LawError: the law does not hold for the batch's sizes.
            TypeError: `sizes` gave none.
        """
        sizes = self._sizes(batch)
        expect(sizes, Mapping, "what sizes(batch) gave", "the batch's sizes by name: {'b': 8}")
        return self._work(tuple(sizes.items()), dtype)


_Sizes = tuple[tuple[str, int], ...]

_Work = Callable[[_Sizes, str], StepCost]
"""The matrix work at given sizes, of products of a dtype."""


def _work_of_function(law: Callable[..., HasMacs]) -> _Work:
    def work(sizes: _Sizes, dtype: str) -> StepCost:
        macs = int(law(**dict(sizes)).macs)
        return StepCost({dtype: macs}, {dtype: macs}, {dtype: macs})

    return work


def _work_of_law(law: LawData) -> _Work:
    law = law.with_convention("macs")  # it then holds wherever its MACs have a formula
    law.macs  # noqa: B018  (a law without that formula is refused here, before any batch)
    rows = [
        (phase in MODEL_PHASES, op, row)
        for (phase, op), row in by_phase_and_operator(law).items()
        if row.macs
    ]

    def work(sizes: _Sizes, dtype: str) -> StepCost:
        point = law.inside(dict(sizes))
        model: Counter[str] = Counter()
        hardware: Counter[str] = Counter()
        unmasked: Counter[str] = Counter()
        for needed, op, row in rows:
            at = row.at(point)
            rate = rate_of(op, dtype)
            hardware[rate] += at.macs
            if needed:
                once = at.macs - at.recomputed_macs
                model[rate] += once
                unmasked[rate] += once - masked_once(at.macs, at.recomputed_macs, at.masked_macs)
        return StepCost(dict(model), dict(hardware), dict(unmasked))

    return work
