"""Names of another library that have nothing to stand for here: importing one says what to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn


def absent(module: str, names: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """A module's ``__getattr__``.

    An ImportError is raised for the names of the other library, because ``from … import …`` hides
    what an AttributeError says.

    Args:
        module: the module's name.
        names: for each name of the other library a sentence that says what to use.
    """

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        if name in names:
            raise ImportError(f"{module} has no {name}: {names[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__
