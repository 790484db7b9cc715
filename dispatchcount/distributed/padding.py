"""What FSDP sends beside the parameters: zeros that make all shards of a parameter equally long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Padding(Brief):
    """The parameters that FSDP gathers and reduces together, with what it adds to them.

    FSDP2 cuts a parameter along its first dimension into as many shards as the group has ranks.
    Where the number of ranks does not divide that dimension, it is taken to be the next multiple.

    Attributes:
        module: the module that they were sharded at, ``"layers.0"``.
        ranks: the ranks that share them.
        useful: bytes of the parameters in the dtype in which they are gathered, as this rank's part
            of the other dimensions of the mesh has them.
        sent: the same with the padding, which is what one all-gather gives back.
    """

    module: str
    ranks: int
    useful: int
    sent: int

    @property
    def factor(self) -> float:
        """Bytes sent for each useful one, 1.0 without padding."""
        return self.sent / self.useful if self.useful else 1.0


def together(rows: Iterable[Padding]) -> Padding | None:
    """All of them as one; None if there is none. Its ranks are those of the largest group."""
    found = list(rows)
    if not found:
        return None
    return Padding(
        "",
        max(row.ranks for row in found),
        sum(row.useful for row in found),
        sum(row.sent for row in found),
    )
