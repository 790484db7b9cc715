"""The module table of a report, read off the live modules when a block ends (or a snapshot is asked for)."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import nn
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree

from dispatchcount.capture.held import children, entries_of, extra_repr, guarded, is_tensor, walk
from dispatchcount.capture.names import Info, Kind, Names, kind_of
from dispatchcount.report.rows import NO_MODULE, Module, Parameter

_PARAMETER = nn.Parameter

Fact = tuple[str, int, Any, torch.dtype, bool, bool]
"""A parameter as it was when the block ended: its key, id, sizes (None of a lazy one) and dtype, whether it is trained, and
whether an operator was seen to use it."""


class Seen:
    """A module as it was when the block ended: plain data but for a weak reference. Its row is made when it is asked for."""

    __slots__ = ("aliases", "container", "facts", "held", "info", "name", "parent", "type")

    def __init__(
        self,
        name: str,
        kind: str,
        parent: int,
        info: Info | None,
        facts: list[Fact],
        *,
        held: bool,
        container: bool,
    ) -> None:
        self.name = name
        self.type = kind
        self.parent = parent
        self.info = info
        self.facts = facts
        self.held = held
        self.container = container
        self.aliases: list[str] = []

    @property
    def called(self) -> bool:
        """True if it was called."""
        return self.info is not None and self.info.last is not None

    @property
    def used(self) -> bool:
        """True if an operator was seen to use one of its parameters."""
        return any(fact[-1] for fact in self.facts)

    def row(self, tied: dict[int, str], *, fused: bool) -> Module:
        """The row of it; `tied` has the name under which each parameter was met first."""
        module = None if self.info is None else self.info.module()
        return Module(
            self.name,
            self.type,
            self.parent,
            "" if module is None else extra_repr(module),
            tuple(self.aliases),
            tuple(self._parameter(tied, *fact) for fact in self.facts),
            self.container,
            fused,
        )

    def _parameter(
        self,
        tied: dict[int, str],
        key: str,
        tensor: int,
        sizes: Any,
        dtype: torch.dtype,
        trainable: bool,
        _: bool,
    ) -> Parameter:
        """A parameter of a module that no root holds is listed, and counts nothing: it is none of the roots'."""
        name = f"{self.name}.{key}" if self.name else key
        first = tied.setdefault(tensor, name)
        shape = tuple(map(int, sizes or ()))
        numel = prod(shape) if self.held and sizes is not None else 0
        return Parameter(
            name,
            shape,
            numel,
            str(dtype).removeprefix("torch."),
            trainable,
            None if first is name else first,
        )


