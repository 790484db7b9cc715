"""A report as a pandas DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispatchcount.render.text.more import MORE, more_of_modules
from dispatchcount.report.metrics import KEYS

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


def to_frame(report: ReportData) -> Any:
    """A row for each module, indexed by name.

    It has the module's type, every figure, every figure without the module's children as
    ``self_flops`` …, and `MORE`.

    Integers beyond 64 bits make their column one of Python ints.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "to_frame() needs pandas; install it with: pip install 'dispatchcount[frame]'"
        ) from error
    rows = report.by_module()
    types = {module.name: module.type for module in report.modules}
    columns: dict[str, list[Any]] = {"type": [types[name] for name in rows]}
    for metric in KEYS:
        columns[metric] = [getattr(row, metric) for row in rows.values()]
    for metric in KEYS:
        columns[f"self_{metric}"] = [getattr(row.self_, metric) for row in rows.values()]
    columns["estimate"] = [row.estimate for row in rows.values()]
    more = dict(zip(types, more_of_modules(report), strict=True))
    for place, name in enumerate(MORE):
        columns[name] = [more[module][place] for module in rows]
    return pd.DataFrame(columns, index=pd.Index(list(rows), name="module"))
