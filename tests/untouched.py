"""Everything that a profile must leave as it was, as one value to compare before and after."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.optim import optimizer as optim
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack


def state_of(model: nn.Module, *, values: bool = True) -> dict[str, Any]:
    """The model's and the process's state. `values`: with the contents of its tensors, which a training step changes."""
    return {
        "keys": list(model.state_dict()),
        "values": {k: v.clone() for k, v in model.state_dict().items()} if values else None,
        "training": [m.training for m in model.modules()],
        "hooks": [
            {k: len(v) for k, v in vars(m).items() if k.endswith("_hooks") and v is not None}
            for m in model.modules()
        ],
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "classes": [type(m).__qualname__ for m in model.modules()],
        **process_state(),
    }


def process_state() -> dict[str, Any]:
    """What is the process's: hooks on all modules, functions, modes, importers, the compiler's stance."""
    return {
        "global hooks": {
            k: len(v)
            for k, v in vars(nn_module).items()
            if k.startswith("_global") and k.endswith("hooks") and hasattr(v, "__len__")
        },
        "optimizer hooks": {
            k: len(v)
            for k, v in vars(optim).items()
            if k.startswith("_global") and hasattr(v, "__len__")
        },
        "functional": {k: id(v) for k, v in vars(F).items() if callable(v)},
        "tensor methods": {
            k: id(getattr(Tensor, k))
            for k in ("__matmul__", "matmul", "add", "backward", "__add__", "view")
        },
        "module methods": {
            k: id(v)
            for k, v in vars(nn.Module).items()
            if getattr(v, "__module__", "").startswith("torch")
        },
        "torch": {
            k: id(getattr(torch, k))
            for k in ("matmul", "bmm", "einsum", "compile", "cond", "empty")
        },
        "importers": list(sys.meta_path),
        "dispatch modes": list(_get_current_dispatch_mode_stack()),
        "function modes": torch._C._len_torch_function_stack(),
        "stance": stance(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "trace": (sys.gettrace(), sys.getprofile()),
    }


def stance() -> Any:
    """The compiler's stance, without loading the compiler."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    return "default" if frames is None else frames._stance.stance


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two states differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        if list(before) != list(after):
            yield f"{path}: keys {sorted(map(str, set(before) ^ set(after)))}"
        for key in before.keys() & after.keys():
            yield from differences(before[key], after[key], f"{path}/{key}")
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) != len(after):
            yield f"{path}: {len(before)} before, {len(after)} after"
        for number, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from differences(old, new, f"{path}/{number}")
    elif isinstance(before, Tensor) and isinstance(after, Tensor):
        if (
            before.dtype != after.dtype
            or before.shape != after.shape
            or not same_bits(before, after)
        ):
            yield f"{path}: tensors differ"
    elif type(before) is not type(after) or before != after:
        yield f"{path}: {before!r} before, {after!r} after"


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Equal to the last bit, not-a-numbers included."""
    if a.is_meta or b.is_meta:
        return a.is_meta == b.is_meta
    if a.layout is not torch.strided:
        return torch.equal(a.to_dense(), b.to_dense())
    return (
        a.detach()
        .contiguous()
        .view(-1)
        .view(torch.uint8)
        .equal(b.detach().contiguous().view(-1).view(torch.uint8))
    )
