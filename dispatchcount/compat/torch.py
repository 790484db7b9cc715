"""torch's flop counter.

Write ``from dispatchcount.compat.torch import FlopCounterMode`` where
``from torch.utils.flop_counter import FlopCounterMode`` was. A MAC is two flops, and nothing else
counts. What torch's counter misses without a word (fused CPU kernels, LSTM, matrix-vector products,
in-place products) is counted here.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import torch
from rich.cells import cell_len, set_cell_size
from torch.utils import _pytree as pytree
from torch.utils import flop_counter as theirs

from dispatchcount.compat._absent import absent
from dispatchcount.compat._once import hollow, not_counted
from dispatchcount.profiler import Profile, profile
from dispatchcount.report.rows import Entry
from dispatchcount.report_api import Report
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import target_name

flop_registry: dict[Any, Callable[..., Any]] = dict(theirs.flop_registry)
"""Formulas by operator.

Only those that are not torch's own are called. The operators of the others have rules here, which
count the same or better.
"""

GLOBAL = "Global"

Counts = defaultdict[str, defaultdict[Any, int]]
"""Flops by module, then by operator."""


_absent = absent(
    __name__,
    {
        "_FlopCounterMode": "it is the mode that torch's counter is made of, and this counter is "
        "not made of it; register_flop_formula gives an operator its flops"
    },
)


def __getattr__(name: str) -> Any:
    """Torch's own formulas and helpers (`mm_flop`, `sdpa_flop_count`, `get_shape` …).

    Raises:
        ImportError: the name is torch's, and has nothing to stand for here.
        AttributeError: torch has no such name either.
    """
    if name.startswith("__") or name == "_FlopCounterMode":
        _absent(name)
    return getattr(theirs, name)


def register_flop_formula(
    targets: Any, get_raw: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: its function counts the flops of `targets`.

    It does so in every `FlopCounterMode` that is made from now on.

    Args:
        targets: an operator's packet (``torch.ops.mylib.foo``), a higher-order operator, a triton
            kernel, or a list of such.
        get_raw: by default the function gets sizes in place of tensors, and those of the result as
            ``out_shape``. If True, it gets tensors without contents (on the meta device), and the
            result as ``out_val``.

    Raises:
        ValueError: a target is none of these.
        RuntimeError: a target has a formula already.
    """

    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        wrapped = formula if get_raw else theirs.shape_wrapper(formula)
        for target in targets if isinstance(targets, list | tuple) else (targets,):
            try:
                known = not isinstance(target, str) and bool(target_name(target))
            except TypeError:
                known = False
            if not known or isinstance(target, torch._ops.OpOverload):
                raise ValueError(
                    "register_flop_formula(targets): expected each target to be "
                    "OpOverloadPacket (i.e. torch.ops.mylib.foo), JitFunction, or "
                    f"HigherOrderOperator, got {target} which is of type {type(target)}"
                )
            if target in flop_registry:
                raise RuntimeError(f"duplicate registrations for {target}")
            flop_registry[target] = wrapped
        return wrapped

    return register


