"""The chunked linear layer with cross entropy."""

from __future__ import annotations

from tests.rules.util import S, ask


def test_chunked_linear_cross_entropy_is_a_linear_and_a_loss() -> None:
    """8 rows of 4 to 10 classes: 320 MACs, and as many again for each of two gradients.

    No logits are handed on.
    """
    x, w, y = S(8, 4), S(10, 4), S(8, dtype="int64")
    plain = ask(
        "torch_nn::_linear_cross_entropy_batch_chunked_no_reduction",
        x,
        w,
        y,
        None,
        None,
        -100,
        4,
        "",
        None,
        out=S(8),
    )
    assert (plain.macs, plain.activations, plain.transcendentals) == (320, 8, 80 + 8)
    tail = ("mean", -100, None, 4, "", None, False, True, True, False)
    both = ask(
        "torch_nn::_linear_cross_entropy_batch_chunked",
        x,
        w,
        y,
        None,
        None,
        *tail,
        out=(S(), x, w, S(0)),
    )
    assert (both.macs, both.activations) == (960, 1)


def test_without_gradients_it_is_the_product_the_loss_and_its_mean() -> None:
    """8 rows of 4 to 10 classes; the mean adds up 8 losses."""
    x, w, y = S(8, 4), S(10, 4), S(8, dtype="int64")
    name = "torch_nn::_linear_cross_entropy_batch_chunked"
    tail = ("mean", -100, None, 4, "", None, False, False, False, False)
    found = ask(name, x, w, y, None, None, *tail, out=(S(), None, None, None))
    plain = ask(f"{name}_no_reduction", x, w, y, None, None, -100, 4, "", None, out=S(8))
    assert (found.macs, found.activations) == (320, 1)
    assert found.arithmetic == plain.arithmetic + 8
