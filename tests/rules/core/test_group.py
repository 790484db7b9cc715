"""Process groups in words."""

from __future__ import annotations

import pytest

from dispatchcount.rules.core.group import Group


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (Group("0", (0, 2, 4, 6), "dp"), "dp: 4 ranks 0, 2, 4, 6"),
        (Group("7", tuple(range(8))), "group 7: 8 ranks 0–7"),
        (Group("7", tuple(range(0, 4096, 2))), "group 7: 2,048 ranks 0, 2, 4, 6, 8, 10, 12, 14, …"),
        (Group("1", (2,)), "group 1: 1 rank 2"),
        (Group("5"), "group 5, ranks not known"),
        (Group(""), "group not known"),
    ],
)
def test_a_group_says_who_is_in_it(group: Group, text: str) -> None:
    assert str(group) == text
    assert repr(group) == f"<Group {group.name!r} {text}>"
