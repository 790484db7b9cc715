"""`profile`: the with-block. Puts capture, rules and report together."""

from __future__ import annotations

import platform
import time as clock
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import get_ident
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import nn

from dispatchcount._version import __version__
from dispatchcount.capture.compiled import STANCE
from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.frames import innermost_module
from dispatchcount.capture.held import guarded, is_module, training
from dispatchcount.capture.inventory import Inventory
from dispatchcount.capture.kernel import kernel as kernel
from dispatchcount.capture.key import forget_packed
from dispatchcount.capture.mode_stacks import leave_dispatch_mode, leave_function_mode
from dispatchcount.capture.names import Names
from dispatchcount.capture.observed import ObservedMode
from dispatchcount.capture.observers.memory import MemoryWatch
from dispatchcount.capture.plan import Plans
from dispatchcount.capture.record import Recording, Signature
from dispatchcount.capture.sampling import Sampler
from dispatchcount.capture.timing import Timing
from dispatchcount.capture.torch_functions import FunctionMode, Watcher
from dispatchcount.capture.torch_private import register_with_higher_order_operators
from dispatchcount.costing.build import Accountant, build
from dispatchcount.errors import UncountedError
from dispatchcount.report.conventions import find_convention
from dispatchcount.report.rows import NO_MODULE, Meta
from dispatchcount.report.tally import Tally
from dispatchcount.report_api import Report
from dispatchcount.rules import library as library
from dispatchcount.rules.core.register import local_rules
from dispatchcount.rules.core.registry import RULES, Registry, Rule

T = TypeVar("T")


KEPT = 1 << 13
"""Distinct calls that are remembered from block to block; with more, the next block starts anew."""


class _Shared:
    plans: Plans
    signatures: dict[Any, Signature]
    version = -1


_SHARED = _Shared()


class _Exit:
    """`Profile.__exit__`: a ``with`` gets the standard library's own `ExitStack.__exit__`.

    A Ctrl-C may arrive at any line, also at the first one of an `__exit__`. One written here would then be left before it has
    undone anything.
    """

    def __get__(self, profile: Profile | None, owner: type[Profile]) -> Callable[..., bool | None]:
        if profile is None:
            return Profile._leave
        return profile._leave if profile._depth else profile._undo.__exit__


