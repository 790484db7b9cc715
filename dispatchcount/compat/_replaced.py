"""Modules whose own figure replaces what they ran: one of the user's, or none.

ptflops, thop, calflops and DeepSpeed count modules by functions of their class, and take functions
or exceptions from the user. Here operators are counted, so the report of a run is rewritten: what
ran in such a module is taken out, and the user's figure is put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from dispatchcount.compat._modules import named_modules
from dispatchcount.report.rows import COUNTED, FORWARD, Entry
from dispatchcount.report_api import Report
from dispatchcount.rules.core.cost import Cost

Hook = Callable[[Any, Any, Any], Any]
"""Takes a module, a tuple of its inputs and its output, and adds a figure to its attribute."""


@dataclass
class Replaced:
    """What to count for modules of some classes.

    Attributes:
        hooks: functions by class. Each adds the MACs of a call to the module's attribute.
        option: the name of the option that the functions were given in, for error messages.
        attribute: the name of that attribute. It is there while the model runs.
        start: makes what the attribute is at first.
        without: classes of modules that count nothing, with all that lies below them.
        bare: tells modules that count nothing for themselves, while those below them count.
    """

    hooks: Mapping[type, Hook] = field(default_factory=dict)
    option: str = ""
    attribute: str = ""
    start: Callable[[], Any] = int
    without: Collection[type] = ()
    bare: Callable[[nn.Module], bool] = lambda module: False
    _figures: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Check the functions.

        Raises:
            ValueError: one cannot be called.
        """
        for cls, hook in self.hooks.items():
            if not callable(hook):
                raise ValueError(
                    f"{self.option} has {hook!r} for {cls.__name__}; "
                    "give a function that takes a module, a tuple of its inputs and its output"
                )

    @contextmanager
    def counting(self, model: nn.Module) -> Iterator[None]:
        """Call the functions while `model` runs inside; nothing is left on it afterwards."""
        hooked = {n: m for n, m in named_modules(model) if type(m) in self.hooks}
        before = {name: dict(vars(module)) for name, module in hooked.items()}
        handles = []
        try:
            for module in hooked.values():
                vars(module)[self.attribute] = self.start()
                handles.append(module.register_forward_hook(_observer(self.hooks[type(module)])))
            yield
            for name, module in hooked.items():
                self._figures[name] = int(vars(module)[self.attribute])
        finally:
            for handle in handles:
                handle.remove()
            for name, module in hooked.items():
                vars(module).pop(self.attribute, None)
                if self.attribute in before[name]:
                    vars(module)[self.attribute] = before[name][self.attribute]

    def rewritten(self, report: Report, model: nn.Module) -> Report:
        """The report of a run of `model`, with the figures of these modules in their places."""
        modules = dict(named_modules(model))
        names = [module.name for module in report.modules]
        whole = {name for name, module in modules.items() if self._is_whole(module)}
        bare = {name for name, module in modules.items() if self.bare(module)}
        if not whole and not bare:
            return report

        # What ran in a replaced module is left out, and what a bare one ran itself.
        outer = _outermost(report, whole)
        kept = [
            entry
            for entry in report.entries
            if outer[entry.path] is None and names[report.paths[entry.path].module] not in bare
        ]

        # Each figure stands on the first path of its module, unless a replaced module is above.
        for index, path in enumerate(report.paths):
            name = names[path.module]
            if outer[index] == name and name in self._figures and path.calls:
                figure = Cost(macs=self._figures.pop(name), bytes_read=0, bytes_written=0)
                operator = f"custom.{report.modules[path.module].type}"
                kept.append(Entry(index, operator, FORWARD, "", COUNTED, "", path.calls, figure))

        replaced = {name for name in outer if name is not None}
        issues = [issue for issue in report.issues if not _all_below(issue.modules, replaced)]
        return replace(report, entries=tuple(kept), issues=tuple(issues))

    def _is_whole(self, module: nn.Module) -> bool:
        return type(module) in self.hooks or type(module) in self.without


def _observer(hook: Hook) -> Hook:
    """The user's function as a hook that cannot change the module's output."""

    def observe(module: Any, inputs: Any, output: Any) -> None:
        hook(module, inputs, output)

    return observe


def _outermost(report: Report, names: Collection[str]) -> list[str | None]:
    """For each path the name of the outermost module among `names` on it, or None."""
    found: list[str | None] = []
    for path in report.paths:
        above = found[path.parent] if path.parent >= 0 else None
        name = report.modules[path.module].name
        called = path.parent >= 0 and name in names
        found.append(above if above is not None or not called else name)
    return found


def _all_below(modules: Collection[str], replaced: Collection[str]) -> bool:
    return bool(modules) and all(
        any(module == name or not name or module.startswith(f"{name}.") for name in replaced)
        for module in modules
    )
