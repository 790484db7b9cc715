"""Follows the calls of a model's modules: their order, and the sizes of inputs and outputs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from dispatchcount.capture.frames import call_kwargs
from dispatchcount.capture.inputs import input_shapes
from dispatchcount.compat._jit.names import aliases, named_modules_with_dup
from dispatchcount.costing.paths import signature_text
from dispatchcount.report_api import Report

_DEPTH = 32
"""How deep inputs and outputs are looked into for a tensor."""


@dataclass(eq=False)
class LayerCall:
    """One call of a module.

    Attributes:
        name: the dotted name that the module was called by.
        module: the module.
        caller: the call of a module that it was made in.
        signature: the shapes of its inputs, as reports write them.
        input_size: the sizes of the first tensor that went in; None if there was none.
        output_size: the sizes of the first tensor that came out; None if there was none.
        output_bytes: the bytes of that tensor.
        returned: True if the call has returned something.
        macs: multiply-accumulates of the call without the calls in it.
    """

    name: str
    module: nn.Module
    caller: LayerCall | None
    signature: str
    input_size: list[int] | None
    output_size: list[int] | None = None
    output_bytes: int = 0
    returned: bool = False
    macs: int = 0


Key = tuple[str, str]
"""A module's first name, and the shapes of a call's inputs."""


class LayerCalls:
    """The calls of the modules of one model, in order. Nothing is left on the model."""

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[LayerCall] = []
        self._stack: list[LayerCall] = []
        self._names: defaultdict[int, list[str]] = defaultdict(list)
        for name, module in named_modules_with_dup(model):
            self._names[id(module)].append(name)
        self._first_names = aliases(model)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the calls that are made inside."""
        hooks = (
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, module: nn.Module, args: Any) -> None:
        names = self._names.get(id(module))
        if names is None:
            return
        kwargs = call_kwargs()
        caller = self._stack[-1] if self._stack else None
        call = LayerCall(
            self._name_below(names, caller),
            module,
            caller,
            signature_text(input_shapes(args, kwargs)),
            _size(_tensor_in((*args, *kwargs.values()))),
        )
        self.calls.append(call)
        self._stack.append(call)

    def _leave(self, module: nn.Module, args: Any, out: Any) -> None:
        # A call that an exception ended may still be on the stack above this one.
        while any(call.module is module for call in self._stack):
            call = self._stack.pop()
            if call.module is module:
                call.returned = out is not None
                if isinstance(out, torch.distributions.Distribution):
                    call.output_size = [*out.batch_shape, *out.event_shape]
                    return
                tensor = _tensor_in(out)
                call.output_size = _size(tensor)
                call.output_bytes = 0 if tensor is None else tensor.numel() * tensor.element_size()
                return

    def _name_below(self, names: list[str], caller: LayerCall | None) -> str:
        """The name of a module that has several: one below its caller's, if there is one."""
        prefix = "" if caller is None or not caller.name else f"{caller.name}."
        return next((name for name in names if name.startswith(prefix)), names[0])

    def add_macs(self, report: Report) -> None:
        """Give each call the multiply-accumulates that the report has for it.

        A report knows calls of one module with inputs of the same shapes as one row. They share
        its figure evenly, and the last one gets what cannot be shared.
        """
        figures, times = self._own(report)
        groups: dict[Key, list[LayerCall]] = {key: [] for key in figures | times}
        for call in self.calls:
            groups.setdefault(self._key(call), []).append(call)
        by_name: defaultdict[str, list[Key]] = defaultdict(list)
        for key in groups:
            by_name[key[0]].append(key)
        for keys in by_name.values():
            # Where a report has joined the shapes of many calls, the module's calls are one group.
            if all(len(groups[key]) == times[key] for key in keys):
                for key in keys:
                    _share(figures[key], groups[key])
            else:
                _share(sum(figures[key] for key in keys), [c for key in keys for c in groups[key]])

    def _key(self, call: LayerCall) -> Key:
        return str(self._first_names[id(call.module)]), call.signature

    def _own(self, report: Report) -> tuple[Counter[Key], Counter[Key]]:
        """What each module did itself and how often it was called, by name and input shapes.

        What ran in modules that the model does not hold goes to the module that called them.
        """
        held = set(self._first_names.values())
        keys: list[Key] = []
        figures, times = Counter[Key](), Counter[Key]()
        for path in report.paths:
            name = report.modules[path.module].name
            known = path.parent >= 0 and name in held
            key = (name, path.signature) if known else keys[path.parent] if keys else ("", "")
            keys.append(key)
            times[key] += path.calls if known else 0
        for entry in report.entries:
            figures[keys[entry.path]] += entry.cost.macs
        return figures, times


def _share(figure: int, calls: list[LayerCall]) -> None:
    """Give each call an even share of a figure, and what is left over to the last one."""
    for number, call in enumerate(calls, 1):
        call.macs = figure // len(calls)
        if number == len(calls):
            call.macs += figure % len(calls)


def _tensor_in(value: Any, depth: int = 0) -> torch.Tensor | None:
    """The first tensor in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple) or depth == _DEPTH:
        return None
    found = (_tensor_in(item, depth + 1) for item in value)
    return next((tensor for tensor in found if tensor is not None), None)


def _size(tensor: torch.Tensor | None) -> list[int] | None:
    return None if tensor is None or tensor.is_nested else list(tensor.shape)
