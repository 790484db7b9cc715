"""Elements of tensors that are not zero, and where that cannot be known."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from dispatchcount.capture.zeros import effective, extent, nonzeros

pytestmark = pytest.mark.torch_alone

MATRIX = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, -3.0, 0.0], [0.0] * 4])


@pytest.mark.filterwarnings("ignore:Sparse")
def test_stored_zeros_are_zeros_in_any_layout() -> None:
    assert nonzeros(MATRIX) == 3
    index, values = torch.tensor([[0, 0, 1, 1], [1, 3, 2, 2]]), torch.tensor([1.0, 0.0, 4.0, -4.0])
    # One element of 1, a stored 0, and two that add up to 0.
    assert nonzeros(torch.sparse_coo_tensor(index, values, (3, 4))) == 1
    csr = MATRIX.to_sparse_csr()
    assert nonzeros(csr) == 3
    csr.values()[0] = 0
    assert nonzeros(csr) == 2


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_a_quantized_zero_is_what_stands_for_zero() -> None:
    assert nonzeros(torch.quantize_per_tensor(MATRIX, 0.1, 7, torch.quint8)) == 3


def test_a_semi_structured_weight_has_half_of_its_elements() -> None:
    """torch's class of that name stores two in four elements, and needs a GPU."""

    class SparseSemiStructuredTensor(torch.Tensor):
        pass

    assert nonzeros(MATRIX.as_subclass(SparseSemiStructuredTensor)) == 3 * 4 // 2


def test_what_cannot_be_read() -> None:
    assert nonzeros(MATRIX.to("meta")) is None
    freed = torch.ones(4)
    freed.untyped_storage().resize_(0)
    assert nonzeros(freed) is None
    assert nonzeros(torch.ones(0, 3)) == 0


def test_the_bytes_of_a_storage_that_a_tensor_needs() -> None:
    """The last element of a 2 x 3 window on rows of 8 stands at 4 + 8 + 2."""
    assert extent((2, 3), (8, 1), 4, torch.float32) == (4 + 8 + 2 + 1) * 4
    assert extent((2, 0), (8, 1), 4, torch.float32) == 0


def test_a_mask_of_pruning_counts() -> None:
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.fill_(1)
    prune.random_unstructured(layer, "weight", amount=5)
    original = layer.weight_orig
    assert (effective(layer, "weight_orig", original), nonzeros(original)) == (12 - 5, 12)
    assert effective(layer, "bias", torch.ones(3)) == 3
    layer.weight_mask = torch.ones(2, 2)  # a mask of other sizes is none of this parameter
    assert effective(layer, "weight_orig", original) == 12
