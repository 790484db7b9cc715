"""What the pages say of the code is so: links lead somewhere, names and files are there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
PACKAGE = HERE / "dispatchcount"
PAGES = sorted([*HERE.glob("*.md"), *(HERE / "docs").rglob("*.md")])
ARCHITECTURE = (HERE / "docs" / "architecture.md").read_text()
CONTRIBUTING = (HERE / "CONTRIBUTING.md").read_text()

CODE = re.compile(r"^ *```(\w*)(?: title=[^\n]*)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w/]+(?:/|\.py))`")
TYPE = re.compile(r"\(`([A-Z]\w+)`")

MADE = {"tests/rules/test_row_dot.py", "dispatchcount/render/text/lines.py", "dist/"}
"""Files that CONTRIBUTING.md has its reader make."""


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = CODE.sub("", page.read_text()).splitlines()
    titles = [line.lstrip("# ").lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text())):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("text", [ARCHITECTURE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_files_are_there(text: str) -> None:
    found = set(FILE.findall(CODE.sub("", text)))
    assert len(found) > 10
    missing = {name for name in found if not any((at / name).exists() for at in (PACKAGE, HERE))}
    assert missing <= MADE


def test_types_of_the_glossary_are_there() -> None:
    made = {name for file in PACKAGE.rglob("*.py") for name in public(file)}
    words = ARCHITECTURE.partition("## Words")[2].partition("## Walk 1")[0]
    found = TYPE.findall(words)
    assert len(found) >= 20
    assert set(found) <= made


def public(file: Path) -> set[str]:
    """The names without an underscore that a file defines or passes on."""
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names if alias.name == alias.asname}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize(
    "file", ["capture/frames.py", "capture/distributed_frames.py", "capture/torch_private.py"]
)
def test_every_private_look_has_its_reason_on_the_page(file: str) -> None:
    missing = [name for name in sorted(public(PACKAGE / file)) if f"`{name}`" not in ARCHITECTURE]
    assert not missing, f"docs/architecture.md does not say why {file} has {missing}"


def test_adding_a_rule_goes_as_contributing_has_it(tmp_path: Path) -> None:
    """The test of the made-up operator fails, and passes once the rule is there."""
    section = CONTRIBUTING.partition("## Add a rule")[2].partition("## ")[0]
    test, rule = [code for language, code in CODE.findall(section) if language == "python"]
    shutil.copytree(
        PACKAGE, tmp_path / "dispatchcount", ignore=shutil.ignore_patterns("__pycache__")
    )
    rules = tmp_path / "tests" / "rules"
    rules.mkdir(parents=True)
    shutil.copy(HERE / "tests" / "rules" / "util.py", rules)
    (rules / "test_row_dot.py").write_text(test)

    def run() -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout

    assert "test_a_block_counts_it - assert 0 == (3 * 5)" in run()
    with (tmp_path / "dispatchcount" / "rules" / "bilinear.py").open("a") as file:
        file.write(f"\n\n{rule}")
    assert "4 passed" in run()


LIMITS = {
    "capture.tape": ("LIMIT",),
    "capture.record": ("MAX_RECORDS", "MAX_DISTINCT", "MAX_NODES", "MAX_INPUTS"),
    "session": ("KEPT",),
    "capture.intervals": ("LIMIT",),
    "capture.modules": ("MAX_GONE",),
    "capture.inputs": ("DEPTH", "ITEMS", "RESULTS"),
    "costing.accountant": ("MAX_SHAPES",),
    "capture.dispatch": ("MAX_TYPES",),
    "capture.key": ("MAX_PACKED",),
    "costing.samples": ("MAX_KNOWN",),
    "capture.observers.timing": ("WAITING",),
}


@pytest.mark.parametrize("module", LIMITS)
def test_limits_are_those_of_the_code(module: str) -> None:
    section = ARCHITECTURE.partition("\n## Limits")[2]
    rows = [row for row in section.splitlines() if f"`{module.replace('.', '/')}.py`" in row]
    for name in LIMITS[module]:
        limit = getattr(import_module(f"dispatchcount.{module}"), name)
        assert any(f" {limit:,} " in row for row in rows), f"{name} is {limit:,}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_do_not_show_the_names_of_files(page: Path) -> None:
    """On the site a page has a title and no name. The list of changes names files that changed."""
    shown = re.findall(r"\[([\w./-]+\.md)\]\(", CODE.sub("", page.read_text()))
    assert not shown or (page.parent == HERE and page.name != "README.md")


def test_every_page_is_in_the_index_with_its_title() -> None:
    docs = HERE / "docs"
    links = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", (docs / "README.md").read_text())
    index = {target: text for text, target in links}
    for page in {*docs.rglob("*.md")} - {docs / "README.md"}:
        title = re.search(r"^# (.+)$", page.read_text(), re.MULTILINE)
        assert title
        assert index[page.relative_to(docs).as_posix()] == title[1]
