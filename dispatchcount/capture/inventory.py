"""The module table of a report, read off the live modules when a block ends (or a snapshot is asked for)."""

from __future__ import annotations

import weakref
from math import prod
from typing import Any

import torch
from torch import nn
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree

from dispatchcount.capture.names import Info, Kind, Names, kind_of, type_name, walk
from dispatchcount.report.rows import NO_MODULE, Module, Parameter


class Seen:
    """A module as it was when the block ended: plain data but for a weak reference. Its row is made when it is asked for."""

    __slots__ = ("aliases", "container", "held", "name", "parameters", "parent", "ref", "type")

    def __init__(
        self, name: str, kind: str, parent: int, module: nn.Module | None, parameters: list[Any], *, held: bool, container: bool
    ) -> None:
        self.name = name
        self.type = kind
        self.parent = parent
        self.ref = None if module is None else weakref.ref(module)
        self.container = container
        self.parameters = parameters  # (name, sizes, dtype, trainable, tied to)
        self.held = held
        self.aliases: list[str] = []

    def row(self) -> Module:
        """The row of it."""
        module = None if self.ref is None else self.ref()
        return Module(
            self.name,
            self.type,
            self.parent,
            "" if module is None else _extra(module),
            tuple(self.aliases),
            tuple(self._parameter(*parameter) for parameter in self.parameters),
            self.container,
        )

    def _parameter(self, name: str, sizes: Any, dtype: torch.dtype, trainable: bool, tied_to: str | None) -> Parameter:
        """A parameter of a module that no root holds is listed, and counts nothing: it is none of the roots'."""
        shape = tuple(map(int, sizes or ()))
        numel = prod(shape) if self.held and sizes is not None else 0
        return Parameter(name, shape, numel, str(dtype).removeprefix("torch."), trainable, tied_to)


