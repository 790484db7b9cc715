"""What dispatchcount raises of its own."""

from __future__ import annotations


class DispatchcountError(Exception):
    """Base of the errors below; the command line prints its message and exits with `exit_code`."""

    exit_code = 2


class ReportError(DispatchcountError, ValueError):
    """A file or bytes that should hold a report do not, or hold one that cannot be read."""


class UsageError(DispatchcountError, ValueError):
    """A wrong target, shape, option or file on the command line."""


class BudgetError(DispatchcountError, AssertionError):
    """A report is over its budget."""

    exit_code = 1


class UncountedError(DispatchcountError, RuntimeError):
    """Under ``strict=True``, an operator ran that has no rule or whose rule failed."""

    exit_code = 1
