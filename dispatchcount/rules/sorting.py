"""Sorting, selection, search and counting.

What a sort compares depends on the data. Its cost is therefore an estimate, such as n log2 n.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import along, count_given, log2


def sorted_(n: int, row: int) -> Cost:
    """N log2(row) comparisons, for rows of that length that hold n elements together."""
    return Cost(arithmetic=n * log2(row), estimate=True)


@RULES.rule("aten::sort")
def sort(self: Shape, dim: int = -1, *_: Operand, **named: int) -> Cost:
    """Takes a merge sort of every row."""
    return sorted_(self.numel, along(self, named.get("dim", dim)))


@RULES.rule("aten::topk")
def topk(self: Shape, k: int, *_: Operand, **__: Operand) -> Cost:
    """Compares each element with a heap of the k best."""
    return Cost(arithmetic=self.numel * max(log2(k), 1), estimate=True)


@RULES.rule("aten::kthvalue", "aten::median", "aten::nanmedian")
def selection(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a quickselect, which looks at each element about twice."""
    return Cost(arithmetic=2 * self.numel, estimate=True)


@RULES.rule("aten::mode")
def mode(self: Shape, dim: int = -1, *_: Operand, **__: Operand) -> Cost:
    """Takes a sort and a scan of every row."""
    return sorted_(self.numel, along(self, dim)) + Cost(arithmetic=self.numel)


@RULES.rule("aten::_unique", "aten::_unique2")
def unique(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a sort and a scan."""
    return sorted_(self.numel, self.numel) + Cost(arithmetic=self.numel)


@RULES.rule("aten::unique_dim")
def unique_dim(self: Shape, dim: int, *_: Operand, **__: Operand) -> Cost:
    """Takes a sort of whole slices, and a scan."""
    return sorted_(self.numel, along(self, dim)) + Cost(arithmetic=self.numel)


@RULES.rule("aten::unique_consecutive", "aten::unique_dim_consecutive")
def unique_consecutive(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes one comparison per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::searchsorted")
def searchsorted(
    boundaries: Shape, values: Operand, *_: Operand, out: Shape, **__: Operand
) -> Cost:
    """Takes a binary search per value."""
    return Cost(arithmetic=out.numel * log2(along(boundaries, -1) + 1))


@RULES.rule("aten::bucketize")
def bucketize(values: Operand, boundaries: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes a binary search per value."""
    return Cost(arithmetic=out.numel * log2(boundaries.numel + 1))


@RULES.rule("aten::isin")
def isin(elements: Operand, test: Operand, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Sorts the test values and searches each element among them."""
    m = test.numel if isinstance(test, Shape) else 1
    return Cost(arithmetic=(out.numel + m) * max(log2(m), 1), estimate=True)


@RULES.rule("aten::bincount")
def bincount(self: Shape, weights: Operand = None, *_: Operand, **__: Operand) -> Cost:
    """Takes one addition per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::histc")
def histc(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes 7 operations per element.

    These are two comparisons with the range, ``(x - min) * bins / width``, rounding, and the count.
    """
    return Cost(arithmetic=7 * self.numel)


@RULES.rule("aten::histogram")
def histogram(
    self: Shape, bins: Operand = 100, *_: Operand, weight: Operand = None, **__: Operand
) -> Cost:
    """Takes what `histc` takes for even bins, and a binary search per element for given edges.

    Weights take a product each.
    """
    each = 1 + log2(bins.numel) if isinstance(bins, Shape) else 7
    return Cost(arithmetic=(each + count_given(weight)) * self.numel)


@RULES.rule("aten::_histogramdd_from_bin_cts", "aten::_histogramdd_from_bin_tensors")
def histogramdd(
    self: Shape, bins: Sequence[int | Shape], *_: Operand, weight: Operand = None, **__: Operand
) -> Cost:
    """Takes what `histogram` takes for each coordinate, and the count for each point."""
    points = self.numel // max(along(self, -1), 1)
    each = max((1 + log2(b.numel) if isinstance(b, Shape) else 6 for b in bins), default=0)
    return Cost(arithmetic=each * self.numel + (1 + count_given(weight)) * points)


@RULES.rule("aten::_histogramdd_bin_edges")
def histogramdd_bin_edges(self: Shape, bins: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes the minimum and the maximum of each coordinate."""
    return Cost(arithmetic=2 * self.numel)