class FlopCounterMode:
    """Counts the flops of what runs inside a with-block, by module and operator.

    Args:
        mods: not used, because modules are found as they are called.
        depth: levels of modules that `get_table` shows.
        display: True to print the table when the block ends.
        custom_mapping: formulas by operator for this block, as for `register_flop_formula`.
    """

    def __init__(
        self,
        mods: Any = None,
        depth: int | None = 2,
        display: bool = True,
        custom_mapping: Mapping[Any, Any] | None = None,
    ) -> None:
        if mods is not None:
            warnings.warn(
                "mods argument is not needed anymore, you can stop passing it", stacklevel=2
            )
        self.depth = depth
        self.display = display
        self.flop_registry = flop_registry | {
            target: formula
            if getattr(formula, "_get_raw", False)
            else theirs.shape_wrapper(formula)
            for target, formula in (custom_mapping or {}).items()
        }
        self._profile: Profile | None = None
        self._counts: tuple[Report, Counts] | None = None

    def __enter__(self) -> FlopCounterMode:
        own = {t: f for t, f in self.flop_registry.items() if f is not theirs.flop_registry.get(t)}
        self._own = {target_name(target).replace("::", ".", 1) for target in own}
        self._profile = profile(
            rules={target: _rule(formula) for target, formula in own.items()},
            convention="torch",
            wrappers=True,
        )
        self._profile.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._profile is not None
        self._profile.__exit__(kind, error, trace)
        for op, issue in self.report.failed_ops.items():
            warnings.warn(
                f"the flop formula of {op} failed, it counts 0: {issue.message}", stacklevel=2
            )
        if self.display:
            print(self.get_table(self.depth))

    @property
    def report(self) -> Report:
        """The report that the counts are read off.

        Raises:
            RuntimeError: the block was not entered yet.
        """
        if self._profile is None:
            raise RuntimeError(
                "nothing was counted yet; run the model inside `with FlopCounterMode() as counter:`"
            )
        return self._profile.report

    @property
    def flop_counts(self) -> Counts:
        """Flops by module, then by operator.

        ``"Global"`` is everything, ``"ResNet.layer1"`` a module with all that it called. Every
        module that was called has a row. An operator that has a formula has an entry in it, even
        if that is 0. A name that is not there gives an empty row.
        """
        if self._profile is None:
            return _no_counts()
        report = self.report
        if self._counts is None or self._counts[0] is not report:
            self._counts = report, self._counted(report)
        return self._counts[1]

    def get_total_flops(self) -> int:
        """Flops of everything that ran; 0 before anything did."""
        return (
            0 if self._profile is None else sum(self._flops(entry) for entry in self.report.entries)
        )

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """What `flop_counts` holds, as plain dicts."""
        return {name: dict(row) for name, row in self.flop_counts.items()}

    def _counted(self, report: Report) -> Counts:
        names, stacks, counts = _names(report), list[frozenset[str]](), _no_counts()
        for path in report.paths:
            above = stacks[path.parent] if path.parent >= 0 else frozenset({GLOBAL})
            stacks.append(above | {names[path.module]})
            for name in stacks[-1]:
                counts[name]  # makes the row
        for entry in report.entries:
            flops, operator = self._flops(entry), _operator(entry.op)
            if flops or operator in self.flop_registry:
                for name in stacks[entry.path]:
                    counts[name][operator] += flops
        return counts

    def _flops(self, entry: Entry) -> int:
        return entry.cost.arithmetic if entry.op in self._own else 2 * entry.cost.macs

    def get_table(self, depth: int | None = None) -> str:
        """Flops and shares by module and operator as text.

        A line below the table names the operators that could not be counted.

        Args:
            depth: levels of modules to show; by default those that the counter was made with.
        """
        depth = depth or self.depth or 999_999
        counts, total = self.flop_counts, self.get_total_flops() if self._profile else 0
        suffix = theirs.get_suffix_str(total)
        rows: list[list[str]] = []

        def add(name: str, indent: int) -> bool:
            figures = [(name, sum(counts[name].values()))] + [
                (f" - {op}", flops) for op, flops in counts[name].items()
            ]
            for title, flops in figures:
                shares = (
                    theirs.convert_num_with_suffix(flops, suffix),
                    theirs.convert_to_percent_str(flops, total),
                )
                rows.append([" " * indent + title, *shares])
            return figures[0][1] >= total

        shown = [
            name
            for name in sorted(counts)
            if name != GLOBAL and counts[name] and name.count(".") < depth
        ]
        covered = [add(name, name.count(".")) for name in shown]
        if counts[GLOBAL] and not any(covered):
            inner = [[f" {title}", *rest] for title, *rest in rows]
            rows.clear()
            add(GLOBAL, 0)
            rows += inner
        table = _aligned(["Module", "FLOP", "% Total"], rows or [[GLOBAL, "0", "0%"]])
        missing = not_counted(self.report) if self._profile else ""
        return f"{table}\n{missing}" if missing else table


def _no_counts() -> Counts:
    return defaultdict(lambda: defaultdict(int), {GLOBAL: defaultdict(int)})


def _rule(formula: Callable[..., Any]) -> Callable[..., Cost]:
    """A rule from a formula. Its flops are kept as arithmetic, for they may be an odd number."""

    def rule(*args: Any, out: Any, **kwargs: Any) -> Cost:
        args, kwargs, out = pytree.tree_map(hollow, (args, kwargs, out))
        return Cost(arithmetic=int(formula(*args, **kwargs, out_val=out)))

    return rule


def _names(report: Report) -> list[str]:
    """The names of modules as torch's tracker has them: the root's class, then attributes."""
    names: list[str] = []
    for index, module in enumerate(report.modules):
        above = report.modules[module.parent] if module.parent >= 0 else None
        if index == 0 or (above is None and not module.type):
            names.append(GLOBAL)
        elif above is None or not above.type:
            names.append(module.type)
        else:
            names.append(f"{names[module.parent]}.{module.name[len(above.name) :].lstrip('.')}")
    return names


def _operator(name: str) -> Any:
    """The operator called ``"aten.mm"``; the name itself if there is no such operator."""
    namespace, _, op = name.partition(".")
    return getattr(getattr(torch.ops, namespace, None), op, name) if op.isidentifier() else name


def _aligned(headers: list[str], rows: list[list[str]]) -> str:
    """A table with a rule below its header. The first column is set left, the others right."""
    widths = [
        max(len(head) + 2, *map(cell_len, column))
        for head, *column in zip(headers, *rows, strict=True)
    ]
    lines = [headers, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            [
                set_cell_size(row[0], widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in lines
    )
