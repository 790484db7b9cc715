"""How many times over ranks hold or do what there is once, by module."""

from __future__ import annotations

from collections.abc import Mapping


def redundancy(local: Mapping[str, float], logical: Mapping[str, float]) -> dict[str, float | None]:
    """The figures of all ranks together by the logical ones; None where there is nothing.

    Args:
        local: the sum over the ranks, of each module with those below it.
        logical: what there is once.
    """
    return {
        name: local[name] / value if value and name in local else None
        for name, value in logical.items()
    }


def with_distinct(logical: Mapping[str, int], distinct: Mapping[str, int]) -> dict[str, int]:
    """Logical figures, where ranks hold different modules under one name.

    Experts that are spread over ranks are such: "experts.0" is the first of each rank. The figures
    of such a module and of those below it are taken as often as there are different ones, and are
    added to the modules above it.

    Args:
        logical: the figure of each module with those below it, each name once.
        distinct: how many different modules the ranks hold under a name, ``{"experts.0": 4}``.

    Raises:
        ValueError: a module is not there, lies in another of them, or its number is no integer from
            1 up.
    """
    found = dict(logical)
    for name, count in distinct.items():
        if name not in logical:
            raise ValueError(f"distinct names {name!r}, and there is no such module")
        if type(count) is not int or count < 1:
            raise ValueError(
                f"distinct[{name!r}] is {count!r}; give how many different ones the ranks hold, an "
                "integer from 1 up"
            )
        around = next((other for other in distinct if _below(name, other)), None)
        if around is not None:
            raise ValueError(f"distinct names {around!r} and {name!r}, which lies in it")
        more = (count - 1) * logical[name]
        for other in found:
            if other == name or _below(other, name):
                found[other] *= count
            elif _below(name, other):
                found[other] += more
    return found


def _below(name: str, other: str) -> bool:
    """True if the module `name` lies in `other`."""
    return name != other and (not other or name.startswith(f"{other}."))
