"""Nothing on any page is wider than the box that it stands in, on a phone, a tablet and a laptop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath

import pytest
from playwright.sync_api import Page, expect

from dispatchcount.report.rows import NO_MODULE, Module, Path
from dispatchcount.report_api import Diff, Ranks, Report
from tests.browser.conftest import Open
from tests.browser.test_dashboard import site
from tests.browser.test_html import evil
from tests.browser.test_ranks import job
from tests.render.test_collectives import spread
from tests.report import make

WIDTHS = (390, 768, 1280)

CUT = """async () => {
  // A table learns of its new width when the next picture of the page is made.
  for (let i = 0; i < 2; i += 1) await new Promise((done) => requestAnimationFrame(done));
  const found = new Set();
  const name = (element) =>
    `${element.closest("section")?.id ?? ""}: ${element.tagName}.${element.getAttribute("class") ?? ""} `
    + element.textContent.trim().slice(0, 40);
  for (const element of document.querySelectorAll("body *")) {
    if (!element.clientWidth || element.closest("svg, select, .sr, .skip")) continue;
    // A name of any length ends in an ellipsis, and its whole stands in the title; a figure never does.
    const { textOverflow } = getComputedStyle(element);
    if (textOverflow === "ellipsis" && !element.classList.contains("num")) continue;
    const { scrollWidth, clientWidth } = element;
    if (scrollWidth > clientWidth + 1) found.add(`${name(element)} ${scrollWidth} > ${clientWidth}`);
  }
  for (const text of document.querySelectorAll("svg text")) {
    const [box, all] = [text, text.ownerSVGElement].map((one) => one.getBoundingClientRect());
    if (box.left < all.left - 1 || box.right > all.right + 1) found.add(`${name(text)} leaves its picture`);
  }
  return [...found];
}"""
"""What is wider than its box: each element with its width and that of the box."""


def written(tmp_path: FilePath, page: Report | Ranks | Diff) -> FilePath:
    page.to_html(tmp_path / "page.html")
    return tmp_path / "page.html"


def experts() -> Report:
    """Three experts, one of which is called twice, in a list of a long name."""
    above = "mixture_of_experts_of_the_decoder_layer.experts"
    held = [
        Module(f"{above}.{i}", "Linear", 2, "", (), make.weights(f"{above}.{i}", (4, 4)))
        for i in range(3)
    ]
    modules = (
        Module(NO_MODULE, ""),
        Module("", "Net"),
        Module(above, "ModuleList", 1, container=True),
        *held,
    )
    paths = (
        Path(-1, 0),
        Path(0, 1, "", 1),
        *(Path(1, 3 + i, "(1, 4)", 1 + i // 2) for i in range(3)),
    )
    entries = tuple(make.entry(2 + i, "aten.mm", make.cost(16 * (1 + i // 2))) for i in range(3))
    return Report(make.META, "fvcore", modules, paths, entries)


PAGES: dict[str, tuple[str, Callable[[], Report | Ranks | Diff]]] = {
    "report": ("", make.cnn),
    "report of hostile names": ("", make.troubled),
    "report of figures beyond 64 bits": ("", make.huge),
    "report with samples": ("#left", make.routed),
    "report with experts": ("", experts),
    "report with time and memory": ("#features.0", make.training),
    "report of one rank": ("", spread),
    "ranks": ("", job),
    "ranks, at the head": ("#head", job),
    "diff": ("", lambda: make.stack(3).diff(make.training())),
    "diff of hostile names": ("", lambda: evil().diff(make.cnn())),
}
"""Pages, each with the part of the address that sets the view."""


def faults(page: Page, ready: str) -> list[str]:
    """What is wider than its box, on each of the screens; `ready` is there when the page is."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.reload()  # some of a page is laid out when it opens
        expect(page.locator(ready).first).to_be_visible()
        found += [f"{width} px, {one}" for one in page.evaluate(CUT)]
        whole = page.evaluate("document.documentElement.scrollWidth")
        if whole > width:
            found.append(f"{width} px: the page is {whole} px wide")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_its_box(name: str, open_page: Open, tmp_path: FilePath) -> None:
    fragment, made = PAGES[name]
    page = open_page(written(tmp_path, made()), fragment)
    assert faults(page, "#modules tbody tr") == []


def test_nothing_on_a_dashboard_is_wider_than_its_box(open_page: Open, tmp_path: FilePath) -> None:
    assert faults(open_page(site(tmp_path)), "#runs tbody tr") == []


def test_every_digit_has_room(open_page: Open, tmp_path: FilePath) -> None:
    page = open_page(written(tmp_path, make.training()))
    page.get_by_label("Exact numbers").check()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(CUT) == []
        assert "42,736" in page.locator("#modules tbody").inner_text()


def test_columns_come_and_go_with_the_room(open_page: Open, tmp_path: FilePath) -> None:
    page = open_page(written(tmp_path, make.training()), viewport={"width": 1280, "height": 900})
    heads = page.locator("#modules thead th")
    wide = heads.count()
    page.set_viewport_size({"width": 500, "height": 900})
    expect(heads).not_to_have_count(wide)
    assert page.evaluate(CUT) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(heads).to_have_count(wide)


def test_columns_that_the_reader_chose_stay(open_page: Open, tmp_path: FilePath) -> None:
    """A link has them as well; without one, each screen shows what it has room for."""
    path = written(tmp_path, make.training())
    page = open_page(path, viewport={"width": 1280, "height": 900})
    assert "columns" not in page.evaluate("location.hash")
    page.get_by_label("Columns of modules").press("Enter")
    page.locator("#modules").get_by_label("Depth", exact=True).check()
    chosen = page.locator("#modules thead th").all_text_contents()
    assert "Depth" in chosen
    page.set_viewport_size({"width": 768, "height": 900})
    assert page.locator("#modules thead th").all_text_contents() == chosen
    again = open_page(path, page.evaluate("location.hash"), viewport={"width": 1280, "height": 900})
    assert again.locator("#modules thead th").all_text_contents() == chosen


def test_the_load_of_experts(open_page: Open, tmp_path: FilePath) -> None:
    """They do 16, 16 and 32 MACs: the mean is 64 ÷ 3, of which the busiest has 1.5 times as many."""
    page = open_page(written(tmp_path, experts()))
    loads = page.locator("#loads")
    expect(loads).to_contain_text("the busiest has 1.50 times the mean")
    cells = loads.locator("tbody tr").last.locator("td")
    assert cells.all_text_contents() == ["50.0 %", "32", "2", "2"]
    loads.locator("tbody tr button").last.press("Enter")
    expect(page.locator("#trail button[aria-current]")).to_have_text("2")
