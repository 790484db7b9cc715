"""`Analysis`: the interface that mmengine's and fvcore's analyses have in common."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn
from torch.jit import TracerWarning

from dispatchcount.compat._jit import tables
from dispatchcount.compat._jit.counting import SCRIPTED, Count, Statistics
from dispatchcount.compat._jit.names import aliases, named_modules_with_dup
from dispatchcount.compat._jit.trace import Trace, run
from dispatchcount.compat._jit.treatment import Reading, Settings
from dispatchcount.compat._jit.values import Handle

if TYPE_CHECKING:
    from typing_extensions import Self

TRACER_MODES = ("all", "no_tracer_warning", "none")
ANCESTOR_MODES = ("owner", "caller")
_SILENT = (nn.ModuleList, nn.ModuleDict, nn.Module, nn.Identity)


class Analysis:
    """Counts per module and operator for one run of a model.

    The model runs when a count is first asked for, and again after settings changed. It runs in
    the mode it is in; its buffers and the random number generators are as before afterwards.
    Handles decide what an operator counts: functions of its inputs and outputs. Modules go by
    their dotted names, and ``""`` is the model. An operator counts for the module whose call it
    ran in.

    Args:
        model: the model.
        inputs: a tuple of its positional arguments, or the only argument, or keyword arguments as
            a mapping.
    """

    _reading: ClassVar[Reading | None] = None
    _measured: ClassVar[frozenset[str]] = frozenset()
    _defaults: ClassVar[Mapping[str, Handle]] = {}

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self._model = model
        self._inputs = inputs
        self._named_modules: dict[str, nn.Module] = dict(named_modules_with_dup(model))
        self._aliases = aliases(model)
        self._stats: Statistics | None = None
        self._op_handles: dict[str, Handle] = {}
        self._ignored_ops: set[str] = set(tables.IGNORED)
        self._dropped_ops: set[str] = set()
        self._measuring = True
        self.unsupported_ops_warnings(True).uncalled_modules_warnings(True)
        self.tracer_warnings("no_tracer_warning").ancestor_mode("owner")
        self.set_op_handle(**self._defaults)

    def _log(self, message: str) -> None:
        """Log a warning about operators or modules; each interface has its own channel."""
        raise NotImplementedError

    def total(self, module_name: str = "") -> int:
        """The count of a module and of all that lies below it.

        Raises:
            KeyError: no module has that name.
        """
        counts = self._analyze().counts[self.canonical_module_name(module_name)]
        return sum(counts.values())

    def by_operator(self, module_name: str = "") -> Counter[str]:
        """The count of a module by operator.

        Raises:
            KeyError: no module has that name.
        """
        return self._analyze().counts[self.canonical_module_name(module_name)]

    def by_module_and_operator(self) -> dict[str, Counter[str]]:
        """The counts of every module by operator."""
        return self._analyze().counts

    def by_module(self) -> Counter[str]:
        """The count of every module, called or not."""
        return Counter(
            {name: sum(counts.values()) for name, counts in self._analyze().counts.items()}
        )

    def unsupported_ops(self, module_name: str = "") -> Counter[str]:
        """How often each operator ran in a module that neither handles nor dispatch could count.

        Scripted code is listed as ``prim::CallFunction``, though its operators are counted.

        Raises:
            RuntimeError: nothing was counted yet.
            KeyError: no module has that name.
        """
        if self._stats is None:
            raise RuntimeError(
                "Analysis results should be computed before calling unsupported_ops(); "
                "ask for total() first"
            )
        return self._stats.unsupported_ops[self.canonical_module_name(module_name)]

    def uncalled_modules(self) -> set[str]:
        """Names of the modules that were never called.

        What ran by ``module.forward(…)`` belongs to the module that called it.
        """
        return self._analyze().uncalled_mods

    def set_op_handle(self, *args: Any, **kwargs: Handle | None) -> Self:
        """Set handles, as pairs of arguments or by keyword.

        ``set_op_handle("aten::matmul", None, "aten::gelu", mine)`` sets two.

        Args:
            *args: names of operators, each followed by its handle. None leaves an operator out
                that has no handle, and does nothing to one that has, as in the libraries.
            **kwargs: handles by name.

        Raises:
            TypeError: a name has no handle behind it.
        """
        self._stats = None
        if len(args) % 2:
            raise TypeError("set_op_handle should be called with pairs of names and handles!")
        for name, handle in (*zip(args[::2], args[1::2], strict=True), *kwargs.items()):
            if handle is None:
                self._ignored_ops.add(name)
                if name not in self._op_handles:
                    self._dropped_ops.add(name)
            else:
                _check_reachable(name)
                self._op_handles[name] = handle
                self._dropped_ops.discard(name)
        return self

    def clear_op_handles(self) -> Self:
        """Take all handles away, the library's own too; nothing counts until there are new ones."""
        self._op_handles = {}
        self._dropped_ops = set()
        self._ignored_ops = set(tables.IGNORED)
        self._measuring = False
        self._stats = None
        return self

    def canonical_module_name(self, name: str) -> str:
        """The name in results of a module that has several.

        Raises:
            KeyError: no module has that name.
        """
        assert isinstance(name, str), "Module name must be a string."
        if name not in self._aliases:
            raise KeyError(
                "Requested module name is not among the descendants of the analyzed model: "
                f"{name!r}"
            )
        return self._aliases[name]

    def copy(self, new_model: nn.Module | None = None, new_inputs: Any = None) -> Self:
        """An analysis with the same settings, on another model or other inputs if given."""
        model = self._model if new_model is None else new_model
        other = type(self)(model=model, inputs=self._inputs if new_inputs is None else new_inputs)
        other._op_handles = dict(self._op_handles)
        other._ignored_ops, other._dropped_ops = set(self._ignored_ops), set(self._dropped_ops)
        other._measuring = self._measuring
        other.unsupported_ops_warnings(self._enable_warn_unsupported_ops)
        other.uncalled_modules_warnings(self._enable_warn_uncalled_mods)
        return other.tracer_warnings(self._warn_trace).ancestor_mode(self._ancestor_mode)

    def tracer_warnings(self, mode: str) -> Self:
        """Choose which warnings to let through while the model runs.

        Args:
            mode: ``"all"``; ``"no_tracer_warning"`` (the default) for all but
                `torch.jit.TracerWarning`, which says that the model reads a tensor's contents, so
                that another input may take another way; ``"none"``.

        Raises:
            ValueError: `mode` is none of these.
        """
        if mode not in TRACER_MODES:
            raise ValueError(
                f"Unrecognized tracer warning mode {mode}; it is one of {', '.join(TRACER_MODES)}."
            )
        self._warn_trace = mode
        return self

    def ancestor_mode(self, mode: str) -> Self:
        """Choose the modules that an operator counts for besides the innermost one running.

        Args:
            mode: ``"owner"`` (the default) for those above it by name, ``"caller"`` for those
                being called.

        Raises:
            ValueError: `mode` is neither.
        """
        if mode not in ANCESTOR_MODES:
            raise ValueError(
                f"Unrecognized ancestor mode: {mode}; it is one of {', '.join(ANCESTOR_MODES)}."
            )
        self._ancestor_mode = mode
        self._stats = None
        return self

    def unsupported_ops_warnings(self, enabled: bool) -> Self:
        """Log unsupported operators if `enabled`."""
        self._enable_warn_unsupported_ops = enabled
        return self

    def uncalled_modules_warnings(self, enabled: bool) -> Self:
        """Log modules that were never called if `enabled`."""
        self._enable_warn_uncalled_mods = enabled
        return self

    def _analyze(self) -> Statistics:
        if self._stats is None:
            self._use(self._run())
        assert self._stats is not None
        return self._stats

    def _run(self) -> Trace:
        with warnings.catch_warnings():
            if self._warn_trace == "none":
                warnings.simplefilter("ignore")
            elif self._warn_trace == "no_tracer_warning":
                warnings.filterwarnings("ignore", category=TracerWarning)
            trace = run(self._model, self._inputs)
            if trace.read:
                warnings.warn(
                    "The model reads a tensor's contents into Python; the counts are those of "
                    "this input, and another may take another way.",
                    TracerWarning,
                    stacklevel=4,
                )
        return trace

    def _use(self, trace: Trace, said: set[str] | None = None) -> None:
        """Make the statistics of a run, and log its warnings except those that were `said`."""
        settings = Settings(
            handles=self._op_handles,
            own=self._own_handles() if self._measuring else frozenset(),
            dropped=self._dropped_ops,
            free=self._ignored_ops,
            reading=self._reading if self._measuring else None,
            owner=self._ancestor_mode == "owner",
        )
        self._stats = Count(trace, self._aliases, settings).statistics()
        said = set() if said is None else said
        for message in self._warnings(self._stats):
            if message not in said:
                said.add(message)
                self._log(message)

    def _own_handles(self) -> frozenset[str]:
        """The measured kinds of operators whose handle is still the library's own."""
        handles, defaults = self._op_handles, self._defaults
        return frozenset(kind for kind in self._measured if handles.get(kind) is defaults[kind])

    def _warnings(self, stats: Statistics) -> Iterator[str]:
        if self._enable_warn_unsupported_ops:
            for op, times in stats.unsupported_ops[""].items():
                yield f"Unsupported operator {op} encountered {times} time(s)"
        uncalled = sorted(name for name in stats.uncalled_mods if self._is_meant_to_be_called(name))
        if self._enable_warn_uncalled_mods and uncalled:
            yield (
                "The following submodules of the model were never called during the trace of the "
                "graph. They may be unused, or they were accessed by direct calls to .forward() "
                "or via other python methods. In the latter case they will have zeros for "
                "statistics, though their statistics will still contribute to their parent "
                "calling module.\n" + ", ".join(uncalled)
            )

    def _is_meant_to_be_called(self, name: str) -> bool:
        module = self._named_modules.get(name)
        return module is not None and all(
            getattr(type(module), "forward", None) is not kind.forward for kind in _SILENT
        )


def analyze_together(*analyses: Analysis) -> None:
    """Let several analyses of one model and input share a run, and log each warning once."""
    trace, said = analyses[0]._run(), set[str]()
    for analysis in analyses:
        analysis._use(trace, said)


_WARNED: set[str] = set()


def _check_reachable(name: str) -> None:
    """Say once that a handle will never be called, and what to use instead."""
    if name.startswith("prim::") and not name.startswith("prim::PythonOp.") and name not in _WARNED:
        _WARNED.add(name)
        instead = (
            "its operators are counted one by one"
            if name == SCRIPTED
            else "it exists in TorchScript graphs alone"
        )
        warnings.warn(
            f"the handle of {name} is never called: {instead}. "
            f"Give the operators that run their cost with @dispatchcount.register.",
            stacklevel=3,
        )