class Inventory:
    """Every module of the roots as it is now, and, as they are asked for, those that no root holds."""

    def __init__(self, names: Names) -> None:
        self._seen: list[Seen] = [Seen(NO_MODULE, "", -1, None, [], held=False, container=True)]
        self._rows: tuple[Module, ...] = ()
        self._by_id: dict[int, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_info: dict[Info, int] = {names.outside: 0}
        self._tied: dict[int, str] = {}
        self._unpacked: list[torch.Tensor] = []  # alive until the table is done, so that an id stays one tensor's
        self._names = names
        live = [(label, info, module) for label, info in names.roots if (module := info.module()) is not None]
        tops = _outermost(live)
        if len(tops) == 1 and tops[0][0] is None:
            self._add_root("", tops[0][2], -1)
        else:
            self._add(Seen("", "", -1, None, [], held=False, container=True))
            for label, _, module in tops:
                self._add_root(self._free_name(label or type_name(module)), module, 1)
        self._unpacked.clear()

    @property
    def modules(self) -> tuple[Module, ...]:
        """The rows so far, a parent before its children."""
        if len(self._rows) != len(self._seen):
            self._rows = tuple(seen.row() for seen in self._seen)
        return self._rows

    def name(self, info: Info) -> str:
        """The name of a module that was called."""
        return self._seen[self.locate(info)].name

    def scripted(self) -> list[str]:
        """Names of the modules that TorchScript ran with others inside them: those are called where no hook sees it."""
        called = [(info, module) for info in self._names.infos.values() if info.last and (module := info.module()) is not None]
        return [self.name(info) for info, module in called if isinstance(module, ScriptModule) and len(module._modules)]

    def locate(self, info: Info) -> int:
        """The row of a module that was called."""
        index = self._by_info.get(info)
        if index is None:
            module = info.module()
            index = None if module is None else self._by_id.get(id(module))
            if index is None:
                index = self._unheld(info, module)
            self._by_info[info] = index
        return index

    def _unheld(self, info: Info, module: nn.Module | None) -> int:
        """A row for a module that no root holds, or that is gone: under the module it was found in or called from."""
        above = self.locate(info.above) if info.above is not None else 1
        base = self._seen[above].name if above else ""
        name = f"{base}.{info.label}" if base else info.label
        index = self._by_name.get(name)
        if index is None:
            kind = None if module is None else kind_of(type(module))
            parameters = [] if module is None or kind is None else self._parameters(module, kind, name)
            container = kind is None or kind.container
            index = self._add(Seen(name, info.type, above or -1, module, parameters, held=False, container=container))
        return index

    def _add_root(self, prefix: str, root: nn.Module, parent: int) -> None:
        parents: dict[str, int] = {}
        for relative, module in walk(root):
            name = f"{prefix}.{relative}" if prefix and relative else prefix or relative
            known = self._by_id.get(id(module))
            if known is not None:
                self._seen[known].aliases.append(name)
                continue
            above = parents[relative.rpartition(".")[0]] if relative else parent
            kind = kind_of(type(module))
            parameters = self._parameters(module, kind, name)
            seen = Seen(name, kind.name_of(module), above, module, parameters, held=True, container=kind.container)
            self._by_id[id(module)] = parents[relative] = self._add(seen)

    def _add(self, seen: Seen) -> int:
        self._seen.append(seen)
        self._by_name[seen.name] = len(self._seen) - 1
        return len(self._seen) - 1

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self._by_name:
            number += 1
            free = f"{name}#{number}"
        return free

    def _parameters(self, module: nn.Module, kind: Kind, name: str) -> list[Any]:
        found: dict[str, torch.Tensor | None] = module._parameters
        if not kind.plain and (packed := _packed(module)):
            found = found | packed
            self._unpacked += packed.values()
        rows: list[Any] = []
        if not found:
            return rows
        for key, tensor in found.items():
            if tensor is not None:
                full = f"{name}.{key}" if name else key
                first = self._tied.setdefault(id(tensor), full)
                sizes = None if type(tensor) is not nn.Parameter and is_lazy(tensor) else tensor.shape
                rows.append((full, sizes, tensor.dtype, tensor.requires_grad, None if first is full else first))
        return rows


def _outermost(roots: list[tuple[str | None, Info, nn.Module]]) -> list[tuple[str | None, Info, nn.Module]]:
    """Roots that lie in no other root; one given twice counts once."""
    kept: dict[int, tuple[str | None, Info, nn.Module]] = {}
    for root in roots:
        kept.setdefault(id(root[2]), root)
    if len(kept) > 1:
        for _, _, module in list(kept.values()):
            for name, child in walk(module):
                if name:
                    kept.pop(id(child), None)
    return list(kept.values())


def _packed(module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights that a quantized module keeps packed in a torchbind object instead of as parameters."""
    found: dict[str, torch.Tensor] = {}
    if torch.ScriptObject not in map(type, vars(module).values()):
        return found
    for key, value in vars(module).items():
        if type(value) is torch.ScriptObject:
            stem = "" if key == "_packed_params" else f"{key}."
            found |= {f"{stem}{part}": tensor for part, tensor in _unpacked(value).items() if isinstance(tensor, torch.Tensor)}
    return found


def _unpacked(value: Any) -> dict[str, Any]:
    """Weight and bias of a packed layer; of a recurrent cell those of its input and of its hidden state."""
    if hasattr(value, "unpack"):
        weight, bias, *_ = value.unpack()
        return {"weight": weight, "bias": bias}
    if not value._type().qualified_name().endswith("rnn.CellParamsBase"):
        return {}
    leaves = pytree.tree_leaves(value.__getstate__())
    layers = [leaf for leaf in leaves if type(leaf) is torch.ScriptObject]
    biases = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    weights = {f"weight_{i}": layer.unpack()[0] for i, layer in enumerate(layers)}
    return weights | {f"bias_{i}": bias for i, bias in enumerate(biases)}


def _extra(module: nn.Module) -> str:
    try:
        return str(module.extra_repr())
    except Exception:  # user code; a report is worth more than a line of it
        return ""
