"""Finds kernels that no dispatcher sees: memory that was allocated, never written by an operator seen, and then read by one.

A pybind extension, a triton kernel launched by hand, numpy or C filled it. Only allocations that nothing has written yet are
watched, so the check costs nothing on most operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.multiprocessing.reductions import StorageWeakRef

from dispatchcount.capture.frames import call_site, instruction
from dispatchcount.capture.key import tensors_in
from dispatchcount.capture.plan import Plan

if TYPE_CHECKING:
    from dispatchcount.capture.counter import CallCounter

_SWEEP = 256


class Watch:
    """The storages allocated and not written yet, by address; a weak reference keeps an address from being used again.

    Each goes with where it was allocated: C++ that allocates, fills and reads memory within one call from Python is an operator
    at work (``at::tensor`` fills what `empty` gave it so), not a kernel that someone launched in between.
    """

    def __init__(self) -> None:
        self.storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def allocated(self, out: Any) -> None:
        """Watch a fresh allocation. Tensors without memory (meta, fake, empty) cannot be filled by anyone."""
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
            reference = StorageWeakRef(tensor.untyped_storage())
            self.storages[reference.cdata] = reference, instruction()

    def check(self, counter: CallCounter, plan: Plan, args: Any, kwargs: Any) -> None:
        """Drop what `plan` writes, report what it reads."""
        read: list[torch.Tensor] = []
        for place, value in [*enumerate(args), *kwargs.items()]:
            for tensor in tensors_in(value):
                address = _address(tensor)
                if address not in self.storages:
                    continue
                if place in plan.writes:
                    self.forget(address)
                elif not plan.keyless:
                    read.append(tensor)
        for tensor in read:
            address = _address(tensor)
            if address in self.storages:
                _, allocated = self.storages.pop(address)
                if plan.packet not in _READS_NO_VALUES and allocated != instruction():
                    counter.unseen(tensor, plan.name, call_site())

    def forget(self, address: int) -> None:
        """Something wrote it."""
        self.storages.pop(address, None)

    def filled(self) -> None:
        """A kernel that the user named filled whatever was waiting to be."""
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


def _address(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse, nested and opaque tensors have no storage
        return 0
