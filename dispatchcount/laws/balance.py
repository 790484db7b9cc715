"""Micro-batches of nearly equal cost."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatchcount.errors import LawError
from dispatchcount.laws.packed import packed

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


def balance(
    law: LawData, lengths: Sequence[int], bins: int, size: str | None = None
) -> list[list[int]]:
    """The indices of `lengths` in `bins` groups whose flops are nearly equal.

    The cost of a sequence is what the law says of it alone, with its squares, so one long sequence
    weighs as much as it costs. The groups follow the largest differencing method of Karmarkar and
    Karp (1982), which is close to the best and not always the best.

    Args:
        law: the law, with a batch size in which the flops are linear, or without one.
        lengths: one for each sequence.
        bins: how many groups.
        size: which size the lengths are of; by default the one that is not the batch.

    Returns:
        The groups, each with its indices in order, the most expensive group first. A group may be
        empty if there are fewer sequences than groups.

    Raises:
        LawError: a length is outside the domain, or it is not clear which size the lengths are of.
        ValueError: there is no group.
    """
    if bins < 1:
        raise ValueError(f"bins = {bins}: expected an integer from 1 up")
    if size is None:
        size = _length_size(law)
    costs = {length: packed(law, {size: [length]}).flops for length in set(lengths)}
    return differencing([costs[length] for length in lengths], bins)


def differencing(costs: Sequence[int], bins: int) -> list[list[int]]:
    """Indices of `costs` in groups with nearly equal sums, by the largest differencing method.

    Each item begins as a partition of its own. The two partitions that are least even are joined,
    the largest group of one with the smallest of the other, until one is left.
    """
    if not costs:
        return [[] for _ in range(bins)]
    heap: list[tuple[int, int, list[tuple[int, list[int]]]]] = []
    for index, cost in enumerate(costs):
        groups: list[tuple[int, list[int]]] = [(cost, [index])]
        groups += [(0, []) for _ in range(bins - 1)]
        heap.append((-cost if bins > 1 else 0, index, groups))
    heapq.heapify(heap)
    while len(heap) > 1:
        _, order, first = heapq.heappop(heap)
        _, _, second = heapq.heappop(heap)
        joined = [
            (a + b, mine + theirs)
            for (a, mine), (b, theirs) in zip(first, reversed(second), strict=True)
        ]
        joined.sort(key=lambda group: -group[0])
        heapq.heappush(heap, (joined[-1][0] - joined[0][0], order, joined))
    return [sorted(indices) for _, indices in heap[0][2]]


def _length_size(law: LawData) -> str:
    """The size that is not the batch."""
    linear = [s for place, s in enumerate(law.sizes) if all(e[place] == 1 for e, _ in law.flops)]
    others = [size for size in law.sizes if size not in linear[:1]]
    if len(others) != 1:
        raise LawError(
            f"the law is in {', '.join(law.sizes)}, and it is not clear which of them the lengths "
            "are of; give size=…"
        )
    return others[0]