class Inventory:
    """Every module of the roots as it is now, and, as they are asked for, those that no root holds.

    Taking it reads little more than names and parameters; the table is made of that when it is asked for.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._used = names.used
        self._unpacked: list[
            torch.Tensor
        ] = []  # alive until all is read, so that an id stays one tensor's
        live = [
            (label, info, module)
            for label, info in names.roots
            if (module := info.module()) is not None
        ]
        with (
            torch._C._DisableTorchDispatch(),
            torch._C.DisableTorchFunction(),
        ):  # a snapshot runs nothing of the block's
            self._taken = [
                (label, self._take(info, module)) for label, info, module in _outermost(live)
            ]
        self._unpacked.clear()
        self._seen: list[Seen] = []
        self._rows: tuple[Module, ...] = ()
        self._by_name: dict[str, int] = {}
        self._by_info: dict[Info, int] = {}

    def _take(self, root: Info, module: nn.Module) -> list[Taken]:
        infos, held = self._names.infos, self._names.held
        taken: list[Taken] = []
        for name, part in walk(module):
            info = infos.get(id(part))
            if info is None or info.ref() is not part:
                info = held(root, part, name)
            kind = kind_of(type(part))  # which may be another by now
            called = kind.name_of(part) if kind.wraps else kind.name
            taken.append((name, info, called, kind.container, self._facts(part, kind)))
        return taken

    def _facts(self, module: nn.Module, kind: Kind) -> list[Fact]:
        used = self._used
        facts: list[Fact] = []
        for key, t in entries_of(module, "_parameters"):
            if type(t) is _PARAMETER:
                address = id(t)
                facts.append((key, address, t.shape, t.dtype, t.requires_grad, address in used))
            elif t is not None and is_tensor(t):
                facts.append((key, id(t), _sizes(t), t.dtype, t.requires_grad, id(t) in used))
        if not kind.plain:
            for value, packed in _packed(module):
                facts += [
                    (key, id(t), _sizes(t), t.dtype, t.requires_grad, used.has(value))
                    for key, t in packed.items()
                ]
                self._unpacked += packed.values()
        return facts

    @property
    def modules(self) -> tuple[Module, ...]:
        """The rows so far, a parent before its children."""
        seen = self._table()
        if len(self._rows) != len(seen):
            tied: dict[int, str] = {}
            self._rows = tuple(
                one.row(tied, fused=fused) for one, fused in zip(seen, _fused(seen), strict=True)
            )
        return self._rows

    def name(self, info: Info) -> str:
        """The name of a module that was called."""
        return self._table()[self.locate(info)].name

    def scripted(self) -> list[str]:
        """Names of the modules that TorchScript ran with others inside them: those are called where no hook sees it."""
        called = [
            (info, module)
            for info in self._names.infos.values()
            if info.last and (module := info.module()) is not None
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
        self._by_info[self._names.outside] = 0
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
        for relative, info, kind, container, facts in taken:
            name = f"{prefix}.{relative}" if prefix and relative else prefix or relative
            known = self._by_info.get(info)
            if known is not None:
                self._seen[known].aliases.append(name)
                continue
            # torch lets a module be held under any name, such as "" or "a.b" beside a module b in a.
            above = parents.get(relative.rpartition(".")[0], parents[""]) if parents else parent
            seen = Seen(
                self._free_name(name), kind, above, info, facts, held=True, container=container
            )
            self._by_info[info] = index = self._add(seen)
            parents.setdefault(relative, index)

    def _unheld(self, info: Info) -> int:
        """A row for a module that no root holds, or that is gone: under the module it was found in or called from."""
        above = self.locate(info.above) if info.above is not None else 1
        base = self._seen[above].name if above else ""
        name = f"{base}.{info.label}" if base else info.label
        index = self._by_name.get(name)
        if index is None:
            module = info.module()
            kind = None if module is None else kind_of(type(module))
            facts = [] if module is None or kind is None else self._facts(module, kind)
            container = kind is None or kind.container
            index = self._add(
                Seen(name, info.type, above or -1, info, facts, held=False, container=container)
            )
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


Taken = tuple[str, Info, str, bool, list[Fact]]
"""What is read of a module at once: its name in its root, who it is, its class, whether that is a container, its parameters."""


def _fused(seen: list[Seen]) -> list[bool]:
    """For each module by index: True if it was not called, and operators of a module around it did its part.

    They did if they used a parameter of it, or where it has none, one of a module in it. A module without any, a dropout say,
    has no such trace: it is taken for a part of what ran as one, if that called nothing in it and left nothing in it unused.
    """
    used = [
        one.used and not one.called for one in seen
    ]  # it, or a module in it that was not called
    idle = [bool(one.facts) and not (one.used or one.called) for one in seen]
    calls = [False] * len(seen)  # of modules in it
    for index in range(len(seen) - 1, 0, -1):  # a parent's index is smaller than its children's
        above = seen[index].parent
        if above >= 0:
            used[above] |= used[index]
            idle[above] |= idle[index]
            calls[above] |= calls[index] or seen[index].called
    fused, as_one = [False] * len(seen), [False] * len(seen)
    for index, one in enumerate(seen):
        if one.called:
            as_one[index] = used[index] and not (idle[index] or calls[index])
            continue
        as_one[index] = one.parent >= 0 and as_one[one.parent]
        fused[index] = not one.container and (
            as_one[index] or (one.used if one.facts else used[index])
        )
    return fused


def _sizes(tensor: torch.Tensor) -> Any:
    """The sizes of a parameter; None where it has none yet, or none that are numbers (nested tensors)."""
    return None if is_lazy(tensor) else guarded(lambda: tuple(map(int, tensor.shape)), None)


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


def _packed(module: nn.Module) -> list[tuple[torch.ScriptObject, dict[str, torch.Tensor]]]:
    """Weights that a quantized module keeps packed in torchbind objects instead of as parameters, by the object."""
    found: list[tuple[torch.ScriptObject, dict[str, torch.Tensor]]] = []
    attributes = object.__getattribute__(module, "__dict__")
    if torch.ScriptObject not in map(type, attributes.values()):
        return found
    for key, value in list(attributes.items()):
        if type(value) is torch.ScriptObject:
            stem = "" if key == "_packed_params" else f"{key}."
            nothing: dict[str, Any] = {}
            parts = guarded(lambda: _unpacked(value), nothing)  # noqa: B023  # called at once
            tensors = {
                f"{stem}{part}": tensor
                for part, tensor in parts.items()
                if isinstance(tensor, torch.Tensor)
            }
            found.append((value, tensors))
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
