"""What a flop is: the four conventions, as views over one record of costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dispatchcount.report.metrics import ELEMENTWISE


@dataclass(frozen=True, slots=True)
class Convention:
    """How flops follow from a cost.

    Attributes:
        name: what users write, ``"fvcore"``.
        counts: the fields of `Cost` that are flops, and how many flops one of each is.
        unit: one line for under a table.
    """

    name: str
    counts: tuple[tuple[str, int], ...]
    unit: str

    @property
    def elementwise(self) -> bool:
        """True if arithmetic and transcendentals are flops."""
        return any(name in ELEMENTWISE for name, _ in self.counts)

    def flops(self, cost: Any) -> int:
        """Flops of one call's `Cost`, or of a sum of costs, which has the same fields (`Tally`)."""
        flops = 0
        for name, flops_of_one in self.counts:
            flops += flops_of_one * getattr(cost, name)
        return flops


CONVENTIONS = {
    c.name: c
    for c in (
        Convention(
            "fvcore",
            (("macs", 1), ("fvcore", 1)),
            "1 MAC = 1 flop, plus norms, upsampling, pooling and grid sampling as fvcore has them",
        ),
        Convention("macs", (("macs", 1),), "1 MAC = 1 flop, nothing besides"),
        Convention("torch", (("macs", 2),), "1 MAC = 2 flops, nothing besides"),
        Convention(
            "full",
            (("macs", 2), *((name, 1) for name in ELEMENTWISE)),
            "1 MAC = 2 flops, plus every element-wise operation",
        ),
    )
}


def find_convention(name: str) -> Convention:
    """The convention called `name`.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
    """
    try:
        return CONVENTIONS[name]
    except (KeyError, TypeError):
        raise ValueError(
            f"convention {name!r} is not known; it is one of {', '.join(map(repr, CONVENTIONS))}"
        ) from None
