"""The module table of a report, read off the live modules.

It is taken when a block ends, or when a snapshot is asked for.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn
from torch.jit import ScriptModule

from dispatchcount.capture.held import children, walk
from dispatchcount.capture.module_class import class_of
from dispatchcount.capture.module_rows import Seen, fused
from dispatchcount.capture.modules import Info, Modules
from dispatchcount.capture.torch_private import DispatchOff, FunctionsOff
from dispatchcount.capture.weights import Facts, weights_of
from dispatchcount.report.rows import NO_MODULE, Module

Taken = tuple[str, Info, str, bool, list[Facts]]
"""What is read of a module of a root when the block ends.

Its name in its root, who it is, its class, True if it only holds other modules, and its parameters.
"""


class Inventory:
    """Every module of the roots as it is now, and, as they are asked for, those that no root holds.

    Taking it reads little more than names and parameters; the table is made of that when it is
    asked for.
    """

    def __init__(self, modules: Modules, called: Collection[Info]) -> None:
        """`called`: the modules that were called so far."""
        self._modules = modules
        self._called = called
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
        taken: list[Taken] = []
        for name, part in walk(module):
            info = infos.get(id(part))
            if info is None or info.ref() is not part:
                info = held(root, part, name)
            of = class_of(part)  # which may be another one than when the block began
            called = of.name_of(part) if of.wraps else of.name
            weights = weights_of(part, of, used, unpacked)
            taken.append((name, info, called, of.container, weights))
        return taken

    @property
    def modules(self) -> tuple[Module, ...]:
        """The rows so far, a parent before its children."""
        seen = self._table()
        if len(self._rows) != len(seen):
            tied: dict[int, str] = {}
            done = fused(seen, lambda one: one.info in self._called)
            self._rows = tuple(
                one.row(tied, fused=part) for one, part in zip(seen, done, strict=True)
            )
        return self._rows

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
            index = self._by_info[info] = self._unheld(info)
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
                self._add_root(self._free_name(label or taken[0][2]), taken, 1)
        self._taken.clear()
        return self._seen

    def _add_root(self, prefix: str, taken: list[Taken], parent: int) -> None:
        parents: dict[str, int] = {}
        for relative, info, type_, container, weights in taken:
            name = f"{prefix}.{relative}" if prefix and relative else prefix or relative
            known = self._by_info.get(info)
            if known is not None:
                self._seen[known].aliases.append(name)
                continue
            # torch lets a module be held under any name, such as "" or "a.b" beside a module b in
            # a.
            above = parents.get(relative.rpartition(".")[0], parents[""]) if parents else parent
            free = self._free_name(name)
            seen = Seen(free, type_, above, info, weights, held=True, container=container)
            self._by_info[info] = index = self._add(seen)
            parents.setdefault(relative, index)

    def _unheld(self, info: Info) -> int:
        """A row for a module that no root holds, or that is gone.

        It lies under the module that it was found in or called from.
        """
        above = self.locate(info.above) if info.above is not None else 1
        base = self._seen[above].name if above else ""
        name = f"{base}.{info.label}" if base else info.label
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
