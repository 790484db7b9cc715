"""The rows a report is made of: frozen plain data, no tensor, no module, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dispatchcount.report.brief import Brief
from dispatchcount.rules.core.cost import Cost

FORWARD, BACKWARD, DOUBLE_BACKWARD, RECOMPUTE, OPTIMIZER, SET_UP = PHASES = (
    "forward",
    "backward",
    "double backward",
    "recompute",
    "optimizer",
    "set-up",
)
"""When an operator ran.

Double backward is the gradient of a gradient. Recompute is checkpointing, which runs a forward
again. Set-up is what torch runs once before the first step of a distributed run, to learn shapes
or to put its own tables in order; it is no part of a step.
"""


COUNTED, ZERO, UNKNOWN, FAILED, UNSEEN = STATUSES = (
    "counted",
    "zero",
    "unknown",
    "failed",
    "unseen",
)

NO_MODULE = "(no module)"
"""The name of the row that holds work outside every module."""


@dataclass(frozen=True, slots=True, repr=False)
class Parameter(Brief):
    """A parameter as a module names it.

    Attributes:
        name: full dotted name.
        shape: its sizes; ``()`` where it was never initialized (lazy modules).
        numel: its elements, 0 where it was never initialized.
        dtype: torch's name without the prefix.
        trainable: True if it requires a gradient.
        tied_to: the first name of the same tensor, if this is a later one, which counts no
            elements.
        nonzero: its elements that are not zero; None where they were not read.
        local: those of its elements that the profiled rank holds, without padding; None where that
            is all of them.
    """

    name: str
    shape: tuple[int, ...]
    numel: int
    dtype: str = "float32"
    trainable: bool = True
    tied_to: str | None = None
    nonzero: int | None = None
    local: int | None = None

    @property
    def local_numel(self) -> int:
        """Its elements that the profiled rank holds, 0 where it was never initialized."""
        return self.numel if self.local is None else min(self.local, self.numel)


class Elements(NamedTuple):
    """Elements of parameters.

    Attributes:
        params: all of them.
        nonzero: those that are not zero, where they were read.
    """

    params: int = 0
    nonzero: int = 0

    def plus(self, other: Elements) -> Elements:
        """Those of both."""
        return Elements(self.params + other.params, self.nonzero + other.nonzero)


@dataclass(frozen=True, slots=True, repr=False)
class Module(Brief):
    """A module of the roots, or one that was called without being in them.

    Attributes:
        name: full dotted name, ``""`` for a single root.
        type: class name.
        parent: index of the row above in `Report.modules`, always a smaller one; -1 for a top row.
        extra: what `extra_repr` says.
        aliases: the other names the same module goes by.
        parameters: those it holds itself, in order.
        container: True if it only holds others (ModuleList, ModuleDict, Identity …), so that it is
            not reported as uncalled.
        fused: True if it was not called and operators of a module around it used its parameters, as
            those of a fused encoder layer do.
    """

    name: str
    type: str
    parent: int = -1
    extra: str = ""
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    container: bool = False
    fused: bool = False

    @property
    def params(self) -> int:
        """Elements of its own parameters, tied ones left to their first name.

        Those of a parameter that is spread over ranks are all counted.
        """
        return self.elements.params

    @property
    def elements(self) -> Elements:
        """The same, and those of them that are not zero."""
        params = nonzero = 0
        for parameter in self.parameters:
            if parameter.tied_to is None:
                params += parameter.numel
                nonzero += parameter.nonzero or 0
        return Elements(params, nonzero)


@dataclass(frozen=True, slots=True, repr=False)
class Path(Brief):
    """A stack of module calls: `module` was called from inside the stack `parent`.

    Attributes:
        parent: index of the caller's path in `Report.paths`, always a smaller one; -1 for the
            outermost.
        module: index in `Report.modules`.
        signature: shapes of the call's inputs as text, ``"(1, 3, 224, 224)"``.
        calls: how often it was called.
        outputs: the distinct shapes that these calls returned, as text; at most 8, and ``"…"`` for
            further ones. Results without a tensor in them are left out.
    """

    parent: int
    module: int
    signature: str = ""
    calls: int = 0
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Entry(Brief):
    """All calls of one operator on one path that are alike.

    Attributes:
        path: index in `Report.paths`.
        op: ``"aten.convolution"``.
        phase: one of `PHASES`.
        dtype: of the first floating or else the first operand; ``""`` where there is no tensor.
        status: one of `STATUSES`.
        function: the Python-level torch function it ran under, ``"linear"``, where those were
            recorded.
        calls: how many.
        cost: of all calls together, bytes always set.
        time_ns: nanoseconds in all calls, 0 where time was not measured.
        group: index in `Report.groups` of a collective's process group; None for any other
            operator.
        issuer: index in `Report.modules` of the module that ran when a collective was called, where
            `path` is that of the module whose data it moves; None for any other operator.
        control: True for a collective that carries no data of the model's: objects that
            torch.distributed pickles, metadata that it exchanges, and barriers.
    """

    path: int
    op: str
    phase: str
    dtype: str
    status: str
    function: str
    calls: int
    cost: Cost
    time_ns: int = 0
    group: int | None = None
    issuer: int | None = None
    control: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class OpIssue(Brief):
    """An operator that could not be counted, or whose rule went wrong.

    Attributes:
        op: its name, or for an unseen kernel a description of what was filled.
        status: ``"unknown"``, ``"failed"`` or ``"unseen"``.
        calls: how often it ran.
        modules: names of the modules it ran in.
        shapes: up to 8 distinct argument lists as text.
        message: why: the reason, or what the rule raised.
        nbytes: bytes read and written by all calls, to judge how much is missing.
    """

    op: str
    status: str
    calls: int
    modules: tuple[str, ...]
    shapes: tuple[str, ...]
    message: str
    nbytes: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class ModuleCost(Brief):
    """What one module did by itself in one sample.

    Attributes:
        module: index in `Report.modules`.
        calls: how often it was called.
        cost: what that cost, without its children.
    """

    module: int
    calls: int
    cost: Cost


@dataclass(frozen=True, slots=True, repr=False)
class Sample(Brief):
    """One input of many.

    Attributes:
        label: what it is called.
        profile: index in `Report.profiles` of what it ran; samples that ran alike share one.
    """

    label: str
    profile: int


@dataclass(frozen=True, slots=True, repr=False)
class ModuleMemory(Brief):
    """Bytes a module holds itself, without its children.

    Attributes:
        module: index in `Report.modules`.
        parameters: its own parameters at the end of the block, a tied one under its first module.
        gradients: their gradients, at the end of the block or when an optimizer used them,
            whichever is more.
        optimizer: an optimizer's state for them, at most.
        saved: storages that autograd held for backward because of it, without parameters and
            buffers: the most at once.
    """

    module: int
    parameters: int = 0
    gradients: int = 0
    optimizer: int = 0
    saved: int = 0

    @property
    def together(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimizer + self.saved


MEMORY_KINDS = ("parameters", "gradients", "optimizer", "saved")
"""The kinds of bytes that `ModuleMemory` tells apart, in order."""


@dataclass(frozen=True, slots=True, repr=False)
class Memory(Brief):
    """Bytes by kind and module, and the peak of live tensor bytes.

    Attributes:
        modules: a row for each module that holds any.
        peak: the most bytes of tensor storage alive at once during the block. It looks at storages
            that the block touched and at the roots' parameters, buffers and gradients; a storage
            counts once, whatever views of it there are.
        peak_module, peak_op: where it stood; no operator if it stood before the first.
    """

    modules: tuple[ModuleMemory, ...]
    peak: int
    peak_module: str
    peak_op: str

    @property
    def parameters(self) -> int:
        """Bytes of all parameters."""
        return sum(row.parameters for row in self.modules)

    @property
    def gradients(self) -> int:
        """Bytes of all gradients."""
        return sum(row.gradients for row in self.modules)

    @property
    def optimizer(self) -> int:
        """Bytes of optimizer state for all parameters."""
        return sum(row.optimizer for row in self.modules)

    @property
    def saved(self) -> int:
        """Bytes saved for backward: the sum of every module's most.

        With one forward before each backward that is what was held at once.
        """
        return sum(row.saved for row in self.modules)


@dataclass(frozen=True, slots=True, repr=False)
class Meta(Brief):
    """What was profiled, and with what.

    Attributes:
        torch, python, dispatchcount: their versions.
        created: seconds since 1970 when the block ended, UTC.
        devices, dtypes: of the tensors that operators touched.
        model: class names of the roots.
        training: True if the first root was in train mode when the block began; None without a
            root.
        stopped_in: the module in which an exception left the block, None where none did.
        error: the exception's text.
        labels: what the user says of the run (commit, model, input), pairs in order.
        notes: limits that the run met, one sentence each.
    """

    torch: str
    python: str
    dispatchcount: str
    created: int
    devices: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    model: str = ""
    training: bool | None = None
    stopped_in: str | None = None
    error: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
