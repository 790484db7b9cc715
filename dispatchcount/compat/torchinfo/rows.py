"""The rows of a summary: of the calls of a pass, or of the modules of a model that did not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from torch import nn
from torch.jit import ScriptModule

from dispatchcount.compat._jit.names import named_modules_with_dup
from dispatchcount.compat.torchinfo.calls import LayerCall
from dispatchcount.compat.torchinfo.layer_info import HeldParameter, LayerInfo, held_parameters


class _SummaryRows:
    """Rows under one another, as the names of their modules are."""

    def __init__(self, model: nn.Module) -> None:
        self.rows: list[LayerInfo] = []
        self._modules = dict(named_modules_with_dup(model))
        self._open: list[LayerInfo] = []  # The last row, and the rows that are above it.
        self._parameters: dict[int, dict[str, HeldParameter]] = {}
        self._at_depth: Counter[int] = Counter()

    def add(self, name: str) -> LayerInfo:
        """A row of a module, below rows of all modules above it by name.

        Containers that are never called themselves (ModuleList) get their rows this way.
        """
        parts = name.split(".") if name else []
        for depth in range(len(parts)):
            above = self._modules[".".join(parts[:depth])]
            if depth >= len(self._open) or self._open[depth].module is not above:
                self._push(above, depth, parts)
        return self._push(self._modules[name], len(parts), parts)

    def _push(self, module: nn.Module, depth: int, parts: Sequence[str]) -> LayerInfo:
        del self._open[depth:]
        parent = self._open[-1] if self._open else None
        parameters = self._parameters.get(id(module))
        seen = parameters is not None
        if parameters is None:
            parameters = self._parameters[id(module)] = held_parameters(module)
        self._at_depth[depth] += 1
        name = parts[depth - 1] if depth else type(module).__name__
        row = LayerInfo(name, module, depth, parent, parameters, self._at_depth[depth])
        row.is_recursive = seen
        for above in self._open:
            above.children.append(row)
        self._open.append(row)
        self.rows.append(row)
        return row


def rows_of_calls(model: nn.Module, calls: Iterable[LayerCall]) -> list[LayerInfo]:
    """A row for each call, and one for each container of what was called."""
    rows = _SummaryRows(model)
    for call in calls:
        row = rows.add(call.name)
        row.executed = True
        row.input_size = list(call.input_size or ())
        row.output_size = list(call.output_size or ())
        row.output_bytes = call.output_bytes
        row.own_macs = call.macs
        if isinstance(call.module, ScriptModule):
            # Compiled code calls its parts without Python: they have rows, and no sizes.
            for name, _ in named_modules_with_dup(call.module, call.name):
                if name != call.name:
                    rows.add(name)
    for row in rows.rows:
        row.macs = row.own_macs + sum(child.own_macs for child in row.children)
    return rows.rows


def rows_of_modules(model: nn.Module) -> list[LayerInfo]:
    """A row for each module."""
    rows = _SummaryRows(model)
    for name, _ in named_modules_with_dup(model):
        rows.add(name)
    return rows.rows
