"""The page of a job's ranks, in a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect

from dispatchcount.report_api import Ranks, Report
from tests.browser.conftest import Open
from tests.render.test_collectives import spread
from tests.report import make


def times(report: Report, module: str, count: int) -> Report:
    """The same run with so many times the work in a module."""
    entries = tuple(
        replace(e, cost=e.cost * count)
        if report.modules[report.paths[e.path].module].name == module
        else e
        for e in report.entries
    )
    return replace(report, entries=entries)


def job() -> Ranks:
    """Three of four ranks: the head of rank 3 does three times what those of the others do."""
    reports = (spread(), spread(), times(spread(), "head", 3))
    meta = replace(make.META, stopped_in="head", error="ValueError: no such expert")
    return Ranks(4, (0, 1, 3), (reports[0], replace(reports[1], meta=meta), reports[2]))


def shown(open_page: Open, tmp_path: Path, fragment: str = "", **options: object) -> Page:
    job().to_html(tmp_path / "ranks.html")
    page = open_page(tmp_path / "ranks.html", fragment, **options)
    expect(page.locator("#heat-map svg")).to_be_visible()
    return page


def row(page: Page, table: str, name: str) -> list[str]:
    found: list[str] = page.locator(f"#{table} tbody tr").evaluate_all(
        "(rows, name) => [...(rows.find((row) => row.children[0].textContent.trim() === name)"
        "?.children ?? [])].map((cell) => cell.textContent.trim())",
        name,
    )
    return found


def test_the_slowest_rank_of_a_module_is_named(open_page: Open, tmp_path: Path) -> None:
    """80 MACs on two ranks and 240 on one: a mean of 133, and 240 ÷ 133.3 = 1.8."""
    page = shown(open_page, tmp_path)
    page.select_option("#heat-metric", "macs")
    expect(page.locator("#metric")).to_have_value("macs")
    figures = row(page, "spread", "head")
    assert figures[:7] == ["head", "400", "133", "80", "240", "rank 3", "1.800"]
    assert "1.800 · rank 3" in page.locator("#heat-map").inner_text()
    assert row(page, "spread", "features")[5] == "–"
    assert row(page, "ranks", "rank 3")[1] == "+0.8 %"  # 14,064 MACs, of which 13,957 is the mean
    # Three modules have their most there: everything, the root and the head.
    slowest = page.locator("#ranks thead th").evaluate_all(
        "heads => heads.findIndex((head) => head.dataset.key === 'slowest')"
    )
    assert row(page, "ranks", "rank 3")[slowest] == "2"


def test_what_is_missing_is_said(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    issues = page.locator("#issues")
    expect(issues).to_contain_text("1 of 4 ranks gave no report: 2.")
    expect(issues).to_contain_text("Rank 1 stopped in head: ValueError: no such expert.")
    expect(page.locator("#labels")).to_contain_text("ranks 3 of 4")


def test_ranks_that_were_not_planned_gave_no_report_to_wait_for(
    open_page: Open, tmp_path: Path
) -> None:
    planned = (spread().with_labels(planned="yes"), spread().with_labels(planned="yes"))
    Ranks(16, (0, 8), planned).to_html(tmp_path / "ranks.html")
    issues = open_page(tmp_path / "ranks.html").locator("#issues")
    expect(issues.locator("h2")).to_have_text("Not all ranks were planned")
    expect(issues).to_contain_text("2 of 16 ranks were planned: 0, 8. Sums and means are of these.")
    expect(issues).not_to_contain_text("gave no report")


def test_every_view_shows_the_rank_that_was_chosen(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    everything = page.locator("#chosen").inner_text()
    page.get_by_role("button", name="rank 3", exact=True).last.press("Enter")
    expect(page.locator("#run option:checked")).to_have_text("rank 3")
    assert page.locator("#chosen").inner_text() != everything
    expect(page.locator("#operators tbody tr").first).to_be_visible()
    expect(page.locator("#collectives tbody tr")).to_have_count(2)
    again = open_page(tmp_path / "ranks.html", page.evaluate("location.hash"))
    expect(again.locator("#run option:checked")).to_have_text("rank 3")


def test_the_map_is_used_by_keys(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    heat = page.locator("#heat-map")
    heat.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("rank 1")
    page.keyboard.press("Enter")
    expect(page.locator("#run option:checked")).to_have_text("rank 1")
    heat.focus()
    for key in ("ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#heat-path")).to_have_text(" in (root)")
    page.keyboard.press("Escape")
    expect(page.locator("#heat-path")).to_have_text("")


def test_the_tables_are_saved_with_every_digit(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, "#&metric=macs")
    with page.expect_download() as download:
        page.get_by_label("Save modules over the ranks as CSV").press("Enter")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("Module,Sum,Mean,Least,Most,Slowest,max/mean")
    assert [line for line in lines if line.startswith("head,400,133.33")]
    with page.expect_download() as download:
        page.get_by_label("Save the table of ranks as CSV").press("Enter")
    assert Path(download.value.path()).read_text().splitlines()[1].startswith("rank 0,")


def test_a_figure_that_no_rank_has_says_so(open_page: Open, tmp_path: Path) -> None:
    job().to_html(tmp_path / "ranks.html")
    page = open_page(tmp_path / "ranks.html", "#aux")
    expect(page.locator("#heat-empty")).to_have_text("No rank has FLOPs in aux.")
    expect(page.locator("#spread tbody")).to_have_text("No module has FLOPs.")


def test_a_narrow_screen_names_the_slowest_rank(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, "#&metric=macs", viewport={"width": 390, "height": 844})
    assert row(page, "spread", "head") == ["head", "1.800", "rank 3"]
    assert "1.80 · rank 3" in page.locator("#heat-map").inner_text()


def test_paper_has_every_row(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#ranks tbody tr[data-place]").count() == 3
    expect(page.locator("#heat-map svg")).to_be_visible()


def test_a_thousand_ranks(open_page: Open, tmp_path: Path) -> None:
    """A cell of the map stands for several ranks, and its rank with the most is chosen."""
    base, slow = spread(), times(spread(), "head", 3)
    ranks = Ranks(1000, tuple(range(1000)), tuple(slow if i == 777 else base for i in range(1000)))
    ranks.to_html(tmp_path / "ranks.html")
    page = open_page(tmp_path / "ranks.html")
    expect(page.locator("#heat-note")).to_contain_text("A cell is the most of ")
    assert row(page, "spread", "head")[5] == "rank 777"
    assert page.locator("#heat-map rect").count() < 100  # neighbours of one shade are one


def test_the_page_of_one_report_has_no_ranks(open_page: Open, tmp_path: Path) -> None:
    make.cnn().to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    expect(page.locator("#modules tbody tr").first).to_be_visible()
    for panel in ("heat", "spread", "ranks"):
        expect(page.locator(f"#{panel}")).to_be_hidden()
