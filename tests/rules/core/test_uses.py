"""In how many MACs an element of an operand takes part, and where that is not known."""

from __future__ import annotations

from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.uses import evenly, stored, together
from tests.rules.util import S


def test_elements_of_a_product() -> None:
    """2 x 3 times 3 x 4: an element of the left meets 4 columns, one of the right 2 rows."""
    assert evenly(0, 1)(24, S(2, 3), S(3, 4)) == {(0, None): 4, (1, None): 2}


def test_what_is_uneven_or_not_there_has_no_number() -> None:
    """The MACs of a padded convolution are no multiple of its input."""
    uses = evenly(1, unevenly=(0,))
    assert uses(24, S(2, 3), S(3, 4)) == {(0, None): None, (1, None): 2}
    assert uses(25, S(2, 3), S(3, 4)) == {(0, None): None, (1, None): None}
    assert uses(24, S(2, 3)) == {(0, None): None, (1, None): None}
    assert uses(0, S(2, 3), S(0, 4)) == {(0, None): None, (1, None): None}


def test_matrices_of_a_recurrent_network() -> None:
    """Matrices of 12 x 2 and 12 x 3 meet 5 steps; the biases are not multiplied."""
    weights = [S(12, 2), S(12, 3), S(12), S(12)]
    macs = 5 * (12 * 2 + 12 * 3)
    assert together(2)(macs, S(5, 2), S(3), weights) == {(0, None): None, (2, 0): 5, (2, 1): 5}
    assert together(2)(macs + 1, S(5, 2), S(3), weights) is None
    assert together(2)(0, S(5, 2), S(3), [S(12)]) is None
    alone = together(1, data=())(60, S(5, 2), S(12, 1))
    assert alone == {(1, None): 5}


def test_a_packed_object_holds_its_weight_first() -> None:
    assert (stored((S(5, 8), S(5))), stored(S(5, 8)), stored(None)) == (40, 40, 0)


def test_only_the_gradient_of_the_input_multiplies_with_a_convolutions_weight() -> None:
    """18 elements of the weight meet 4 x 4 places of 2 pictures in each gradient."""
    entry = RULES.get("aten::convolution_backward")
    assert entry is not None
    assert entry.uses is not None
    one = 2 * 4 * 4 * 18

    def uses(macs: int, mask: object, weight: object = S(2, 1, 3, 3)) -> object:
        args = (S(2, 2, 4, 4), S(2, 1, 6, 6), weight, (2,), 1, 0, 1, False, 0, 1, mask)
        return entry.uses(macs, *args)

    data = {(0, None): None, (1, None): None}
    assert uses(2 * one, (True, True, True)) == data | {(2, None): one // 18}
    assert uses(one, (True, False, False)) == data | {(2, None): one // 18}
    assert uses(one, (False, True, True)) == data
    assert uses(0, (True, True, True), S(0, 1, 3, 3)) == data
    assert uses(one, None) is None  # a mask whose values were not kept