class Profile:
    """A block being profiled, and its report. Made by `profile`."""

    def __init__(
        self,
        roots: list[tuple[str | None, nn.Module]],
        *,
        convention: str,
        strict: bool,
        rules: Registry,
        memory: bool,
        time: bool,
        functions: bool | Watcher,
        labels: Mapping[str, str],
    ) -> None:
        self._roots = roots
        self._convention = convention
        self._strict = strict
        self._rules = rules
        self._memory = memory
        self._time = time
        self._functions = functions
        self._labels = tuple((str(key), str(value)) for key, value in labels.items())
        self._session: _Session | None = None
        self._undo = ExitStack()
        self._depth = 0

    def __enter__(self) -> Profile:
        if self._depth:
            if self._session is None or self._session.thread != get_ident():
                raise RuntimeError(
                    "this profile is open in another thread; make one profile() for each thread"
                )
            self._depth += 1
            return self
        try:
            session = _Session(self._roots, self._rules, self._memory, self._time, self._functions)
            state = torch._C._get_torch_function_state()
            self._undo.callback(self._close, state)
            self._undo.callback(self._close, state)
            self._undo.push(self._end)
            self._undo.push(session.finish)
            session.open(self._undo)
            self._session, self._depth = session, 1
            return self
        except BaseException:  # a Ctrl-C too: nothing may be left half open
            self._depth = 0
            self._undo.pop_all().close()
            raise

    __exit__ = _Exit()

    def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Leave the block once; it ends when it was left as often as it was entered."""
        if self._depth > 1:
            self._depth -= 1
            return None
        return self._undo.__exit__(kind, error, trace)

    def _end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._strict and self._depth and error is None:
            _raise_uncounted(self.report)

    def _close(self, torch_functions: Any) -> None:
        """The block is closed. torch functions, off while modules are looked at, are as they were, also after a Ctrl-C then."""
        self._depth = 0
        torch._C._set_torch_function_state(torch_functions)

    @property
    def report(self) -> Report:
        """What the block did; inside the block what it did so far.

        Raises:
            RuntimeError: the block was not entered yet.
        """
        if self._session is None:
            raise RuntimeError(
                "nothing was profiled yet; run the model inside `with dispatchcount.profile(model) as prof:`"
            )
        return self._session.report(self._convention, self._labels)

    @contextmanager
    def sample(self, label: str) -> Iterator[None]:
        """One input of many: what runs inside is in the report as a whole and as sample `label`.

        Raises:
            RuntimeError: the profile is not open, or a sample is.
        """
        if self._session is None or not self._depth:
            raise RuntimeError("sample() works inside the profile's with-block")
        with self._session.sampler.sample(str(label)):
            yield

    def samples(
        self, inputs: Iterable[T], label: Callable[[int, T], str] | None = None
    ) -> Iterator[T]:
        """Iterate over `inputs`, each a sample of its own, which ends when the next is asked for.

        ``next(samples)`` in a forward pre-hook makes a sample of each call of a module, such as each step of a generation.

        Args:
            inputs: a DataLoader, a list, anything that iterates.
            label: names a sample from its index and the input; by default the index.
        """
        for index, item in enumerate(inputs):
            with self.sample(label(index, item) if label else str(index)):
                yield item


class _Session:
    """One run of a block."""

    def __init__(
        self,
        roots: list[tuple[str | None, nn.Module]],
        rules: Registry,
        memory: bool,
        time: bool,
        functions: bool | Watcher,
    ) -> None:
        self.thread = get_ident()
        self._names = Names(roots, closed=bool(roots))
        plans, signatures = _caches(rules)
        self._memory = MemoryWatch(self._names) if memory else None
        self._timing = Timing() if time else None
        self._accountant = Accountant(rules, self._timing.times if self._timing else {})
        observers = [observer for observer in (self._memory, self._timing) if observer is not None]
        fold = (
            self._timing.settling(self._accountant.fold) if self._timing else self._accountant.fold
        )
        self._recording = Recording(self._names.outside, fold, signatures)
        self._mode = (
            ObservedMode(self._names, self._recording, rules, plans, observers)
            if observers or functions
            else CountingMode(self._names, self._recording, rules, plans)
        )
        watcher = None if isinstance(functions, bool) else functions
        self._functions = FunctionMode(self._mode, watcher) if functions else None
        self.sampler = Sampler(
            self._recording, self._mode.calls.unfinished, self._accountant.add, Tally
        )
        self._on: list[Callable[[], Any]] = []
        self._inventory: Inventory | None = None
        self._report: tuple[tuple[str, int], Report] | None = None
        self._training = training(roots[0][1]) if roots else None
        self._stopped: tuple[str | None, str | None] = (None, None)
        self._created = 0

    def open(self, undo: ExitStack) -> None:
        """Put everything on; `undo` takes it off again.

        What takes a part off is noted before the part is put on. `undo` does it twice: where the user interrupts one attempt,
        the other goes on from there.
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
        """Take off what is on, the last part first. A part that is off already is not harmed by it."""
        while self._on:
            self._safely(self._on[-1])
            self._on.pop()

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
            self._recording.notes[
                f"the end of the block met an error of dispatchcount's own: {type(error).__name__}"
            ] = None

    def _take_inventory(self) -> None:
        self._inventory = self._count_modules()

    def _count_modules(self) -> Inventory:
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            return Inventory(self._names)

    def _stop(self, error: BaseException) -> None:
        """Note where an exception ended the block."""
        self._stopped = NO_MODULE, f"{type(error).__name__}: {guarded(lambda: str(error), '')}"
        module = innermost_module(error)
        info = None if module is None else self._names.info(module)
        if info is not None and self._inventory is not None:
            self._stopped = self._inventory.name(info), self._stopped[1]

    def report(self, convention: str, labels: tuple[tuple[str, str], ...]) -> Report:
        key = (convention, self._accountant.rules.version)
        if self._report is not None and self._report[0] == key:
            return self._report[1]
        self._recording.settle()
        inventory = self._inventory or self._count_modules()
        if self._timing is not None:
            self._timing.settle()
        for name in inventory.scripted():
            note = f"{name or 'the root'!r} ran as TorchScript: what the modules inside it did is on its own row"
            self._recording.notes[note] = None
        model = ", ".join(dict.fromkeys(info.type for _, info in self._names.roots))
        report = build(
            self._recording,
            self._accountant,
            self.sampler.samples,
            meta=Meta(
                torch=str(torch.__version__),
                python=platform.python_version(),
                dispatchcount=__version__,
                created=self._created or int(clock.time()),
                model=model,
                training=self._training,
                stopped_in=self._stopped[0],
                error=self._stopped[1],
                labels=labels,
            ),
            convention=convention,
            locate=inventory.locate,
            modules=lambda: inventory.modules,
            make=Report,
            memory=None if self._memory is None else self._memory.rows(inventory),
        )
        if self._inventory is not None:
            self._report = (key, report)
        return report


