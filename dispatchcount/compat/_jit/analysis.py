"""`JitModelAnalysis`: the interface that mmengine's and fvcore's analyses have in common."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn
from torch.jit import TracerWarning

from dispatchcount.compat._jit import tables
from dispatchcount.compat._jit.counting import SCRIPTED, Count, Metric, Settings, Statistics
from dispatchcount.compat._jit.handles import generic_activation_jit
from dispatchcount.compat._jit.names import aliases, named_modules_with_dup
from dispatchcount.compat._jit.trace import Trace, run
from dispatchcount.compat._jit.values import Handle
from dispatchcount.report.tally import Tally

if TYPE_CHECKING:
    from typing_extensions import Self

TRACER_MODES = ("all", "no_tracer_warning", "none")
ANCESTOR_MODES = ("owner", "caller")
_SILENT = (nn.ModuleList, nn.ModuleDict, nn.Module, nn.Identity)


class Analysis:
    """Counts per module and operator for one run of a model, made when first asked for and again after settings changed.

    The model runs once, in the mode it is in; its buffers and the random number generators are as before afterwards. What an
    operator counts is decided by handles: functions of its inputs and outputs. Modules go by their dotted names, ``""`` being
    the model; an operator counts for the module whose call it ran in.

    Args:
        model: the model.
        inputs: a tuple of its positional arguments, or the only argument, or keyword arguments as a mapping.
    """

    _metric: ClassVar[Metric | None] = None
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
        """Where warnings about operators and modules go; each interface has its channel."""
        raise NotImplementedError

    def total(self, module_name: str = "") -> int:
        """The count of a module and all that lies below it.

        Raises:
            KeyError: no module goes by that name.
        """
        counts = self._analyze().counts[self.canonical_module_name(module_name)]
        return sum(counts.values())

    def by_operator(self, module_name: str = "") -> Counter[str]:
        """The count of a module by operator.

        Raises:
            KeyError: no module goes by that name.
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
        """How often each operator ran in a module that no handle is for and that dispatch has no count for either.

        Scripted code is listed as ``prim::CallFunction``; its operators are counted all the same.

        Raises:
            RuntimeError: nothing was counted yet. KeyError: no module goes by that name.
        """
        if self._stats is None:
            raise RuntimeError(
                "Analysis results should be computed before calling unsupported_ops(); ask for total() first"
            )
        return self._stats.unsupported_ops[self.canonical_module_name(module_name)]

    def uncalled_modules(self) -> set[str]:
        """Names of the modules that were never called. What ran by `module.forward(…)` belongs to the module that called it."""
        return self._analyze().uncalled_mods

    def set_op_handle(self, *args: Any, **kwargs: Handle | None) -> Self:
        """Set handles, as pairs of arguments or by keyword: ``set_op_handle("aten::matmul", None, "aten::gelu", mine)``.

        Args:
            *args: names of operators, each followed by its handle; None keeps an operator out that has no handle, and does
                nothing to one that has, as in the libraries.
            **kwargs: handles by name.

        Raises:
            TypeError: a name is left without a handle.
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
        """Take all handles away, those that the analysis came with too; nothing counts until there are new ones."""
        self._op_handles = {}
        self._dropped_ops = set()
        self._ignored_ops = set(tables.IGNORED)
        self._measuring = False
        self._stats = None
        return self

    def canonical_module_name(self, name: str) -> str:
        """The name that a module has in results, for one that goes by several.

        Raises:
            KeyError: no module goes by that name.
        """
        assert isinstance(name, str), "Module name must be a string."
        if name not in self._aliases:
            raise KeyError(
                f"Requested module name is not among the descendants of the analyzed model: {name!r}"
            )
        return self._aliases[name]

    def copy(self, new_model: nn.Module | None = None, new_inputs: Any = None) -> Self:
        """An analysis with all the same settings, on another model or other inputs if given."""
        model = self._model if new_model is None else new_model
        other = type(self)(model=model, inputs=self._inputs if new_inputs is None else new_inputs)
        other._op_handles = dict(self._op_handles)
        other._ignored_ops, other._dropped_ops = set(self._ignored_ops), set(self._dropped_ops)
        other._measuring = self._measuring
        other.unsupported_ops_warnings(self._enable_warn_unsupported_ops)
        other.uncalled_modules_warnings(self._enable_warn_uncalled_mods)
        return other.tracer_warnings(self._warn_trace).ancestor_mode(self._ancestor_mode)

    def tracer_warnings(self, mode: str) -> Self:
        """Which warnings to let through while the model runs.

        Args:
            mode: ``"all"``; ``"no_tracer_warning"`` (default): all but `torch.jit.TracerWarning`, which says that the model reads
                a tensor's contents, so that another input may take another way; ``"none"``.

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
        """Which modules an operator counts for besides the innermost one running.

        Args:
            mode: ``"owner"`` (default): those above it by name; ``"caller"``: those being called.

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
        """Whether to log unsupported operators."""
        self._enable_warn_unsupported_ops = enabled
        return self

    def uncalled_modules_warnings(self, enabled: bool) -> Self:
        """Whether to log modules that were never called."""
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
                    "The model reads a tensor's contents into Python; the counts are those of this input, and another may take "
                    "another way.",
                    TracerWarning,
                    stacklevel=4,
                )
        return trace

    def _use(self, trace: Trace, said: set[str] | None = None) -> None:
        settings = Settings(
            handles=self._op_handles,
            ignored=frozenset(self._ignored_ops),
            dropped=frozenset(self._dropped_ops),
            metric=self._metric if self._measuring else None,
            measured=frozenset(
                k
                for k in self._measured
                if self._op_handles.get(k) is self._defaults[k] and self._measuring
            ),
            owner=self._ancestor_mode == "owner",
        )
        self._stats = Count(trace, self._aliases, settings).statistics()
        said = set() if said is None else said
        for message in self._warnings(self._stats):
            if message not in said:
                said.add(message)
                self._log(message)

    def _warnings(self, stats: Statistics) -> Iterator[str]:
        if self._enable_warn_unsupported_ops:
            for op, times in stats.unsupported_ops[""].items():
                yield f"Unsupported operator {op} encountered {times} time(s)"
        uncalled = sorted(name for name in stats.uncalled_mods if self._is_meant_to_be_called(name))
        if self._enable_warn_uncalled_mods and uncalled:
            yield (
                "The following submodules of the model were never called during the trace of the graph. They may be unused, or "
                "they were accessed by direct calls to .forward() or via other python methods. In the latter case they will have "
                "zeros for statistics, though their statistics will still contribute to their parent calling module.\n"
                + ", ".join(uncalled)
            )

    def _is_meant_to_be_called(self, name: str) -> bool:
        module = self._named_modules.get(name)
        return module is not None and all(
            getattr(type(module), "forward", None) is not kind.forward for kind in _SILENT
        )


def _macs(tally: Tally) -> int:
    return tally.macs


def _flops(tally: Tally) -> int:
    return tally.macs + tally.fvcore


def _activations(tally: Tally) -> int:
    return tally.activations


class Flops(Analysis):
    """Multiply-adds of contractions, and fvcore's figures for norms, upsampling, adaptive average pooling and grid sampling."""

    _metric = Metric(_macs, _flops)
    _defaults = tables.FLOP_HANDLES
    # One pixel is pooled by `mean` on some devices, which by itself counts nothing.
    _measured = frozenset(tables.FLOP_HANDLES) - {"aten::adaptive_avg_pool2d"}


class Activations(Analysis):
    """Elements of the results of convolutions, matrix products and the kernels built of them."""

    # What a layer hands on is its result, in however many kernels it was made.
    _metric = Metric(_activations, _activations, spare=generic_activation_jit())
    _defaults = tables.ACTIVATION_HANDLES


def analyze_together(*analyses: Analysis) -> None:
    """Let several analyses of one model and input share one run; what all would warn of is said once."""
    trace, said = analyses[0]._run(), set[str]()
    for analysis in analyses:
        analysis._use(trace, said)


def scaled(
    analysis: Analysis, supported_ops: Mapping[str, Handle | None] | None, unit: float
) -> tuple[Any, Counter[str]]:
    """Counts by operator in `unit`s, and the unsupported operators."""
    analysis.set_op_handle(**dict(supported_ops or {}))
    counts: defaultdict[str, float] = defaultdict(float)
    counts.update((op, count / unit) for op, count in analysis.by_operator().items())
    return counts, analysis.unsupported_ops()


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
