"""What a flop is: the four conventions, as views over one record of costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """How flops follow from a cost.

    Attributes:
        name: what users write, ``"fvcore"``.
        per_mac: flops of one multiply-accumulate.
        fvcore: whether norms, upsampling, adaptive average pooling and grid sampling add fvcore's figures.
        elementwise: whether arithmetic and transcendentals add one flop each.
        unit: one line for under a table.
    """

    name: str
    per_mac: int
    fvcore: bool
    elementwise: bool
    unit: str

    def flops(self, macs: int, fvcore: int, arithmetic: int, transcendentals: int) -> int:
        """Flops of a cost given by its parts."""
        extra = (fvcore if self.fvcore else 0) + (
            arithmetic + transcendentals if self.elementwise else 0
        )
        return self.per_mac * macs + extra


CONVENTIONS = {
    c.name: c
    for c in (
        Convention(
            "fvcore",
            1,
            True,
            False,
            "1 MAC = 1 flop, plus norms, upsampling, pooling and grid sampling as fvcore has them",
        ),
        Convention("macs", 1, False, False, "1 MAC = 1 flop, nothing besides"),
        Convention("torch", 2, False, False, "1 MAC = 2 flops, nothing besides"),
        Convention("full", 2, False, True, "1 MAC = 2 flops, plus every element-wise operation"),
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
