"""Rows of the module table of a report, from what was read of each module when the block ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod

from dispatchcount.capture.held import extra_repr
from dispatchcount.capture.modules import Info
from dispatchcount.capture.weights import Facts, Weight
from dispatchcount.report.rows import Module, Parameter


class Seen:
    """A module as it was when the block ended: plain data but for a weak reference.

    Its row is made when it is asked for.

    Attributes:
        name: its name in the report.
        type: its class.
        parent: the place of the module around it; -1 where there is none.
        info: the module, weakly; None for rows that stand for no module.
        weights: its parameters.
        held: True if a root holds it.
        container: True if it only holds other modules.
        aliases: other names under which roots hold it.
        wrappers: those around it, whose work its row shows.
    """

    __slots__ = (
        "aliases",
        "container",
        "held",
        "info",
        "name",
        "parent",
        "type",
        "weights",
        "wrappers",
    )

    def __init__(
        self,
        name: str,
        type_: str,
        parent: int,
        info: Info | None,
        weights: list[Facts],
        *,
        held: bool,
        container: bool,
    ) -> None:
        self.name = name
        self.type = type_
        self.parent = parent
        self.info = info
        self.weights = [Weight(*facts) for facts in weights]
        self.held = held
        self.container = container
        self.aliases: list[str] = []
        self.wrappers: list[Info] = []

    def add_weights(self, weights: list[Facts]) -> None:
        """Parameters that a wrapper around it holds are shown as its own."""
        self.weights += [Weight(*facts) for facts in weights]

    def called(self, called: Collection[Info]) -> bool:
        """True if it, or a wrapper around it, is among the modules that were called."""
        return self.info in called or any(info in called for info in self.wrappers)

    @property
    def used(self) -> bool:
        """True if an operator was seen to use one of its parameters."""
        return any(weight.used for weight in self.weights)

    def row(
        self, tied: dict[int, str], *, fused: bool, nonzero: Mapping[int, int | None]
    ) -> Module:
        """Its row.

        Args:
            tied: gets the name under which each parameter was met first, by the parameter's id.
            nonzero: how many elements of a parameter are not zero, by its id; those that were read.
            fused: see `fused`.
        """
        module = None if self.info is None else self.info.module()
        return Module(
            self.name,
            self.type,
            self.parent,
            "" if module is None else extra_repr(module),
            tuple(self.aliases),
            tuple(self._parameter(tied, weight, nonzero) for weight in self.weights),
            self.container,
            fused,
        )

    def _parameter(
        self, tied: dict[int, str], weight: Weight, nonzero: Mapping[int, int | None]
    ) -> Parameter:
        """A parameter's row.

        One outside of the roots has ``numel = 0``, because totals cover the roots only.
        """
        name = f"{self.name}.{weight.key}" if self.name else weight.key
        first = tied.setdefault(weight.address, name)
        shape = tuple(map(int, weight.sizes or ()))
        return Parameter(
            name,
            shape,
            prod(shape) if self.held and weight.sizes is not None else 0,
            str(weight.dtype).removeprefix("torch."),
            weight.trainable,
            None if first is name else first,
            nonzero.get(weight.address) if self.held else None,
            None if weight.local == prod(shape) else weight.local,
        )


def fused(seen: Sequence[Seen], was_called: Callable[[Seen], bool]) -> list[bool]:
    """For each module: True if it was not called, and operators of a module around it did its part.

    They did if they used a parameter of it, or, where it has none, one of a module in it. A module
    without any, such as a dropout, leaves no such trace. It is taken for a part of what ran as one
    operator if the module around it called nothing in itself and left nothing in itself unused.

    Args:
        seen: the modules, each before those in it.
        was_called: True for a module that was called.
    """
    called = [was_called(one) for one in seen]
    # Of each module with the modules in it: is a parameter used of one that was not called; is one
    # idle; was one inside called?
    used = [one.used and not call for one, call in zip(seen, called, strict=True)]
    idle = [
        bool(one.weights) and not (one.used or call) for one, call in zip(seen, called, strict=True)
    ]
    calls = [False] * len(seen)
    for index in range(len(seen) - 1, 0, -1):  # a parent's index is smaller than its children's
        above = seen[index].parent
        if above >= 0:
            used[above] |= used[index]
            idle[above] |= idle[index]
            calls[above] |= calls[index] or called[index]
    found, as_one = [False] * len(seen), [False] * len(seen)
    for index, one in enumerate(seen):
        if called[index]:
            as_one[index] = used[index] and not (idle[index] or calls[index])
            continue
        as_one[index] = one.parent >= 0 and as_one[one.parent]
        part_done = one.used if one.weights else used[index]
        found[index] = not one.container and (as_one[index] or part_done)
    return found
