"""The paths of a report from the tree of module calls, in which wrappers leave no trace.

A call of a wrapper and the call of what it wraps, made from inside, are one call of one module: of
the wrapped one, with the inputs that it got.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dispatchcount.report.rows import Path

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info
    from dispatchcount.capture.record import Node

Locate = Callable[["Info"], int]
"""The row of a module."""


def paths_of(tree: Node, locate: Locate) -> tuple[list[Path], dict[Node, int]]:
    """The paths, a caller always before what it calls, and the place of each node among them."""
    paths: list[Path] = []
    places: dict[Node, int] = {}
    for node in tree.descend():
        call = _with_path(node, locate)
        if call not in places:
            outer = _outermost(call, locate)
            parent = -1 if outer.parent is None else places[outer.parent]
            row = locate(call.info)
            places[call] = len(paths)
            outputs = tuple(dict.fromkeys(map(signature_text, call.outputs)))
            paths.append(Path(parent, row, signature_text(call.inputs), call.calls, outputs))
        places[node] = places[call]
    return paths, places


def _with_path(node: Node, locate: Locate) -> Node:
    """The call whose path a call is on: itself, or of a wrapper's the first that it wraps."""
    while node.info.wraps is not None:
        inside = [child for child in node.children.values() if _is_wrapped(child, node, locate)]
        if not inside:  # the wrapper raised before it called anything
            break
        node = inside[0]
    return node


def _outermost(node: Node, locate: Locate) -> Node:
    """The call of the outermost wrapper around a call; the call itself where there is none."""
    while node.parent is not None and _is_wrapped(node, node.parent, locate):
        node = node.parent
    return node


def _is_wrapped(node: Node, caller: Node, locate: Locate) -> bool:
    """True if the caller is a wrapper and this is the call of what it wraps."""
    return (
        caller.info.wraps is not None
        and node.info is not caller.info
        and locate(node.info) == locate(caller.info)
    )


def signature_text(signature: Any) -> str:
    """The shapes of a module call's inputs or results as text.

    It is ``"(1, 3, 224, 224)"``, or ``"x=(1, 3)"`` where an input was passed by name.
    """
    if isinstance(signature, str):
        return signature
    return _input_text(signature)


def _input_text(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, tuple):
        return str(value)
    if len(value) == 2 and isinstance(value[0], str):
        return f"{value[0]}={_input_text(value[1])}"
    if any(not isinstance(item, int) for item in value):
        return ", ".join(map(_input_text, value))
    return f"({', '.join(map(str, value))})"
