"""Python looks for garbage again after work on many rows, whatever that work raised."""

from __future__ import annotations

import gc

import pytest

from dispatchcount.report.collection import no_collection

pytestmark = pytest.mark.torch_alone


@pytest.mark.parametrize("on", [True, False])
def test_it_is_afterwards_as_it_was_before(on: bool) -> None:
    was_on = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError), no_collection():
            assert not gc.isenabled()
            with no_collection():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise ZeroDivisionError
        assert gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()
