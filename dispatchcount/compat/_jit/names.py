"""Module names, including those of modules that have several."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from dispatchcount.capture.held import check_module, children


def named_modules_with_dup(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Like `named_modules`, but a module that is held in several places comes once for each.

    All that lies below it comes each time as well. The walk ends at a module that holds itself.

    Raises:
        TypeError: the model is no module.
    """
    check_module(model)
    stack: list[tuple[str, nn.Module, frozenset[int]]] = [(prefix, model, frozenset())]
    while stack:
        name, module, above = stack.pop()
        yield name, module
        inside = above | {id(module)}
        prefix = f"{name}." if name else ""
        below = [
            (prefix + key, child, inside)
            for key, child in children(module)
            if id(child) not in inside
        ]
        stack.extend(reversed(below))


def aliases(model: nn.Module) -> dict[int | str, str]:
    """The first name of every module, by the module's id and by each of its names.

    Ids are used because a module need not be hashable.
    """
    found: dict[int | str, str] = {}
    for name, module in named_modules_with_dup(model):
        found[name] = found.setdefault(id(module), name)
    return found


def name_and_parents(name: str) -> set[str]:
    """A module's name and those of the modules above it, the root's ``""`` included."""
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(len(parts) + 1)}
