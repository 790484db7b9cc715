"""The site of the docs: its reference has every public name, and its navigation every page."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^::: dispatchcount\.(.+)\.(\w+)$", REFERENCE, re.MULTILINE)

WITH_EXTRAS = {"integrations.transformers", "integrations.lightning"}
"""Modules that cannot be imported where there is torch alone."""

NOT_SHOWN = {
    "ReportData": "it is `Report` without the methods that show it",
    "Formulas": "the record that the methods of a law read",
    "ModuleRow": "the record that the methods of a law read",
    "RowNote": "the record that the methods of a law read",
    "Printable": "a renderable, which is printed and has nothing to read",
}
"""Classes that public annotations name and that need no entry of their own."""


def test_the_reference_has_every_public_name() -> None:
    home = {name: dc._HOME[name] for name in set(dc.__all__) - {"__version__", *dc._PACKAGES}}
    for package in dc._PACKAGES:
        inside = getattr(dc, package)
        home |= {name: f"{package}.{inside._HOME[name]}" for name in inside.__all__}
    # The path given is the name's home, so that the site shows the object itself and no alias.
    assert home.items() <= {name: path for path, name in SHOWN}.items()


def test_the_navigation_has_every_page() -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    listed = set(re.findall(r"([\w./-]+\.md)\s*$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    # Pages from outside of docs/ are brought in under names of their own; see docs/site.py.
    assert listed - pages == {"contributing.md", "changelog.md", "published-tables.md"}
    assert pages <= listed


SHOWN_CLASSES = [
    shown
    for path, name in SHOWN
    if path not in WITH_EXTRAS
    and inspect.isclass(shown := getattr(import_module(f"dispatchcount.{path}"), name))
]


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """What a class and its bases in the package define without an underscore before its name."""
    for base in owner.__mro__:
        if base.__module__.startswith("dispatchcount"):
            for name, member in vars(base).items():
                if not name.startswith("_"):
                    yield name, member


def function_of(member: Any) -> Any:
    """The function that a method, property or cached property is made of; None if it is none."""
    for place in ("fget", "func", "__func__", "__wrapped__"):
        member = getattr(member, place, member)
    return member if inspect.isfunction(member) else None


def fields(owner: type) -> dict[str, Any]:
    """The annotated fields of a class and of its bases in the package."""
    found: dict[str, Any] = {}
    for base in owner.__mro__:
        if base.__module__.startswith("dispatchcount"):
            found |= inspect.get_annotations(base)
    return {name: kind for name, kind in found.items() if not name.startswith("_")}


@pytest.mark.parametrize("owner", SHOWN_CLASSES, ids=lambda owner: owner.__name__)
def test_every_member_has_a_docstring(owner: type) -> None:
    bare = [name for name, member in members(owner) if (f := function_of(member)) and not f.__doc__]
    assert not bare


@pytest.mark.parametrize("owner", SHOWN_CLASSES, ids=lambda owner: owner.__name__)
def test_every_field_is_told_of(owner: type) -> None:
    """Docstrings name each field. The metrics have a table of their own; see docs/docstrings.py."""
    metrics = {metric.key for metric in import_module("dispatchcount.report.metrics").METRICS}
    docstrings = [base.__doc__ or "" for base in owner.__mro__ if base in SHOWN_CLASSES]
    told = set(re.findall(r"\w+", " ".join(docstrings)))
    assert not set(fields(owner)) - told - metrics


def test_the_reference_has_what_public_members_give_back() -> None:
    defined = {
        node.name
        for file in (ROOT / "dispatchcount").rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    given: dict[str, str] = {}
    for owner in SHOWN_CLASSES:
        kinds = fields(owner) | {
            name: f.__annotations__.get("return", "")
            for name, member in members(owner)
            if (f := function_of(member))
        }
        for name, kind in kinds.items():
            for word in re.findall(r"\b[A-Z]\w+", str(kind)):
                given[word] = f"{owner.__name__}.{name}"
    missing = defined & given.keys() - {name for _, name in SHOWN} - NOT_SHOWN.keys()
    assert not missing, {name: given[name] for name in missing}
