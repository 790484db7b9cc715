"""Costs the user gives for kernels that no dispatcher sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from operator import index
from types import TracebackType
from typing import Any, TypeVar

from dispatchcount.capture.key import FOR_USERS, part_of
from dispatchcount.capture.signature import Pseudo
from dispatchcount.capture.torch_private import dispatch_modes
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import USER, OpKind, RegistryEntry, takes_out

F = TypeVar("F", bound=Callable[..., Any])


class kernel:  # noqa: N801  used like a function
    """Say what a kernel costs that is launched past the dispatcher.

    Such kernels come from pybind extensions, ctypes, or triton launched by hand.

        with dispatchcount.kernel("selective_scan", cost=9 * batch * length * channels * state):
            selective_scan_cuda.fwd(u, delta, A, B, C, out)

        @dispatchcount.kernel("scan", cost=lambda u, delta, A, *rest, out: 9 * u.numel * A[1])
        def scan(u, delta, A, B, C): ...

    Args:
        name: what the report calls it.
        cost: an int of MACs or a `Cost`. For the decorator it may be a rule, a function from the
            shapes of the call's arguments to an int or a `Cost`.

    Outside of a profile this does nothing. An exception inside the with-block, or from the function
    decorated, leaves the kernel uncounted.

    Raises:
        TypeError: the cost is none of these. A float is not one, for a count is exact.
    """

    def __init__(self, name: str, *, cost: int | Cost | Callable[..., int | Cost]) -> None:
        if not callable(cost) and not isinstance(cost, Cost):
            try:
                cost = index(cost)  # NumPy's integers will do as well
            except TypeError:
                raise TypeError(
                    f"kernel({name!r}): the cost is an int of MACs, a dispatchcount.Cost or a rule,"
                    f" not {type(cost).__name__}"
                ) from None
        self._name = name
        self._cost = cost

    def __enter__(self) -> kernel:
        if callable(self._cost):
            raise TypeError(
                f"kernel({self._name!r}): in a with-block the cost is an int or a Cost;"
                " a rule needs the decorator form"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._record((), {}, None)

    def __call__(self, function: F) -> F:
        """Decorate the function that launches the kernel."""

        @wraps(function)
        def launch(*args: Any, **kwargs: Any) -> Any:
            out = function(*args, **kwargs)
            self._record(args, kwargs, out)
            return out

        return launch  # type: ignore[return-value]

    def _entry(self) -> RegistryEntry:
        """The cost as an entry of a registry. A fixed cost is a rule that ignores shapes."""
        cost = self._cost
        rule = cost if callable(cost) else lambda *args, **kwargs: cost
        return RegistryEntry(OpKind.RULE, rule, family=USER, takes_out=takes_out(rule))

    def _record(self, args: Any, kwargs: Any, out: Any) -> None:
        """Count the kernel in every block that is open in this thread."""
        from dispatchcount.capture.dispatch import CountingMode

        for mode in dispatch_modes():
            if isinstance(mode, CountingMode):
                plan = Pseudo(
                    self._name,
                    self._entry(),
                    cost=id(self._cost) if callable(self._cost) else self._cost,
                )
                given, named = part_of(args, FOR_USERS), part_of(kwargs, FOR_USERS)
                mode.counter.pseudo(plan, given, named, part_of(out))
                mode.watch.filled()
