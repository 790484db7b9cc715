"""Finds kernels that no dispatcher sees, by the memory that they fill.

If an operator reads memory that was allocated, and that no operator has written, then something
unseen has filled it: a pybind extension, a triton kernel launched by hand, numpy or C. The set-up
of a pipeline is the exception: it runs modules on memory that nobody wrote, to learn shapes. Only
allocations that nothing has written yet are watched, so the check costs nothing on most operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from dispatchcount.capture.distributed_frames import in_set_up
from dispatchcount.capture.frames import call_site, instruction
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import FakeTensor, StorageWeakRef, address_of

if TYPE_CHECKING:
    from dispatchcount.capture.counter import CallCounter

_SWEEP = 256
"""With more storages watched, those that are gone are dropped at the next allocation."""


class Watch:
    """The storages that were allocated and not written yet.

    C++ that allocates, fills and reads memory within one call from Python is an operator at work
    (so ``at::tensor`` fills what `empty` gave it), not a kernel that someone launched in between.
    So the instruction of Python that allocated a storage is noted as well.

    Memory may have several storages: numpy and DLPack give a tensor one of its own over the same
    bytes. So a write counts for all watched storages that hold what was written.

    Attributes:
        storages: the storages by address, each as a weak reference, the number of the instruction,
            and the addresses of its bytes. A weak reference keeps the storage's address from being
            used again.
    """

    def __init__(self) -> None:
        self.storages: dict[int, tuple[StorageWeakRef, int, range]] = {}

    def allocated(self, out: Any) -> None:
        """Watch a fresh allocation, but not of a tensor without memory (meta, fake, empty)."""
        for tensor in tensors_in(out):
            if (
                type(tensor) is FakeTensor
                or tensor.is_meta
                or tensor.layout is not torch.strided
                or not tensor.numel()
            ):
                continue
            if len(self.storages) >= _SWEEP:
                self.storages = {
                    key: known for key, known in self.storages.items() if not known[0].expired()
                }
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            self.storages[reference.cdata] = reference, instruction(), _bytes_of(storage)

    def check(self, counter: CallCounter, plan: Plan, args: Any, kwargs: Any) -> None:
        """An operator runs: forget what it writes, and report what it reads that nothing wrote."""
        # 1. What it writes is forgotten first, so that an argument given twice is not reported.
        read: list[torch.Tensor] = []
        elsewhere: list[torch.Tensor] = []
        for place, value in [*enumerate(args), *kwargs.items()]:
            for tensor in tensors_in(value):
                address = _address(tensor)
                if address not in self.storages:
                    if place in plan.writes and address:
                        elsewhere.append(tensor)
                    continue
                if place in plan.writes:
                    self.forget(address)
                elif not plan.keyless:
                    read.append(tensor)
        if self.storages and elsewhere:
            self._forget_aliases(elsewhere)
        # 2. What is left was read. It is reported once.
        for tensor in read:
            address = _address(tensor)
            if address in self.storages:
                _, allocated, _ = self.storages.pop(address)
                if (
                    plan.packet not in _READS_NO_VALUES
                    and allocated != instruction()
                    and not in_set_up()
                ):
                    counter.unseen(tensor, plan.name, call_site())

    def _forget_aliases(self, written: list[torch.Tensor]) -> None:
        """Forget storages of which the bytes were written through a storage of another object."""
        for tensor in written:
            if type(tensor) is not FakeTensor and not tensor.is_meta:
                place = _bytes_of(tensor.untyped_storage())
                for address, (_, _, held) in [*self.storages.items()]:
                    if place.start < held.stop and held.start < place.stop:
                        self.forget(address)

    def forget(self, address: int) -> None:
        """Something wrote the storage at that address."""
        self.storages.pop(address, None)

    def filled(self) -> None:
        """A kernel that the user named has run: take it for what filled all that was watched."""
        self.storages.clear()


_READS_NO_VALUES = {
    "aten::zeros_like",
    "aten::ones_like",
    "aten::full_like",
    "aten::rand_like",
    "aten::randn_like",
    "aten::randint_like",
    "aten::resize_",
    "aten::new_zeros",
    "aten::new_ones",
    "aten::new_full",
}
"""Operators that look at a tensor's shape and dtype only."""


def _address(tensor: torch.Tensor) -> int:
    """The address of a tensor's storage; 0, which none has, where there is no storage."""
    try:
        return address_of(tensor.untyped_storage())
    except (NotImplementedError, RuntimeError):  # sparse, nested and opaque tensors have no storage
        return 0


def _bytes_of(storage: torch.UntypedStorage) -> range:
    """The addresses of a storage's bytes; none where it has no memory that torch would show."""
    try:
        start = storage.data_ptr()
    except RuntimeError:
        return range(0)
    return range(start, start + storage.nbytes())
