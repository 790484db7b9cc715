"""Whose data a collective moves, and if they are the model's at all.

The module that runs when a collective is called is often not the one whose data it moves. A sharded
layer's parameters are gathered ahead of time, while another layer runs; a bucket of gradients is
sent when the last of them is there. So the owner is looked for, in this order:

1. what torch's own code is moving right now: the modules that were sharded together (FSDP), the
   parameters of a bucket that a communication hook is given, or the stages between which a pipeline
   passes on what they made;
2. the parameters whose gradients were written into the operand's memory since the backward pass
   began, which is how a bucket is filled;
3. the parameter, or the parameter's gradient, whose memory an operand is.

Of several modules the owner is the deepest module that holds them all. If none of
these is found, the data are what the running module works on, and it is the owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dispatchcount.capture.attribution import Attribution
from dispatchcount.capture.distributed_frames import (
    called_by_backward,
    in_control,
    in_set_up,
    moved_bucket,
    moved_shards,
    moved_stages,
)
from dispatchcount.capture.frames import running_module
from dispatchcount.capture.held import guarded, parameters
from dispatchcount.capture.modules import Info, Modules
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.subclass import flattened
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import (
    address_of,
    current_node,
    graph_task,
    next_sequence,
)
from dispatchcount.rules.core.traffic import BARRIER, pattern_of

Held = dict[int, list[Info]]
"""The modules that hold tensors, by the address of the tensors' memory."""


class Claim(NamedTuple):
    """What is known of a collective besides who runs.

    Attributes:
        owner: the module whose data it moves; None if that is the one that runs.
        runs: the module that runs, where Python's stack shows a call of one; else None.
        control: True if it carries no data of the model's.
        set_up: True if it is part of setting up a distributed run. It is control then, too.
    """

    owner: Info | None = None
    runs: Info | None = None
    control: bool = False
    set_up: bool = False


class Claims:
    """Finds the owners of the collectives of one block."""

    def __init__(self, modules: Modules, attribution: Attribution) -> None:
        self._modules = modules
        self._attribution = attribution
        # The modules of the parameters whose gradients were written into memory, by its address,
        # in the backward pass `_pass`.
        self._filled: dict[int, list[Info]] = {}
        self._pass = -1
        # The modules of parameters and of gradients by the address of their memory, and what tells
        # that the addresses may have changed.
        self._parameters: Held = {}
        self._gradients: Held = {}
        self._parameters_at: object = None
        self._gradients_at: object = None
        self._common: dict[tuple[Info, ...], Info | None] = {}

    def of(self, plan: Plan, args: Any, kwargs: Any) -> Claim:
        """What is known of a collective that runs now, called with these operands.

        The objects that are asked are torch's own, and another torch may have other ones. Whatever
        comes of asking, the user's run goes on, and the collective is that of the running module.
        """
        return guarded(lambda: self._of(plan, args, kwargs), Claim())

    def _of(self, plan: Plan, args: Any, kwargs: Any) -> Claim:
        module = running_module()
        runs = None if module is None else self._modules.info(module)
        set_up = in_set_up()
        if set_up or pattern_of(plan.name) is BARRIER or in_control() or _is_book_keeping(args):
            return Claim(None, runs, control=True, set_up=set_up)
        owners = tuple(dict.fromkeys(self._owners(args, kwargs)))
        return Claim(self._deepest(owners), runs)

    def filled(self, operands: Any, memory: Any) -> None:
        """An operator of a backward pass wrote what it made of its operands into other memory.

        So ``DistributedDataParallel`` fills its buckets, in a hook of the autograd node that
        accumulates the gradient, or at the end of the pass.
        """
        task = graph_task()
        if task != self._pass:
            self._pass, self._filled = task, {}
        variable = getattr(current_node(), "variable", None)
        found = (
            [self._attribution.holder(variable)]
            if variable is not None
            else [
                info
                for address in _addresses(operands)
                for info in self._found(self._gradients_now(), address)
            ]
        )
        for address in _addresses(memory):
            self._filled.setdefault(address, []).extend(info for info in found if info is not None)

    def _owners(self, args: Any, kwargs: Any) -> Iterator[Info]:
        """The modules of the parameters whose data are moved, as far as they are known."""
        modules = moved_shards() or moved_stages()
        infos = list(map(self._modules.info, modules))
        if not infos and graph_task() != -1:
            infos = list(map(self._attribution.holder, moved_bucket()))
        known = [info for info in infos if info is not None]
        yield from known
        for address in () if known else _addresses((args, kwargs)):
            if address in self._filled:
                yield from self._filled.pop(address)
                continue
            for table in (self._parameters_now(), self._gradients_now()):
                yield from self._found(table, address)

    def _parameters_now(self) -> Held:
        """The modules of parameters, read anew when there are other modules."""
        now = len(self._modules.infos)
        if self._parameters_at != now:
            self._parameters_at = now
            self._parameters = self._read(gradients=False)
        return self._parameters

    def _gradients_now(self) -> Held:
        """The modules of gradients.

        They are read anew for each backward pass, and after it whenever a graph was built since.
        """
        task = graph_task()
        now = len(self._modules.infos), task, next_sequence() if task == -1 else 0
        if self._gradients_at != now:
            self._gradients_at = now
            self._gradients = self._read(gradients=True)
        return self._gradients

    def _read(self, *, gradients: bool) -> Held:
        table: Held = {}
        for info in list(self._modules.infos.values()):
            module = info.module()
            for _name, held in () if module is None else parameters(module):
                for address in _addresses(held.grad if gradients else held):
                    table.setdefault(address, []).append(info)
        return table

    def _found(self, table: Held, address: int) -> Iterator[Info]:
        """The modules of the memory at an address, which may be another tensor's by now."""
        for info in table.get(address, ()):
            module = info.module()
            for _name, held in () if module is None else parameters(module):
                if address in (*_addresses(held), *_addresses(held.grad)):
                    yield info
                    break

    def _deepest(self, infos: tuple[Info, ...]) -> Info | None:
        """The deepest module that holds all of these; None if none does."""
        if len(infos) <= 1:
            return infos[0] if infos else None
        if infos not in self._common:
            self._common[infos] = self._deepest_of(infos)
        return self._common[infos]

    def _deepest_of(self, infos: tuple[Info, ...]) -> Info | None:
        roots = {info if info.above is None else info.above for info in infos}
        if len(roots) > 1:
            return None
        [root] = roots
        # Names below a root are dotted, so that what their beginnings share names the module.
        names = [info.label.split(".") if info is not root else [] for info in infos]
        shared: list[str] = []
        for parts in zip(*names, strict=False):
            if len(set(parts)) > 1:
                break
            shared.append(parts[0])
        label = ".".join(shared)
        below = {info.label: info for info in self._modules.infos.values() if info.above is root}
        return below.get(label, root) if label else root


def _addresses(value: Any) -> Iterator[int]:
    """The addresses of the memory of the tensors in operands, or of what wrappers there hold."""
    for tensor in tensors_in(value):
        inside = flattened(tensor)
        if inside is not None:
            yield from _addresses(inside)
            continue
        try:
            yield address_of(tensor.untyped_storage())
        except (NotImplementedError, RuntimeError):  # it has no storage (sparse, nested, opaque)
            continue


def _is_book_keeping(args: Any) -> bool:
    """True if the backward pass itself sends integers, which no gradient is.

    ``DistributedDataParallel`` tells the other ranks so which parameters this one used.
    """
    return (
        graph_task() != -1
        and not any(
            tensor.is_floating_point() or tensor.is_complex() for tensor in tensors_in(args)
        )
        and called_by_backward()
    )
