"""Flex attention: the scores that are computed, and those of them that the mask hides."""

import pytest
import torch
from torch.nn.attention.flex_attention import (
    BlockMask,
    create_block_mask,
    create_mask,
    flex_attention,
)

import dispatchcount as dc
from dispatchcount.capture import block_mask
from dispatchcount.capture.block_mask import block_mask_of, computed_scores, masked_scores
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.flex import flex_backward_cost

pytestmark = pytest.mark.torch_alone

DOCUMENTS = torch.tensor([0] * 37 + [1] * 90 + [2] * 73)
WINDOWS = torch.tensor([4, 50])
TABLE = torch.randn(200, 3).sign()

MASKS = {
    "causal": lambda b, h, q, k: q >= k,
    "window": lambda b, h, q, k: (q >= k) & (q - k < 33),
    "documents": lambda b, h, q, k: (DOCUMENTS[q] == DOCUMENTS[k]) & (q >= k),
    "a window for each head": lambda b, h, q, k: (q - k).abs() < WINDOWS[h % 2],
    "another length for each item": lambda b, h, q, k: k < 100 + 50 * b,
    "rows of a table": lambda b, h, q, k: (TABLE[q] == TABLE[k]).all(-1),
    "all": lambda b, h, q, k: q >= 0,
    "none": lambda b, h, q, k: q < 0,
}
BATCH, HEADS, LENGTH, SIZE, VALUE = 2, 4, 200, 16, 8


def operands(key_heads=HEADS, **options):
    q = torch.randn(BATCH, HEADS, LENGTH, SIZE, **options)
    k = torch.randn(BATCH, key_heads, LENGTH, SIZE, **options)
    v = torch.randn(BATCH, key_heads, LENGTH, VALUE, **options)
    return q, k, v


@pytest.mark.parametrize("block", [16, 64, 128])
@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("each", [False, True])
def test_what_a_mask_hides_in_the_blocks_it_keeps_is_masked(name, block, each):
    """The dense mask is the oracle: a score that is computed and not in it is hidden."""
    mask_mod = MASKS[name]
    sizes = (BATCH, HEADS) if each or "each" in name else (None, None)
    mask = create_block_mask(mask_mod, *sizes, LENGTH, LENGTH, device="cpu", BLOCK_SIZE=block)
    q, k, v = operands()
    with dc.profile() as prof:
        flex_attention(q, k, v, block_mask=mask)
    seen = int(create_mask(mask_mod, BATCH, HEADS, LENGTH, LENGTH, "cpu").sum())
    each_score = SIZE + VALUE
    report = prof.report
    assert report.macs - report.masked_macs == seen * each_score
    blocks = mask.to_dense().expand(BATCH, HEADS, -1, -1)
    dense = blocks.repeat_interleave(block, -1).repeat_interleave(block, -2)
    assert report.macs == int(dense[..., :LENGTH, :LENGTH].sum()) * each_score


def test_backward_masks_the_same_scores():
    """torch has no backward of it on the CPU, so its rule is given the call of an accelerator."""
    mask = create_block_mask(MASKS["causal"], None, None, LENGTH, LENGTH, device="cpu")
    q, k, v = operands()
    args = (q, k, v, q, q, q, q, None, None, mask.as_tuple(), 1.0, {}, (), ())
    found = block_mask_of(args)
    computed, masked = computed_scores(args, found), masked_scores(args, found)
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    assert computed - masked == seen
    shapes = [Shape(t.shape) for t in (q, k, v)]
    cost = flex_backward_cost(*shapes, computed, masked)
    assert cost.macs - cost.masked_macs == seen * (3 * SIZE + 2 * VALUE)


@pytest.mark.parametrize("at_once", [1, 1000, 1 << 20])
def test_a_mask_is_asked_in_parts_of_bounded_size(monkeypatch, at_once):
    monkeypatch.setattr(block_mask, "_AT_ONCE", at_once)
    mask = create_block_mask(MASKS["causal"], None, None, 20, 20, device="cpu", BLOCK_SIZE=16)
    q = torch.randn(1, 1, 20, SIZE)
    args = (q, q, q, None, mask.as_tuple(), 1.0, {}, (), ())
    # Two blocks on the diagonal, of 16 and of 4 queries.
    assert masked_scores(args, block_mask_of(args)) == 16 * 15 // 2 + 4 * 3 // 2


def test_grouped_heads_are_masked_by_the_queries_heads():
    mask = create_block_mask(MASKS["causal"], None, None, LENGTH, LENGTH, device="cpu")
    q, k, v = operands(key_heads=2)
    with dc.profile() as prof:
        flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    assert prof.report.macs - prof.report.masked_macs == seen * (SIZE + VALUE)


def test_a_mask_without_full_blocks_is_counted_once():
    """Its tuple has None where the full blocks would be, and the columns' own tensors after it."""
    whole = create_block_mask(MASKS["causal"], None, None, 256, 256, device="cpu")
    number = torch.tensor([[[1, 2]]], dtype=torch.int32)
    columns = torch.tensor([[[[0, 1], [0, 1]]]], dtype=torch.int32)
    partial = BlockMask.from_kv_blocks(number, columns, mask_mod=MASKS["causal"])
    q = torch.randn(1, 1, 256, SIZE)
    found = []
    for mask in (whole, partial):
        with dc.profile() as prof:
            flex_attention(q, q, q, block_mask=mask)
        found.append((prof.report.macs, prof.report.masked_macs))
    computed, hidden = 3 * 128 * 128, 2 * (128 * 127 // 2)
    assert found == [(computed * 2 * SIZE, hidden * 2 * SIZE)] * 2


def test_a_function_that_cannot_be_asked_hides_nothing():
    def awkward(b, h, q, k):
        assert q.dim() == 0, "one score at a time"
        return q >= k

    mask = create_block_mask(awkward, None, None, LENGTH, LENGTH, device="cpu")
    q, k, v = operands()
    with dc.profile() as prof:
        flex_attention(q, k, v, block_mask=mask)
    assert prof.report.macs > 0
    assert prof.report.masked_macs == 0


def test_asking_leaves_nothing_in_the_report_and_draws_nothing():
    mask = create_block_mask(MASKS["documents"], None, None, LENGTH, LENGTH, device="cpu")
    q, k, v = operands()
    state = torch.random.get_rng_state()
    with dc.profile(functions=True) as prof:
        out = flex_attention(q, k, v, block_mask=mask)
    assert torch.equal(state, torch.random.get_rng_state())
    assert set(prof.report.by_operator()) == {"higher_order.flex_attention"}
    assert torch.equal(out, flex_attention(q, k, v, block_mask=mask))


def test_no_mask_and_one_that_cannot_be_read_are_none():
    mask = create_block_mask(MASKS["causal"], BATCH, HEADS, LENGTH, LENGTH, device="cpu")
    assert block_mask_of((torch.ones(2), mask.as_tuple())) is not None
    for args in ((), (torch.ones(2), 3), (torch.ones(2), (1, 2))):
        assert block_mask_of(args) is None
    away = mask.to("meta")
    assert block_mask_of((torch.ones(2), away.as_tuple())) is None
