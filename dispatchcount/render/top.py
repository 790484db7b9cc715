"""How many rows of a table are wanted: one check for all tables that have a `top`."""

from __future__ import annotations

from typing import Any

from dispatchcount.errors import expect


def check_top(top: Any, what: str) -> None:
    """See that `top` says how many rows of a table are wanted.

    Args:
        top: what was given.
        what: what the rows are, ``"operators"``.

    Raises:
        TypeError: it is neither an integer nor None.
        ValueError: it is negative.
    """
    give = f"a number of {what} from 0 up, or None for all"
    expect(top, (int, type(None)), "top", give)
    if top is not None and top < 0:
        raise ValueError(f"top={top} is negative; give {give}")
