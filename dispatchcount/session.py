"""One run of a profiled block.

This is the one place where the parts of capture, costing and report are wired.
"""

from __future__ import annotations

import platform
import time as clock
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import get_ident
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dispatchcount._version import __version__
from dispatchcount.capture.compiled import STANCE
from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.frames import innermost_module
from dispatchcount.capture.held import guarded, training
from dispatchcount.capture.inventory import Inventory
from dispatchcount.capture.key import forget_packed
from dispatchcount.capture.mode_stacks import leave_dispatch_mode, leave_function_mode
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.observers.memory import MemoryWatch
from dispatchcount.capture.observers.observed import ObservedMode, Observer
from dispatchcount.capture.observers.timing import Timing
from dispatchcount.capture.observers.weights import Weights
from dispatchcount.capture.plan import Plans
from dispatchcount.capture.record import Node, Recording
from dispatchcount.capture.signature import Signature
from dispatchcount.capture.torch_functions import FunctionMode, Watcher
from dispatchcount.capture.torch_private import (
    DispatchOff,
    FunctionsOff,
    register_with_higher_order_operators,
)
from dispatchcount.costing.accountant import Accountant, Costs, Rows
from dispatchcount.costing.build import build
from dispatchcount.costing.samples import Sampler
from dispatchcount.report.rows import NO_MODULE, Meta
from dispatchcount.report_api import Report
from dispatchcount.rules.core.registry import RULES, Registry

KEPT = 1 << 13
"""Distinct calls that are remembered from block to block; with more, the next block starts anew."""

Roots = list[tuple[str | None, nn.Module]]
"""The modules that others are named from, each with the name that the user gave it, None where
none.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked of a block; see `dispatchcount.profile`."""

    convention: str
    strict: bool
    rules: Registry
    memory: tuple[Optimizer, ...] | None
    time: bool
    nonzero: bool
    functions: bool | Watcher
    labels: tuple[tuple[str, str], ...]
    wrappers: bool


@dataclass(slots=True)
class Learned:
    """What blocks learn of operators and of distinct calls.

    It depends on the rules, so blocks without rules of their own share it as long as no rule is
    registered.
    """

    version: int
    plans: Plans
    signatures: dict[Any, Signature] = field(default_factory=dict)
    costs: Costs = field(default_factory=dict)

    @staticmethod
    def under(rules: Registry) -> Learned:
        """What is known under these rules."""
        global _SHARED
        if rules is not RULES:
            return Learned(rules.version, Plans(rules))
        full = len(_SHARED.signatures) > KEPT or len(_SHARED.plans) > KEPT
        if full or _SHARED.version != RULES.version:
            _SHARED = Learned(RULES.version, Plans(RULES))
        return _SHARED


_SHARED = Learned(-1, Plans(RULES))


