"""What tells one training batch from another for the sake of its cost: shapes, not contents."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from dispatchcount.errors import kind_of

_DEEPEST = 8
"""Levels of containers that are looked into; what lies deeper is told by its type alone."""


def signature(batch: Any) -> Hashable:
    """A key that is equal for batches of the same structure, shapes and dtypes.

    Tensors count by shape, dtype and layout, a nested tensor by the lengths in it; arrays of other
    libraries by shape and dtype. Numbers count by their type: a loss scale or a sample's index does
    not make a batch another one. Texts and truth values count as they are, for they may say what is
    to be done; in a list beside tensors they count by their type, for there they belong to samples.
    Of other objects the attributes count, as of a graph that holds its tensors in them.
    """
    found: list[bool] = []
    key: Hashable = _key(batch, 0, found, alone=False)
    if not found:
        key = _key(batch, 0, found, alone=True)
    return key


def _key(
    value: Any, depth: int, found: list[bool], *, alone: bool, listed: bool = False
) -> Hashable:
    """The key of a part of a batch.

    Args:
        value: the part.
        depth: of containers around it.
        found: takes an item for each tensor or array.
        alone: True if the batch holds no tensor, so that texts are all there is to tell it by.
        listed: True for an item of a list or tuple.
    """
    if isinstance(value, torch.Tensor):
        found.append(True)
        return _tensor(value)
    if isinstance(value, str | bool) or value is None:
        return type(value).__name__ if listed and not alone else value
    if depth < _DEEPEST:
        kind = type(value).__name__
        if isinstance(value, Mapping):
            return tuple(
                (str(name), _key(item, depth + 1, found, alone=alone, listed=listed))
                for name, item in value.items()
            )
        if isinstance(value, list | tuple):
            return kind, tuple(
                _key(item, depth + 1, found, alone=alone, listed=True) for item in value
            )
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            found.append(True)
            return kind, tuple(value.shape), str(value.dtype)
        if is_dataclass(value):
            values = (getattr(value, field.name, None) for field in fields(value))
            return kind, tuple(
                _key(item, depth + 1, found, alone=alone, listed=listed) for item in values
            )
        if hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module):
            return kind, _key(vars(value), depth + 1, found, alone=alone, listed=listed)
    return type(value).__name__


def mode_of(model: torch.nn.Module, training: bool | None = None) -> Hashable:
    """What else decides on a step's cost and is cheap to ask: training, gradients, autocast.

    Args:
        model: the model.
        training: its mode as it works on the batch; None if that is the mode that it is in now.
    """
    kinds = ["cpu"]
    if torch.accelerator.is_available():
        current = torch.accelerator.current_accelerator()
        assert current is not None
        kinds.append(current.type)
    casts = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds]
    trains = model.training if training is None else training
    return trains, torch.is_grad_enabled(), *casts


def autocast_dtype(model: torch.nn.Module) -> str | None:
    """The dtype that autocast gives products where the model lies; None where autocast is off."""
    kind = place_of(model).type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return None
    return str(torch.get_autocast_dtype(kind)).removeprefix("torch.")


_MIXED = {"bf16": "bfloat16", "fp16": "float16", "bf16-mixed": "bfloat16", "16-mixed": "float16"}
"""What Accelerate and Lightning call a training under autocast, and the dtype of its products."""


def mixed_dtype(precision: Any) -> str | None:
    """The dtype of products under a trainer's `precision`; None where it is the parameters'."""
    return _MIXED.get(str(precision))


def place_of(model: torch.nn.Module) -> torch.device:
    """Where the model's first parameter lies; the CPU if it has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def token_count(batch: Any) -> int | None:
    """Tokens of a batch of a language model, padding included; None where there are none.

    They are the elements of ``input_ids``, or of ``inputs_embeds`` without its last dimension.
    """
    if not isinstance(batch, Mapping):
        return None
    ids, embedded = batch.get("input_ids"), batch.get("inputs_embeds")
    if isinstance(ids, torch.Tensor):
        return int(ids.numel())
    if isinstance(embedded, torch.Tensor) and embedded.dim() > 1:
        return int(embedded.shape[:-1].numel())
    return None


def tokens_in(batch: Any, tokens: Callable[[Any], Any]) -> int:
    """The tokens in a batch, 0 where it holds none.

    Args:
        batch: the batch.
        tokens: says how many: a number, a tensor with one, or None.

    Raises:
        TypeError: it said something else.
    """
    found = tokens(batch)
    if found is None:
        return 0
    try:
        return int(found)
    except (TypeError, ValueError):
        raise TypeError(
            f"tokens(batch) gave {kind_of(found)}; it has to give a number of tokens, or None"
        ) from None


def _tensor(tensor: torch.Tensor) -> Hashable:
    lengths: Hashable = None
    if tensor.is_nested:
        lengths = tuple(part.shape for part in tensor.unbind())
    return tuple(tensor.shape), tensor.dtype, tensor.layout, lengths
