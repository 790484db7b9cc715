"""Tensor storages by weak reference: which are alive, and how many bytes they are.

A storage's Python object lives as long as the storage does, so a weak reference to it tells the
moment at which the memory is freed, whoever held it last. None of this keeps memory alive, and none
of it can be seen from a tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import torch
from torch import Tensor, UntypedStorage

from dispatchcount.capture.facts import hint
from dispatchcount.capture.subclass import flattened
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import (
    DispatchKey,
    FakeTensor,
    address_of,
    is_traceable_wrapper_subclass,
    keys_of,
)

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info

_COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_coo: ("_indices", "_values"),
}
"""The methods of a sparse tensor that return the tensors it is made of."""


class Storage(weakref.ref):  # type: ignore[type-arg]  # generic only to type checkers
    """A weak reference to a storage.

    Attributes:
        key: the storage's address, which is its own while it lives.
        nbytes: its size when it was last looked at.
        given: True if it holds a module's parameters or buffers.
        holders: how many autograd nodes have it saved.
        saver: the module that it was first saved for; None while no node has it saved.
        saved: its size then.
    """

    __slots__ = ("given", "holders", "key", "nbytes", "saved", "saver")

    def __init__(self, storage: UntypedStorage, dead: Callable[[Storage], None]) -> None:
        self.key = address_of(storage)
        self.nbytes = 0
        self.given = False
        self.holders = 0
        self.saver: Info | None = None
        self.saved = 0

    def __new__(cls, storage: UntypedStorage, dead: Callable[[Storage], None]) -> Storage:
        """`dead` is called with this reference when the storage is freed."""
        return super().__new__(cls, storage, dead)


class Live:
    """The storages that are known and alive.

    Attributes:
        nbytes: their size together. Those that died are in it until `buried` was iterated over.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._known: dict[int, Storage] = {}  # by address
        self._fickle: dict[int, Storage] = {}  # those whose size may change unseen
        # A storage may die in any thread; appending to a list is safe in all of them.
        self._dead: list[Storage] = []

    def buried(self) -> Iterator[Storage]:
        """Yield the storages freed since the last call, after subtracting them from `nbytes`."""
        while self._dead:
            storage = self._dead.pop()
            self.nbytes -= storage.nbytes
            # Another storage may have the address by now.
            if self._known.get(storage.key) is storage:
                del self._known[storage.key]
            if self._fickle.get(storage.key) is storage:
                del self._fickle[storage.key]
            yield storage

    def touch(self, tensor: Tensor, *, fickle: bool = False) -> list[Storage]:
        """A tensor's storages, known from here on. Sizes that changed are corrected.

        Args:
            tensor: the tensor.
            fickle: True if the sizes may change while no operator runs. `read_again` looks at them.
        """
        found = []
        for storage in storages(tensor):
            address = address_of(storage)
            known = self._known.get(address)
            if known is None or known() is not storage:
                known = self._known[address] = Storage(storage, self._dead.append)
                known.nbytes = hint(storage.nbytes())
                self.nbytes += known.nbytes
            elif self._resize(known, storage):
                fickle = True
            if fickle:
                self._fickle[address] = known
            found.append(known)
        return found

    def read_again(self) -> None:
        """Correct the sizes of storages that may have been resized while no operator ran."""
        for known in self._fickle.values():
            storage = known()
            if storage is not None:
                self._resize(known, storage)

    def _resize(self, known: Storage, storage: UntypedStorage) -> bool:
        """Correct the size; True if it had changed."""
        nbytes = hint(storage.nbytes())
        if nbytes == known.nbytes:
            return False
        self.nbytes += nbytes - known.nbytes
        known.nbytes = nbytes
        return True

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()
        self._fickle.clear()
        self._dead.clear()


def plain(tensor: Tensor) -> Iterator[Tensor]:
    """The tensors with a storage of their own that a tensor is made of.

    These are the tensor itself, or those inside a wrapper or a sparse tensor.
    """
    if type(tensor) not in _UNWRAPPED and (inside := _inside(tensor)) is not None:
        for part in inside:
            yield from plain(part)
    elif tensor.layout in _COMPRESSED:
        for name in _COMPRESSED[tensor.layout]:
            yield getattr(tensor, name)()
    else:
        yield tensor


_UNWRAPPED = {Tensor, torch.nn.Parameter, FakeTensor}


def _inside(tensor: Tensor) -> list[Tensor] | None:
    """The tensors that a wrapper holds; None for a tensor that has memory of its own.

    A wrapper without ``__tensor_flatten__``, or with one that raises, is searched for tensors
    instead: its own storage stands for no memory, whatever its size is.
    """
    inside = flattened(tensor)
    if inside is not None:
        return inside
    if not is_traceable_wrapper_subclass(tensor) and _has_memory(tensor):
        return None
    return [value for value in tensors_in(list(vars(tensor).values())) if value is not tensor]


def _has_memory(tensor: Tensor) -> bool:
    """True if a tensor of a class of its own has a storage with memory behind it."""
    # Without the key for Python, a tensor has no dispatch of its own, so it is not a wrapper.
    if tensor.is_meta or not keys_of(tensor).has(DispatchKey.Python):
        return True
    try:
        tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return False  # a wrapper's storage has a size, and no data to point to
    return True


def storages(tensor: Tensor) -> Iterator[UntypedStorage]:
    """A tensor's storages. oneDNN's packed tensors have none: torch cannot show their memory."""
    for part in plain(tensor):
        with suppress(NotImplementedError, RuntimeError):
            yield part.untyped_storage()


def size_once(tensor: Tensor, seen: set[tuple[int, int]]) -> int:
    """Bytes of a tensor's own elements, not more than its storage has.

    Args:
        tensor: the tensor.
        seen: where tensors start that were counted before, each as the address of a storage and an
            offset in it. A tensor that starts there (a tied one) is 0 bytes. Gets this one's place.
    """
    total = 0
    for part in plain(tensor):
        for storage in storages(part):
            place = (address_of(storage), hint(part.storage_offset()))
            if place not in seen:
                seen.add(place)
                total += min(hint(part.numel()) * part.element_size(), hint(storage.nbytes()))
    return total
