"""Statistics on their way to a printed form: grouped, turned into text, and folded into rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._modules import named_modules

_UNITS = ((1e14, 1e15, "P"), (1e11, 1e12, "T"), (1e8, 1e9, "G"), (1e5, 1e6, "M"), (1e2, 1e3, "K"))

Numbers = dict[str, dict[str, Any]]
Texts = dict[str, dict[str, str]]
"""By module, then by statistic."""


def _format_size(x: int | float, sig_figs: int = 3, hide_zero: bool = False) -> str:
    """A number with a suffix: ``"4.145G"`` for ``4144854528``, ``"0.44K"`` for ``440``.

    Numbers up to 100 are written as they are.

    Args:
        x: the number.
        sig_figs: decimals, of which trailing zeros are left out.
        hide_zero: True to return ``""`` for 0.
    """
    if hide_zero and x == 0:
        return ""
    for least, unit, suffix in _UNITS:
        if abs(x) > least:
            return f"{x / unit:.{sig_figs}f}".rstrip("0").rstrip(".") + suffix
    return str(x)


def _pretty_statistics(statistics: Numbers, sig_figs: int = 3, hide_zero: bool = False) -> Texts:
    """All numbers as text."""
    return {
        module: {name: _format_size(value, sig_figs, hide_zero) for name, value in row.items()}
        for module, row in statistics.items()
    }


def _group_by_module(statistics: Mapping[str, Mapping[str, Any]]) -> Numbers:
    """Statistics by name and then module, turned to by module and then name."""
    grouped: Numbers = {}
    for name, by_module in statistics.items():
        for module, value in by_module.items():
            grouped.setdefault(module, {})[name] = value
    return grouped


def _indicate_uncalled_modules(
    statistics: Texts,
    stat_name: str,
    uncalled_modules: Iterable[str],
    uncalled_indicator: str = "N/A",
) -> Texts:
    """For modules that were never called, `uncalled_indicator` instead of one statistic."""
    marked = {module: dict(row) for module, row in statistics.items()}
    for module in uncalled_modules:
        marked.setdefault(module, {})[stat_name] = uncalled_indicator
    return marked


def _remove_zero_statistics(
    statistics: Numbers,
    force_keep: Iterable[str] | None = None,
    require_trivial_children: bool = False,
) -> Numbers:
    """Leave out modules that have only zeros.

    Args:
        statistics: by module, the root included.
        force_keep: modules that stay in any case; the root always does.
        require_trivial_children: True to keep a module as long as one below it is kept.
    """
    keep = {"", *(force_keep or ())}
    children = children_of(statistics)
    reached = [""]
    for name in reached:  # grows as it is read: callers come before what they hold
        reached += children.get(name, ())
    kept: set[str] = set()
    for name in reversed(reached):
        below = require_trivial_children and any(child in kept for child in children.get(name, ()))
        if name in keep or below or any(value != 0 for value in statistics[name].values()):
            kept.add(name)
    return {name: dict(row) for name, row in statistics.items() if name in kept}


def _fill_missing_statistics(
    model: nn.Module, statistics: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Statistics by name and then module, with 0 for every module that one lacks."""
    names = [name for name, _ in named_modules(model)]
    return {
        stat: dict.fromkeys(names, 0) | dict(by_module) for stat, by_module in statistics.items()
    }


def _get_input_sizes(iterable: Iterable[Any]) -> list[Any]:
    """The sizes of every tensor in nested inputs, None for what neither is nor holds a tensor."""
    sizes: list[Any] = []
    for item in iterable:
        if isinstance(item, torch.Tensor):
            sizes.append(list(item.size()))
        elif isinstance(item, Iterable) and not isinstance(item, str):
            inner = _get_input_sizes(item)
            sizes.append(None if all(size is None for size in inner) else inner)
        else:
            sizes.append(None)
    return sizes


def children_of(names: Iterable[str]) -> dict[str, list[str]]:
    """For each module name those one level below it, in order."""
    children: dict[str, list[str]] = {}
    for name in names:
        if name:
            children.setdefault(name.rpartition(".")[0], []).append(name)
    return children


def stat_names(statistics: Texts) -> list[str]:
    """The statistics there are, in the order in which they come up."""
    return list(dict.fromkeys(name for row in statistics.values() for name in row))


def table_rows(statistics: Texts, max_depth: int, stat_columns: list[str]) -> list[list[str]]:
    """Rows of the module table, each level one blank further in.

    A module whose single child has the same figures shares a row with it.
    """
    folded = {name: dict(row) for name, row in statistics.items()}
    children = children_of(folded)

    def fold(name: str) -> str:
        while len(children.get(name, ())) == 1:
            (child,) = children[name]
            combined = _combine(folded[name], folded[child])
            if combined is None:
                break
            folded[child] = combined
            name = child
        return name

    def row(title: str, name: str, depth: int) -> list[str]:
        indent = " " * depth
        return [
            indent + title,
            *(indent + folded[name][c] if c in folded[name] else "" for c in stat_columns),
        ]

    root = fold("")
    prefix = f"{root}." if root else ""
    rows = [row(root or "model", root, 0)]

    def add(parent: str, depth: int) -> None:
        for child in children.get(parent, ()) if depth <= max_depth else ():
            name = fold(child)
            rows.append(row(name.removeprefix(prefix), name, depth))
            add(name, depth + 1)

    add(root, 1)
    return rows


def _combine(above: dict[str, str], below: dict[str, str]) -> dict[str, str] | None:
    """Two rows as one; None if their columns differ, or the texts in one of these."""
    if above.keys() != below.keys() or any(
        value and below[key] and value != below[key] for key, value in above.items()
    ):
        return None
    return {key: value or below[key] for key, value in above.items()}


__all__ = [
    "_fill_missing_statistics",
    "_format_size",
    "_get_input_sizes",
    "_group_by_module",
    "_indicate_uncalled_modules",
    "_pretty_statistics",
    "_remove_zero_statistics",
]
"""The names that mmengine and fvcore have for these functions in their own printing modules."""
