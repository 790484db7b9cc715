"""What always holds of a report."""

from __future__ import annotations

from dispatchcount.report.metrics import KEYS, Stats
from dispatchcount.report.model import ReportData


def self_check(report: ReportData) -> None:
    """Assert the report's invariants; see `Report.self_check`."""
    rows = report.by_module()
    children: dict[int, list[Stats]] = {}
    for module in report.modules:
        if module.name in rows:
            children.setdefault(module.parent, []).append(rows[module.name])
    for index, module in enumerate(report.modules):
        if module.name not in rows:
            continue
        row = rows[module.name]
        assert row.self_ is not None
        for metric in KEYS:
            if metric == "calls":
                continue
            whole, parts = (
                getattr(row, metric),
                getattr(row.self_, metric) + _sum(children.get(index, []), metric),
            )
            assert whole == parts, (
                f"{module.name or '(root)'}: total {metric} {whole} is not its own part and its children's, {parts}"
            )
    for metric in KEYS:
        if metric != "calls":
            top, whole = _sum(children.get(-1, []), metric), getattr(report.total, metric)
            assert top == whole, f"total {metric} {whole} is not the sum of the top rows, {top}"
    for index, path in enumerate(report.paths):
        assert path.parent < index, f"path {index} comes before its caller"
    for name, group in (
        ("phases", report.by_phase()),
        ("dtypes", report.by_dtype()),
        ("operators", report.by_operator()),
    ):
        flops = sum(row.flops for row in group.values())
        assert flops == report.flops, f"the {name} add up to {flops} flops, not {report.flops}"


def _sum(rows: list[Stats], metric: str) -> int:
    return sum(getattr(row, metric) for row in rows)
