"""docs/json.md is up to date, and what it shows is what comes out."""

import contextlib
import io
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.report.make import cnn

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "json.md").read_text(encoding="utf-8")


def examples(language):
    """The code blocks in a language with the output shown below each."""
    return re.findall(rf"```{language}\n([^`]*)```\n\n```text\n([^`]*)```", PAGE)


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A folder with a report.json in it, the current one."""
    cnn().to_json(tmp_path / "report.json")
    monkeypatch.chdir(tmp_path)
    return json.loads((tmp_path / "report.json").read_bytes())


def test_page_and_schema_are_up_to_date():
    made = runpy.run_path(str(DOCS / "make_json.py"))
    assert made["page"]() == PAGE, "run python docs/make_json.py"
    schema = made["SCHEMA"].read_text(encoding="utf-8")
    assert made["schema_file"]() == schema, "run python docs/make_json.py"


def test_pandas_example(report):
    ((code, shown),) = examples("python")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    assert out.getvalue() == shown


def test_jq_examples(report):
    own = [
        (row["name"], row["self"]["flops"]) for row in report["modules"] if row["self"]["flops"] > 0
    ]
    expected = [
        f"{report['total']['flops']} flops, {report['convention']['unit']}\n",
        "".join(f"{name}\t{flops}\n" for name, flops in sorted(own, key=lambda row: -row[1])),
        json.dumps(report["unknown_ops"] == [] and report["failed_ops"] == []) + "\n",
    ]
    found = examples("sh")
    assert [shown for _, shown in found] == expected
    if shutil.which("jq"):
        for code, shown in found:
            assert (
                subprocess.run(
                    ["sh", "-c", code], capture_output=True, text=True, check=True
                ).stdout
                == shown
            )
