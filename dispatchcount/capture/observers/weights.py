"""The observer behind ``profile(nonzero=True)``: which weights each call multiplies with.

A weight is a parameter, a part or another view of one, a packed weight, or what an operator makes
of weights and buffers alone: a weight under a mask, or cast to another dtype. A parameter is read
once, when the block ends. What is made of weights is read where it is used, because it is gone
afterwards, and so is a parameter that sharded training gathered from other ranks.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from dispatchcount.capture.groups import distributed
from dispatchcount.capture.held import entries_of, walk
from dispatchcount.capture.key import unpacked
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.observers.storages import storages
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import DispatchOff, FakeTensor, FunctionsOff, address_of
from dispatchcount.capture.zeros import extent, nonzeros
from dispatchcount.rules.core.uses import Place as At

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode
    from dispatchcount.capture.plan import Plan
    from dispatchcount.capture.record import Place


class Constant(NamedTuple):
    """A storage that holds no data of the run.

    Attributes:
        ref: the storage, weakly.
        weight: True if a parameter is in it; buffers are no weights.
        lasts: True if it is read when the block ends, not where it is used.
    """

    ref: weakref.ref[torch.UntypedStorage]
    weight: bool
    lasts: bool


class View(NamedTuple):
    """A view of a weight that lasts, by which its zeros are looked up."""

    address: int
    dtype: torch.dtype
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


Zeros = View | int | None
"""How many zeros an operand has: the number, where to read it, or None if it cannot be read."""

Operands = tuple[tuple[At, Zeros], ...]
"""The weights among the operands of a call, each with its place."""


class Weights:
    """Notes the weights of each call, beside the tables in which the calls are counted."""

    def __init__(self, modules: Modules) -> None:
        self._constants: dict[int, Constant] = {}  # by the storage's address
        self._views: dict[View, int | None] = {}  # with their zeros once the block has ended
        self._calls: dict[Place, Counter[Operands]] = {}
        self._packed: dict[int, tuple[torch.ScriptObject, int | None]] = {}
        self._now: Operands = ()
        for _, info in modules.roots:
            root = info.module()
            if root is not None:
                self._take(root)

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """See `Observer`."""
        self._now = ()

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """See `Observer`."""
        with DispatchOff(), FunctionsOff():
            constants = [(tensor, self._constant(tensor)) for tensor in tensors_in((args, kwargs))]
            weights = any(found is not None and found.weight for _, found in constants)
            # A number in a tensor (a scale, an epsilon) does not make data of a weight.
            alone = all(found is not None or not tensor.dim() for tensor, found in constants)
            self._made(out, weights and alone)
            if not plan.keyless and (weights or _has_packed(args)):
                self._now = (*self._operands(args), *self._named(kwargs))

    def recorded(self, place: Place) -> None:
        """See `Observer`."""
        if self._now:
            self._calls.setdefault(place, Counter())[self._now] += 1
            self._now = ()

    def close(self) -> None:
        """The block has ended: read the weights that calls multiplied with."""
        for view in self._views:
            self._views[view] = self._read(view)
        self._packed.clear()

    def forget(self) -> None:
        """Drop the calls, because their records are folded."""
        self._calls.clear()

    def of(self, place: Place) -> Counter[Operands]:
        """The weights of the calls that were counted there, and how many calls had them."""
        return self._calls.get(place, _NONE)

    def zeros(self, zeros: Zeros) -> int | None:
        """How many zeros an operand has, as the block ended or as it is now inside the block."""
        if not isinstance(zeros, View):
            return zeros
        known = self._views[zeros]
        return self._read(zeros) if known is None else known

    def _take(self, root: nn.Module) -> None:
        """Note the parameters and buffers of a model, and tensors that its modules hold."""
        for _, module in walk(root):
            tables = [
                *((value, True) for _, value in entries_of(module, "_parameters")),
                *((value, False) for _, value in entries_of(module, "_buffers")),
                *((value, False) for value in object.__getattribute__(module, "__dict__").values()),
            ]
            for value, weight in tables:
                if isinstance(value, Tensor):
                    self._note(value, weight=weight, lasts=True)

    def _note(self, tensor: Tensor, *, weight: bool, lasts: bool) -> None:
        for storage in storages(tensor):
            known = self._constants.get(address_of(storage))
            if known is None or known.ref() is not storage or (weight and not known.weight):
                constant = Constant(weakref.ref(storage), weight, lasts)
                self._constants[address_of(storage)] = constant

    def _constant(self, tensor: Tensor) -> Constant | None:
        """What is known of a tensor's storage; None if it is data."""
        found = None
        for storage in storages(tensor):
            known = self._constants.get(address_of(storage))
            found = known if known is not None and known.ref() is storage else None
        if found is None and isinstance(tensor, nn.Parameter):
            # Sharded training gathers a parameter for this use alone, and frees its memory after.
            self._note(tensor, weight=True, lasts=not distributed())
            return self._constant(tensor)
        return found

    def _made(self, out: Any, of_weights: bool) -> None:
        """Note results that are made of weights, and drop those that were and are overwritten."""
        for tensor in tensors_in(out):
            known = self._constant(tensor)
            if of_weights and known is None:
                self._note(tensor, weight=True, lasts=False)
            elif known is not None and not of_weights and not known.lasts:
                for storage in storages(tensor):
                    self._constants.pop(address_of(storage), None)

    def _operands(self, args: Any) -> Iterator[tuple[At, Zeros]]:
        """The weights among operands that are given by position."""
        for position, arg in enumerate(args):
            items = enumerate(arg) if isinstance(arg, list | tuple) else [(None, arg)]
            for index, item in items:
                if isinstance(item, torch.ScriptObject):
                    yield (position, index), self._zeros_of_packed(item)
                elif isinstance(item, Tensor):
                    constant = self._constant(item)
                    if constant is not None and constant.weight:
                        yield (position, index), self._zeros_of(item, constant)

    def _named(self, kwargs: Any) -> Iterator[tuple[At, Zeros]]:
        """The weights among operands that are given by name, which have no position."""
        for (_, index), zeros in self._operands(tuple((kwargs or {}).values())):
            yield (-1, index), zeros

    def _zeros_of(self, tensor: Tensor, constant: Constant) -> Zeros:
        plain = tensor.layout is torch.strided and not tensor.is_quantized
        if not constant.lasts or not plain or tensor.is_meta or isinstance(tensor, FakeTensor):
            return _zeros(tensor)
        view = View(
            address_of(tensor.untyped_storage()),
            tensor.dtype,
            tuple(tensor.shape),
            tensor.stride(),
            int(tensor.storage_offset()),
        )
        self._views.setdefault(view, None)
        return view

    def _zeros_of_packed(self, value: torch.ScriptObject) -> int | None:
        """The zeros of the weights that an object holds packed."""
        address = hash(value)
        if address not in self._packed:
            try:
                found = unpacked(value)
                layers = found if isinstance(found, list) else [found]
                each = [_zeros(layer[0]) for layer in layers]
            except (RuntimeError, AttributeError, TypeError, IndexError):
                each = [None]
            known = [zeros for zeros in each if zeros is not None]
            # While the object is held, its address is its own.
            self._packed[address] = value, sum(known) if len(known) == len(each) else None
        return self._packed[address][1]

    def _read(self, view: View) -> int | None:
        storage = self._constants[view.address].ref()
        if storage is None:
            return None
        with DispatchOff(), FunctionsOff(), torch.no_grad():
            tensor = torch.empty(0, dtype=view.dtype, device=storage.device)
            # `set_` would make a storage larger that was freed since.
            if storage.nbytes() < extent(view.sizes, view.strides, view.offset, view.dtype):
                return None
            return _zeros(tensor.set_(storage, view.offset, view.sizes, view.strides))


def _has_packed(args: Any) -> bool:
    """True if a torchbind object is among operands, or in a list of them."""
    return any(
        isinstance(arg, torch.ScriptObject)
        or (isinstance(arg, list | tuple) and arg and isinstance(arg[0], torch.ScriptObject))
        for arg in args
    )


def _zeros(tensor: Tensor) -> int | None:
    """Its stored elements that are zero."""
    found = nonzeros(tensor)
    if found is None:
        return None
    if tensor.layout is torch.strided:
        return int(tensor.numel()) - found
    values = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
    return int(values.numel()) - found


_NONE: Counter[Operands] = Counter()
