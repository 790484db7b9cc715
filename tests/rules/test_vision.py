"""torchvision's operators."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_roi_align_samples_bilinearly() -> None:
    """4 regions, 3 channels, 2 x 2 bins of 2 x 2 samples.

    Each sample takes 9 and is added, and each bin takes a division.
    """
    args = (S(1, 3, 8, 8), S(4, 5), None, 2, 2)
    found = ask("torchvision::roi_align", *args, 2, False, out=S(4, 3, 2, 2))
    assert found == Cost(arithmetic=48 * (4 * 10 + 1))
    assert ask("torchvision::roi_align", *args, 0, False, out=S(4, 3, 2, 2)).estimate


def test_nms_compares_every_pair() -> None:
    found = ask("torchvision::nms", S(10, 4), S(10), None, out=S(3, dtype="int64"))
    assert found == Cost(arithmetic=13 * 45, estimate=True)


def test_other_ways_to_pool_regions() -> None:
    """On quantized tensors and with channels of its own for each bin, it costs what it does."""
    picture, regions, bins = S(1, 12, 8, 8), S(4, 5), S(4, 3, 2, 2)
    plain = ask("torchvision::roi_align", picture, regions, 1.0, 2, 2, 2, False, out=bins)
    split = ask("torchvision::ps_roi_align", picture, regions, 1.0, 2, 2, 2, out=(bins, bins))
    one = S(1)
    quantized = ask(
        "torchvision::qroi_align",
        picture,
        regions,
        one,
        one,
        one,
        one,
        1.0,
        2,
        2,
        2,
        False,
        out=bins,
    )
    assert plain == split == quantized == Cost(arithmetic=48 * (4 * 10 + 1))
    # At most all 4 x 4 pixels of a bin's quarter of the picture are compared.
    pooled = ask("torchvision::roi_pool", picture, regions, 1.0, 2, 2, out=(bins, bins))
    assert pooled == Cost(arithmetic=48 * 16, estimate=True)


def test_gradients_of_regions_reach_four_neighbours() -> None:
    for name in ("_roi_align", "_ps_roi_align", "_roi_pool", "_ps_roi_pool"):
        found = ask(f"torchvision::{name}_backward", S(4, 3, 2, 2), S(4, 5), out=S(1, 3, 8, 8))
        assert found == Cost(arithmetic=48 * 4 * 2, estimate=True)


def test_rotated_boxes_are_compared_in_pairs() -> None:
    found = ask("torchvision::box_iou_rotated", S(5, 5), S(3, 5), out=S(5, 3))
    assert found == Cost(arithmetic=15 * 500, transcendentals=15 * 4, estimate=True)
