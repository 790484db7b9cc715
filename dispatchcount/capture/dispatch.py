"""The mode: sees every operator of its thread, bumps a count, and lets the call through. No formula, and no tensor kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dispatchcount.capture.autograd import graph_task
from dispatchcount.capture.calls import Calls
from dispatchcount.capture.composite import Composite
from dispatchcount.capture.exporting import ExportWatch
from dispatchcount.capture.higher_order import run_higher_order
from dispatchcount.capture.key import (
    Named,
    Part,
    contents,
    is_dense,
    part_of,
    short_key,
    shown,
    shown_of,
)
from dispatchcount.capture.names import Names
from dispatchcount.capture.numbers import with_tensors
from dispatchcount.capture.plan import ALLOCATE, HIGHER, PARTS, SILENT, Plan, Plans, Pseudo
from dispatchcount.capture.record import Place, Recording, Signature
from dispatchcount.capture.subclass import Inside, takes_apart
from dispatchcount.capture.tape import LIMIT
from dispatchcount.capture.tracing import is_tracing, paused, resumed
from dispatchcount.capture.unseen import Watch
from dispatchcount.capture.used import note_parameters
from dispatchcount.rules.core.registry import OpKind, Registry, RegistryEntry

_PARAMETER = torch.nn.Parameter

_NOT_SHORT = (KeyError, AttributeError, IndexError, TypeError, RuntimeError)
"""What comes of looking for a call by its short key: there is none yet, or the call has no such key."""

MAX_TYPES = 256
"""Combinations of operands' classes that a block remembers; classes may be made anew in every call."""


