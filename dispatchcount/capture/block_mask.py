"""What the block mask of a flex attention says: the scores that are computed, and those of them
that it hides.

Both are data, which no rule reads; so they are looked up as the call runs, and are part of its key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from dispatchcount.capture.torch_private import DispatchOff, FunctionsOff
from dispatchcount.rules.flex import kept_scores

_AT_ONCE = 1 << 22
"""Scores that the mask's function is asked about at once, so that memory is bounded."""


class BlockMask(NamedTuple):
    """The parts of a block mask that matter here.

    Attributes:
        partial: blocks in which the mask's function decides: how many each row of blocks has, and
            their columns; see `flex.kept_scores`.
        full: blocks that are kept whole, likewise; None if there are none.
        block_q, block_kv: queries and keys in a block.
        mask_mod: the function. It is given the places of batch, head, query and key.
    """

    partial: tuple[Any, Any]
    full: tuple[Any, Any] | None
    block_q: int
    block_kv: int
    mask_mod: Callable[..., Any]


def block_mask_of(args: tuple[Any, ...]) -> BlockMask | None:
    """The block mask among the arguments of a flex attention.

    None if there is none, or if its contents cannot be read (meta and fake tensors).
    """
    # It is the tuple that holds the tensors of the blocks. Its first four items from the first
    # tensor on say which blocks are kept: those partly masked, then those kept whole, or None. The
    # sizes of a block stand before its last item, which is the mask's function.
    for mask in args:
        if isinstance(mask, tuple) and sum(isinstance(item, torch.Tensor) for item in mask) >= 2:
            first = next(i for i, item in enumerate(mask) if isinstance(item, torch.Tensor))
            tensors = mask[first : first + 4]
            if any(item is not None and not _readable(item) for item in tensors):
                return None
            full = None if tensors[2] is None else (tensors[2], tensors[3])
            return BlockMask((tensors[0], tensors[1]), full, *mask[-3:])
    return None


def computed_scores(args: tuple[Any, ...], mask: BlockMask) -> int:
    """The scores in blocks that a mask keeps, over batch and query heads."""
    blocks = [mask.partial] if mask.full is None else [mask.partial, mask.full]
    return kept_scores(args[0].shape, args[1].shape, blocks, mask.block_q, mask.block_kv)


def masked_scores(args: tuple[Any, ...], mask: BlockMask) -> int | None:
    """The scores that are computed and then hidden, over batch and query heads.

    The mask's own function is asked about each score of a block that is kept in part. That is what
    the attention does as well, which asks it about all scores.

    None if the function cannot be asked in this way. It is then not known, and nothing is guessed.
    """
    from torch.nn.attention.flex_attention import noop_mask  # who is here has loaded it

    if mask.mask_mod is noop_mask:
        return 0
    batch, heads, queries = args[0].shape[:3]
    keys = args[1].shape[2]
    number, columns = mask.partial
    # A mask may have blocks that are larger than the attention.
    width = min(mask.block_kv, keys)
    inside = min(mask.block_q, queries) * width
    with torch.no_grad(), DispatchOff(), FunctionsOff():
        # Where each block that is kept in part stands: batch, head, row and column.
        listed = torch.arange(columns.shape[-1], device=columns.device) < number[..., None]
        b, h, row, place = listed.expand(batch, heads, -1, -1).nonzero().unbind(1)
        column = columns.expand(batch, heads, -1, -1)[b, h, row, place].long()
        hidden = 0
        for start in range(0, len(row) * inside, _AT_ONCE):
            score = torch.arange(
                start, min(start + _AT_ONCE, len(row) * inside), device=columns.device
            )
            block, within = score // inside, score % inside
            q = row[block] * mask.block_q + within // width
            k = column[block] * mask.block_kv + within % width
            exists = (q < queries) & (k < keys)
            seen = _seen(mask.mask_mod, [i[exists] for i in (b[block], h[block], q, k)])
            if seen is None:
                return None
            hidden += int(exists.sum()) - seen
    return hidden


def _seen(mask_mod: Callable[..., Any], indices: list[torch.Tensor]) -> int | None:
    """How many of the scores at `indices` a mask's function lets through; None if it cannot say.

    The function is written for one score, so it is mapped over them. Each index has one element
    and not none, because a tensor of the user's cannot be indexed by a mapped number.
    """
    mapped = torch.vmap(lambda *place: mask_mod(*place).reshape(()))
    try:
        kept = mapped(*(index[:, None] for index in indices))
        return int(kept.sum()) if kept.dtype is torch.bool else None
    except Exception:  # the function is the user's, and need not work on indices of one element
        return None


def _readable(tensor: Any) -> bool:
    return type(tensor) is torch.Tensor and not tensor.is_meta
