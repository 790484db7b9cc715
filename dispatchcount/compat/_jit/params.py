"""Parameters by module, and their table."""

from __future__ import annotations

from collections import defaultdict

from torch import nn

from dispatchcount.compat._jit.statistics import children_of
from dispatchcount.compat._modules import named_parameters


def parameter_count(model: nn.Module) -> defaultdict[str, int]:
    """Elements of each parameter, and of the parameters of each module, by dotted name.

    The whole model goes by ``""``. A tensor with several names counts under its first one.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    for name, parameter in named_parameters(model).items():
        elements = parameter.numel()
        counts[""] += elements
        for end in (i for i, c in enumerate(name + ".") if c == "."):
            counts[name[:end]] += elements
    return counts


def parameter_rows(model: nn.Module, max_depth: int) -> list[tuple[str, str]]:
    """Rows of the parameter table: names and figures, indented by depth.

    Parameters have their shape in place of a figure.
    """
    counts = parameter_count(model)
    shapes = {
        name: str(tuple(parameter.shape)) for name, parameter in named_parameters(model).items()
    }
    children = children_of(counts)
    rows = [("model", _size(counts[""]))]

    def add(parent: str, depth: int) -> None:
        for name in children.get(parent, ()) if depth <= max_depth else ():
            rows.append(
                (" " * depth + name, " " * depth + (shapes.get(name) or _size(counts[name])))
            )
            add(name, depth + 1)

    add("", 1)
    return rows


def _size(number: int) -> str:
    for least, unit, suffix in ((1e8, 1e9, "G"), (1e5, 1e6, "M"), (1e2, 1e3, "K")):
        if number > least:
            return f"{number / unit:.1f}{suffix}"
    return str(number)
