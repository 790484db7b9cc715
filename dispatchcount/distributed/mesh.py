"""The shape of a cluster: the dimensions of a device mesh by name, and where in it a rank stands.

This file imports no torch, so that a saved plan can be read where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from dispatchcount.errors import UsageError

_EXAMPLE = "give each dimension once with its number of ranks: dp=128,tp=8"

MOST_RANKS = 1 << 20
"""Ranks of a mesh that is planned; torch keeps a table with a line for each of them."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """The dimensions of a device mesh, the outermost first.

    Attributes:
        names: what the dimensions are called, ``("dp", "tp")``.
        sizes: how many ranks each has.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def ranks(self) -> int:
        """The number of ranks of the whole mesh."""
        return prod(self.sizes)

    def coordinates(self, rank: int) -> dict[str, int]:
        """Where a rank stands in each dimension. The innermost dimension counts fastest."""
        found: dict[str, int] = {}
        for name, size in zip(reversed(self.names), reversed(self.sizes), strict=True):
            rank, found[name] = divmod(rank, size)
        return {name: found[name] for name in self.names}

    def along(self, name: str, rank: int) -> tuple[int, ...]:
        """The ranks of one dimension's group: those that differ from `rank` in nothing else."""
        step = prod(self.sizes[self.names.index(name) + 1 :])
        first = rank - self.coordinates(rank)[name] * step
        return tuple(first + at * step for at in range(self.as_dict()[name]))

    def __str__(self) -> str:
        """The form that ``--mesh`` takes: ``"dp=128,tp=8"``."""
        return ",".join(f"{name}={size}" for name, size in self.as_dict().items())

    def as_dict(self) -> dict[str, int]:
        """The sizes by name."""
        return dict(zip(self.names, self.sizes, strict=True))


def mesh_of(given: Mesh | Mapping[str, int] | str) -> Mesh:
    """A mesh from sizes by name, or from text such as ``"dp=128,tp=8"``.

    Raises:
        UsageError: it has no dimension, a name is no identifier or occurs twice, or a size is no
            integer from 1 up.
    """
    if isinstance(given, Mesh):
        return given
    if isinstance(given, str):
        given = _parsed(given)
    if not isinstance(given, Mapping) or not given:
        raise UsageError(f"the mesh is {given!r}; {_EXAMPLE}")
    for name, size in given.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{name!r} is no name of a mesh's dimension; {_EXAMPLE}")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise UsageError(
                f"dimension {name} of the mesh has {size!r} ranks; a number of ranks is an integer "
                "from 1 up"
            )
    mesh = Mesh(tuple(given), tuple(given.values()))
    if mesh.ranks > MOST_RANKS:
        raise UsageError(
            f"the mesh {mesh} has {mesh.ranks:,} ranks; at most {MOST_RANKS:,} can be planned"
        )
    return mesh


def rank_in(mesh: Mesh, rank: int) -> int:
    """The rank, if the mesh has it.

    Raises:
        UsageError: it is no rank of the mesh.
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < mesh.ranks:
        raise UsageError(
            f"rank {rank!r} is not in the mesh {mesh}; its ranks are 0 to {mesh.ranks - 1:,}"
        )
    return rank


def _parsed(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, size = (piece.strip() for piece in part.partition("="))
        if not name.isidentifier() or not (size.isascii() and size.isdigit()) or len(size) > 9:
            raise UsageError(f"{part!r} is no dimension of a mesh; {_EXAMPLE}")
        if name in found:
            raise UsageError(f"the mesh {text!r} has dimension {name} twice; {_EXAMPLE}")
        found[name] = int(size)
    return found
