"""Reading, showing and writing a report never imports torch."""

import subprocess
import sys

import pytest

from tests.report.make import training

pytestmark = pytest.mark.torch_alone

CODE = """
import sys
import dispatchcount
from dispatchcount.render.console import arch, histogram, operators, samples, table, tree
from dispatchcount.render.text import modules
report = dispatchcount.Report.from_json(sys.argv[1])
for view in (report, report.tree(), report.operators(), report.arch(), report.to_markdown(), report.to_csv()):
    str(view)
report.to_json()
print(sorted(name for name in ("torch", "numpy", "pandas", "jsonschema") if name in sys.modules))
"""


def test_reading_a_report_imports_no_torch(tmp_path):
    training().to_json(tmp_path / "report.json")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "report.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
