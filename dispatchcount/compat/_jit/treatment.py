"""What an analysis does with each kind of operator: one decision, made once for a kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from dispatchcount.compat._jit.values import Handle
from dispatchcount.report.tally import Tally


class Treatment(Enum):
    """How operators of one kind are counted, and whether they are listed as unsupported."""

    HANDLE = auto()
    """The user's or the library's handle is called for each traced call."""
    MEASURED = auto()
    """The library's own handle is set, and the figure that dispatch counted is at least as good."""
    SPARE = auto()
    """There is no handle, but dispatch counted something: that counts, or the spare handle does."""
    DROPPED = auto()
    """The operator counts nothing and is not listed: the user said so, or it is free."""
    UNSUPPORTED = auto()
    """There is no handle and dispatch counted nothing: the operator is listed."""


@dataclass(frozen=True)
class Reading:
    """How an analysis reads its figure off the cost of a kernel.

    Attributes:
        unhandled: the figure of a kernel whose operator has no handle.
        measured: the figure of a kernel whose operator has the library's own handle. It includes
            the formulas that fvcore has for norms, upsampling and the like.
        spare: the handle that is called for an operator without a handle if `unhandled` finds
            something in its kernels. If it is None, what `unhandled` finds counts.
    """

    unhandled: Callable[[Tally], int]
    measured: Callable[[Tally], int]
    spare: Handle | None = None


@dataclass(frozen=True)
class Settings:
    """What the user of an analysis has set.

    Attributes:
        handles: the handles by kind of operator.
        own: kinds whose handle is the library's own, and no better than what dispatch counts.
        dropped: kinds that the user wants left out.
        free: kinds that are not listed where they have no handle.
        reading: how costs are read. None leaves operators without a handle out.
        owner: True to credit the modules above by name, False to credit those being called.
    """

    handles: Mapping[str, Handle]
    own: Collection[str]
    dropped: Collection[str]
    free: Collection[str]
    reading: Reading | None
    owner: bool

    def treatment(self, kind: str, found: Collection[str]) -> Treatment:
        """The treatment of a kind of operator.

        Args:
            kind: the kind, ``"aten::linear"``.
            found: the kinds in whose kernels dispatch counted something, and the custom autograd
                functions that such kernels ran in.
        """
        if kind in self.dropped:
            return Treatment.DROPPED
        if kind in self.handles:
            return Treatment.MEASURED if kind in self.own else Treatment.HANDLE
        if kind in found:
            return Treatment.SPARE
        return Treatment.DROPPED if kind in self.free else Treatment.UNSUPPORTED
