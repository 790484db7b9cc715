"""Sorting, selection, search and counting. What a sort compares depends on the data: estimates, n log2 n and the like."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import along, given, log2


def sorted_(n: int, row: int) -> Cost:
    """N log2(row) comparisons for rows of that length that hold n elements together."""
    return Cost(arithmetic=n * log2(row), estimate=True)


@RULES.rule("aten::sort")
def sort(self: Shape, dim: int = -1, *_: Any, **named: Any) -> Cost:
    """A merge sort of every row."""
    return sorted_(self.numel, along(self, named.get("dim", dim)))


@RULES.rule("aten::topk")
def topk(self: Shape, k: int, *_: Any, **__: Any) -> Cost:
    """Each element against a heap of the k best."""
    return Cost(arithmetic=self.numel * max(log2(k), 1), estimate=True)


@RULES.rule("aten::kthvalue", "aten::median", "aten::nanmedian")
def selection(self: Shape, *_: Any, **__: Any) -> Cost:
    """Quickselect looks at each element about twice."""
    return Cost(arithmetic=2 * self.numel, estimate=True)


@RULES.rule("aten::mode")
def mode(self: Shape, dim: int = -1, *_: Any, **__: Any) -> Cost:
    """A sort and a scan of every row."""
    return sorted_(self.numel, along(self, dim)) + Cost(arithmetic=self.numel)


@RULES.rule("aten::_unique", "aten::_unique2")
def unique(self: Shape, *_: Any, **__: Any) -> Cost:
    """A sort and a scan."""
    return sorted_(self.numel, self.numel) + Cost(arithmetic=self.numel)


@RULES.rule("aten::unique_dim")
def unique_dim(self: Shape, dim: int, *_: Any, **__: Any) -> Cost:
    """A sort of whole slices, and a scan."""
    return sorted_(self.numel, along(self, dim)) + Cost(arithmetic=self.numel)


@RULES.rule("aten::unique_consecutive", "aten::unique_dim_consecutive")
def unique_consecutive(self: Shape, *_: Any, **__: Any) -> Cost:
    """One comparison per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::searchsorted")
def searchsorted(boundaries: Shape, values: Any, *_: Any, out: Shape, **__: Any) -> Cost:
    """A binary search per value."""
    return Cost(arithmetic=out.numel * log2(along(boundaries, -1) + 1))


@RULES.rule("aten::bucketize")
def bucketize(values: Any, boundaries: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """A binary search per value."""
    return Cost(arithmetic=out.numel * log2(boundaries.numel + 1))


@RULES.rule("aten::isin")
def isin(elements: Any, test: Any, *_: Any, out: Shape, **__: Any) -> Cost:
    """A search of each element in the sorted test values."""
    m = test.numel if isinstance(test, Shape) else 1
    return Cost(arithmetic=(out.numel + m) * max(log2(m), 1), estimate=True)


@RULES.rule("aten::bincount")
def bincount(self: Shape, weights: Any = None, *_: Any, **__: Any) -> Cost:
    """One addition per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::histc")
def histc(self: Shape, *_: Any, **__: Any) -> Cost:
    """Per element two comparisons with the range, ``(x - min) * bins / width``, rounding, and the count."""
    return Cost(arithmetic=7 * self.numel)


@RULES.rule("aten::histogram")
def histogram(self: Shape, bins: Any = 100, *_: Any, weight: Any = None, **__: Any) -> Cost:
    """Even bins as `histc`, given edges a binary search per element; a product per weight."""
    each = 1 + log2(bins.numel) if isinstance(bins, Shape) else 7
    return Cost(arithmetic=(each + given(weight)) * self.numel)


@RULES.rule("aten::_histogramdd_from_bin_cts", "aten::_histogramdd_from_bin_tensors")
def histogramdd(self: Shape, bins: Any, *_: Any, weight: Any = None, **__: Any) -> Cost:
    """Per coordinate as `histogram`; per point the count."""
    points = self.numel // max(along(self, -1), 1)
    each = max((1 + log2(b.numel) if isinstance(b, Shape) else 6 for b in bins), default=0)
    return Cost(arithmetic=each * self.numel + (1 + given(weight)) * points)


@RULES.rule("aten::_histogramdd_bin_edges")
def histogramdd_bin_edges(self: Shape, bins: Any, *_: Any, **__: Any) -> Cost:
    """Minimum and maximum of each coordinate."""
    return Cost(arithmetic=2 * self.numel)
