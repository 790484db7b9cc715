"""Loss functions and their gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.rules.util import S, ask, only, total

F = torch.nn.functional


@pytest.mark.parametrize(
    ("run", "each", "transcendentals"),
    [
        (F.mse_loss, 2, 0),
        (F.smooth_l1_loss, 6, 0),
        (F.huber_loss, 6, 0),
        (F.binary_cross_entropy, 7, 2),
        (F.binary_cross_entropy_with_logits, 7, 2),
    ],
)
def test_reduction_adds_an_operation_per_element_and_the_mean_a_division(
    run: Any, each: int, transcendentals: int
) -> None:
    x, y = torch.rand(3, 4), torch.rand(3, 4)
    for reduction, more in (("none", 0), ("sum", 12), ("mean", 13)):
        found = total(lambda r=reduction: run(x, y, reduction=r))
        assert (found.arithmetic, found.transcendentals) == (12 * each + more, 12 * transcendentals)


def test_cross_entropy_reads_one_number_a_target() -> None:
    """Five targets of seven classes: a sign each, their sum and the mean.

    5 floats and 5 indices are read.
    """
    x, y = torch.rand(5, 7), torch.randint(7, (5,))
    found = only(lambda: F.cross_entropy(x, y), name="aten::nll_loss_forward")
    assert (found.arithmetic, found.bytes_read) == (5 + 5 + 1, 5 * 4 + 5 * 8)
    weighted = only(lambda: F.cross_entropy(x, y, torch.rand(7)), name="aten::nll_loss_forward")
    assert weighted.arithmetic == 5 * 3 + 6


def test_nll_backward_does_not_read_its_input() -> None:
    x, y = torch.rand(5, 7, requires_grad=True), torch.randint(7, (5,))
    found = only(lambda: F.nll_loss(x, y).backward(), name="aten::nll_loss_backward")
    assert (found.bytes_read, found.bytes_written) == (4 + 5 * 8, 35 * 4)


def test_ctc_is_an_estimate_over_the_alpha_table() -> None:
    """6 times, 2 items, 3 labels and 4 blanks."""
    x = torch.rand(6, 2, 5).log_softmax(2)
    found = total(
        lambda: F.ctc_loss(x, torch.randint(1, 5, (2, 3)), (6, 6), (3, 3), reduction="none")
    )
    assert found.estimate
    assert found.transcendentals == 4 * 6 * 7 * 2


def test_cudnn_ctc_brings_its_gradient() -> None:
    x, y = S(6, 2, 5), S(2, 3, dtype="int64")
    both = ask("aten::_cudnn_ctc_loss", x, y, (6, 6), (3, 3), 0, False, False, out=(S(2), x))
    forward = ask("aten::_ctc_loss", x, y, (6, 6), (3, 3), out=(S(2), S(2, 6, 7)))
    assert both.arithmetic > 2 * forward.arithmetic


def test_multilabel_margin_takes_every_pair_of_classes_at_most() -> None:
    """Two rows of 3 classes: 3 x 3 pairs of 4 operations each, then a sum and a division."""
    x, target = torch.rand(2, 3), torch.tensor([[0, 2, -1], [1, -1, -1]])
    found = total(lambda: F.multilabel_margin_loss(x, target))
    assert (found.arithmetic, found.estimate) == (2 * 9 * 4 + 2 + 1, True)
    back = ask("aten::multilabel_margin_loss_backward", S(), S(2, 3), S(2, 3), 1, out=S(2, 3))
    assert (back.arithmetic, back.estimate) == (2 * (9 * 4 + 3), True)  # and a product each
