"""The names of ``thop.vision.basic_hooks``: functions for `custom_ops`.

Those of convolutions and linear layers count what dispatch counts for them. thop's others count
norms, activations and pooling, which have no multiply-accumulates here.
"""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchcount.compat._absent import absent


def count_convNd(m: Any, x: tuple[Any, ...], y: Any) -> None:  # noqa: N802
    """Add the multiply-accumulates of a convolution.

    Each element of the output takes those of one filter; a transposed one spreads each element of
    the input over a filter.
    """
    elements = x[0].numel() if m.transposed else y.numel()
    m.total_ops += elements * prod(m.weight.shape[1:])


def count_linear(m: Any, x: tuple[Any, ...], y: Any) -> None:
    """Add the multiply-accumulates of a linear layer: its inputs for each element of the output."""
    m.total_ops += y.numel() * m.in_features


def zero_ops(m: Any, x: tuple[Any, ...], y: Any) -> None:
    """Add nothing: the module, and all that ran in it, counts 0."""


_ELEMENTWISE = (
    "it has no multiply-accumulates here, so leave its class out of custom_ops; "
    "dispatchcount.profile counts element-wise operations under the convention 'full'"
)
_NAMES = (
    "count_adap_avgpool count_avgpool count_normalization count_parameters count_prelu count_relu "
    "count_softmax count_upsample"
)
__getattr__ = absent(__name__, dict.fromkeys(_NAMES.split(), _ELEMENTWISE))

__all__ = ["count_convNd", "count_linear", "zero_ops"]
