"""The site of the docs: its reference has every public name, and its navigation every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

ROOT = Path(__file__).parents[2]


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: dispatchcount\.(.+)\.(\w+)$", page, re.MULTILINE)
    home = {name: dc._HOME[name] for name in set(dc.__all__) - {"__version__", *dc._PACKAGES}}
    for package in dc._PACKAGES:
        inside = getattr(dc, package)
        home |= {name: f"{package}.{inside._HOME[name]}" for name in inside.__all__}
    assert {name for _, name in shown} == set(home)
    # The path given is the name's home, so that the site shows the object itself and no alias.
    assert {name: path for path, name in shown} == home


def test_the_navigation_has_every_page() -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    listed = set(re.findall(r"([\w./-]+\.md)\s*$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    # Pages from outside of docs/ are brought in under names of their own; see docs/site.py.
    assert listed - pages == {"contributing.md", "changelog.md", "published-tables.md"}
    assert pages <= listed
