"""What the chart answers to: searches, the pointer and the keyboard on tiles that are parts of a module, an empty figure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dispatchcount.report.rows import Path as Row
from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.browser.test_html import shown, tile, tiles
from tests.report import make


def with_work_of_its_own(small: int = 0) -> Report:
    """`make.cnn` whose `features` does a matrix product itself, and has `small` tiny modules."""
    report = make.cnn()
    module = next(i for i, one in enumerate(report.modules) if one.name == "features")
    path = next(i for i, one in enumerate(report.paths) if one.module == module)
    first_module, first_path = len(report.modules), len(report.paths)
    tiny = [replace(report.modules[module + 1], name=f"features.tiny{i}") for i in range(small)]
    entries = [make.entry(path, "aten.mm", make.cost(20_000))]
    entries += [make.entry(first_path + i, "aten.tiny", make.cost(1)) for i in range(small)]
    return replace(
        report,
        modules=(*report.modules, *tiny),
        paths=(*report.paths, *(Row(path, first_module + i, "(1,)", 1) for i in range(small))),
        entries=(*report.entries, *entries),
    )


def test_a_search_marks_where_a_module_without_a_tile_is(open_page: Open, tmp_path: Path) -> None:
    page = shown(with_work_of_its_own(3), open_page, tmp_path)
    page.get_by_label("Search modules").fill("tiny1")
    # Of 34,931 FLOPs the three have 3: a tenth of a pixel.
    expect(page.locator("#modules tbody tr[data-place]")).to_have_count(1)
    assert tiles(page, ".hit") == []
    assert tiles(page, ".holds") == ["features"]
    page.get_by_label("Search modules").fill("nothing like it")
    assert tiles(page, ".holds") == []
    assert tiles(page, ".dim") == tiles(page)
    page.get_by_label("Search modules").fill("")
    assert tiles(page, ".dim") == []


def test_a_part_of_the_selected_module_leads_nowhere(open_page: Open, tmp_path: Path) -> None:
    page = shown(
        with_work_of_its_own(),
        open_page,
        tmp_path,
    )
    tile(page, "features").click()
    tile(page, "features: aten.mm").click()
    expect(page.locator("#trail")).to_have_text("(root)›features")
    page.focus("#chart")
    page.keyboard.press("ArrowLeft")  # the last of the tiles below
    expect(page.locator("#spoken")).to_contain_text("features: aten.mm")
    page.keyboard.press("Enter")
    expect(page.locator("#trail")).to_have_text("(root)›features")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#spoken")).to_contain_text("features: aten.mm")


@pytest.mark.parametrize("view", ["icicle", "treemap"])
def test_the_arrows_walk_through_all_tiles_of_a_module_and_no_others(
    view: str, open_page: Open, tmp_path: Path
) -> None:
    page = shown(with_work_of_its_own(), open_page, tmp_path)
    page.locator(f"#{view}").click()
    tile(page, "features").locator("text").first.click()
    page.focus("#chart")
    walked = []
    for _ in range(2 * 3):
        page.keyboard.press("ArrowRight")
        walked.append(page.locator("#chart .marked").get_attribute("data-path"))
    below = {"features.0", "features.1", "features: aten.mm"}  # features.2 has no FLOPs
    assert set(walked) == below
    assert walked[:3] == walked[3:]


def test_operators_and_tiles_light_each_other(open_page: Open, tmp_path: Path) -> None:
    page = shown(with_work_of_its_own(), open_page, tmp_path)
    tile(page, "features").click()
    tile(page, "features: aten.mm").hover()
    expect(page.locator("#operators tr.marked th")).to_have_attribute("title", "aten.mm")
    page.locator("#operators th[title='aten.convolution']").hover()
    assert tiles(page, ".lit") == ["features.0"]
    page.locator("#operators th[title='aten.mm']").hover()
    assert tiles(page, ".lit") == ["features", "features: aten.mm"]


def test_a_tile_marks_the_row_that_its_module_is_folded_away_in(
    open_page: Open, tmp_path: Path
) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.get_by_role("button", name="Collapse", exact=True).click()
    tile(page, "features.0").hover()
    expect(page.locator("#modules tr.marked th")).to_have_attribute("title", "features")


def test_no_earlier_picture_is_saved_where_there_is_none(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.locator("#modules button[title='aux']").press("Enter")  # it never ran
    expect(page.locator("#empty")).to_be_visible()
    page.locator("#export summary").click()
    saved: list[object] = []
    page.on("download", lambda download: saved.append(download))
    for kind in ("SVG", "PNG"):
        page.get_by_role("button", name=f"Chart as {kind}").press("Enter")
        expect(page.locator("#export [role=status]")).to_have_text("There is no picture to save.")
    assert saved == []


def luminance(colour: Sequence[float]) -> float:
    """WCAG's relative luminance of red, green and blue from 0 to 255."""
    parts = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours as a browser writes them: ``rgb(0, 0, 0)``."""
    lights = sorted(
        luminance([float(c) for c in re.findall(r"[\d.]+", text)[:3]]) for text in (one, other)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


LOOKS = """all => all.map((one) => {
  const [box, text] = [one.querySelector("rect"), one.querySelector("text")];
  const look = getComputedStyle(box);
  const ground = getComputedStyle(one.closest(".panel")).backgroundColor;
  return {
    faint: getComputedStyle(one).opacity !== "1",
    edge: look.stroke === "none" ? look.fill : look.stroke,
    fill: look.fill, ground, ink: text && getComputedStyle(text).fill,
  };
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make_report", [make.cnn, make.training, lambda: make.stack(3)])
def test_tiles_can_be_read_whatever_a_search_leaves(
    make_report: Callable[[], Report], scheme: str, open_page: Open, tmp_path: Path
) -> None:
    page = shown(make_report(), open_page, tmp_path, color_scheme=scheme)
    for query in ("", "1", "nothing like it"):
        page.get_by_label("Search modules").fill(query)
        for look in page.locator("#chart .tile").evaluate_all(LOOKS):
            assert not look["faint"]
            assert contrast(look["edge"], look["ground"]) >= 3
            assert look["ink"] is None or contrast(look["ink"], look["fill"]) >= 4.5


@pytest.mark.parametrize("width", [390, 700, 1280])
@pytest.mark.parametrize("kind", ["report", "diff"])
def test_menus_open_inside_the_window(
    kind: str, width: int, open_page: Open, tmp_path: Path
) -> None:
    report = make.training()
    path = tmp_path / "page.html"
    if kind == "report":
        report.to_html(path)
    else:
        report.diff(make.cnn()).to_html(path)
    page = open_page(path, viewport={"width": width, "height": 844})
    for menu in page.locator("details.menu:visible").all():
        menu.locator("summary").press("Enter")
        _expect_inside(page, menu.locator(".panel").bounding_box(), width)
        page.keyboard.press("Escape")


def _expect_inside(page: Page, box: object, width: int) -> None:
    assert isinstance(box, dict)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1000, 1280, 1440])
def test_no_total_stands_alone_in_the_last_row(width: int, open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path, viewport={"width": width, "height": 844})
    boxes = [one.bounding_box() for one in page.locator("#totals .rest .total").all()]
    rows: dict[float, int] = {}
    for box in boxes:
        assert box
        rows[box["y"]] = rows.get(box["y"], 0) + 1
    *full, last = rows.values()
    if width > 640:  # on a phone the last one is as wide as the row
        assert not full or last > full[0] / 2
