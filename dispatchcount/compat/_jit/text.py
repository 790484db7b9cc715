"""The printed forms: the module table, the architecture with figures, and the frames of tables.

All are as wide as they need to be, and nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from torch import nn

from dispatchcount.capture.held import extra_repr, guarded
from dispatchcount.compat._jit.analysis import Analysis, analyze_together
from dispatchcount.compat._jit.params import parameter_count
from dispatchcount.compat._jit.statistics import (
    Texts,
    _fill_missing_statistics,
    _group_by_module,
    _indicate_uncalled_modules,
    _pretty_statistics,
    _remove_zero_statistics,
    table_rows,
)
from dispatchcount.compat._modules import named_parameters

_MISSING = (
    "N/A indicates a possibly missing statistic due to how the module was called. "
    "Missing values are still included in the parent's total.\n"
)
_FLOPS, _ACTIVATIONS = "#flops", "#activations"


def module_rows(
    flops: Analysis, max_depth: int, activations: Analysis | None, show_param_shapes: bool
) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the table of parameters, flops and, if given, activations."""
    _quietly(flops, activations)
    header = "#parameters or shape" if show_param_shapes else "#parameters"
    model, analyses = flops._model, _named(flops, activations, _ACTIVATIONS)
    numbers = _group_by_module(
        {header: parameter_count(model)} | {name: a.by_module() for name, a in analyses.items()}
    )
    texts = _pretty_statistics(_remove_zero_statistics(numbers, require_trivial_children=True))
    for name, analysis in analyses.items():
        texts = _indicate_uncalled_modules(
            texts, name, analysis.uncalled_modules() & texts.keys(), ""
        )
    for name, parameter in named_parameters(model).items():
        if show_param_shapes and name in texts:
            texts[name][header] = str(tuple(parameter.shape))
        else:
            texts.pop(name, None)
    columns = [header, *analyses]
    return ["module", *columns], table_rows(texts, max_depth, columns)


def architecture(flops: Analysis, activations: Analysis | None) -> str:
    """The model as it prints itself, with the figures of each module.

    The figures are parameters, flops and, if given, activations.
    """
    _quietly(flops, activations)
    model, analyses = flops._model, _named(flops, activations, "#acts")
    uncalled = set().union(*(analysis.uncalled_modules() for analysis in analyses.values()))
    filled = _fill_missing_statistics(
        model, {"#params": parameter_count(model)} | {n: a.by_module() for n, a in analyses.items()}
    )
    texts = _pretty_statistics(
        _remove_zero_statistics(_group_by_module(filled), force_keep=uncalled), sig_figs=2
    )
    for name, analysis in analyses.items():
        texts = _indicate_uncalled_modules(texts, name, analysis.uncalled_modules())
    return (_MISSING if uncalled else "") + _model_stats_str(model, texts)


def _named(flops: Analysis, activations: Analysis | None, name: str) -> dict[str, Analysis]:
    """The analyses that there are, by the names of their columns."""
    return {_FLOPS: flops} | ({} if activations is None else {name: activations})


def _quietly(flops: Analysis, activations: Analysis | None) -> None:
    """Switch off warnings, as printing does, and let two fresh analyses share a run."""
    analyses = [analysis for analysis in (flops, activations) if analysis is not None]
    for analysis in analyses:
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings(
            "none"
        )
    fresh = [analysis for analysis in analyses if analysis._stats is None]
    if (
        len(fresh) == 2
        and fresh[0]._model is fresh[1]._model
        and fresh[0]._inputs is fresh[1]._inputs
    ):
        analyze_together(*fresh)


def _model_stats_str(model: nn.Module, statistics: Texts) -> str:
    """`str(model)` with a line of statistics in each module that has some.

    Args:
        model: the model.
        statistics: texts by module name, then by statistic.
    """
    lines: list[str] = []
    stack: list[tuple[int, str, str, nn.Module | None]] = [(0, "", "", model)]
    while stack:
        depth, head, name, module = stack.pop()
        pad = "  " * depth
        if module is None:  # a closing bracket, or a child that is None
            lines.append(pad + head)
            continue
        said = extra_repr(module)
        extra = said.split("\n") if said else []
        if statistics.get(name):
            extra.append(", ".join(f"{stat}: {text}" for stat, text in statistics[name].items()))
        head = f"{pad}{head}{module._get_name()}("
        below = _places(module)
        if not below and len(extra) < 2:
            lines.append(f"{head}{''.join(extra)})")
            continue
        lines.append(head)
        lines += [f"{pad}  {line}" for line in extra]
        stack.append((depth, ")", "", None))
        for key, child in reversed(below):
            full = f"{name}.{key}" if name else key
            stack.append((depth + 1, f"({key}): " + ("None" if child is None else ""), full, child))
    return "\n".join(lines)


def _places(module: nn.Module) -> list[tuple[str, nn.Module | None]]:
    """What a module has for children, None for one that it could have but has not."""
    return guarded(lambda: list(module._modules.items()), [])


def boxed(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """A table in a frame of ``+``, ``-`` and ``|``, ending in a line break as mmengine's do."""
    widths = [max(map(cell_len, column)) for column in zip(headers, *rows, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    above = [" " * ((len(rule) - cell_len(title)) // 2) + title] if title else []
    return "\n".join(
        [
            *above,
            rule,
            _line(headers, widths),
            rule,
            *(_line(row, widths) for row in rows),
            rule,
            "",
        ]
    )


def piped(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, headers two blanks wider than their text at least."""
    widths = [
        max(cell_len(head) + 2, *map(cell_len, column))
        for head, *column in zip(headers, *rows, strict=True)
    ]
    rule = "|" + "|".join(":" + "-" * (width + 1) for width in widths) + "|"
    return "\n".join([_line(headers, widths), rule, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