def profile(
    *models: nn.Module | Mapping[str, nn.Module],
    convention: str = "fvcore",
    strict: bool = False,
    rules: Mapping[Any, Rule] | None = None,
    memory: bool = False,
    time: bool = False,
    labels: Mapping[str, str] | None = None,
    functions: bool | Watcher = False,
) -> Profile:
    """Profile whatever runs inside a with-block.

        with dispatchcount.profile(model) as prof:
            model(x)
        print(prof.report)

    Args:
        models: the roots that modules are named from: a module, several, or modules by name, ``{"enc": a, "dec": b}``. Without
            any, the roots are found as they are called.
        convention: what a flop is; see `Report.with_convention`.
        strict: raise `UncountedError` when the block ends if an operator ran that has no rule, or whose rule failed.
        rules: rules for this block alone, by operator; see `register`.
        memory: also follow bytes: parameters, gradients, saved activations, the peak of live tensors.
        time: also measure wall time by operator and module (accelerators are waited for when the block ends).
        labels: what to remember of the run (commit, model, input), for dashboards.
        functions: also note the Python-level torch function each operator ran under (this keeps fused encoder layers from
            being used, as any torch function mode does).

    Raises:
        TypeError: a model is no module, or a rule's target no operator.
        ValueError: the convention is not known, or two models have one name.
    """
    return Profile(
        _roots(models),
        convention=find_convention(convention).name,
        strict=strict,
        rules=local_rules(rules),
        memory=memory,
        time=time,
        functions=functions,
        labels=labels or {},
    )


def _roots(models: tuple[Any, ...]) -> list[tuple[str | None, nn.Module]]:
    roots: list[tuple[str | None, Any]] = []
    for model in models:
        # A module may be a mapping as well.
        several = not is_module(model) and isinstance(model, Mapping)
        roots += [(str(name), part) for name, part in model.items()] if several else [(None, model)]
    for name, model in roots:
        if name is not None and sum(name == other for other, _ in roots) > 1:
            raise ValueError(f"two models are named {name!r}; give each a name of its own")
        if not is_module(model):
            what = f"models[{name!r}]" if name is not None else "the model"
            raise TypeError(
                f"{what} is a {type(model).__name__}, not a torch.nn.Module; pass the module inside it, or leave it out to find "
                f"the modules as they are called: profile()"
            )
    return roots


def _caches(rules: Registry) -> tuple[Plans, dict[Any, Signature]]:
    """What blocks learn of operators and of calls depends on the rules, so blocks without rules of their own share it."""
    if rules is not RULES:
        return Plans(rules), {}
    if (
        _SHARED.version != RULES.version
        or len(_SHARED.signatures) > KEPT
        or len(_SHARED.plans) > KEPT
    ):
        _SHARED.plans, _SHARED.signatures, _SHARED.version = Plans(RULES), {}, RULES.version
    return _SHARED.plans, _SHARED.signatures


def _raise_uncounted(report: Report) -> None:
    issues = [*report.unknown_ops.values(), *report.failed_ops.values()]
    if issues:
        listed = "; ".join(
            f"{i.op} ({i.status}, {i.calls} calls, in {', '.join(m or 'the root' for m in i.modules)})"
            for i in issues
        )
        raise UncountedError(
            f"{len(issues)} operators are not counted: {listed}. Give them rules with @dispatchcount.register."
        )
