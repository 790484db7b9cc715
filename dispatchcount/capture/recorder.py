"""Puts operators that may not wait on the tape into the tree, each in the place that it belongs to.

That depends on what goes on as they run: a backward pass, a checkpoint, an optimizer, a hook of a
module, or the set-up of a distributed run.
"""

from __future__ import annotations

from threading import get_ident

from dispatchcount.capture.activity import Activity
from dispatchcount.capture.attribution import Attribution
from dispatchcount.capture.claims import Claim
from dispatchcount.capture.distributed_frames import in_set_up, may_set_up
from dispatchcount.capture.modules import Info
from dispatchcount.capture.record import Issued, Node, Place, Recording, Table
from dispatchcount.capture.signature import Signature
from dispatchcount.capture.tape import Tape
from dispatchcount.capture.torch_private import next_sequence
from dispatchcount.report.rows import FORWARD, OPTIMIZER, RECOMPUTE, SET_UP

_OF_MODULES = (FORWARD, RECOMPUTE)
"""The phases whose operators belong to the innermost module call."""


class Recorder:
    """Records the operators of one block that run outside of the forward phase, and collectives."""

    def __init__(
        self,
        recording: Recording,
        tape: Tape,
        activity: Activity,
        attribution: Attribution,
        *,
        direct: bool,
    ) -> None:
        """`direct`: True if no operator may wait on the tape."""
        self._recording = recording
        self._tape = tape
        self._activity = activity
        self._attribution = attribution
        self._direct = direct
        # Two lists of the activity, which are never replaced.
        self._in_backward = activity.in_backward
        self._steps_taken = activity.steps.taken
        # True while operators may be part of setting up a distributed run.
        self._setting_up = False

    def record(self, signature: Signature, task: int, claim: Claim | None = None) -> Place | None:
        """Put an operator that runs in the backward pass `task` into the tree.

        Args:
            signature: the call.
            task: the pass, -1 for none.
            claim: what is known of a collective; None for any other operator.

        Returns:
            None if a line of ours was at work; the operator is let by then.
        """
        tape, thread = self._tape, get_ident()
        before = tape.worker
        if before == thread:
            return None
        tape.worker = thread
        try:
            if tape.events:
                tape.settle()
            # Most operators that come here run in a backward pass that began inside the block, and
            # in no module that the pass calls.
            if (
                self._steps_taken
                or self._in_backward
                or task == -1
                or task == self._activity.outer_pass
            ):
                table = self._table(task)
            else:
                table = self._attribution.table(task)
            if self._setting_up:
                table = self._set_up(table)
            if claim is not None:
                table = self._claimed(table, claim)
            calls = table.calls
            count = calls.get(signature)
            if count is None:
                self._recording.new(calls, signature)
            else:
                calls[signature] = count + 1
            return table, signature
        finally:
            tape.worker = before

    def running(self) -> Node:
        """The call that an operator running now belongs to."""
        task = self._activity.task()
        if task == -1 or self._activity.begun_in(task):
            return self._tape.current()
        return self._attribution.running()

    def choose_way(self) -> None:
        """Let operators wait on the tape, unless an optimizer takes a step or something is set up.

        The tape holds work of the forward phase only.
        """
        self._tape.direct = self._direct or bool(self._steps_taken) or self._setting_up

    def look_for_set_up(self) -> None:
        """Has the set-up of a distributed run begun?

        It is asked where a set-up can begin: at an outermost module call, and at an allocation. A
        collective brings the answer along. The few numbers that torch may make before any of these
        are counted as if they were the step's.
        """
        if may_set_up() and in_set_up():
            self._begin_set_up()

    def _begin_set_up(self) -> None:
        """Ask of each operator from here on if it is part of the set-up.

        The first that is not ends this. A set-up runs once, and its operators go straight into the
        tree.
        """
        self._setting_up = True
        self.choose_way()

    def _table(self, task: int) -> Table:
        """Where an operator that runs now, in the backward pass `task`, is recorded."""
        activity, node = self._activity, self._tape.node
        if task == activity.outer_pass:
            task = -1
        if activity.steps.at_work((len(activity.stack), task)):
            return node.table(OPTIMIZER)
        if task == -1:
            return node.forward
        if activity.begun_in(task):
            return node.table(RECOMPUTE)
        return self._attribution.table(task)

    def _set_up(self, table: Table) -> Table:
        """Where an operator is recorded that `table` would hold if nothing was being set up."""
        if in_set_up():
            return table.node.table(SET_UP)
        self._setting_up = False
        self.choose_way()
        return table

    def _claimed(self, table: Table, claim: Claim) -> Table:
        """Where a collective is recorded that `table` would hold if it were any other operator."""
        node = table.node
        if claim.runs is not None and claim.runs is not node.info and table.phase in _OF_MODULES:
            # A hook of the module's own runs, and torch told of the end of the call before it.
            node = self._latest(claim.runs)
            self._mark_hook(node)
        phase = table.phase
        if claim.set_up:
            phase = SET_UP
            self._begin_set_up()
        issued = Issued(node.info, claim.control)
        if claim.owner is not None and claim.owner is not node.info:
            node = self._latest(claim.owner)
        return node.collectives(phase, issued)

    def _latest(self, info: Info) -> Node:
        """The latest call of a module; one that stands for none if it was not called."""
        return self._recording.latest.get(info) or self._recording.tree.child(info, "")

    def _mark_hook(self, node: Node) -> None:
        """The autograd node of a collective that a module's own hook calls is that module's.

        It is the latest one: autograd made it before the collective ran.
        """
        intervals, now = self._tape.intervals, next_sequence()
        if intervals.latest < now:
            intervals.mark(node, max(intervals.latest, now - 1))
            intervals.mark(self._tape.node, now)
