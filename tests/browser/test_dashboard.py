import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dispatchcount.dashboard.series import parse_budget
from dispatchcount.dashboard.site import build
from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.browser.test_views import saved
from tests.report import make

EVIL = '</script><img src=x onerror="window.pwned=1">🔑' + "x" * 400


def at(report: Report, day: int, **labels: str) -> Report:
    return replace(
        report, meta=replace(report.meta, created=1_750_000_000 + 86_400 * day)
    ).with_labels(**labels)


def site(tmp_path: Path) -> Path:
    """The dashboard of a folder with reports of three models and a file that is none."""
    runs = tmp_path / "runs"
    runs.mkdir()
    for day, report in enumerate((make.cnn(), make.cnn(), make.training())):
        at(report, day, model="net", commit=f"c{day}", input="8x8").to_json(runs / f"{day}.json")
    at(make.troubled(), 3, model=EVIL, commit=EVIL, input=EVIL, other=EVIL).to_json(
        runs / "evil.json"
    )
    (runs / "bad.json").write_text('{"</script>')
    make.routed().to_json(runs / "nameless.json")
    build(runs, tmp_path / "site", "fvcore", (), [parse_budget("net:flops=20k")])
    return tmp_path / "site" / "index.html"


def dashboard(open_page: Open, tmp_path: Path, **options: object) -> Page:
    return open_page(site(tmp_path), **options)


