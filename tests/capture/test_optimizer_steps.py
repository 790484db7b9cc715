"""The function that runs first when a closure is called, whatever it is wrapped in."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import pytest

from dispatchcount.capture.optimizer_steps import function_of

pytestmark = pytest.mark.torch_alone


def closure() -> int:
    return 1


class Holder:
    def method(self) -> int:
        return 2

    def __call__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("value", "function"),
    [
        (closure, closure),
        (partial(closure), closure),
        (partial(partial(closure)), closure),
        (cache(closure), closure),
        (partial(cache(closure)), closure),
        (Holder().method, Holder.method),
        (Holder(), Holder.__call__),
        (partial(Holder()), Holder.__call__),
        (staticmethod(closure), closure),
        (len, None),
        (3, None),
    ],
)
def test_the_function_behind(value: Any, function: Any) -> None:
    assert function_of(value) is function


def test_objects_that_hold_each_other_without_end() -> None:
    held: Any = closure
    for _ in range(7):
        held = partial(held, 1)  # partials of partials are flattened, unless they hold attributes
        held.kept = True
    assert function_of(held) is closure
    assert function_of(partial(held, 1)) is None
