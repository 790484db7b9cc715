"""The scores that an attention's own arguments say are masked.

A rule may count them only where the call says so: ``is_causal``, or a window given in numbers. A
mask that is a tensor is data, which no rule reads. For flex attention, whose mask is a function,
capture asks that function (`capture.block_mask`).
"""

from __future__ import annotations

from typing import NamedTuple

from dispatchcount.rules.core.shape import Operand


class Window(NamedTuple):
    """Which keys a query sees.

    Attributes:
        left: how many keys before its own place; None for all.
        right: how many keys after it; None for all.
        bottom: True if the last query stands at the last key, False if the first query stands at
            the first key. It matters where there are not as many queries as keys.
    """

    left: int | None = None
    right: int | None = None
    bottom: bool = False


CAUSAL = Window(right=0)
"""Each query sees the keys up to its own place, counted from the first."""


def causal(is_causal: bool | None) -> Window | None:
    """`CAUSAL` if a call says so; None stands for no mask."""
    return CAUSAL if is_causal else None


def flash_window(is_causal: bool | None, left: Operand, right: Operand) -> Window | None:
    """The window of a flash kernel, whose last query stands at the last key.

    Args:
        is_causal: True hides all keys after a query's place, whatever `right` says.
        left: keys before it; None or a negative number stands for all.
        right: keys after it, likewise.
    """
    before = left if isinstance(left, int) and left >= 0 else None
    after = right if isinstance(right, int) and right >= 0 else None
    after = 0 if is_causal else after
    return None if before is None and after is None else Window(before, after, bottom=True)


def hidden(queries: int, keys: int, window: Window | None) -> int:
    """How many of ``queries * keys`` scores a window hides.

    Query ``i`` stands at the place ``i + offset``. It sees the keys from ``i + offset - left`` up
    to ``i + offset + right``, as far as there are such keys.
    """
    if window is None:
        return 0
    offset = keys - queries if window.bottom else 0
    ends = (
        queries * keys if window.right is None else ramp(queries, keys, offset + window.right + 1)
    )
    begins = 0 if window.left is None else ramp(queries, keys, offset - window.left)
    return queries * keys - (ends - begins)


def ramp(count: int, most: int, start: int) -> int:
    """The sum of ``start + i``, but at least 0 and at most `most`, for `i` below `count`."""
    zeros = min(count, max(0, -start))
    rising = min(count, max(zeros, most - start))
    # The numbers start + zeros up to start + rising - 1, and `most` for those that are left.
    slope = (rising - zeros) * (2 * start + zeros + rising - 1) // 2
    return slope + (count - rising) * most
