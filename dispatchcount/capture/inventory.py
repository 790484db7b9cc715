"""The module table of a report, read off the live modules.

It is taken when a block ends, or when a snapshot is asked for.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn
from torch.jit import ScriptModule

from dispatchcount.capture.flat_parameters import SHARDED, Originals
from dispatchcount.capture.held import children, entries_of, walk
from dispatchcount.capture.module_class import class_of
from dispatchcount.capture.module_rows import Seen, fused
from dispatchcount.capture.modules import Info, Modules
from dispatchcount.capture.torch_private import DispatchOff, FunctionsOff
from dispatchcount.capture.weights import Facts, weights_of
from dispatchcount.capture.zeros import effective, nonzeros
from dispatchcount.report.rows import NO_MODULE, Module

Taken = tuple[str, Info, str, bool, list[Facts], bool]
"""What is read of a module of a root when the block ends.

Its name in its root, who it is, its class, True if it only holds other modules, its parameters, and
True if it is a wrapper, whose row is that of the module after it.
"""


class Inventory:
    """Every module of the roots as it is now, and, as they are asked for, those that no root holds.

    Taking it reads little more than names and parameters; the table is made of that when it is
    asked for.
    """

    def __init__(
        self, modules: Modules, called: Collection[Info], *, nonzero: bool = False
    ) -> None:
        """Take it now.

        Args:
            modules: the modules of the block.
            called: those that were called so far.
            nonzero: True to read how many elements of each parameter are not zero.
        """
        self._modules = modules
        self._called = called
        self._reads = nonzero
        self._nonzero: dict[int, int | None] = {}  # by the parameter's id
        live = [
            (label, info, module)
            for label, info in modules.roots
            if (module := info.module()) is not None
        ]
        unpacked: list[torch.Tensor] = []
        # A snapshot is taken inside a block, and must run nothing that the block sees.
        with DispatchOff(), FunctionsOff():
            self._taken = [
                (label, self._take(info, module, unpacked))
                for label, info, module in _outermost(live)
            ]
        self._seen: list[Seen] = []
        self._rows: tuple[Module, ...] = ()
        self._by_name: dict[str, int] = {}
        self._by_info: dict[Info, int] = {}

    def _take(self, root: Info, module: nn.Module, unpacked: list[torch.Tensor]) -> list[Taken]:
        infos, held, used = self._modules.infos, self._modules.held, self._modules.used
        through, flat = self._modules.wrapped_as, Originals()
        taken: list[Taken] = []
        for name, part in walk(module, through):
            info = infos.get(id(part))
            if info is None or info.ref() is not part:
                info = held(root, part, name)
            of = class_of(part)  # which may be another one than when the block began
            called = of.name_of(part) if of.renamed else of.name
            before = len(unpacked)
            weights = weights_of(part, of, used, unpacked)
            if self._reads:
                self._read(part, unpacked[before:])
            if of.wraps == SHARDED:
                flat.look_into(part)
            if flat.hidden:
                weights = [facts for facts in weights if facts[1] not in flat.hidden]
                weights += flat.of(part)
            wraps = through is not None and through(part) is not None
            taken.append((name, info, called, of.container, weights, wraps))
        return taken

    def _read(self, module: nn.Module, unpacked: list[torch.Tensor]) -> None:
        """Read the parameters of a module, and the tensors that it keeps packed."""
        for key, value in entries_of(module, "_parameters"):
            if isinstance(value, torch.Tensor):
                self._nonzero[id(value)] = effective(module, key, value)
        for tensor in unpacked:
            self._nonzero[id(tensor)] = nonzeros(tensor)

    @property
    def modules(self) -> tuple[Module, ...]:
        """The rows so far, a parent before its children."""
        seen = self._table()
        if len(self._rows) != len(seen):
            tied: dict[int, str] = {}
            done = fused(seen, lambda one: one.called(self._called))
            self._rows = tuple(
                one.row(tied, fused=part, nonzero=self._nonzero)
                for one, part in zip(seen, done, strict=True)
            )
        return self._rows

    def unread(self) -> list[str]:
        """The parameters whose elements were to be read for zeros, and cannot be read here.

        They have no data (meta and fake tensors), or this rank holds a part of them.
        """
        if not self._reads:
            return []
        return [
            parameter.name
            for module in self.modules
            for parameter in module.parameters
            if parameter.numel and parameter.nonzero is None and parameter.tied_to is None
        ]

    def name(self, info: Info) -> str:
        """The name of a module that was called."""
        return self._table()[self.locate(info)].name

    def scripted(self) -> list[str]:
        """Names of the modules that TorchScript ran with others inside them.

        The inner ones are called where no hook sees it.
        """
        called = [
            (info, module)
            for info in self._modules.infos.values()
            if info in self._called and (module := info.module()) is not None
        ]
        return [
            self.name(info)
            for info, module in called
            if issubclass(type(module), ScriptModule) and children(module)
        ]

    def locate(self, info: Info) -> int:
        """The row of a module that was called."""
        self._table()
        index = self._by_info.get(info)
        if index is None:
            inner = info.innermost()
            index = self._unheld(info) if inner is info else self.locate(inner)
            self._by_info[info] = index
        return index

    def _table(self) -> list[Seen]:
        if self._seen:
            return self._seen
        self._seen.append(Seen(NO_MODULE, "", -1, None, [], held=False, container=True))
        self._by_info[self._modules.outside] = 0
        if len(self._taken) == 1 and self._taken[0][0] is None:
            self._add_root("", self._taken[0][1], -1)
        else:
            self._add(Seen("", "", -1, None, [], held=False, container=True))
            for label, taken in self._taken:
                self._add_root(self._free_name(label or taken[0][1].innermost().type), taken, 1)
        self._taken.clear()
        return self._seen

    def _add_root(self, prefix: str, taken: list[Taken], parent: int) -> None:
        parents: dict[str, int] = {}
        around: list[tuple[Info, list[Facts]]] = []  # the wrappers of the module that comes next
        for place, (relative, info, type_, container, weights, wraps) in enumerate(taken, 1):
            name = f"{prefix}.{relative}" if prefix and relative else prefix or relative
            known = self._by_info.get(info)
            if known is None and wraps:
                info.wraps = taken[place][1]  # what is wrapped comes right after its wrapper
                around.append((info, weights))
                continue
            if known is not None:
                self._also(known, name, around)
                continue
            # torch lets a module be held under any name, such as "" or "a.b" beside a module b in
            # a.
            above = parents.get(relative.rpartition(".")[0], parents[""]) if parents else parent
            free = self._free_name(name)
            seen = Seen(free, type_, above, info, weights, held=True, container=container)
            self._by_info[info] = index = self._add(seen)
            self._also(index, free, around)
            parents.setdefault(relative, index)

    def _also(self, row: int, name: str, around: list[tuple[Info, list[Facts]]]) -> None:
        """A row's module goes by `name` too; wrappers are `around` it there, and are forgotten."""
        seen = self._seen[row]
        if name != seen.name and name not in seen.aliases:
            seen.aliases.append(name)
        for wrapper, weights in around:
            self._by_info[wrapper] = row
            seen.wrappers.append(wrapper)
            seen.add_weights(weights)
        around.clear()

    def _unheld(self, info: Info) -> int:
        """A row for a module that no root holds, or that is gone.

        It lies under the module that it was found in or called from.
        """
        holder = info.above
        if holder is not None and holder.innermost() is info:  # a wrapper around it that was a root
            holder = holder.above
        above = 1 if holder is None else self.locate(holder)
        base = self._seen[above].name if above else ""
        name = f"{base}.{info.label}" if base and info.label else base or info.label
        index = self._by_name.get(name)
        if index is None:
            module = info.module()
            of = None if module is None else class_of(module)
            weights: list[Facts] = []
            if module is not None and of is not None:
                weights = weights_of(module, of, self._modules.used, [])
            container = of is None or of.container
            above = above or -1
            seen = Seen(name, info.type, above, info, weights, held=False, container=container)
            index = self._add(seen)
        return index

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


def _outermost(
    roots: list[tuple[str | None, Info, nn.Module]],
) -> list[tuple[str | None, Info, nn.Module]]:
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
