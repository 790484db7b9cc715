"""Runs a model once and keeps what it called.

These are the torch functions with their operands, and what each cost by dispatch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import nn

from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.frames import forward_arguments, running_forward
from dispatchcount.capture.observers.observed import ObservedMode
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.record import Node, Place
from dispatchcount.compat._jit.indexing import indexed, lifted
from dispatchcount.compat._jit.kinds import INDEXING, kernel_kind, traced_kind
from dispatchcount.compat._jit.operands import Operands, kernel_operands, operands
from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._jit.values import Value, results
from dispatchcount.profiler import profile
from dispatchcount.report.rows import FORWARD, ZERO
from dispatchcount.report.tally import Tally
from dispatchcount.session import Session

PYTHON_OP = "prim::PythonOp."
"""What the kinds of custom autograd functions begin with; the function's name follows."""

_READS = {
    "item",
    "tolist",
    "numpy",
    "__bool__",
    "__int__",
    "__float__",
    "__index__",
    "is_nonzero",
    "equal",
}
"""Functions that hand a tensor's contents to Python, where they can steer what runs next."""


@dataclass(frozen=True, slots=True)
class Call:
    """A traced operator.

    Attributes:
        kind: the operator, ``"aten::linear"``.
        inputs: its inputs.
        outputs: its outputs.
        inside: the custom autograd function that it ran in, ``"prim::PythonOp.Name"``, or ``""``.
    """

    kind: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    inside: str = ""


CallCounts = dict[tuple[Node, Call], int]
"""How often each call was made, by the stack of module calls that it was made in."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the kernels that implement one kind of operator did at one node.

    Attributes:
        node: the stack of module calls.
        kind: the operator that the kernels stand for.
        inside: as in `Call`.
        calls: how many kernels ran.
        tally: their cost.
        traced: True if a `Call` of `Trace.calls` stands for them.
        scripted: True if they ran under no torch function, as those of scripted code do.
        zero: True if they cost nothing by definition.
        forward: True if they ran outside of a backward pass.
    """

    node: Node
    kind: str
    inside: str
    calls: int
    tally: Tally
    traced: bool
    scripted: bool
    zero: bool
    forward: bool


