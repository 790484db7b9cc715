"""Whether two runs did the same, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

REGIMES: dict[str, Callable[[], Any]] = {
    "grad": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
}


PIECES = 8
"""A sweep over all operators or modules of torch is a test for each eighth of them, so that a run may take a sample."""


class BareMode(TorchDispatchMode):
    """A dispatch mode that does nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def seed() -> None:
    """Every generator to one state."""
    random.seed(0)
    np.random.seed(0)
    torch.default_generator.manual_seed(0)


def outcome(run: Callable[[], Any]) -> tuple[str, Any]:
    """What a call does from a fixed seed: its result and the generator's state after it, or its error."""
    torch.default_generator.manual_seed(0)
    try:
        result = run()
    except Exception as error:
        return "raised", (type(error).__name__, str(error))
    return "returned", (result, torch.random.get_rng_state())


def difference(a: Any, b: Any, *, values: bool = True) -> str:
    """In what two outcomes differ, `""` if in nothing. `values=False` leaves the elements out (memory that is not set)."""
    if type(a) is not type(b):
        return f"a {type(a).__name__} became a {type(b).__name__}"
    if isinstance(a, torch.Tensor):
        return _tensors(a, b, values)
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{len(a)} items became {len(b)}"
        found = (difference(x, y, values=values) for x, y in zip(a, b, strict=True))
        return next((f for f in found if f), "")
    if isinstance(a, dict):
        return difference(list(a.items()), list(b.items()), values=values)
    return "" if a == b or (a != a and b != b) else f"{a!r} became {b!r}"


def _tensors(a: torch.Tensor, b: torch.Tensor, values: bool) -> str:
    if a.is_nested:
        return difference(a.unbind(), b.unbind(), values=values)
    for name in ("dtype", "shape", "layout", "device", "requires_grad"):
        if getattr(a, name) != getattr(b, name):
            return f"{name} {getattr(a, name)} became {getattr(b, name)}"
    if a.layout is not torch.strided:
        return difference(_parts(a), _parts(b), values=values)
    if a.stride() != b.stride() or a.is_conj() != b.is_conj() or a.is_neg() != b.is_neg():
        return f"strides {a.stride()}, conj {a.is_conj()}, neg {a.is_neg()} became {b.stride()}, {b.is_conj()}, {b.is_neg()}"
    return (
        ""
        if not values or torch.equal(_bits(a), _bits(b))
        else f"values differ, by up to {_distance(a, b)}"
    )


def _parts(a: torch.Tensor) -> tuple[torch.Tensor, ...]:
    if a.layout is torch.sparse_coo:
        return a._indices(), a._values()
    if a.layout in (torch.sparse_csr, torch.sparse_bsr):
        return a.crow_indices(), a.col_indices(), a.values()
    return a.ccol_indices(), a.row_indices(), a.values()


def _bits(a: torch.Tensor) -> torch.Tensor:
    a = a.detach().resolve_conj().resolve_neg()
    return (
        (a.int_repr() if a.is_quantized else a)
        .reshape(-1)
        .clone(memory_format=torch.contiguous_format)
        .view(torch.uint8)
    )


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.detach().to(torch.complex128) - b.detach().to(torch.complex128)).abs().max())


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor inside a (nested) value."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
