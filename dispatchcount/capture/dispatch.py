"""The mode: sees every operator of its thread, has it counted, and lets the call through.

No tensor is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from dispatchcount.capture.calls import ModuleStack
from dispatchcount.capture.claims import Claims
from dispatchcount.capture.composite import Composite
from dispatchcount.capture.counter import NOT_SHORT, CallCounter
from dispatchcount.capture.exporting import ExportWatch
from dispatchcount.capture.groups import Groups
from dispatchcount.capture.higher_order import run_higher_order
from dispatchcount.capture.inner_keys import switched_on
from dispatchcount.capture.key import short_key
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.numbers import with_tensors
from dispatchcount.capture.plan import Plan, Plans, Way
from dispatchcount.capture.record import Place, Recording
from dispatchcount.capture.subclass import Inside, takes_apart
from dispatchcount.capture.tape import LIMIT
from dispatchcount.capture.torch_private import (
    KeysExcluded,
    KeysOfCaller,
    TorchDispatchMode,
    graph_task,
    is_tracing,
)
from dispatchcount.capture.tracing import paused, resumed
from dispatchcount.capture.unseen import Watch
from dispatchcount.capture.used import note_parameters
from dispatchcount.rules.core.registry import Registry

_PARAMETER = torch.nn.Parameter
_DETACH = torch.ops.aten.detach.default

MAX_TYPES = 256
"""Combinations of operands' classes that a block remembers; classes may be made anew in every call.
"""


class CountingMode(TorchDispatchMode):
    """Chooses the way that each operator call goes, and has it counted.

    Attributes:
        recording: the record of the block.
        rules: the rules of the block.
        calls: follows module calls.
        counter: counts.
        watch: memory that nothing has written yet.
        exports: sees to it that the block is out of the way while torch's compiler reads code.
    """

    supports_higher_order_operators = True
    always_direct = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False, which spares every operator a wrapper, and every process the compiler's import.

        Nothing compiles while a block is open.
        """
        return False

    def __init__(
        self, modules: Modules, recording: Recording, rules: Registry, plans: Plans
    ) -> None:
        super().__init__()
        self.recording = recording
        self.rules = rules
        self.calls = ModuleStack(modules, recording, self, direct=self.always_direct)
        self._tape = self.calls.tape
        self._recorder = self.calls.recorder
        claims = Claims(modules, self.calls.attribution)
        self.counter = CallCounter(recording, self._tape, self._recorder, Groups(modules), claims)
        self.watch = Watch()
        self.exports = ExportWatch(self._export, recording.notes)
        self.exports.parties.append((self.calls.leave_modules, self.calls.watch_modules))
        # The recording's own, which it never replaces: the hot path looks calls up in it.
        self._signatures = recording.signatures
        self._block = recording.block
        self._plans = plans
        # The plans of operators that go the short way; empty while none does.
        self._short = plans.short
        # How many reasons there are to let everything by.
        self._aside = 0
        self._exporting = False
        # The operator that a wrapper subclass was asked to take apart, and the call that it is
        # taking apart.
        self._unwrapping: Any = None
        self._inside: Inside | None = None
        self._types: dict[Any, bool] = {}
        # TorchScript's tracer, while it is paused for an operator to be counted.
        self._tracer: Any = None

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count it.

        This is the hot path. Most calls are of an operator that has a plan, with plain tensors, and
        are counted here; `_special` does everything else.
        """
        plan = self._short.get(id(func))
        if plan is None or types or self.watch.storages or is_tracing():
            return self._special(func, types, args, kwargs or {})
        try:
            out = func(*args, **kwargs) if kwargs else func(*args)
        except RuntimeError as error:
            return self._special(func, types, with_tensors(error, func, args), kwargs or {})
        tape = self._tape
        if plan.keyless:
            signature = plan.signature
            if args and type(args[0]) is _PARAMETER:
                tape.used.add(id(args[0]))  # a view of a weight
        else:
            try:
                signature = self._signatures[short_key(plan, args, kwargs, out, tape.used)]
            except NOT_SHORT:
                signature = self.counter.find_new(plan, args, kwargs or {}, out)
        # This is `CallCounter.bump`, written out.
        task = graph_task()
        if signature.block is not self._block:
            self.counter.meet(signature, out)
        if task != -1 or tape.direct:
            self._recorder.record(signature, task)
        else:
            events = tape.events
            events.append(signature)
            if len(events) >= LIMIT:
                tape.settle()
        return out

    @property
    def aside(self) -> bool:
        """True while everything is let by."""
        return self._aside > 0

    def skip(self, skipping: bool) -> None:
        """Let everything by uncounted from here on, until told otherwise as often."""
        self._aside += 1 if skipping else -1
        self._choose_way()

    def _export(self, skipping: bool) -> None:
        """An export begins, in this thread if `skipping`; or one ended."""
        if skipping != self._exporting:
            self._exporting = skipping
            self.skip(skipping)
        self._choose_way()

    def _choose_way(self) -> None:
        """Let no operator go the short way while something is to be asked of all of them."""
        asked = self.aside or self._inside is not None or bool(self.exports.reading)
        self._short = {} if asked else self._plans.short

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Let a call through."""
        return self._let(func, args, kwargs)

    def count(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Place | None:
        """Count a call that ran, and see to memory that nothing has written yet."""
        if plan.way is Way.ALLOCATE:
            self._recorder.look_for_set_up()
        place = self.counter.count(plan, args, kwargs, out)
        if plan.way is Way.ALLOCATE:
            self.watch.allocated(out)
        elif self.watch.storages:
            self.watch.check(self.counter, plan, args, kwargs)
        return place

    def ran(self, place: Place | None) -> None:
        """Take note of where a call that `run` let through was counted."""

    def _let(self, func: Any, args: Any, kwargs: Any) -> Any:
        if self._tracer is None:
            return func(*args, **kwargs)
        with self._tracing():
            return func(*args, **kwargs)

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        """Let a paused tracer go on while an operator runs.

        It was paused for the operator to be counted.
        """
        state, self._tracer = self._tracer, None
        if state is None:
            yield
            return
        try:
            with resumed(state):
                yield
        finally:
            self._tracer = state

    def _special(self, func: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        """Run and count a call that cannot go the short way.

        Those are new operators, subclasses, composites, higher-order operators, and calls under a
        tracer.
        """
        # Is there a reason to let the call by?
        if self.exports.reading:
            self.exports.check()
        if self._aside and not self.calls.is_free():
            return func(*args, **kwargs)
        if is_tracing():
            return self._untraced(func, types, args, kwargs)
        plan = self._plans.of(func)
        if plan.way is not Way.ALLOCATE:
            note_parameters((*args, *kwargs.values()), self._tape.used)
        # A wrapper subclass takes the call apart; of what it asks for meanwhile, only work on its
        # inner tensors counts.
        if types and self._wraps(types):
            return self._unwrap(plan, args, kwargs)
        if self._inside is not None and not self._inside.is_work(args, kwargs):
            return self._let(func, args, kwargs)
        # Some operators are not counted as such.
        if plan.way is Way.PARTS and (composite := plan.composite(args, kwargs)) is not None:
            return self._run_parts(plan, composite, args, kwargs)
        if plan.way is Way.SILENT:
            return self._let(func, args, kwargs)
        if plan.way is Way.HIGHER:
            return run_higher_order(self, plan, args, kwargs)
        # All others run, and are counted.
        try:
            out = self._run_whole(plan, args, kwargs)
        except RuntimeError as error:
            args = with_tensors(error, func, args)
            out = self._run_whole(plan, args, kwargs)
        if self._inside is not None:
            if plan.way is Way.ALLOCATE and not self._inside.made(out):
                return out
            self._inside.worked(args, kwargs, out)
        self.count(plan, args, kwargs, out)
        return out

    def _run_whole(self, plan: Plan, args: Any, kwargs: Any) -> Any:
        """Run an operator that is counted as such, as its kernel would run without a mode."""
        if plan.inside is None:
            return self.run(plan.func, args, kwargs)
        with switched_on(plan.inside):
            return self.run(plan.func, args, kwargs)

    def _untraced(self, func: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        """Do `_special` with the tracer paused.

        TorchScript's tracer does not note this operator, but waits for those inside it.
        """
        before = self._tracer
        with paused() as self._tracer:
            try:
                return self._special(func, types, args, kwargs)
            finally:
                self._tracer = before

    def _run_parts(self, plan: Plan, composite: Composite, args: Any, kwargs: Any) -> Any:
        """Run a composite by its kernel, as torch itself would, so that its parts come here.

        Composites arrive whole under inference mode only. Inside a mode most dispatch keys are off:
            views would lose track of their base, conjugate tensors be taken for plain ones,
            autocast not cast. What was on when Python called torch is on again for the parts,
            without what has been done by now.
        """
        # A composite may have no parts, as ``to`` the dtype that is there has none. That it came
        # here is enough for `_unwrap` to see that a wrapper asked for something.
        self.counter.bumps += 1
        with (
            self._tracing(),
            KeysOfCaller(),
            KeysExcluded(composite.done),
            self,
        ):
            return plan.func._op_dk(composite.kernel, *args, **kwargs)

    def _wraps(self, types: Sequence[type]) -> bool:
        key = tuple(types)
        known = self._types.get(key)
        if known is None:
            if len(self._types) >= MAX_TYPES:
                self._types.clear()
            known = self._types[key] = any(takes_apart(kind) for kind in types)
        return known

    def _unwrap(self, plan: Plan, args: Any, kwargs: Any) -> Any:
        """Let a wrapper subclass take the call apart.

        Its inner operators come back here as plain ones.

        If nothing comes back (a subclass that switches dispatch off), the call itself is counted,
        on its outer shapes.
        """
        if self._unwrapping is plan.func:
            # The call below has come here again: torch asks modes before subclasses. This lets the
            # subclass have it. Up to torch 2.9, a detach then comes once more, for the copy that
            # autograd makes of its result.
            if plan.func is not _DETACH:
                self._unwrapping = None
            return NotImplemented
        before, outer, detaching = self.counter.bumps, self._inside, self._unwrapping
        self._inside = Inside((args, kwargs), outer)
        self._choose_way()
        self._unwrapping = plan.func
        try:
            with self, self._tracing():
                out = plan.func(*args, **kwargs)
        finally:
            self._unwrapping, self._inside = detaching, outer
            self._choose_way()
        # ``to`` the dtype that is there returns its operand: nothing ran.
        same = not plan.writes and any(out is arg for arg in args)
        if self.counter.bumps == before and not plan.keyless and not same:
            self.count(plan, args, kwargs, out)
        return out