class Session:
    """One run of a block.

    Attributes:
        thread: the thread that it runs in.
        sampler: keeps the samples of the run.
    """

    def __init__(self, roots: Roots, options: Options) -> None:
        self.thread = get_ident()
        self._options = options
        learned = Learned.under(options.rules)
        self._modules = Modules(roots, closed=bool(roots), keep_wrappers=options.wrappers)
        self._recording = Recording(self._modules.outside, learned.signatures, self._fold)
        self._memory = (
            None if options.memory is None else MemoryWatch(self._modules, options.memory)
        )
        self._timing = Timing() if options.time else None
        self._weights = Weights(self._modules) if options.nonzero else None
        everyone: tuple[Observer | None, ...] = (self._memory, self._weights, self._timing)
        observers = [observer for observer in everyone if observer is not None]
        parts = (self._modules, self._recording, options.rules, learned.plans)
        self._mode = (
            ObservedMode(*parts, observers)
            if observers or options.functions
            else CountingMode(*parts)
        )
        self._tape = self._mode.calls.tape
        watcher = None if isinstance(options.functions, bool) else options.functions
        self._functions = FunctionMode(self._mode, watcher) if options.functions else None
        self._accountant = Accountant(options.rules, learned.costs, self._weights)
        self.sampler = Sampler(self._recording, self._tape, self._accountant)
        # What takes off each part that was put on.
        self._on: list[Callable[[], Any]] = []
        self._inventory: Inventory | None = None
        self._report: tuple[int, Report] | None = None
        self._training = training(roots[0][1]) if roots else None
        # The module in which an exception ended the block, and what the exception said.
        self._stopped: tuple[str | None, str | None] = (None, None)
        self._created = 0

    def open(self, undo: ExitStack) -> None:
        """Put everything on; `undo` takes it off again.

        What takes a part off is noted before the part is put on. `undo` takes everything off twice:
            where the user interrupts one attempt, the other goes on from there.
        """
        undo.callback(self._take_off)
        undo.callback(self._take_off)
        mode, memory, functions = self._mode, self._memory, self._functions
        register_with_higher_order_operators(type(mode))
        parts: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
            (lambda: STANCE.enter(self), lambda: STANCE.leave(self)),
            (mode.calls.install, mode.calls.remove),
            (mode.exports.install, mode.exports.remove),
        ]
        if memory is not None:
            parts.append((lambda: memory.open(mode), memory.remove))
        parts.append((mode.__enter__, lambda: leave_dispatch_mode(mode)))
        if functions is not None:
            parts.append((functions.__enter__, lambda: leave_function_mode(functions)))
        for put_on, take_off in parts:
            self._on.append(take_off)
            put_on()

    def _take_off(self) -> None:
        """Take off what is on, the last part first.

        A part that is off already is not harmed by it.
        """
        while self._on:
            self._safely(self._on[-1])
            self._on.pop()

    def rows(self, node: Node) -> Rows:
        """What the calls at one node cost; records that were folded are part of it."""
        return self._accountant.rows(node, {})

    def _fold(self) -> None:
        """Cost all records and keep only their sums, so that memory stays bounded.

        The sums are by operator, phase and dtype.

        The recording asks for this when it has too many records, perhaps while the tape is being
        put into the tree.
        """
        if self._timing is not None:
            self._timing.settle()
        self.sampler.bank()
        self._accountant.fold(self._recording.tree.descend())
        if self._weights is not None:
            self._weights.forget()
        self._recording.clear()
        self.sampler.restart()

    def finish(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Everything is off: take the figures that need a walk over what the block held."""
        if self._timing is not None:
            self._safely(self._timing.settle)
        if self._memory is not None:
            self._safely(self._memory.close)
        if self._weights is not None:
            self._safely(self._weights.close)
        self._safely(self.sampler.end)
        self._safely(forget_packed)
        self._created = int(clock.time())
        self._safely(self._take_inventory)
        if error is not None:
            self._safely(lambda: self._stop(error))

    def _safely(self, step: Callable[[], Any]) -> None:
        """Take a step; an error of ours must not hide how the user's block ended."""
        try:
            step()
        except Exception as error:
            what = type(error).__name__
            note = f"the end of the block met an error of dispatchcount's own: {what}"
            self._recording.notes[note] = None

    def _take_inventory(self) -> None:
        self._inventory = self._count_modules()

    def _count_modules(self) -> Inventory:
        with DispatchOff(), FunctionsOff():
            called = self._recording.latest
            return Inventory(self._modules, called, nonzero=self._options.nonzero)

    def _stop(self, error: BaseException) -> None:
        """Note where an exception ended the block."""
        self._stopped = NO_MODULE, f"{type(error).__name__}: {guarded(lambda: str(error), '')}"
        module = innermost_module(error)
        info = None if module is None else self._modules.info(module)
        if info is not None and self._inventory is not None:
            self._stopped = self._inventory.name(info), self._stopped[1]

    def report(self) -> Report:
        """What the block did so far.

        That of a block that ended is made once, unless rules change after it.
        """
        version = self._options.rules.version
        if self._report is not None and self._report[0] == version:
            return self._report[1]
        # Everything that is still under way is put where it belongs.
        self._tape.settle()
        if self._timing is not None:
            self._timing.settle()
        # The module table, as it was when the block ended, or as it is now.
        inventory = self._inventory or self._count_modules()
        for name in inventory.scripted():
            note = (
                f"{repr(name) if name else 'the root'} ran as TorchScript: "
                "what the modules inside it did is on its own row"
            )
            self._recording.notes[note] = None
        unread = inventory.unread()
        if unread:
            more = f" and {len(unread) - 1:,} more parameters" if unread[1:] else ""
            note = (
                f"the elements of {unread[0]}{more} are not among the non-zero ones, because they "
                "have no data here, or are spread over ranks"
            )
            self._recording.notes[note] = None
        report = build(
            self._recording,
            self._accountant,
            self.sampler,
            meta=self._meta(),
            convention=self._options.convention,
            locate=inventory.locate,
            modules=lambda: inventory.modules,
            make=Report,
            memory=None if self._memory is None else self._memory.rows(inventory),
        )
        if self._inventory is not None:
            self._report = (version, report)
        return report

    def _meta(self) -> Meta:
        return Meta(
            torch=str(torch.__version__),
            python=platform.python_version(),
            dispatchcount=__version__,
            created=self._created or int(clock.time()),
            model=", ".join(
                dict.fromkeys(info.innermost().type for _, info in self._modules.roots)
            ),
            training=self._training,
            stopped_in=self._stopped[0],
            error=self._stopped[1],
            labels=self._options.labels,
        )
