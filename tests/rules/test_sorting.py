"""Sorting, search and counting."""

from __future__ import annotations

from math import ceil, log2

import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.util import total


@given(st.integers(1, 3), st.integers(1, 70))
def test_sort_is_n_log_n_and_an_estimate(rows: int, row: int) -> None:
    found = total(lambda: torch.rand(rows, row).sort(1))
    assert found.arithmetic == rows * row * ceil(log2(row))
    assert found.estimate


def test_search_is_a_binary_search_a_value() -> None:
    """Seven boundaries make eight places: three comparisons."""
    edges = torch.arange(7.0)
    assert total(lambda: torch.bucketize(torch.zeros(10), edges)).arithmetic == 30
    assert total(lambda: torch.searchsorted(edges, torch.zeros(10))).arithmetic == 30


def test_counting() -> None:
    assert total(lambda: torch.bincount(torch.randint(9, (20,)))).arithmetic == 20
    assert total(lambda: torch.histc(torch.rand(20), 4)).arithmetic == 140


def test_a_mode_and_unique_values_take_a_sort_and_a_scan() -> None:
    """Rows of 8 take 3 comparisons an element, 16 of them together 4; one more each for the scan."""
    x = torch.rand(2, 8)
    for run, each in (
        (lambda: x.mode(1), 3 + 1),
        (lambda: torch.unique(x), 4 + 1),
        (lambda: torch.unique(x, dim=1), 3 + 1),
        (lambda: torch.unique_consecutive(x), 1),
    ):
        assert total(run).arithmetic == 16 * each
    assert total(lambda: x.mode(1)).estimate


def test_the_best_are_kept_in_a_heap() -> None:
    """A heap of 4 is 2 deep; of one, it is a comparison."""
    x = torch.rand(2, 8)
    assert total(lambda: x.topk(4)).arithmetic == 16 * 2
    assert total(lambda: x.topk(1)).arithmetic == 16


def test_a_histogram_searches_where_edges_are_given() -> None:
    """20 values: 7 operations each for even bins, else a search among 7 edges and a count."""
    x, edges, weight = torch.rand(20), torch.linspace(0, 1, 7), torch.rand(20)
    assert total(lambda: torch.histogram(x, 10)).arithmetic == 20 * 7
    assert total(lambda: torch.histogram(x, edges)).arithmetic == 20 * (3 + 1)
    assert total(lambda: torch.histogram(x, edges, weight=weight)).arithmetic == 20 * (3 + 1 + 1)
