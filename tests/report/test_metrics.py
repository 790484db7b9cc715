"""The table of metrics: what each row says, and that one more row is one more metric everywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dispatchcount
from dispatchcount.report.metrics import (
    CONDENSED,
    KEYS,
    METRICS,
    SPENT,
    Metric,
    Stats,
)
from dispatchcount.rules.core.cost import COUNTS

pytestmark = pytest.mark.torch_alone

ROW = """    twice: int = _metric(
        "twice over", "elements", "A made-up figure, which lies where activations lie", of="activations"
    )
"""

SCRIPT = """
import json
import dispatchcount as dc
from dispatchcount.report.budget import check
from tests.report import make

old = make.training()
report = dc.Report.from_json(old.to_json())
assert report == old
total = report.total
assert total.twice == total.activations == 522
assert (total + total).twice == 2 * 522
assert report.by_module()["features"].twice == report.by_module()["features"].activations
report.self_check()

print(json.dumps({
    "table": "twice over" in str(report.table(columns=["twice", "self_twice"])),
    "operators": "twice over" in str(report.operators(sort="twice")),
    "json": json.loads(report.to_json())["total"]["twice"] == 522,
    "csv": [name for name in report.to_csv().splitlines()[0].split(",") if "twice" in name],
    "openmetrics": "# HELP dispatchcount_twice A made-up figure" in report.to_openmetrics(),
    "trace": '"unit": "1 \\\\u00b5s = 1 elements"'.replace(": ", ":")
        in report.to_chrome_trace(metric="twice").decode(),
    "speedscope": '"name":"twice' in report.to_speedscope().decode(),
    "page": '"label":"Twice over"' in report.to_html(),
    "budget": str(check(report, "twice=521")[0]),
    "diff": "twice" in str(report.diff(report + report).table()),
}))
"""


def test_one_row_is_one_metric_everywhere(tmp_path: Path) -> None:
    """A copy of the package with one more row in the table shows the figure in every output."""
    package = Path(dispatchcount.__file__).parent
    tests = Path(__file__).parents[1]
    shutil.copytree(
        package, tmp_path / "dispatchcount", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(tests / "report", tmp_path / "tests" / "report")
    table = tmp_path / "dispatchcount" / "report" / "metrics.py"
    rows = table.read_text()
    assert rows.count("    params: int = _metric(") == 1
    table.write_text(rows.replace("    params: int = _metric(", f"{ROW}    params: int = _metric("))

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "table": True,
        "operators": True,
        "json": True,
        "csv": ["twice", "self_twice"],
        "openmetrics": True,
        "trace": True,
        "speedscope": True,
        "page": True,
        "budget": "twice is 522, over the budget of 521 by 1",
        "diff": True,
    }


def test_the_table_is_the_fields_of_a_row() -> None:
    assert KEYS == (
        "flops",
        "macs",
        "arithmetic",
        "transcendentals",
        "activations",
        "params",
        "bytes_read",
        "bytes_written",
        "calls",
        "time_ns",
        "masked_macs",
        "recomputed_macs",
        "bops",
        "sized_macs",
        "payload_bytes",
        "wire_bytes",
        "nonzero_params",
        "nonzero_macs",
        "weighed_macs",
    )
    numbers = range(1, len(KEYS) + 1)
    assert [metric.value(Stats(*numbers)) for metric in METRICS] == list(numbers)


def test_every_row_says_all_there_is_to_know() -> None:
    for metric in METRICS:
        assert isinstance(metric, Metric)
        assert all((metric.key, metric.label, metric.title, metric.unit, metric.help))
        assert not metric.help.endswith(".")
        assert metric.of in {"flops", "params", "nonzero_params", "calls", "time_ns", *COUNTS}


def test_sums_stand_in_place_of_their_parts() -> None:
    stats = Stats(bytes_read=300, bytes_written=50)
    assert SPENT["bytes"].value(stats) == 300 + 50
    keys = [metric.key for metric in CONDENSED]
    assert keys.count("bytes") == 1
    assert not {"bytes_read", "bytes_written"} & set(keys)
    assert set(SPENT) == set(keys) - {"params", "nonzero_params", "calls"}
