"""Runs a model once and keeps what it called: the torch functions with their operands, and what each cost by dispatch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import nn

from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.observed import ObservedMode
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.record import FORWARD, Node, Place
from dispatchcount.compat._jit.indexing import indexed, lifted
from dispatchcount.compat._jit.kinds import INDEXING, kind_of, kind_of_kernel
from dispatchcount.compat._jit.operands import Operands, kernel_operands, operands
from dispatchcount.compat._jit.python_ops import applying, arguments_of
from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._jit.values import Value, results
from dispatchcount.costing.build import Accountant
from dispatchcount.profiler import profile
from dispatchcount.report.rows import PHASES, ZERO
from dispatchcount.report.tally import Tally

_PYTHON_OP = "prim::PythonOp."
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
    """A traced operator: its kind, inputs and outputs, and the custom autograd function it ran in, ``"prim::PythonOp.Name"``."""

    kind: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    inside: str = ""


Calls = dict[tuple[Node, Call], int]
"""How often each was made, by the module calls it was made in."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What kernels that implement one kind of operator did at one node.

    Attributes:
        node: the stack of module calls. kind: what operator they stand for. inside: as in `Call`.
        calls: how many kernels. tally: their cost.
        traced: True if a `Call` of `Trace.calls` stands for them. scripted: True if they ran under no torch function at all, as
            those of scripted code do.
        zero: True if they are zero by definition. forward: True if they ran outside of a backward pass.
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
    """What one run of a model called. Also the profile's `Watcher` while it runs, and an `Observer` of its kernels.

    Attributes:
        calls: what TorchScript would have traced. read: True if Python read a tensor's contents.
    """

    def __init__(self) -> None:
        self.calls: Calls = {}
        self.read = False
        self._mode: Any = None
        self._frame: FrameType | None = None
        self._python_op: tuple[Node, Call] | None = None
        self._indexing: list[Operands] = []  # what the indexing that is running has run so far
        self._kernel: Call | None = None  # ran, but is not recorded yet
        self._kernels: dict[
            tuple[int, Call], int
        ] = {}  # those no function speaks for, by the id of the table that has them

    def attach(self, mode: CountingMode) -> None:
        """Part of `Watcher`."""
        assert isinstance(mode, ObservedMode)
        self._mode = mode
        mode.observe(self)

    def label(self, name: str) -> str:
        """Part of `Watcher`: the function's name, and before it the custom autograd function it runs in."""
        self._follow_python_op()
        self._indexing = []
        return name if self._python_op is None else f"{self._python_op[1].kind}/{name}"

    def called(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Part of `Watcher`."""
        self.read = self.read or name in _READS
        if self._python_op is not None:
            op = self._python_op[1]
            self._python_op = (self._python_op[0], Call(op.kind, op.inputs, results(out)))
        if name in INDEXING:
            traced = indexed(args[0], args[1], lifted(self._indexing, *args[2:3]))
        else:
            traced = operands(name, args, kwargs, out)
        node, inside = (
            self._mode.calls.node,
            "" if self._python_op is None else self._python_op[1].kind,
        )
        for kind, inputs, outputs in traced:
            self._add(node, Call(kind, inputs, outputs, inside))

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """Part of `Observer`: a kernel that no torch function announced may run in a custom autograd function all the same."""
        if not mode.function.rpartition("/")[2]:
            mode.function = self.label("")

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """Part of `Observer`."""
        inside, _, function = mode.function.rpartition("/")
        if not function and self._python_op is not None:
            op = self._python_op[1]
            self._python_op = (self._python_op[0], Call(op.kind, op.inputs, results(out)))
        if function and kind_of(function) is not None:
            return
        made = kernel_operands(plan.name, args, kwargs, out)
        if made is not None and function in INDEXING:
            self._indexing.append(made)
        elif made is not None:
            self._kernel = Call(*made, inside)

    def recorded(self, place: Place) -> None:
        """Part of `Observer`."""
        if self._kernel is not None:
            key = (id(place[0]), self._kernel)
            self._kernels[key] = self._kernels.get(key, 0) + 1
            self._kernel = None

    def _add(self, node: Node, call: Call) -> None:
        key = (node, call)
        self.calls[key] = self.calls.get(key, 0) + 1

    def _follow_python_op(self) -> None:
        """See which custom autograd function is being applied, from Python's stack: `apply` is no torch function."""
        found = applying(run.__code__)
        frame = None if found is None else found[0]
        if frame is self._frame:
            return
        self._end_python_op()
        if found is not None:
            kind = _PYTHON_OP + found[1].__name__
            self._frame = frame  # held so that the next call's frame is told from it
            self._python_op = (
                self._mode.calls.node,
                Call(kind, tuple(map(Value.of, arguments_of(found[0]))), ()),
            )

    def _end_python_op(self) -> None:
        if self._python_op is not None:
            self._add(*self._python_op)
        self._frame = self._python_op = None

    def close(self) -> None:
        """The run is over."""
        self._end_python_op()

    def nodes(self) -> Iterator[Node]:
        """The stacks of module calls, callers first."""
        return self._mode.recording.root.walk()  # type: ignore[no-any-return]

    def leaves(self) -> Iterator[Leaf]:
        """What the kernels did."""
        accountant = Accountant(self._mode.rules)
        for node in self.nodes():
            for (op, phase, _, status, function), tally in accountant.rows(node, {}).items():
                forward = phase == PHASES[FORWARD]
                inside, kind, traced = _decode(function if forward else "", op)
                scripted = not function.rpartition("/")[2]
                yield Leaf(
                    node,
                    kind,
                    inside,
                    tally.calls,
                    tally,
                    traced,
                    scripted,
                    status == ZERO,
                    forward,
                )

    def untraced(self) -> Calls:
        """Kernels that no torch function speaks for, such as those of scripted code and of a backward pass."""
        tables = {id(table): node for node in self.nodes() for _, table in node.tables()}
        calls: Calls = {}
        for (table, call), times in self._kernels.items():
            key = (tables[table], call)
            calls[key] = calls.get(key, 0) + times
        return calls


def run(model: nn.Module, inputs: Any) -> Trace:
    """Run `model` once, in the mode it is in, and leave it as it was.

    Args:
        model: any module; DataParallel and DistributedDataParallel are looked into.
        inputs: a tuple holds the positional arguments; a mapping whose keys `forward` takes, keyword arguments; anything else
            is the one argument.
    """
    wrapped = isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel)
    target = model.module if wrapped else model
    args, kwargs = arguments(target, inputs)
    trace = Trace()
    with untouched(model):
        try:
            with profile(model, functions=trace):
                target(*args, **kwargs)
        finally:
            trace.close()
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
    """From a record's function and operator: the custom autograd function around it, the kind, True if a `Call` stands for it."""
    inside, _, name = function.rpartition("/")
    kind = kind_of(name) if name else None
    return inside, kind or kind_of_kernel(op), kind is not None or name in INDEXING