def test_models_trend_and_runs(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    expect(page.locator("#labels")).to_contain_text("reports 5")
    page.locator("#notes summary").click()
    expect(page.locator("#notes")).to_contain_text(
        "bad.json could not be read: it is not JSON, or was cut off"
    )
    expect(page.locator("#notes")).to_contain_text("without a label “model” stand alone")
    expect(page.locator("#notes")).to_contain_text("nameless.json")
    row = page.locator("#models tbody tr", has_text="8x8")
    expect(row).to_contain_text("42.7 k+186.3 %348±0")  # 14 928 → 42 736 flops
    expect(page.locator("#trend svg")).to_be_visible()
    expect(page.locator("#trend-title")).to_have_text("net, 8x8")
    assert page.locator("#runs tbody td:nth-child(2)").all_text_contents() == ["c2", "c1", "c0"]
    page.select_option("#metric", "params")
    page.locator("#runs thead button", has_text="FLOPs").click()
    page.locator("#runs thead button", has_text="FLOPs").click()
    assert page.locator("#runs tbody td:nth-child(2)").all_text_contents()[-1] == "c2"
    page.get_by_label("Search runs").fill("c1")
    assert page.locator("#runs tbody td:nth-child(2)").all_text_contents() == ["c1"]


def test_several_series_are_in_one_chart_with_their_budgets(
    open_page: Open, tmp_path: Path
) -> None:
    page = dashboard(open_page, tmp_path)
    row = page.locator("#models tbody tr", has_text="net, 8x8")
    expect(row).to_contain_text("over budget")
    expect(row.get_by_role("checkbox")).to_be_checked()
    page.locator("#models tbody tr", has_text="nameless").get_by_role("checkbox").press("Space")
    expect(page.locator("#trend-title")).to_have_text("2 series")
    expect(page.locator("#runs tbody tr")).to_have_count(3 + 1)
    row.get_by_role("checkbox").press("Space")
    expect(page.locator("#trend-title")).to_have_text("Router in nameless.json")
    # The last series stays in the chart.
    page.locator("#models tbody tr", has_text="nameless").get_by_role("checkbox").press("Space")
    expect(page.locator("#trend-title")).to_have_text("Router in nameless.json")
    row.get_by_role("button").click()
    expect(page.locator("#trend-title")).to_have_text("net, 8x8")


def test_a_change_opens_its_page(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    page.locator("#runs tbody tr", has_text="c2").get_by_role("link", name="+186.3 %").press(
        "Enter"
    )
    expect(page.locator("h1")).to_contain_text("Diff of net")


def test_hostile_labels_are_text(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    page.locator("#models tbody button[title^='</script>']").click()
    expect(page.locator("#trend-title")).to_have_text(f"{EVIL}, {EVIL}")
    expect(page.locator("#runs tbody")).to_contain_text("incomplete")
    assert page.evaluate("window.pwned") is None


def test_a_link_opens_a_report_that_shares_the_library(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    page.locator("#models tbody tr", has_text="8x8").get_by_role("link", name="Open").press("Enter")
    expect(page.locator("#title")).to_have_text("net")
    expect(page.locator("#chart svg")).to_be_visible()


def test_it_fits_a_narrow_screen_and_the_dark(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(
        open_page, tmp_path, viewport={"width": 360, "height": 740}, color_scheme="dark"
    )
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_chart_names_its_points_and_begins_at_zero(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    texts = page.locator("#trend svg text").all_text_contents()
    assert {"FLOPs", "0", "budget", "20k", "c0", "c1", "c2"} <= set(texts)
    assert any(text.startswith("06-1") for text in texts)  # 1 750 000 000 is June 15, 2025


@pytest.mark.parametrize("width", [390, 1400])
def test_no_line_crosses_the_label_of_a_budget(open_page: Open, tmp_path: Path, width: int) -> None:
    page = dashboard(open_page, tmp_path, viewport={"width": width, "height": 844})
    lines = page.locator(
        "#trend svg path[stroke-width='2'], #trend svg path[stroke-dasharray]"
    ).evaluate_all("paths => paths.map((path) => path.getBoundingClientRect().right)")
    assert len(lines) == 2  # of the series, and of its budget
    for word in ("budget", "20k"):
        label = page.locator("#trend svg text", has_text=word).first.bounding_box()
        assert label is not None
        assert label["x"] >= max(lines)
        assert label["x"] + label["width"] <= width


def test_a_link_restores_what_is_drawn(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    page.locator("#models tbody tr", has_text="nameless").get_by_role("checkbox").press("Space")
    page.select_option("#metric", "params")
    page.get_by_label("Search runs").fill("c")
    page.locator("#runs thead button", has_text="Params").press("Enter")
    fragment = page.evaluate("location.hash")
    rows = page.locator("#runs tbody").inner_text()
    again = open_page(tmp_path / "site" / "index.html", fragment)
    expect(again.locator("#trend-title")).to_have_text("2 series")
    expect(again.locator("#metric")).to_have_value("params")
    expect(again.locator("#trend svg text", has_text="Params")).to_have_count(1)
    assert again.locator("#runs tbody").inner_text() == rows
    expect(again.locator("#gone")).to_be_hidden()


def test_a_link_to_a_series_that_is_gone_says_so(open_page: Open, tmp_path: Path) -> None:
    dashboard(open_page, tmp_path)
    page = open_page(tmp_path / "site" / "index.html", "#series=old&metric=nope")
    expect(page.locator("#gone")).to_contain_text("series “old”, figure “nope”")
    expect(page.locator("#trend-title")).to_have_text("net, 8x8")


def test_the_trend_and_the_runs_are_saved(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path)
    assert saved(page, "Chart as PNG").startswith(b"\x89PNG")
    picture = saved(page, "Chart as SVG").decode()
    assert all(f">{word}<" in picture for word in ("budget", "20k"))
    page.get_by_label("Search runs").fill("c1")
    rows = list(csv.reader(io.StringIO(saved(page, "Table as CSV").decode())))
    assert rows[0][:3] == ["When (UTC)", "Commit", "Series"]
    assert [row[1:4] for row in rows[1:]] == [["c1", "net, 8x8", "14928"]]


def test_a_phone_shows_the_figure_of_each_run(open_page: Open, tmp_path: Path) -> None:
    page = dashboard(open_page, tmp_path, viewport={"width": 390, "height": 844})
    for table, keys in (("models", ("model", "flops")), ("runs", ("when", "flops"))):
        for key in keys:
            box = page.locator(f"#{table} thead th[data-key={key}]").bounding_box()
            assert box
            assert box["x"] + box["width"] <= 390


def test_each_of_many_points_opens_its_change(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for day in range(60):
        report = at((make.cnn, make.training)[day % 2](), day, model="net", commit=f"c{day}")
        report.to_json(tmp_path / "runs" / f"{day:02}.json")
    build(tmp_path / "runs", tmp_path / "site", "fvcore")
    page = open_page(tmp_path / "site" / "index.html")
    points = page.locator("#trend svg path").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).filter(({ width, height }) => width > 3 && width < 12 && Math.abs(width - height) < 1)"
        ".map(({ x, y, width }) => [x + width / 2, y + width / 2])"
    )
    assert len(points) == 60
    x, y = sorted(points)[37]
    page.mouse.click(x, y)
    expect(page.locator("#labels")).to_contain_text("c36")
    expect(page.locator("#labels")).to_contain_text("c37")
