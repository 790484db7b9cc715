from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect

from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.browser.test_html import EVIL, evil
from tests.report import make


def shown(old: Report, new: Report, open_page: Open, tmp_path: Path, **options: object) -> Page:
    old.diff(new).to_html(tmp_path / "diff.html")
    return open_page(tmp_path / "diff.html", **options)


def names(page: Page, table: str = "modules") -> list[str]:
    found: list[str] = page.locator(f"#{table} tbody th").evaluate_all(
        "all => all.map((one) => one.title)"
    )
    return found


def test_both_sides_and_the_biggest_change_first(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), make.stack(5), open_page, tmp_path)
    expect(page.locator("#old-title")).to_have_text("Old 1.15 k FLOPs")  # 3 layers of 384
    expect(page.locator("#new-title")).to_have_text("New 1.92 k FLOPs, +66.7 %")
    assert names(page)[:4] == ["(root)", "encoder", "encoder.layers", "encoder.layers.3–4"]
    expect(page.locator("#modules [role=status]")).to_have_text("11 of 23 modules")
    # 3 of 5 layers: lengths of the two charts can be compared.
    old, new = (page.locator(f"#{side} [data-path='encoder'] rect") for side in ("old", "new"))
    before, after = (float(one.get_attribute("width") or 0) for one in (old, new))
    assert abs(before / after - 3 / 5) < 0.01
    expect(page.locator("#old [data-path='encoder.layers.3–4']")).to_have_count(0)


def test_a_click_zooms_in_on_both_sides(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), make.training(), open_page, tmp_path)
    page.locator("#new [data-path='features']").click()
    expect(page.locator("#trail")).to_contain_text("features")
    assert names(page, "operators")[0] == "aten.convolution_backward"
    page.go_back()
    expect(page.locator("#trail")).not_to_contain_text("features")
    page.get_by_label("Which modules").select_option("all")
    assert "aux" in names(page)
    page.get_by_label("Search modules").fill("batch")
    assert names(page) == ["features.1"]


def test_equal_reports_have_nothing_to_show(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), make.cnn(), open_page, tmp_path)
    expect(page.locator("#modules tbody")).to_have_text("No module changed.")
    expect(page.locator("#issues")).to_be_hidden()


def test_hostile_names_are_text(open_page: Open, tmp_path: Path) -> None:
    report = evil()
    other = replace(report, modules=tuple(replace(m, type=EVIL[0]) for m in report.modules))
    page = shown(report, other, open_page, tmp_path)
    expect(page.locator("#issues")).to_be_visible()
    page.get_by_label("Which modules").select_option("all")
    for name in EVIL:
        page.locator("#modules tbody button").evaluate_all(
            "(all, name) => all.find((one) => one.title === name).click()", name
        )
        expect(page.locator("#trail button[aria-current]")).to_have_attribute("title", name)
        page.evaluate("location.hash = ''")
        expect(page.locator("#trail button")).to_have_count(1)
    assert page.evaluate("window.pwned") is None


def test_it_fits_a_narrow_screen(open_page: Open, tmp_path: Path) -> None:
    page = shown(evil(), make.cnn(), open_page, tmp_path, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    change = page.locator("#modules thead th[data-key=change]").bounding_box()
    assert change is not None
    assert change["x"] + change["width"] <= 390


def test_a_link_restores_the_view(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), make.stack(5), open_page, tmp_path)
    page.select_option("#metric", "params")
    page.get_by_label("Which modules").select_option("added")
    page.locator("#new [data-path='encoder']").click()
    again = open_page(tmp_path / "diff.html", page.evaluate("location.hash"))
    expect(again.locator("#trail button[aria-current]")).to_have_text("encoder")
    expect(again.locator("#metric")).to_have_value("params")
    assert names(again) == names(page)
    page.go_back()
    expect(page.locator("#trail button[aria-current]")).to_have_text("(root)")
    expect(page.get_by_label("Which modules")).to_have_value("added")
