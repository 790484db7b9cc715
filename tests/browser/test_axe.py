"""What axe-core finds wrong with a page for people who do not see it, or do not use a mouse: nothing."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dispatchcount.dashboard.site import build
from tests.browser.conftest import Open
from tests.browser.test_ranks import job
from tests.render.test_collectives import spread
from tests.report import make

SCHEMES = ("light", "dark")


def faults(page: Page) -> list[str]:
    """Each broken rule with the elements that break it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'])}" for one in found
    ]


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("training", "light"),
        ("training", "dark"),
        ("troubled", "light"),
        ("troubled", "dark"),
        ("routed", "light"),
    ],
)
def test_the_page_of_a_report(name: str, scheme: str, open_page: Open, tmp_path: Path) -> None:
    getattr(make, name)().to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", color_scheme=scheme)
    expect(page.locator("#chart svg")).to_be_visible()
    assert faults(page) == []


def test_the_page_of_a_report_with_menus_open_on_a_phone(open_page: Open, tmp_path: Path) -> None:
    make.stack(3).to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", viewport={"width": 390, "height": 844})
    page.locator("#treemap").click()
    page.get_by_label("Search modules").fill("part1")
    menus = page.locator("details.menu")
    menus.evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert faults(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_of_a_report_of_one_rank(scheme: str, open_page: Open, tmp_path: Path) -> None:
    spread().to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", color_scheme=scheme)
    expect(page.locator("#collectives tbody tr")).to_have_count(2)
    assert faults(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_of_all_ranks(scheme: str, open_page: Open, tmp_path: Path) -> None:
    job().to_html(tmp_path / "ranks.html")
    page = open_page(tmp_path / "ranks.html", color_scheme=scheme)
    expect(page.locator("#heat-map svg")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_of_a_diff(scheme: str, open_page: Open, tmp_path: Path) -> None:
    make.stack(3).diff(make.stack(5)).to_html(tmp_path / "diff.html")
    page = open_page(tmp_path / "diff.html", color_scheme=scheme)
    expect(page.locator("#new svg")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_dashboard(scheme: str, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    make.cnn().to_json(tmp_path / "runs" / "a.json")
    make.training().to_json(tmp_path / "runs" / "b.json")
    build(tmp_path / "runs", tmp_path / "site", "fvcore")
    page = open_page(tmp_path / "site" / "index.html", color_scheme=scheme)
    expect(page.locator("#trend svg")).to_be_visible()
    assert faults(page) == []
