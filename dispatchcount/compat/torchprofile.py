"""torchprofile's entry point: ``from dispatchcount.compat.torchprofile import profile_macs``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from dispatchcount.compat._once import not_counted, run_once

Reduction = Callable[[Iterable[int]], Any]


@dataclass(frozen=True)
class ScopedOperator:
    """What one operator did in one module.

    Attributes:
        operator: its name, ``"aten::convolution"``.
        scope: the module's dotted name.
    """

    operator: str
    scope: str


def profile_macs(
    model: nn.Module,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    reduction: Reduction | None = sum,
) -> Any:
    """Multiply-accumulates of a model in the mode that it is in.

    They are those of contractions. torchprofile adds some for norms and element-wise operators.
    Operators that could not be counted are named on standard output.

    Args:
        model: the model.
        args: its only argument, or a tuple of its arguments.
        kwargs: its arguments by name.
        reduction: makes one value of the figures of all operators; with None they are returned by
            `ScopedOperator`.
    """
    given = tuple(args) if isinstance(args, tuple | list) else (args,)
    report = run_once(model, given, kwargs, training=None)
    if not_counted(report):
        print(not_counted(report))
    macs: dict[ScopedOperator, int] = {}
    for entry in report.entries:
        module = report.modules[report.paths[entry.path].module].name
        node = ScopedOperator(entry.op.replace(".", "::", 1), module)
        macs[node] = macs.get(node, 0) + entry.cost.macs
    return macs if reduction is None else reduction(macs.values())


__all__ = ["profile_macs"]
