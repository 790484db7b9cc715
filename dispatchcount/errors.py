"""The exceptions of dispatchcount, and the text of other people's."""

from __future__ import annotations

from typing import Any

_LONGEST = 500


class DispatchcountError(Exception):
    """Base of the errors below. The command line prints its message and exits with `exit_code`."""

    exit_code = 2


class ReportError(DispatchcountError, ValueError):
    """A file or bytes that should hold a report do not, or hold one that cannot be read."""


class LawError(DispatchcountError, ValueError):
    """A law cannot be made, does not hold at these sizes, or has no formula for this figure."""


class UsageError(DispatchcountError, ValueError):
    """The caller, in Python or on the command line, gave something that cannot be used.

    It may be a target, a shape, an option, a file, or a limit of a budget.
    """


class DeviceError(DispatchcountError, ValueError):
    """No device goes by a name, or a device lacks a figure that the question needs."""


class BudgetError(DispatchcountError, AssertionError):
    """A report is over its budget."""

    exit_code = 1


class UncountedError(DispatchcountError, RuntimeError):
    """Under ``strict=True``, an operator ran that has no rule or whose rule failed."""

    exit_code = 1


class MissingRanksError(DispatchcountError, RuntimeError):
    """Ranks gave no report. The message names them, and says of each what is known.

    Attributes:
        ranks: on rank 0 the `Ranks` whose reports came; None on all others.
        missing: the ranks that gave none.
    """

    exit_code = 1

    def __init__(self, message: str, missing: tuple[int, ...], ranks: Any = None) -> None:
        super().__init__(message)
        self.missing = missing
        self.ranks = ranks


def kind_of(value: Any) -> str:
    """What a value is, in words: ``"None"``, ``"an int"``, ``"a list"``, ``"the class Linear"``."""
    if value is None:
        return "None"
    # `isinstance` would ask the value's own `__class__`, which may be code of the user's.
    if issubclass(type(value), type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIO' else 'a'} {name}"


def expect(value: Any, kind: type | tuple[type, ...], what: str, give: str) -> None:
    """See that an argument is of a kind, so that the error names it and not a line of ours.

    Args:
        value: what was given.
        kind: what it has to be.
        what: what the argument is called.
        give: what to give, with an example where one helps.

    Raises:
        TypeError: it is of another kind.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {kind_of(value)}; give {give}")


def expect_function(value: Any, what: str, give: str) -> None:
    """See that an argument can be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{what} is {kind_of(value)}, and cannot be called; give {give}")


def text_of(error: BaseException) -> str:
    """The text of an exception, on one line.

    The exception's class may be a user's, and its ``__str__`` may raise. That must not hide that
    the exception was raised.
    """
    try:
        if isinstance(error, SystemExit):
            return f"it asks to exit with status {error.code!r}"
        text = " ".join(str(error).split())
    except Exception as unable:
        return f"its text cannot be had, that raised {type(unable).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def described(error: BaseException) -> str:
    """The class and text of an exception: ``ValueError: no such size``."""
    return f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