class CountingMode(TorchDispatchMode):
    """Records what runs under it.

    Attributes:
        calls: the module calls. watch: memory that nothing has written yet.
        function: the Python-level torch function that is running, where someone notes it; `""` otherwise.
        direct: True if operators outside of backward go into the tree one by one.
        used: gets the ids of parameters that operators use; see `Used`.
    """

    supports_higher_order_operators = True
    always_direct = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Spares every operator a wrapper (and every process the compiler's import): nothing compiles while a block is open."""
        return False

    def __init__(self, names: Names, recording: Recording, rules: Registry, plans: Plans) -> None:
        super().__init__()
        self.recording = recording
        self.calls = Calls(names, recording, self)
        self._events = self.calls.tape.events
        self._token = recording.token
        self.rules = rules
        self.watch = Watch()
        self.function = ""
        self._plans = plans
        self._short = plans.short
        self.used: set[int] = set()
        self.direct = self.always_direct
        self._aside = 0  # reasons to let everything by
        self._exporting = False
        self.exports = ExportWatch(self._export, recording.notes)
        self.exports.parties.append((self.calls.leave_modules, self.calls.watch_modules))
        self._signatures = recording.signatures
        self._unwrapping: Any = None
        self._last: Signature | None = None
        self._types: dict[Any, bool] = {}
        self._inside: Inside | None = None  # the call that a wrapper subclass is taking apart
        self._tracer: Any = None  # TorchScript's, while it is paused for an operator to be counted

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        plan = self._short.get(id(func))
        if plan is None or types or self.watch.storages or is_tracing():
            return self._special(func, types, args, kwargs or {})
        try:
            out = func(*args, **kwargs) if kwargs else func(*args)
        except RuntimeError as error:
            return self._special(func, types, with_tensors(error, func, args), kwargs or {})
        if plan.keyless:
            signature = plan.signature
            if args and type(args[0]) is _PARAMETER:
                self.used.add(id(args[0]))  # a view of a weight
        else:
            try:
                signature = self._signatures[short_key(plan, args, kwargs, out, self.used)]
            except _NOT_SHORT:  # a new one, or one without a short key
                kwargs = kwargs or {}
                note_parameters((*args, *kwargs.values()), self.used)
                signature = self._signature(plan, args, kwargs, out)
        # The common case of `_bump`, written out.
        task = graph_task()
        events = self._events
        if (
            task == -1
            and signature.seen is self._token
            and not self.direct
            and len(events) < LIMIT
        ):
            events.append(signature)
        else:
            self._bump(signature, out, task)
        return out

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

    @property
    def aside(self) -> bool:
        """True while everything is let by."""
        return self._aside > 0

    def _choose_way(self) -> None:
        """No operator goes the short way while something is to be asked of all of them."""
        asked = self.aside or self._inside is not None or bool(self.exports.reading)
        self._short = {} if asked else self._plans.short

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Let a call through."""
        return self._let(func, args, kwargs)

    def _let(self, func: Any, args: Any, kwargs: Any) -> Any:
        if self._tracer is None:
            return func(*args, **kwargs)
        with self._tracing():
            return func(*args, **kwargs)

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        """Let the tracer go on, if one is paused for an operator to be counted, while that operator runs."""
        state, self._tracer = self._tracer, None
        if state is None:
            yield
            return
        try:
            with resumed(state):
                yield
        finally:
            self._tracer = state

    def count(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Place | None:
        """Bump the count of a call like this one."""
        signature = (
            plan.signature
            if plan.keyless and not self.function
            else self._signature(plan, args, kwargs, out)
        )
        place = self._bump(signature, out, graph_task())
        if plan.way == ALLOCATE:
            self.watch.allocated(out)
        elif self.watch.storages:
            self.watch.check(self, plan, args, kwargs)
        return place

    def _bump(self, signature: Signature, out: Any, task: int) -> Place | None:
        """Count a call that runs in the backward pass `task`; where it was counted, if it is in the tree already."""
        place = None
        if task != -1 or self.direct:
            place = self.calls.count(signature, task)
        else:
            self._events.append(signature)
            if len(self._events) >= LIMIT:
                self.calls.tape.settle()
        if signature.seen is not self._token:
            self._meet(signature, out)
        self._last = signature
        return place

    def _meet(self, signature: Signature, out: Any) -> None:
        """The first call of its kind in this block; blocks open at once may each take it for that again."""
        signature.seen = self._token
        result = out[0] if type(out) is tuple and out else out
        if isinstance(result, torch.Tensor):
            self.recording.devices[result.device] = None

    def _signature(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Signature:
        """The signature shared by all calls like this one."""
        if plan.keyless:
            args, kwargs, out = (), {}, None
        elif plan.short and not self.function and (is_dense(out) or not plan.settled):
            with suppress(*_NOT_SHORT):
                return self._short_signature(plan, args, kwargs, out)
        key = (plan, self.function, *self._parts(plan, args, kwargs), part_of(out))
        signature = self._signatures.get(key)
        if signature is None:
            given, named, result = map(shown, key[2:])
            signature = self._signatures[key] = Signature(plan, given, named, result, self.function)
        return signature

    def _short_signature(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Signature:
        """The signature of a call that has a short key.

        Raises:
            AttributeError, IndexError, TypeError, RuntimeError: the call has no short key.
        """
        key = short_key(plan, args, kwargs, out, self.used)
        signature = self._signatures.get(key)
        if signature is None:
            given, named, result = shown_of(key, kwargs, out)
            signature = self._signatures[key] = Signature(plan, given, named, result, "")
        return signature

    @staticmethod
    def _parts(plan: Plan, args: Any, kwargs: Any) -> tuple[Any, Named]:
        """The parts of a call's arguments, by position and by name, without those that the call only writes."""
        kept, values = plan.kept, plan.values
        if values:
            given = [
                contents(arg) if place in values else part_of(arg, kept)
                for place, arg in enumerate(args)
            ]
        else:
            given = [part_of(arg, kept) for arg in args]
        named = [
            (name, contents(arg) if name in values else part_of(arg, kept))
            for name, arg in kwargs.items()
            if name not in plan.outs
        ]
        return tuple(given), Named(named)

    def _special(self, func: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        """Everything off the common path: a new operator, a subclass, a composite, a higher-order operator."""
        if self.exports.reading:
            self.exports.check()
        if self._aside and not self.calls.is_free():
            return func(*args, **kwargs)
        if is_tracing():
            return self._untraced(func, types, args, kwargs)
        plan = self._plans.of(func)
        if plan.way != ALLOCATE:
            note_parameters((*args, *kwargs.values()), self.used)
        if types and self._wraps(types):
            return self._unwrap(plan, args, kwargs)
        if self._inside is not None and not self._inside.is_work(args, kwargs):
            return self._let(func, args, kwargs)
        if plan.way == PARTS and (composite := plan.composite(args, kwargs)) is not None:
            return self._run_parts(plan, composite, args, kwargs)
        if plan.way == SILENT:
            return self._let(func, args, kwargs)
        if plan.way == HIGHER:
            return run_higher_order(self, plan, args, kwargs)
        try:
            out = self.run(func, args, kwargs)
        except RuntimeError as error:
            args = with_tensors(error, func, args)
            out = self.run(func, args, kwargs)
        if self._inside is not None:
            if plan.way == ALLOCATE and not self._inside.made(out):
                return out
            self._inside.worked(args, kwargs, out)
        self.count(plan, args, kwargs, out)
        return out

    def _untraced(self, func: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        """`_special` for an operator that TorchScript's tracer leaves to those inside it to note."""
        before = self._tracer
        with paused() as self._tracer:
            try:
                return self._special(func, types, args, kwargs)
            finally:
                self._tracer = before

    def _run_parts(self, plan: Plan, composite: Composite, args: Any, kwargs: Any) -> Any:
        """Run a composite by its kernel, as torch itself would, so that its parts come here.

        Composites arrive whole under inference mode only. Inside a mode most dispatch keys are off: views would lose track of
        their base, conjugate tensors be taken for plain ones, autocast not cast. What was on when Python called torch is on
        again for the parts, without what has been done by now. A composite may have no parts: ``to`` the dtype that is there.
        """
        self._last = self._last or plan.signature
        with (
            self._tracing(),
            torch._C._RestorePythonTLSSnapshot(),
            torch._C._ExcludeDispatchKeyGuard(composite.done),
            self,
        ):
            return plan.func._op_dk(composite.kernel, *args, **kwargs)

    def ran(self, place: Place | None) -> None:
        """What `run` let through was counted there."""

    def pseudo(self, plan: Plan | Pseudo, args: Part, kwargs: Part, out: Part) -> Place | None:
        """Record something that is no operator call, given by its parts (see `part_of`)."""
        key = (plan.identity, self.function, args, kwargs, out)
        signature = self.recording.pseudos.get(key)
        if signature is None:
            given, named, result = map(shown, (args, kwargs, out))
            signature = self.recording.pseudos[key] = Signature(
                plan, given, named, result, self.function
            )
        return self._bump(signature, None, graph_task())

    def unseen(self, tensor: torch.Tensor, reader: str, place: str) -> None:
        """A tensor was filled by nothing seen before `reader` read it at `place`."""
        reason = f"memory that no operator had written was read by {reader} at {place}; dispatchcount.kernel gives a kernel's cost"
        plan = Pseudo(
            f"(unseen kernel before {place})",
            RegistryEntry(OpKind.UNKNOWN, reason=reason),
            unseen=True,
        )
        self.pseudo(plan, (part_of(tensor),), Named(), None)

    def _wraps(self, types: Sequence[type]) -> bool:
        key = tuple(types)
        known = self._types.get(key)
        if known is None:
            if len(self._types) >= MAX_TYPES:
                self._types.clear()
            known = self._types[key] = any(takes_apart(kind) for kind in types)
        return known

    def _unwrap(self, plan: Plan, args: Any, kwargs: Any) -> Any:
        """Let a wrapper subclass take the call apart, so that its inner operators come back here as plain ones.

        If nothing comes back (a subclass that switches dispatch off), the call itself is counted, on its outer shapes.
        """
        if self._unwrapping is plan.func:
            self._unwrapping = None
            return NotImplemented
        before, self._last = self._last, None
        outer = self._inside
        self._inside = Inside((args, kwargs), outer)
        self._choose_way()
        self._unwrapping = plan.func
        try:
            with self, self._tracing():
                out = plan.func(*args, **kwargs)
        finally:
            self._unwrapping, self._inside = None, outer
            self._choose_way()
        same = not plan.writes and any(
            out is arg for arg in args
        )  # ``to`` the dtype that is there: nothing ran
        if self._last is None and not plan.keyless and not same:
            self.count(plan, args, kwargs, out)
        self._last = self._last or before
        return out