class Trace:
    """What one run of a model called.

    While the model runs, this is the profile's `Watcher` and an `Observer` of its kernels.

    Attributes:
        calls: what TorchScript would have traced.
        read: True if Python read a tensor's contents.
    """

    def __init__(self) -> None:
        self.calls: CallCounts = {}
        self.read = False
        self._mode: Any = None
        self._session: Session | None = None
        # The custom autograd function that is running: where, and its call so far.
        self._frame: FrameType | None = None
        self._python_op: tuple[Node, Call] | None = None
        # The kernels that the indexing in progress has run so far.
        self._indexing: list[Operands] = []
        # A kernel that ran and is not recorded yet.
        self._kernel: Call | None = None
        # Kernels that no function speaks for, by the node that they are recorded at.
        self._kernels: CallCounts = {}

    def attach(self, mode: CountingMode) -> None:
        """Part of `Watcher`."""
        assert isinstance(mode, ObservedMode)
        self._mode = mode
        mode.observe(self)

    def label(self, name: str) -> str:
        """Part of `Watcher`: the function's name, behind the custom function that it runs in."""
        self._follow_python_op()
        self._indexing = []
        return name if self._python_op is None else f"{self._python_op[1].kind}/{name}"

    def called(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Part of `Watcher`: keep the operators that a function's call is traced as."""
        self.read = self.read or name in _READS
        self._python_op_made(out)
        if name in INDEXING:
            traced = indexed(args[0], args[1], lifted(self._indexing, *args[2:3]))
        else:
            traced = operands(name, args, kwargs, out)
        node = self._mode.calls.tape.current()
        inside = "" if self._python_op is None else self._python_op[1].kind
        for kind, inputs, outputs in traced:
            self._add(node, Call(kind, inputs, outputs, inside))

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """Part of `Observer`: label a kernel that no torch function announced.

        It may run in a custom autograd function all the same.
        """
        if not mode.counter.function.rpartition("/")[2]:
            mode.counter.function = self.label("")

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """Part of `Observer`: keep a kernel that no torch function speaks for."""
        inside, _, function = mode.counter.function.rpartition("/")
        if not function:
            self._python_op_made(out)
        if function and traced_kind(function) is not None:
            return
        made = kernel_operands(plan.name, args, kwargs, out)
        if made is not None and function in INDEXING:
            self._indexing.append(made)
        elif made is not None:
            self._kernel = Call(*made, inside)

    def recorded(self, place: Place) -> None:
        """Part of `Observer`: count the kernel that was kept, at the node that it went to."""
        if self._kernel is not None:
            key = (place[0].node, self._kernel)
            self._kernels[key] = self._kernels.get(key, 0) + 1
            self._kernel = None

    def _add(self, node: Node, call: Call) -> None:
        key = (node, call)
        self.calls[key] = self.calls.get(key, 0) + 1

    def _follow_python_op(self) -> None:
        """See whether a custom autograd function has begun or ended since the last call."""
        found = running_forward(run.__code__)
        frame = None if found is None else found[0]
        if frame is self._frame:
            return
        self._end_python_op()
        if found is not None:
            kind = PYTHON_OP + found[1].__name__
            inputs = tuple(map(Value.of, forward_arguments(found[0])))
            # The frame is held: a later frame cannot be the same object then.
            self._frame = frame
            self._python_op = (self._mode.calls.tape.current(), Call(kind, inputs, ()))

    def _python_op_made(self, out: Any) -> None:
        """Take `out` for the output of the running custom autograd function, until the next one."""
        if self._python_op is not None:
            node, op = self._python_op
            self._python_op = (node, Call(op.kind, op.inputs, results(out)))

    def _end_python_op(self) -> None:
        if self._python_op is not None:
            self._add(*self._python_op)
        self._frame = self._python_op = None

    def close(self, session: Session | None) -> None:
        """End what is still running, because the run is over; `session` knows what it cost."""
        self._end_python_op()
        self._session = session

    def nodes(self) -> Iterator[Node]:
        """The stacks of module calls, callers first."""
        return self._mode.recording.tree.descend()  # type: ignore[no-any-return]

    def leaves(self) -> Iterator[Leaf]:
        """What the kernels did."""
        assert self._session is not None
        for node in self.nodes():
            for (op, phase, _, status, function, _), tally in self._session.rows(node).items():
                forward = phase == FORWARD
                inside, kind, traced = _decode(function if forward else "", op)
                yield Leaf(
                    node,
                    kind,
                    inside,
                    tally.calls,
                    tally,
                    traced,
                    scripted=not function.rpartition("/")[2],
                    zero=status == ZERO,
                    forward=forward,
                )

    def untraced(self) -> CallCounts:
        """Kernels that no torch function speaks for, as those of scripted code and of backward."""
        return self._kernels


def run(model: nn.Module, inputs: Any) -> Trace:
    """Run `model` once, in the mode it is in, and leave it as it was.

    Args:
        model: any module; DataParallel and DistributedDataParallel are looked into.
        inputs: a tuple holds the positional arguments; a mapping whose keys `forward` takes holds
            keyword arguments; anything else is the one argument.
    """
    wrapped = isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel)
    target = model.module if wrapped else model
    args, kwargs = arguments(target, inputs)
    trace = Trace()
    block = profile(model, functions=trace, wrappers=True)
    with untouched(model):
        try:
            with block:
                target(*args, **kwargs)
        finally:
            trace.close(block._session)
    return trace


def arguments(model: nn.Module, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments from what users give as inputs; see `run`."""
    if isinstance(inputs, tuple):
        return inputs, {}
    if (
        isinstance(inputs, Mapping)
        and all(isinstance(key, str) for key in inputs)
        and _takes(model.forward, inputs)
    ):
        return (), dict(inputs)
    return (inputs,), {}


def _takes(forward: Callable[..., Any], named: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(forward).bind(**named)
    except (TypeError, ValueError):
        return False
    return True


def _decode(function: str, op: str) -> tuple[str, str, bool]:
    """What a record's function and operator say.

    Returns:
        The custom autograd function around it, its kind, and True if a `Call` stands for it.
    """
    inside, _, name = function.rpartition("/")
    kind = traced_kind(name) if name else None
    return inside, kind or kernel_kind(op), kind is not None or name in INDEXING
