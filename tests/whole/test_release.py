"""What a release says of itself is the same wherever it is said."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import dispatchcount as dc

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it there

HERE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((HERE / "CITATION.cff").read_text())
FORMS = sorted((HERE / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))

FIELDS = {"input", "textarea", "dropdown", "checkboxes"}
"""What somebody who fills a form in can be asked for."""


def test_the_version_and_its_date() -> None:
    newest = re.search(
        r"^## (\S+) \(([\d-]+)\)$", (HERE / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest
    assert newest.groups() == (CITATION["version"], str(CITATION["date-released"]))
    assert CITATION["version"] == dc.__version__


def test_the_versions_of_python_are_those_that_ran() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    limitations = (HERE / "docs" / "limitations.md").read_text()
    table = limitations.partition("\n## Versions of Python")[2]
    ran = {"3.11", *re.findall(r"^\| (3\.\d+)\.\d+ \|", table, re.MULTILINE)}
    assert set(named) == ran
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_license_is_that_of_every_file_of_the_wheel() -> None:
    licenses = "dispatchcount/render/html/assets/LICENSES.txt"
    assert PROJECT["license-files"] == ["LICENSE", licenses]
    brought = re.findall(r"^\S+ \d\S* \(([\w.-]+)\)$", (HERE / licenses).read_text(), re.MULTILINE)
    assert len(brought) > 5
    assert {CITATION["license"], *brought} <= set(PROJECT["license"].split(" AND "))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one(path: Path) -> None:
    form: dict[str, Any] = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in fields} <= FIELDS
    assert len({part["id"] for part in fields}) == len(fields) > 0
    assert all(part["attributes"]["label"] for part in fields)
