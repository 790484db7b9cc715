"""Tensor storages by weak reference: which a tensor has, which of those known are alive, and how many bytes they are.

A storage's Python object lives as long as the storage does, so a weak reference to it tells the moment at which the memory is
freed, whoever held it last. None of this keeps memory alive or can be seen from a tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from dispatchcount.capture.key import hint, tensors_in
from dispatchcount.capture.subclass import flattened

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info

_COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_coo: ("_indices", "_values"),
}


class Storage(weakref.ref):  # type: ignore[type-arg]  # generic only to type checkers
    """A weak reference to a storage.

    Attributes:
        key: the storage's address, its own while it lives.
        nbytes: its size when last looked at.
        given: whether it holds a module's parameters or buffers.
        holders: autograd nodes that have it saved. saver, saved: the module it was first saved for, and its size then.
    """

    __slots__ = ("given", "holders", "key", "nbytes", "saved", "saver")

    def __init__(self, storage: torch.UntypedStorage, dead: Any) -> None:
        self.key = storage._cdata
        self.nbytes = 0
        self.given = False
        self.holders = 0
        self.saver: Info | None = None
        self.saved = 0

    def __new__(cls, storage: torch.UntypedStorage, dead: Any) -> Storage:
        """`dead` is called with this reference when the storage is freed."""
        return super().__new__(cls, storage, dead)


class Live:
    """The storages known that are alive.

    Attributes:
        nbytes: their size together, once `buried` was asked for.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._known: dict[int, Storage] = {}
        self._fickle: dict[int, Storage] = {}
        self._dead: list[
            Storage
        ] = []  # a storage may die in any thread; appending to a list is safe in all

    def buried(self) -> Iterator[Storage]:
        """Takes those that died since the last time off the sum, and gives them."""
        while self._dead:
            storage = self._dead.pop()
            self.nbytes -= storage.nbytes
            if self._known.get(storage.key) is storage:
                del self._known[storage.key]
            if self._fickle.get(storage.key) is storage:
                del self._fickle[storage.key]
            yield storage

    def touch(self, tensor: torch.Tensor, *, fickle: bool = False) -> list[Storage]:
        """A tensor's storages, known from here on; sizes that changed are corrected. `fickle`: `read_again` looks at them."""
        found = []
        for storage in storages(tensor):
            known = self._known.get(storage._cdata)
            if known is None or known() is not storage:
                known = self._known[storage._cdata] = Storage(storage, self._dead.append)
                known.nbytes = hint(storage.nbytes())
                self.nbytes += known.nbytes
            elif self._resize(known, storage):
                fickle = True
            if fickle:
                self._fickle[storage._cdata] = known
            found.append(known)
        return found

    def read_again(self) -> None:
        """Correct the sizes of storages that were resized before, or may have been, while no operator ran."""
        for known in self._fickle.values():
            storage = known()
            if storage is not None:
                self._resize(known, storage)

    def _resize(self, known: Storage, storage: torch.UntypedStorage) -> bool:
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


def plain(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensors with a storage of their own that a tensor is made of: itself, or those inside a wrapper or a sparse tensor."""
    if type(tensor) not in _UNWRAPPED and (inside := _inside(tensor)) is not None:
        for part in inside:
            yield from plain(part)
    elif tensor.layout in _COMPRESSED:
        for name in _COMPRESSED[tensor.layout]:
            yield getattr(tensor, name)()
    else:
        yield tensor


_UNWRAPPED = {torch.Tensor, torch.nn.Parameter, FakeTensor}


def _inside(tensor: torch.Tensor) -> list[torch.Tensor] | None:
    """The tensors that a wrapper holds; None of a tensor that has memory of its own.

    A wrapper's ``__tensor_flatten__`` may name more than tensors (DTensor names its mesh). One that has no such method, or one
    that raises, is searched for tensors instead: its own storage stands for no memory, whatever its size is.
    """
    inside = flattened(tensor)
    if inside is not None:
        return inside
    if not is_traceable_wrapper_subclass(tensor) and _has_memory(tensor):
        return None
    return [value for value in tensors_in(list(vars(tensor).values())) if value is not tensor]


def _has_memory(tensor: torch.Tensor) -> bool:
    """True if a tensor of a class of its own has a storage with memory behind it."""
    if tensor.is_meta or not torch._C._dispatch_keys(tensor).has(torch._C.DispatchKey.Python):
        return True
    try:
        tensor.untyped_storage().data_ptr()
    except (
        RuntimeError,
        NotImplementedError,
    ):  # a wrapper's storage has a size, and no data to point to
        return False
    return True


def storages(tensor: torch.Tensor) -> Iterator[torch.UntypedStorage]:
    """A tensor's storages; none where its memory is not torch's to show (oneDNN's packed tensors)."""
    for part in plain(tensor):
        with suppress(NotImplementedError, RuntimeError):
            yield part.untyped_storage()


def size_once(tensor: torch.Tensor, seen: set[tuple[int, int]]) -> int:
    """Bytes of a tensor's own elements; 0 for those that start where something in `seen` does, a tied tensor."""
    total = 0
    for part in plain(tensor):
        for storage in storages(part):
            place = (storage._cdata, hint(part.storage_offset()))
            if place not in seen:
                seen.add(place)
                total += min(hint(part.numel()) * part.element_size(), hint(storage.nbytes()))
    return total
