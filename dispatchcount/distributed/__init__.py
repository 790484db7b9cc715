"""Many devices: what each rank computes, stores and sends, measured and planned.

Names are imported when first used, because reading a saved plan needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatchcount.distributed.comparison import Comparison as Comparison
    from dispatchcount.distributed.comparison import compare as compare
    from dispatchcount.distributed.gathering import gather as gather
    from dispatchcount.distributed.kept import keep as keep
    from dispatchcount.distributed.least_time import LeastTime as LeastTime
    from dispatchcount.distributed.pipeline import Bubble as Bubble
    from dispatchcount.distributed.pipeline import bubble as bubble
    from dispatchcount.distributed.planned import Plan as Plan
    from dispatchcount.distributed.planning import plan as plan

_HOME = {
    "Bubble": "pipeline",
    "Comparison": "comparison",
    "LeastTime": "least_time",
    "Plan": "planned",
    "bubble": "pipeline",
    "compare": "comparison",
    "gather": "gathering",
    "keep": "kept",
    "plan": "planning",
}

__all__ = [
    "Bubble",
    "Comparison",
    "LeastTime",
    "Plan",
    "bubble",
    "compare",
    "gather",
    "keep",
    "plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_HOME))}"
        )
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
