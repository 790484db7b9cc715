"""In how many MACs each element of an operand takes part: what zeros in a weight are worth.

A function of uses gets the MACs of a call and the operator's own arguments. It returns for the
places of all operands that are multiplied the MACs of each of their elements, or None where these
differ. A place is a position, or a position and an index where the operand is a list. What has no
place there, such as a bias, is not multiplied. None instead of all places says that nothing is
known, as where a kernel has several products inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dispatchcount.rules.core.shape import Operand, Shape, shapes

Place = tuple[int, int | None]
Places = Mapping[Place, int | None]
Uses = Callable[..., Places | None]


def evenly(*positions: int, unevenly: tuple[int, ...] = ()) -> Uses:
    """Every element of each of these operands takes part in equally many of the MACs.

    Args:
        positions: those operands.
        unevenly: other operands that are multiplied: the input of a convolution, whose elements at
            the border meet fewer taps than the others.
    """

    def uses(macs: int, *args: Operand, **_: Operand) -> Places:
        found: dict[Place, int | None] = {(position, None): None for position in unevenly}
        for position in positions:
            elements = stored(args[position]) if position < len(args) else 0
            whole = elements and macs % elements == 0
            found[position, None] = macs // elements if whole else None
        return found

    return uses


def together(*positions: int, data: tuple[int, ...] = (0,)) -> Uses:
    """Every element of the matrices among these operands takes part in as many MACs as any other.

    That is so of a recurrent network: each step multiplies with each weight once.

    Args:
        positions: the weights and biases, tensors or lists of them.
        data: the operands that they are multiplied with.
    """

    def uses(macs: int, *args: Operand, **_: Operand) -> Places | None:
        matrices = [pair for position in positions for pair in _matrices(position, args[position])]
        whole = sum(shape.numel for _, shape in matrices)
        if not whole or macs % whole:
            return None
        found: dict[Place, int | None] = {(position, None): None for position in data}
        return found | {place: macs // whole for place, _ in matrices}

    return uses


def _matrices(position: int, operand: Operand) -> Iterator[tuple[Place, Shape]]:
    if isinstance(operand, Shape):
        pairs: list[tuple[Place, Shape]] = [((position, None), operand)]
    else:
        pairs = [((position, index), shape) for index, shape in enumerate(shapes(operand))]
    return (pair for pair in pairs if len(pair[1]) == 2)


def stored(operand: Operand) -> int:
    """Stored elements of a tensor, or of the weight in a packed object: (weight, bias)."""
    found = shapes(operand)
    return found[0].numel if found else 0
