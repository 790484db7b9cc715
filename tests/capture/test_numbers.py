"""Numbers that TorchScript's tracer computes with are given to operators as tensors again."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.capture.numbers import with_tensors

pytestmark = pytest.mark.torch_alone

MM = torch.ops.aten.mm.default


def refused(*args: object) -> RuntimeError:
    with pytest.raises(RuntimeError) as error:
        MM(*args)
    return error.value


def test_a_number_where_a_tensor_belongs_becomes_one() -> None:
    x = torch.ones(2, 2)
    kept, number = with_tensors(refused(3, x), MM, (x, 3))
    assert kept is x
    assert isinstance(number, torch.Tensor)
    assert number.item() == 3


def test_any_other_error_is_raised_as_it_was() -> None:
    x = torch.ones(2, 2)
    error = refused(3, x)
    with pytest.raises(RuntimeError) as raised:
        with_tensors(error, MM, (x, x))  # no argument is a number
    assert raised.value is error
    other = ValueError("no")
    with pytest.raises(ValueError, match="no") as wrong:
        with_tensors(other, MM, (x, 3))  # type: ignore[arg-type]
    assert wrong.value is other
