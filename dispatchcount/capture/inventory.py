"""The module table of a report, read off the live modules when a block ends (or a snapshot is asked for)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy

from dispatchcount.capture.names import Info, Names, type_name, walk
from dispatchcount.report.rows import NO_MODULE, Module, Parameter


class Inventory:
    """Rows for every module of the roots, and, as they are asked for, for those that no root holds."""

    def __init__(self, names: Names) -> None:
        self._rows: list[Module] = [Module(NO_MODULE, "", container=True)]
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
            self._row(Module("", "", container=True))
            for label, _, module in tops:
                self._add_root(self._free_name(label or type_name(module)), module, 1)

    @property
    def modules(self) -> tuple[Module, ...]:
        """The rows so far, a parent before its children."""
        return tuple(self._rows)

    def scripted(self) -> list[str]:
        """Names of the modules that TorchScript ran with others inside them: those are called where no hook sees it."""
        called = [(info, module) for info in self._names.infos.values() if info.last and (module := info.module()) is not None]
        return [
            self._rows[self.locate(info)].name for info, module in called if isinstance(module, ScriptModule) and len(module._modules)
        ]

    def locate(self, info: Info) -> int:
        """The row of a module that was called."""
        index = self._by_info.get(info)
        if index is None:
            module = info.module()
            index = None if module is None else self._by_id.get(id(module))
            if index is None:
                index = self._unheld(info)
            self._by_info[info] = index
        return index

    def _unheld(self, info: Info) -> int:
        """A row for a module that no root holds, or that is gone: under the module it was found in or called from."""
        above = self.locate(info.above) if info.above is not None else 1
        base = self._rows[above].name if above else ""
        name = f"{base}.{info.label}" if base else info.label
        index = self._by_name.get(name)
        if index is None:
            module = info.module()
            parameters = () if module is None else tuple(self._parameters(module, name))
            index = self._row(Module(name, info.type, above if above else -1, parameters=_uncounted(parameters)))
        return index

    def _add_root(self, prefix: str, root: nn.Module, parent: int) -> None:
        parents: dict[str, int] = {}
        for relative, module in walk(root):
            name = ".".join(part for part in (prefix, relative) if part)
            known = self._by_id.get(id(module))
            if known is not None:
                row = self._rows[known]
                self._rows[known] = replace(row, aliases=(*row.aliases, name))
                continue
            above = parents[relative.rpartition(".")[0]] if relative else parent
            self._by_id[id(module)] = parents[relative] = self._row(
                Module(
                    name,
                    type_name(module),
                    above,
                    _extra(module),
                    parameters=tuple(self._parameters(module, name)),
                    container=_is_container(module),
                )
            )

    def _row(self, module: Module) -> int:
        self._rows.append(module)
        self._by_name[module.name] = len(self._rows) - 1
        return len(self._rows) - 1

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self._by_name:
            number += 1
            free = f"{name}#{number}"
        return free

    def _parameters(self, module: nn.Module, name: str) -> list[Parameter]:
        found: dict[str, torch.Tensor | None] = dict(module._parameters)
        for key, value in _packed(module):
            found[key] = value
            self._unpacked.append(value)
        rows = []
        for key, tensor in found.items():
            if tensor is not None:
                full = f"{name}.{key}" if name else key
                first = self._tied.setdefault(id(tensor), full)
                rows.append(_parameter(full, tensor, None if first == full else first))
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


def _parameter(name: str, tensor: torch.Tensor, tied_to: str | None) -> Parameter:
    lazy = is_lazy(tensor)
    shape = () if lazy else tuple(int(size) for size in tensor.shape)
    numel = 0 if lazy else int(tensor.numel())
    return Parameter(name, shape, numel, str(tensor.dtype).removeprefix("torch."), bool(tensor.requires_grad), tied_to)


def _uncounted(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Parameters of a module that no root holds are not the roots' parameters: they are listed, and count nothing."""
    return tuple(replace(p, numel=0) for p in parameters)


def _packed(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Weights that a quantized module keeps packed in a torchbind object instead of as parameters."""
    found: list[tuple[str, torch.Tensor]] = []
    if torch.ScriptObject not in map(type, vars(module).values()):
        return found
    for key, value in vars(module).items():
        if type(value) is torch.ScriptObject and hasattr(value, "unpack"):
            weight: Any
            weight, bias, *_ = value.unpack()
            stem = "" if key == "_packed_params" else f"{key}."
            found += [(f"{stem}{part}", t) for part, t in (("weight", weight), ("bias", bias)) if isinstance(t, torch.Tensor)]
    return found


def _is_container(module: nn.Module) -> bool:
    """Whether it only holds other modules or does nothing, so that never being called is no news."""
    return getattr(type(module), "forward", None) is nn.Module.forward or isinstance(module, nn.Identity)


def _extra(module: nn.Module) -> str:
    try:
        return str(module.extra_repr())
    except Exception:  # user code; a report is worth more than a line of it
        return ""
