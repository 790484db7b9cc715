"""`LayerInfo`: one row of a summary, which is one call of a module, or a module that holds some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dispatchcount.capture.held import guarded
from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat.torchinfo.enums import ColumnSettings


@dataclass(eq=False)
class LayerInfo:
    """A row.

    Attributes:
        var_name: the name of the attribute that holds the module; the class for the model.
        module: the module.
        depth: how many modules are above it by name.
        parent_info: the row of the module above it.
        parameters: those of the module and all that it holds, each once, by name.
        depth_index: which row of its depth it is, counted from 1.
        children: all rows below it.
        executed: True if it stands for a call.
        is_recursive: True if the module, or all the parameters that it holds, had a row before.
        input_size: the sizes of the first tensor that went in.
        output_size: the sizes of the first tensor that came out.
        output_bytes: the bytes of that tensor.
        macs: multiply-accumulates of the call and all that it called.
        own_macs: the part of `macs` that is not in rows below.
    """

    var_name: str
    module: nn.Module
    depth: int
    parent_info: LayerInfo | None
    parameters: dict[str, HeldParameter]
    depth_index: int = 0
    children: list[LayerInfo] = field(default_factory=list)
    executed: bool = False
    is_recursive: bool = False
    input_size: list[int] = field(default_factory=list)
    output_size: list[int] = field(default_factory=list)
    output_bytes: int = 0
    macs: int = 0
    own_macs: int = 0

    def __post_init__(self) -> None:
        self.layer_id = id(self.module)
        # TorchScript keeps the name that a module's class had before it was compiled.
        self.class_name = getattr(self.module, "original_name", type(self.module).__name__)
        counts = self.parameters.values()
        self.num_params = sum(p.numel for p in counts)
        self.trainable_params = sum(p.numel for p in counts if p.trainable)
        self.param_bytes = sum(p.nbytes for p in counts)
        self.contains_lazy_param = any(p.lazy for p in counts)
        self.kernel_size = guarded(lambda: _kernel_size(self.module), None)
        self.groups = guarded(lambda: int(self.module.groups), None)

    def __repr__(self) -> str:
        return f"{self.class_name}: {self.depth}"

    @property
    def is_leaf_layer(self) -> bool:
        """True if there is no row below."""
        return not self.children

    @property
    def trainable(self) -> str:
        """``"True"``, ``"False"``, ``"Partial"``, or ``"--"`` without parameters."""
        if not self.num_params:
            return "--"
        if not self.trainable_params:
            return "False"
        return "True" if self.trainable_params == self.num_params else "Partial"

    @property
    def inner_layers(self) -> dict[str, dict[ColumnSettings, str]]:
        """What the rows of the parameters show, by their names; of the model its own alone."""
        named = {n: p for n, p in self.parameters.items() if self.depth or "." not in n}
        last = next(reversed(named), None)
        return {
            name: {
                ColumnSettings.KERNEL_SIZE: str(parameter.shown_size(name)),
                ColumnSettings.NUM_PARAMS: f"{'└─' if name == last else '├─'}{parameter.numel:,}",
            }
            for name, parameter in named.items()
        }

    def get_layer_name(self, show_var_name: bool, show_depth: bool) -> str:
        """The row's title: ``"Conv2d (conv1): 1-1"``."""
        title = self.class_name
        if show_var_name and self.var_name:
            title += f" ({self.var_name})"
        if show_depth and self.depth:
            title += f": {self.depth}-{self.depth_index}"
        return title


@dataclass(frozen=True)
class HeldParameter:
    """What a summary shows of a parameter."""

    key: int
    numel: int
    nbytes: int
    trainable: bool
    lazy: bool
    sizes: tuple[int, ...]

    def shown_size(self, name: str) -> list[int]:
        """The sizes as torchinfo shows them: a weight's inputs before its outputs."""
        sizes = list(self.sizes)
        if name.rpartition(".")[2] == "weight" and "." not in name and len(sizes) > 1:
            sizes[:2] = sizes[1], sizes[0]
        return sizes


def held_parameters(module: nn.Module) -> dict[str, HeldParameter]:
    """The parameters of a module and all that it holds, each once, by name."""
    found = {}
    for name, parameter in named_parameters(module).items():
        lazy = is_lazy(parameter)
        numel = 0 if lazy else parameter.numel()
        found[name] = HeldParameter(
            id(parameter),
            numel,
            0 if lazy else numel * parameter.element_size(),
            parameter.requires_grad,
            lazy,
            () if lazy else tuple(parameter.shape),
        )
    return found


def _kernel_size(module: Any) -> int | list[int]:
    size = module.kernel_size
    several = isinstance(size, Iterable) and not (isinstance(size, torch.Tensor) and not size.ndim)
    return [int(one) for one in size] if several else int(size)


def parameter_columns(rows: Sequence[LayerInfo], depth: int) -> dict[int, str]:
    """What the rows down to a depth show as parameters, by the row's id.

    Every parameter counts in one row: the first that shows all of its module, or else the deepest
    that holds it. A row whose parameters all count in others says so.

    Args:
        rows: all rows.
        depth: the greatest depth that is shown.
    """
    shown = [row for row in rows if row.depth <= depth]
    last = [row for row in shown if row.depth == depth or row.is_leaf_layer]
    deepest = sorted(shown, key=lambda row: -row.depth)
    counted: dict[int, list[HeldParameter]] = {id(row): [] for row in shown}
    seen: set[int] = set()
    for row in (*last, *deepest):
        for parameter in row.parameters.values():
            if parameter.key not in seen:
                seen.add(parameter.key)
                counted[id(row)].append(parameter)

    texts: dict[int, str] = {}
    for row in shown:
        new = counted[id(row)]
        numel = sum(parameter.numel for parameter in new)
        is_last = row.depth == depth or row.is_leaf_layer
        if numel:
            trains = any(parameter.trainable for parameter in new)
            texts[id(row)] = f"{numel:,}" if trains or not is_last else f"({numel:,})"
        else:
            elsewhere = row.num_params and (is_last or row.is_recursive)
            texts[id(row)] = "(recursive)" if elsewhere else "--"
    return texts
