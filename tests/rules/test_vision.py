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
