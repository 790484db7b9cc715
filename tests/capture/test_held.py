"""Questions to objects of the user's, whose code may do anything."""

from __future__ import annotations

import pytest

from dispatchcount.capture.held import guarded

pytestmark = pytest.mark.torch_alone


def raises(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), RecursionError()])
def test_what_the_users_code_raises_is_no_answer(error: BaseException) -> None:
    assert guarded(lambda: raises(error), 3) == 3
    assert guarded(lambda: 4, 3) == 4


def test_a_ctrl_c_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        guarded(lambda: raises(KeyboardInterrupt()), None)
