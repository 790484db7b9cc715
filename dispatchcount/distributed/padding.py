"""What FSDP sends beside the parameters: zeros that make all shards of a parameter equally long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatchcount.report.brief import Brief
from dispatchcount.report.collectives import Collective
from dispatchcount.rules.core.traffic import ALL_GATHER


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

    @property
    def added(self) -> float:
        """The part that padding adds to the useful bytes, 0.0 without any."""
        return self.factor - 1.0


def gathers(rows: Iterable[Padding], sent: Iterable[Collective]) -> dict[str, int]:
    """How often a step gathers the parameters that were sharded at each module.

    Modules whose parameters were gathered otherwise than all at once are left out.

    Args:
        rows: the modules.
        sent: what the step sent.
    """
    gathered = [row for row in sent if row.pattern == ALL_GATHER.name]
    found: dict[str, int] = {}
    for row in rows:
        for one in gathered:
            traffic = one.modules.get(row.module)
            whole = traffic is not None and traffic.payload_bytes == traffic.calls * row.sent
            if traffic is not None and whole and one.group.size == row.ranks:
                found[row.module] = found.get(row.module, 0) + traffic.calls
    return found


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
