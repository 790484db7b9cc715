"""Tells a wrapper subclass's own work from what it does to find out shapes.

A subclass such as DTensor takes a call apart: it runs operators on the tensors that it holds. Before, it may run the call once
more on stand-ins, fake or meta tensors, to learn the shape of the result or to choose a way; it caches that, so counting it
would make a count depend on what ran earlier in the process. Where the wrapper itself holds stand-ins, because the user runs
everything under a fake mode or on meta, the two are told apart by where tensors come from: work starts from what the wrapper
holds.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from dispatchcount.capture.key import tensors_in


class Inside:
    """One call that a wrapper subclass is taking apart.

    Attributes:
        modes: the fake modes of the tensors that the call was given, directly or inside wrappers.
    """

    def __init__(self, operands: Any, outer: Inside | None) -> None:
        """`outer`: the call that this one is made in, if a wrapper holds wrappers."""
        held, opaque = _held(operands)
        self.modes = {tensor.fake_mode for tensor in held if isinstance(tensor, FakeTensor)}
        self._meta = opaque or any(tensor.is_meta for tensor in held)
        ambient = torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE)
        if opaque and ambient is not None:
            self.modes.add(
                ambient
            )  # what such a wrapper holds can't be seen; it can be fake under a fake mode alone
        self._traced = bool(held) and not opaque
        self._own: dict[int, weakref.ref[torch.Tensor]] = {} if outer is None else outer._own
        self._take(held)

    def is_work(self, args: Any, kwargs: Any) -> bool:
        """True if an operator with these arguments works on what the wrapper holds."""
        found = _stand_ins((args, kwargs))
        if not all(self._may_hold(tensor) for tensor in found):
            return False
        return not (self._traced and found) or any(self._owns(tensor) for tensor in found)

    def made(self, out: Any) -> bool:
        """True if an operator without tensors among its arguments made a result that the work may use."""
        return not self._traced and all(self._may_hold(tensor) for tensor in _stand_ins(out))

    def worked(self, args: Any, kwargs: Any, out: Any) -> None:
        """An operator at work ran: what it was given (it may have written that) and what it made are at work from here on."""
        if self._traced:
            self._take(_stand_ins((args, kwargs, out)))

    def _may_hold(self, tensor: torch.Tensor) -> bool:
        return tensor.fake_mode in self.modes if isinstance(tensor, FakeTensor) else self._meta

    def _take(self, tensors: list[torch.Tensor]) -> None:
        for tensor in tensors:
            self._own[id(tensor)] = weakref.ref(tensor)

    def _owns(self, tensor: torch.Tensor) -> bool:
        known = self._own.get(id(tensor))
        return known is not None and known() is tensor


def _stand_ins(value: Any) -> list[torch.Tensor]:
    """The fake and meta tensors in an argument list or result."""
    return [
        tensor for tensor in tensors_in(value) if isinstance(tensor, FakeTensor) or tensor.is_meta
    ]


def _held(operands: Any) -> tuple[list[torch.Tensor], bool]:
    """The stand-ins among the operands and inside wrappers; True if there is a wrapper that can't be looked into."""
    held: list[torch.Tensor] = []
    opaque = False
    pending = list(tensors_in(operands))
    while pending:
        tensor = pending.pop()
        inside = flattened(tensor)
        if inside is not None:
            pending += inside
        elif takes_apart(type(tensor)):
            opaque = True
        else:
            held += _stand_ins(tensor)
    return held, opaque


def flattened(tensor: torch.Tensor) -> list[torch.Tensor] | None:
    """The tensors among what a wrapper's ``__tensor_flatten__`` names (DTensor names its mesh too).

    None of a tensor that has no such method, or one that raises.
    """
    if is_traceable_wrapper_subclass(tensor):
        with suppress(
            Exception
        ):  # the class's own code, and what is found out is not worth the user's run
            values = [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
            return [value for value in values if isinstance(value, torch.Tensor)]
    return None


def takes_apart(kind: Any) -> bool:
    """True if a tensor type has a dispatch of its own that calls other operators."""
    return not issubclass(kind, _TRANSPARENT) and kind.__torch_dispatch__ not in _NO_DISPATCH


_TRANSPARENT = (FakeTensor, FunctionalTensor)
"""Subclasses whose operators are those of the plain tensor they stand for; any other is asked to unwrap itself."""

_NO_DISPATCH = (torch.Tensor.__torch_dispatch__, torch._C._disabled_torch_dispatch_impl)
"""What types have that torch lists as overriding dispatch although they do not (torch 2.6 lists plain tensors)."""
