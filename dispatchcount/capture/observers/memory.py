"""The observer behind ``profile(memory=True)``.

It follows live bytes and their peak, and what parameters, gradients, optimizer state and saved
activations take up, module by module.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from dispatchcount.capture.held import buffers, guarded, parameters, tensors_within
from dispatchcount.capture.observers.saved import Saved
from dispatchcount.capture.observers.storages import Live, size_once
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import READABLE, DispatchOff, FunctionsOff
from dispatchcount.report.rows import Memory, ModuleMemory

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode
    from dispatchcount.capture.inventory import Inventory
    from dispatchcount.capture.modules import Info, Modules
    from dispatchcount.capture.plan import Plan
    from dispatchcount.capture.record import Place
    from dispatchcount.capture.tape import Tape

Sizes = dict["Info", int]
"""Bytes by module."""

_SAVING = "aten::detach"
"""Autograd calls this operator while a node saves: the node is there, what it saves is not yet."""

_SHARDING = ("c10d::", "_c10d_functional::", "fsdp::")
"""Libraries whose operators gather parameters.

FSDP later frees the memory that they wrote, under tensors that live on. No operator runs then."""

_RESULTS_LOOKED_AT = 1 << 10
"""Items in what a module returned that are looked at, in the search for tensors."""

_STATE_LOOKED_AT = 1 << 16
"""Items in what an optimizer keeps for one parameter that are looked at."""


class MemoryWatch:
    """Follows storages from the operator that first touches them to their end.

    Parameters, buffers and gradients of the roots count from the start, as does the state of the
    optimizers that it is told of. Those of other modules count from their first call, and all else
    from the first operator that reads or makes it. The peak is taken
    after every operator, with its operands and results alive. What a kernel allocates inside and
    frees again is not in it.

    It is an observer of operators (`before`, `after`, `recorded`; see `Observer`), and has hooks of
    its own on modules and optimizers.
    """

    def __init__(self, modules: Modules, optimizers: Iterable[Optimizer] = ()) -> None:
        self._modules = modules
        self._begun = tuple(optimizers)  # those whose state counts from the start
        self._live = Live()
        self._saved: Saved | None = None
        self._thread = get_ident()
        self._handles: list[RemovableHandle] = []
        # Modules whose parameters and buffers are known. A module that was made anew takes the
        # place of another, so the weak reference that the place had is noted as well.
        self._met: dict[Info, Any] = {}
        self._peak = 0
        self._place = (modules.outside, "")  # the module and operator of the peak
        self._gradients: Sizes = {}  # the most yet
        # The state of each optimizer, with a weak reference to it, and the most yet of all.
        self._optimizers: dict[int, tuple[weakref.ref[Optimizer], Sizes]] = {}
        self._optimizer: Sizes = {}
        self._final: tuple[Sizes, Sizes] | None = None  # parameters and gradients, once closed
        self._notes: dict[str, None] = {}
        self._tape: Tape

    def open(self, mode: CountingMode) -> None:
        """The block begins. `mode` has its own hooks on already."""
        self._saved = Saved(self._live, mode.calls.attribution)
        self._notes = mode.recording.notes
        self._tape = mode.calls.tape
        if not READABLE:
            self._notes[
                "this torch does not show what autograd saved for backward; the column is empty"
            ] = None
        self.watch()
        mode.exports.parties.append((self.remove, self.watch))
        with DispatchOff(), FunctionsOff():
            for info in list(self._modules.infos.values()):
                self._meet(info)
            for optimizer in self._begun:
                self._read_state(optimizer, alive=True)
        self._begun = ()
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
            # Take it off, then forget it: a Ctrl-C between the two has this called again.
            self._handles[-1].remove()
            self._handles.pop()

    def close(self) -> None:
        """The block is over.

        Take the hooks off, read what modules hold, and let go of everything else.
        """
        self.remove()
        saved = self._saved
        if saved is None or self._final is not None:
            return
        try:
            with DispatchOff(), FunctionsOff():
                saved.look()
                self._final = self._held()
        except Exception as error:
            # These figures are lost. How the block ended, and the rest of its report, must not be.
            self._final = {}, self._gradients
            self._notes[
                f"what the modules hold at the end could not be read ({type(error).__name__})"
            ] = None
        finally:
            saved.close()
            self._live.clear()
            self._met.clear()

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """An operator is about to run: look at what the one before it made autograd save."""
        if self._saved is not None and plan.packet != _SAVING:
            with DispatchOff(), FunctionsOff():
                self._saved.look()

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """An operator ran: its tensors are known from here on, and the peak may be a new one."""
        saved = self._saved
        if saved is None:
            return
        with DispatchOff(), FunctionsOff():
            # 1. Storages freed since the last operator.
            for storage in self._live.buried():
                saved.died(storage)
            # 2. Storages that this one was given or has made. A parameter's is not an activation.
            fickle = plan.packet.startswith(_SHARDING)
            for tensor in tensors_in((args, kwargs, out)):
                for storage in self._live.touch(tensor, fickle=fickle):
                    storage.given |= isinstance(tensor, nn.Parameter)
            # 3. The peak. What may have been freed unseen is looked at only where that matters.
            if self._live.nbytes > self._peak:
                self._live.read_again()
            if self._live.nbytes > self._peak:
                self._peak = self._live.nbytes
                self._place = (mode.calls.recorder.running().info, plan.name)
            # 4. The autograd node of this operator is looked at before the next one.
            if plan.packet != _SAVING:
                saved.ran((args, kwargs), out)

    def recorded(self, place: Place) -> None:
        """An operator was counted. No bytes depend on that."""

    def rows(self, inventory: Inventory) -> Memory:
        """What was seen so far, under the names that `inventory` gives the modules."""
        if self._final is not None:
            parameters, gradients = self._final
        else:
            with DispatchOff(), FunctionsOff():
                parameters, gradients = self._held()
        saved = {} if self._saved is None else self._saved.most
        # One row for each module that has bytes in some column.
        columns = (parameters, gradients, self._optimizer, saved)
        table: dict[int, list[int]] = {}
        for column, sizes in enumerate(columns):
            for info, nbytes in sizes.items():
                if nbytes:
                    table.setdefault(inventory.locate(info), [0, 0, 0, 0])[column] += nbytes
        info, op = self._place
        index = inventory.locate(info)  # this may add a row, so it comes before the rows are read
        rows = tuple(ModuleMemory(row, *table[row]) for row in sorted(table))
        return Memory(rows, self._peak, inventory.modules[index].name, op)

    def _meet(self, info: Info) -> None:
        """Parameters, buffers and gradients of a module are alive. It may have been met before."""
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
        """True if a hook may look around.

        It may in the block's thread, unless a line of ours is at work there already and a signal
        handler or a finalizer of the user's has called a module in between.
        """
        thread = get_ident()
        return thread == self._thread != self._tape.worker

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Say that a line of ours is at work in this thread; see `_free`."""
        before, self._tape.worker = self._tape.worker, get_ident()
        try:
            yield
        finally:
            self._tape.worker = before

    def _enter(self, module: nn.Module, args: Any) -> None:
        """A module is called: meet it."""
        info = self._modules.info(module)
        if self._free() and info is not None and self._met.get(info) is not info.ref:
            with self._at_work(), DispatchOff(), FunctionsOff():
                self._meet(info)

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        """A module returns: look at the graph behind what it returns.

        An autograd function written in Python may have made that, and no operator's result leads to
        the function's node.
        """
        if self._free() and self._saved is not None:
            with self._at_work(), DispatchOff(), FunctionsOff():
                lone = type(result) is Tensor
                for tensor in (result,) if lone else tensors_within(result, _RESULTS_LOOKED_AT):
                    self._saved.reach(tensor)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """An optimizer is about to use gradients: read them. Many loops drop them afterwards."""
        if self._free():
            with self._at_work(), DispatchOff(), FunctionsOff():
                self._gradients = self._held()[1]

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """An optimizer has taken a step: read its state."""
        if self._free():
            with self._at_work(), DispatchOff(), FunctionsOff():
                self._read_state(optimizer)

    def _read_state(self, optimizer: Optimizer, *, alive: bool = False) -> None:
        """Take the bytes of an optimizer's state.

        Args:
            optimizer: the optimizer.
            alive: True to have the state count as alive from here on, though no operator touched
                it.
        """
        # 1. Which module has each parameter? A tied one is its first module's.
        owners: dict[int, Info] = {}
        for info, held in self._owned():
            owners.setdefault(id(held), info)
        # 2. Bytes of this optimizer's state, by module. Its parameters may be no module's.
        sizes: Sizes = {}
        seen: set[tuple[int, int]] = set()
        kept: list[tuple[Tensor, Any]] = guarded(lambda: list(optimizer.state.items()), [])
        for parameter, state in kept:
            info = owners.get(id(parameter), self._modules.outside)
            for tensor in tensors_within(state, _STATE_LOOKED_AT):
                sizes[info] = sizes.get(info, 0) + size_once(tensor, seen)
                if alive:
                    self._live.touch(tensor)
        # 3. The state of all optimizers that are alive, together.
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
        """Bytes of every module's own parameters now, and the most yet of their gradients.

        A tied parameter, and its gradient, are those of the first module that has it.
        """
        sizes: Sizes = {}
        gradients: Sizes = {}
        seen: set[tuple[int, int]] = set()
        for info, held in self._owned():
            if not is_lazy(held):
                sizes[info] = sizes.get(info, 0) + size_once(held, seen)
                if held.is_leaf and held.grad is not None:
                    gradients[info] = gradients.get(info, 0) + size_once(held.grad, seen)
        return sizes, _most(self._gradients, gradients)

    def _owned(self) -> Iterator[tuple[Info, Tensor]]:
        """The parameters of all known modules that are alive, each with its module."""
        for info in list(self._modules.infos.values()):
            module = info.module()
            for _, held in () if module is None else parameters(module):
                yield info, held


def _most(before: Sizes, now: Sizes) -> Sizes:
    """For each module in either, the greater size."""
    return {info: max(before.get(info, 0), now.get(info, 0)) for info in before | now}
