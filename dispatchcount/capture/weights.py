"""The weights of a module as they are when a block ends.

They are its parameters, and the weights that quantized layers keep packed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dispatchcount.capture.held import entries_of, guarded, is_tensor
from dispatchcount.capture.module_class import ModuleClass
from dispatchcount.capture.torch_private import loaded, tree_leaves
from dispatchcount.capture.used import Used

_PARAMETER = nn.Parameter


Facts = tuple[str, int, Any, torch.dtype, bool, bool, int | None]
"""The fields of a `Weight`.

Naming them takes longer than reading them, so that is left until a report is made.
"""


class Weight(NamedTuple):
    """A parameter, or a packed weight.

    Attributes:
        key: the name that its module holds it by.
        address: its id.
        sizes: its sizes; None of a lazy one.
        dtype: its dtype.
        trainable: True if it requires a gradient.
        used: True if an operator was seen to use it.
        local: its elements that this rank holds; None for all of them.
    """

    key: str
    address: int
    sizes: Any
    dtype: torch.dtype
    trainable: bool
    used: bool
    local: int | None


def weights_of(
    module: nn.Module, of: ModuleClass, used: Used, unpacked: list[torch.Tensor]
) -> list[Facts]:
    """A module's own weights.

    Args:
        module: the module.
        of: its class.
        used: the parameters that operators were seen to use.
        unpacked: gets the tensors that had to be unpacked. While they are alive, an id stays one
            tensor's.
    """
    weights: list[Facts] = []
    for key, t in entries_of(module, "_parameters"):
        if type(t) is _PARAMETER:
            address = id(t)
            uses = address in used
            weights.append((key, address, t.shape, t.dtype, t.requires_grad, uses, None))
        elif t is not None and is_tensor(t):
            uses = id(t) in used
            weights.append((key, id(t), _sizes(t), t.dtype, t.requires_grad, uses, _local(t)))
    if not of.plain:
        for value, packed in _packed(module):
            was_used = used.has(value)
            weights += [
                (key, id(t), _sizes(t), t.dtype, t.requires_grad, was_used, None)
                for key, t in packed.items()
            ]
            unpacked += packed.values()
    return weights


def _sizes(tensor: torch.Tensor) -> Any:
    """The sizes of a parameter.

    None if it has none yet, or if they are not numbers (nested tensors).
    """
    return None if is_lazy(tensor) else guarded(lambda: tuple(map(int, tensor.shape)), None)


def _local(tensor: torch.Tensor) -> int | None:
    """Elements of a `DTensor` that this rank holds, without padding; None of any other tensor."""
    kind = loaded("torch.distributed.tensor", "DTensor")
    if kind is None or not isinstance(tensor, kind):
        return None
    return guarded(lambda: int(tensor._local_tensor.numel()), None)


def _packed(module: nn.Module) -> list[tuple[torch.ScriptObject, dict[str, torch.Tensor]]]:
    """The weights that a quantized module keeps packed, by the torchbind object."""
    found: list[tuple[torch.ScriptObject, dict[str, torch.Tensor]]] = []
    attributes = object.__getattribute__(module, "__dict__")
    if torch.ScriptObject not in map(type, attributes.values()):
        return found
    for key, value in list(attributes.items()):
        if type(value) is torch.ScriptObject:
            stem = "" if key == "_packed_params" else f"{key}."
            nothing: dict[str, Any] = {}
            parts = guarded(lambda: _unpacked(value), nothing)  # noqa: B023  # called at once
            tensors = {
                f"{stem}{part}": tensor
                for part, tensor in parts.items()
                if isinstance(tensor, torch.Tensor)
            }
            found.append((value, tensors))
    return found


def _unpacked(value: Any) -> dict[str, Any]:
    """Weight and bias of a packed layer.

    A recurrent cell has those of its input and of its hidden state.
    """
    if hasattr(value, "unpack"):
        weight, bias, *_ = value.unpack()
        return {"weight": weight, "bias": bias}
    if not value._type().qualified_name().endswith("rnn.CellParamsBase"):
        return {}
    leaves = tree_leaves(value.__getstate__())
    layers = [leaf for leaf in leaves if type(leaf) is torch.ScriptObject]
    biases = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    weights = {f"weight_{i}": layer.unpack()[0] for i, layer in enumerate(layers)}
    return weights | {f"bias_{i}": bias for i, bias in enumerate(biases)}
