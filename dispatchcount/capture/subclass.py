"""Tells a wrapper subclass's own work from what it does to find out shapes.

A subclass such as DTensor takes a call apart: it runs operators on the tensors that it holds. First
it may run the call once more on stand-ins (fake or meta tensors), to learn the shape of the result
or to choose a way. It caches what it learnt, so counting that would make a count depend on what ran
earlier in the process.

The wrapper itself may hold stand-ins: the user may run everything under a fake mode or on meta.
Then the two are told apart by where tensors come from: work starts from what the wrapper holds.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import (
    FakeTensor,
    FunctionalTensor,
    fake_mode,
    is_traceable_wrapper_subclass,
    no_torch_dispatch,
)


class Inside:
    """One call that a wrapper subclass is taking apart.

    Attributes:
        modes: the fake modes of the tensors that the call was given, directly or inside wrappers.
    """

    def __init__(self, operands: Any, outer: Inside | None) -> None:
        """The call is about to be taken apart.

        Args:
            operands: what it was called with.
            outer: the call that this one is made in, if a wrapper holds wrappers.
        """
        held, opaque = _held(operands)
        self.modes = {tensor.fake_mode for tensor in held if isinstance(tensor, FakeTensor)}
        self._meta = opaque or any(tensor.is_meta for tensor in held)
        # What an opaque wrapper holds cannot be seen. It can be fake under a fake mode alone.
        ambient = fake_mode()
        if opaque and ambient is not None:
            self.modes.add(ambient)
        # Where stand-ins come from is followed if the call was given any, and all can be seen.
        self._traced = bool(held) and not opaque
        self._own: dict[int, weakref.ref[Tensor]] = {} if outer is None else outer._own
        self._take(held)

    def is_work(self, args: Any, kwargs: Any) -> bool:
        """True if an operator with these arguments works on what the wrapper holds.

        One without stand-ins does. One with stand-ins does if the wrapper may hold such, and if at
        least one of them comes from it.
        """
        found = _stand_ins((args, kwargs))
        if not all(self._may_hold(tensor) for tensor in found):
            return False
        return not (self._traced and found) or any(self._owns(tensor) for tensor in found)

    def made(self, out: Any) -> bool:
        """True if the result of an operator that was given no tensor may be used by the work."""
        return not self._traced and all(self._may_hold(tensor) for tensor in _stand_ins(out))

    def worked(self, args: Any, kwargs: Any, out: Any) -> None:
        """An operator of the work ran.

        Its results belong to the work from here on, and its arguments too: it may have written
        them.
        """
        if self._traced:
            self._take(_stand_ins((args, kwargs, out)))

    def _may_hold(self, tensor: Tensor) -> bool:
        return tensor.fake_mode in self.modes if isinstance(tensor, FakeTensor) else self._meta

    def _take(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            self._own[id(tensor)] = weakref.ref(tensor)

    def _owns(self, tensor: Tensor) -> bool:
        known = self._own.get(id(tensor))
        return known is not None and known() is tensor


def _stand_ins(value: Any) -> list[Tensor]:
    """The fake and meta tensors in an argument list or result."""
    return [
        tensor for tensor in tensors_in(value) if isinstance(tensor, FakeTensor) or tensor.is_meta
    ]


def _held(operands: Any) -> tuple[list[Tensor], bool]:
    """The stand-ins among the operands and inside wrappers.

    Returns:
        The stand-ins, and True if there is a wrapper that cannot be looked into.
    """
    held: list[Tensor] = []
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


def flattened(tensor: Tensor) -> list[Tensor] | None:
    """The tensors that a wrapper's ``__tensor_flatten__`` names; DTensor names its mesh too.

    Returns:
        None for a tensor without that method, or with one that raises.
    """
    if is_traceable_wrapper_subclass(tensor):
        # This is the class's own code. Whatever it raises, the user's run must go on.
        with suppress(Exception):
            values = [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
            return [value for value in values if isinstance(value, Tensor)]
    return None


def takes_apart(kind: type[Tensor]) -> bool:
    """True if a tensor type has a dispatch of its own that calls other operators."""
    return not issubclass(kind, _TRANSPARENT) and kind.__torch_dispatch__ not in _NO_DISPATCH


_TRANSPARENT = (FakeTensor, FunctionalTensor)
"""Subclasses whose operators are those of the plain tensor they stand for.

Any other subclass is asked to take its calls apart."""

_NO_DISPATCH = (torch.Tensor.__torch_dispatch__, no_torch_dispatch)
"""The ``__torch_dispatch__`` of types that do not override dispatch.

torch may list such types as overriding it all the same: torch 2.6 lists plain tensors."""
