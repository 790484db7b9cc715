"""Counts a call: finds its signature, and notes it on the tape or in the tree."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch

from dispatchcount.capture.claims import Claims
from dispatchcount.capture.groups import Groups, distributed
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
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.record import Place, Recording
from dispatchcount.capture.recorder import Recorder
from dispatchcount.capture.signature import Pseudo, Signature
from dispatchcount.capture.tape import LIMIT, Tape
from dispatchcount.capture.torch_private import graph_task
from dispatchcount.capture.used import note_parameters
from dispatchcount.rules.core.registry import OpKind, RegistryEntry

NOT_SHORT = (KeyError, AttributeError, IndexError, TypeError, RuntimeError)
"""What comes of looking for a call by its short key: there is none yet, or the call has no such
key.
"""


class CallCounter:
    """Counts the calls of one block.

    Attributes:
        function: the Python-level torch function that is running, where someone notes it; else
            ``""``.
        events: the list of what waits on the tape; see `Tape`.
        signatures: the distinct calls by key; see `Recording`.
        block: stands for the block; see `Signature.block`.
        bumps: how many calls `bump` counted. The mode's short way counts without it, but is closed
            wherever this is read.
    """

    def __init__(
        self,
        recording: Recording,
        tape: Tape,
        recorder: Recorder,
        groups: Groups,
        claims: Claims,
    ) -> None:
        self.function = ""
        self.events = tape.events
        self.signatures = recording.signatures
        self.block = recording.block
        self.bumps = 0
        self._recording = recording
        self._tape = tape
        self._recorder = recorder
        self._groups = groups
        self._claims = claims

    def count(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Place | None:
        """Count a call; returns where it was counted, if it is in the tree already."""
        keyless = plan.keyless and not self.function
        signature = plan.signature if keyless else self.find(plan, args, kwargs, out)
        task = graph_task()
        if not plan.collective:
            if plan.outs and task != -1 and distributed():
                self._claims.filled(args, kwargs)
            return self.bump(signature, out, task)
        self.bumps += 1
        if signature.block is not self.block:
            self.meet(signature, out)
        return self._recorder.record(signature, task, self._claims.of(plan, args, kwargs))

    def find(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Signature:
        """The signature shared by all calls like this one."""
        if plan.keyless:
            args, kwargs, out = (), {}, None
        elif plan.short and not self.function and (is_dense(out) or not plan.settled):
            with suppress(*NOT_SHORT):
                return self._find_short(plan, args, kwargs, out)
        key = (plan, self.function, *self._parts(plan, args, kwargs), part_of(out))
        signature = self.signatures.get(key)
        if signature is None:
            given, named, result = map(shown, key[2:])
            found = Signature(plan, given, named, result, self.function)
            signature = self._recording.learn(key, found)
        return signature

    def _parts(self, plan: Plan, args: Any, kwargs: Any) -> tuple[Part, Named]:
        """The parts of a call's operands, by position and by name.

        Operands by name that the call only writes are left out.
        """
        if plan.values or plan.group is not None:
            given = [self._part(plan, place, arg) for place, arg in enumerate(args)]
        else:
            given = [part_of(arg, plan.kept) for arg in args]
        named = [
            (name, self._part(plan, name, arg))
            for name, arg in kwargs.items()
            if name not in plan.outs
        ]
        return tuple(given), Named(named)

    def _part(self, plan: Plan, place: int | str, value: Any) -> Part:
        """The part of the operand at that place, or of that name."""
        if place in plan.values:
            return contents(value)
        return self._groups.describe(value) if place == plan.group else part_of(value, plan.kept)

    def find_new(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Signature:
        """The same, for a call that the mode did not find by its short key."""
        note_parameters((*args, *kwargs.values()), self._tape.used)
        return self.find(plan, args, kwargs, out)

    def _find_short(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Signature:
        """The signature of a call that has a short key.

        Raises:
            AttributeError, IndexError, TypeError, RuntimeError: the call has no short key.
        """
        key = short_key(plan, args, kwargs, out, self._tape.used)
        signature = self.signatures.get(key)
        if signature is None:
            given, named, result = shown_of(key, kwargs, out)
            signature = self._recording.learn(key, Signature(plan, given, named, result, ""))
        return signature

    def bump(self, signature: Signature, out: Any, task: int) -> Place | None:
        """Count a call that runs in the backward pass `task`, -1 for none.

        Returns where it was counted, if it is in the tree already.
        """
        self.bumps += 1
        if signature.block is not self.block:
            self.meet(signature, out)
        if task != -1 or self._tape.direct:
            return self._recorder.record(signature, task)
        self.events.append(signature)
        if len(self.events) >= LIMIT:
            self._tape.settle()
        return None

    def meet(self, signature: Signature, out: Any) -> None:
        """Note the device of a call that this block sees for the first time.

        With several blocks open it may run more than once per block, which is harmless.
        """
        signature.block = self.block
        result = out[0] if type(out) is tuple and out else out
        if isinstance(result, torch.Tensor):
            self._recording.devices[result.device] = None

    def pseudo(self, plan: Plan | Pseudo, args: Part, kwargs: Part, out: Part) -> Place | None:
        """Count something that is no operator call, given by its parts (see `part_of`)."""
        key = (plan.identity, self.function, args, kwargs, out)
        signature = self._recording.pseudos.get(key)
        if signature is None:
            given, named, result = map(shown, (args, kwargs, out))
            signature = Signature(plan, given, named, result, self.function)
            self._recording.pseudos[key] = signature
        return self.bump(signature, None, graph_task())

    def unseen(self, tensor: torch.Tensor, reader: str, place: str) -> None:
        """Count a kernel that nothing saw: it filled a tensor that `reader` read at `place`."""
        reason = (
            f"memory that no operator had written was read by {reader} at {place}; "
            "dispatchcount.kernel gives a kernel's cost"
        )
        entry = RegistryEntry(OpKind.UNKNOWN, reason=reason)
        kernel = Pseudo(f"(unseen kernel before {place})", entry, unseen=True)
        self.pseudo(kernel, (part_of(tensor),), Named(), None)
