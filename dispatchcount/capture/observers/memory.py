"""The observer behind ``profile(memory=True)``.

Live bytes and their peak, and what parameters, gradients, optimizer state and saved activations take up, module by module.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from dispatchcount.capture.held import buffers, guarded, parameters, tensors_within
from dispatchcount.capture.key import tensors_in
from dispatchcount.capture.observers.saved import READABLE, Saved
from dispatchcount.capture.observers.storages import Live, size_once
from dispatchcount.report.rows import Memory, ModuleMemory

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode
    from dispatchcount.capture.inventory import Inventory
    from dispatchcount.capture.modules import Info, Modules
    from dispatchcount.capture.plan import Plan
    from dispatchcount.capture.record import Place
    from dispatchcount.capture.tape import Tape

Sizes = dict["Info", int]

_SAVING = "aten::detach"
"""Autograd calls it in the middle of saving: the node is there, and what it saves is not yet."""

_SHARDING = ("c10d::", "_c10d_functional::", "fsdp::")
"""Libraries whose operators gather parameters. FSDP later frees the memory that they wrote, under tensors that live on."""

_RESULTS_LOOKED_AT = 1 << 10
"""Items of what a module returned that are looked through for tensors."""

_STATE_LOOKED_AT = 1 << 16
"""Items of what an optimizer keeps for a parameter that are."""


class MemoryWatch:
    """Follows storages from the operator that first touches them to their end.

    Parameters, buffers and gradients of the roots count from the start, those of other modules from their first call; all else
    from the first operator that reads or makes it. The peak is taken after every operator, with its operands and results
    alive; what a kernel uses inside and frees again is not in it.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._live = Live()
        self._saved: Saved | None = None
        self._thread = get_ident()
        self._handles: list[Any] = []
        self._met: dict[
            Info, Any
        ] = {}  # with the reference it had: modules made anew take the place of others
        self._peak = 0
        self._place = (modules.outside, "")
        self._gradients: Sizes = {}
        self._optimizers: dict[int, tuple[Any, Sizes]] = {}  # with a weak reference to each
        self._optimizer: Sizes = {}
        self._final: tuple[Sizes, Sizes] | None = None
        self._notes: dict[str, None] = {}
        self._tape: Tape

    def open(self, mode: CountingMode) -> None:
        """The block begins; `mode` has its own hooks on already."""
        self._saved = Saved(self._live, mode.calls.attribution)
        self._notes = mode.recording.notes
        self._tape = mode.calls.tape
        if not READABLE:
            self._notes[
                "this torch does not show what autograd saved for backward; the column is empty"
            ] = None
        self.watch()
        mode.exports.parties.append((self.remove, self.watch))
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            for info in list(self._modules.infos.values()):
                self._meet(info)
        self._peak = self._live.nbytes

    def watch(self) -> None:
        """Put the hooks on."""
        self._handles.append(register_module_forward_pre_hook(self._enter))
        self._handles.append(register_module_forward_hook(self._leave))
        self._handles.append(register_optimizer_step_pre_hook(self._before_step))
        self._handles.append(register_optimizer_step_post_hook(self._after_step))

    def remove(self) -> None:
        """Take the hooks off."""
        while self._handles:
            self._handles[
                -1
            ].remove()  # and only then forget it: who is interrupted between the two may call this again
            self._handles.pop()

    def close(self) -> None:
        """The block is over: take the hooks off, read what modules hold, let go of everything else."""
        self.remove()
        saved = self._saved
        if saved is None or self._final is not None:
            return
        try:
            with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                saved.look()
                self._final = self._held()
        except Exception as error:  # the figures are lost; how the block ended, and all else in its report, must not be
            self._final = {}, self._gradients
            self._notes[
                f"what the modules hold at the end could not be read ({type(error).__name__})"
            ] = None
        finally:
            saved.close()
            self._live.clear()
            self._met.clear()

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """See `Observer`."""
        if self._saved is not None and plan.packet != _SAVING:
            with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                self._saved.look()

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """See `Observer`."""
        saved = self._saved
        if saved is None:
            return
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            for storage in self._live.buried():
                saved.died(storage)
            fickle = plan.packet.startswith(_SHARDING)
            for tensor in tensors_in((args, kwargs, out)):
                for storage in self._live.touch(tensor, fickle=fickle):
                    storage.given |= isinstance(tensor, nn.Parameter)
            if self._live.nbytes > self._peak:
                self._live.read_again()
            if self._live.nbytes > self._peak:
                self._peak = self._live.nbytes
                self._place = (mode.calls.running().info, plan.name)
            if plan.packet != _SAVING:
                saved.ran((args, kwargs), out)

    def recorded(self, place: Place) -> None:
        """See `Observer`."""

    def rows(self, inventory: Inventory) -> Memory:
        """What was seen so far, under the names that `inventory` gives the modules."""
        if self._final is not None:
            parameters, gradients = self._final
        else:
            with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                parameters, gradients = self._held()
        saved = {} if self._saved is None else self._saved.most
        columns = (parameters, gradients, self._optimizer, saved)
        table: dict[int, list[int]] = {}
        for column, sizes in enumerate(columns):
            for info, nbytes in sizes.items():
                if nbytes:
                    table.setdefault(inventory.locate(info), [0, 0, 0, 0])[column] += nbytes
        info, op = self._place
        index = inventory.locate(info)  # which may be a row more
        rows = tuple(ModuleMemory(row, *table[row]) for row in sorted(table))
        return Memory(rows, self._peak, inventory.modules[index].name, op)

    def _meet(self, info: Info) -> None:
        """Parameters, buffers and gradients of a module not met before are alive."""
        module = info.module()
        if module is None or self._met.get(info) is info.ref:
            return
        self._met[info] = info.ref
        for _, held in (*parameters(module), *buffers(module)):
            if not is_lazy(held):
                for storage in self._live.touch(held):
                    storage.given = True
                if held.is_leaf and held.grad is not None:
                    self._live.touch(held.grad)

    def _free(self) -> bool:
        """True in the block's thread, unless a line of ours is at work there and a signal handler or a finalizer calls."""
        thread = get_ident()
        return thread == self._thread != self._tape.worker

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        before, self._tape.worker = self._tape.worker, get_ident()
        try:
            yield
        finally:
            self._tape.worker = before

    def _enter(self, module: nn.Module, args: Any) -> None:
        info = self._modules.info(module)
        if self._free() and info is not None and self._met.get(info) is not info.ref:
            with self._at_work(), torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                self._meet(info)

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        """What a call returns may be made by a function written in Python, which no operator's result leads to."""
        if self._free() and self._saved is not None:
            with self._at_work(), torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                tensors = (
                    (result,)
                    if type(result) is torch.Tensor
                    else tensors_within(result, _RESULTS_LOOKED_AT)
                )
                for tensor in tensors:
                    self._saved.reach(tensor)

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Gradients are read when an optimizer is about to use them: many loops drop them before the block ends."""
        if self._free():
            with self._at_work(), torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
                self._gradients = self._held()[1]

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._free():
            return
        owners: dict[int, Info] = {}
        for info, held in self._owned():
            owners.setdefault(id(held), info)
        sizes: Sizes = {}
        seen: set[tuple[int, int]] = set()
        with self._at_work(), torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            kept: list[tuple[Any, Any]] = guarded(lambda: list(optimizer.state.items()), [])
            for parameter, state in kept:
                info = owners.get(id(parameter), self._modules.outside)
                tensors = tensors_within(state, _STATE_LOOKED_AT)
                sizes[info] = sizes.get(info, 0) + sum(
                    size_once(tensor, seen) for tensor in tensors
                )
        self._optimizers = {
            key: pair for key, pair in self._optimizers.items() if pair[0]() is not None
        }
        self._optimizers[id(optimizer)] = weakref.ref(optimizer), sizes
        total: Sizes = {}
        for _, known in self._optimizers.values():
            for info, nbytes in known.items():
                total[info] = total.get(info, 0) + nbytes
        self._optimizer = _most(self._optimizer, total)

    def _held(self) -> tuple[Sizes, Sizes]:
        """Bytes of every module's own parameters now, and the most yet of their gradients."""
        sizes: Sizes = {}
        gradients: Sizes = {}
        seen: set[tuple[int, int]] = set()
        for info, held in self._owned():
            if not is_lazy(held):
                sizes[info] = sizes.get(info, 0) + size_once(held, seen)
                if held.is_leaf and held.grad is not None:
                    gradients[info] = gradients.get(info, 0) + size_once(held.grad, seen)
        return sizes, _most(self._gradients, gradients)

    def _owned(self) -> Iterator[tuple[Info, torch.Tensor]]:
        """The parameters of all modules known that are alive."""
        for info in list(self._modules.infos.values()):
            module = info.module()
            for _, held in () if module is None else parameters(module):
                yield info, held


def _most(before: Sizes, now: Sizes) -> Sizes:
    """The greater of the two, module by module."""
    return {info: max(before.get(info, 0), now.get(info, 0)) for info in before | now}
