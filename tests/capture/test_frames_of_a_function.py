"""Frames up to a function are those that were called from it, innermost first."""

from __future__ import annotations

from dispatchcount.capture import frames


def test_frames_called_from_a_function() -> None:
    def innermost() -> list[str]:
        found = list(frames.called_from(outermost.__code__))
        return [frame.f_code.co_name for frame in found]

    def between() -> list[str]:
        return innermost()

    def outermost() -> list[str]:
        return between()

    assert outermost() == ["innermost", "between"]
