"""Arguments whose contents a rule may read."""

from __future__ import annotations

import torch

from dispatchcount.rules.core.values import EXPONENTS, VALUES, known
from tests.rules.util import S


def test_contents_are_known_apart_from_a_shape() -> None:
    assert known((0, 4, 9)) == (0, 4, 9)
    assert known(S(3)) is None
    assert known(None) is None


def test_the_arguments_are_those_of_the_operators() -> None:
    """A misspelt name would never be read. What this torch lacks is not looked at."""
    found = 0
    for name, arguments in VALUES.items():
        namespace, _, base = name.partition("::")
        packet = getattr(getattr(torch.ops, namespace), base, None)
        if packet is not None:
            schema = getattr(packet, packet.overloads()[0])._schema
            assert set(arguments) <= {a.name for a in schema.arguments}, name
            found += 1
    assert found > 6


def test_exponents_are_read_of_operators_that_have_one() -> None:
    for name in EXPONENTS:
        base = name.removeprefix("aten::")
        assert hasattr(torch.ops.aten, base) or base == "linalg__powsum", name
