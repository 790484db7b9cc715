"""The panel of what was sent between ranks, on the page of a report."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.render.test_collectives import spread
from tests.report import make


def cells(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.locator("#collectives tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    return found


def shown(open_page: Open, tmp_path: Path, fragment: str = "", **options: object) -> Page:
    spread().to_html(tmp_path / "report.html")
    return open_page(tmp_path / "report.html", fragment, **options)


def test_a_row_for_each_operator_and_group(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    reduced, barrier = cells(page)
    head = ["all-reduce c10d.allreduce_", "dp · 8 ranks", "100.0 %", "2", "80 B", "input", "140 B"]
    assert reduced == [*head, "features.0", "data"]
    # Who ran has a column as well, for which there is no room beside the others.
    page.get_by_label("Columns of rows").press("Enter")
    page.locator("#collectives").get_by_label("Issued by").check()
    assert cells(page)[0] == [*head, "features.0", "(no module)", "data"]
    assert barrier[1] == "group 0 · 2 ranks"
    assert barrier[-1] == "control"
    tip = page.locator("#collectives tbody td").first.get_attribute("title")
    assert tip == "dp: 8 ranks 0–7"


def test_it_follows_the_module_and_the_run(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, "#head")
    expect(page.locator("#collectives tbody")).to_have_text("No data of head was sent here.")
    page.evaluate("location.hash = '#features'")
    expect(page.locator("#collectives tbody tr")).to_have_count(1)
    page.locator("#collectives tbody button", has_text="features.0").press("Enter")
    expect(page.locator("#trail button[aria-current]")).to_have_text("0")
    page.evaluate("location.hash = ''")
    page.locator("#run").select_option(label="forward")
    assert [row[0] for row in cells(page)] == ["barrier c10d.barrier"]


def test_communication_stands_beside_compute(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    heads = page.locator("#modules thead th").evaluate_all(
        "all => all.map((one) => one.dataset.key)"
    )
    share = heads.index("share")
    assert heads[share : share + 5] == ["share", "sent", "flops", "payload_bytes", "wire_bytes"]
    page.locator("#metric").select_option("wire_bytes")
    expect(page.locator("#chart [data-path='features.0']")).to_have_count(1)
    expect(page.locator("#chart [data-path='head']")).to_have_count(0)


def test_it_is_saved_as_it_stands(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    page.get_by_label("Rows of the collectives").select_option("modules")
    with page.expect_download() as download:
        page.get_by_label("Save what was sent as CSV").press("Enter")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("Collective,Group,Share,Calls,Payload,Payload of,Wire bytes,Data of")
    assert lines[1] == "c10d.allreduce_,dp,1,2,80,input,140,features.0,data"
    assert len(lines) == 3


def test_a_link_restores_what_its_rows_are(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path)
    by = page.get_by_label("Rows of the collectives")
    by.select_option("modules")
    address = page.evaluate("location.hash")
    by.select_option("")
    assert page.evaluate("location.hash") == ""
    again = open_page(tmp_path / "report.html", address)
    expect(again.get_by_label("Rows of the collectives")).to_have_value("modules")
    expect(again.locator("#collectives tbody tr")).to_have_count(2)
    expect(again.locator("#gone")).to_be_hidden()


def test_a_link_to_rows_that_there_are_not_says_so(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, "#&sent=colours")
    expect(page.locator("#gone")).to_contain_text("rows of what was sent “colours”")
    expect(page.get_by_label("Rows of the collectives")).to_have_value("")
    make.cnn().to_html(tmp_path / "alone.html")
    alone = open_page(tmp_path / "alone.html", "#&sent=modules")
    expect(alone.locator("#gone")).to_contain_text("what was sent")


def test_where_nothing_was_sent_there_is_no_panel(open_page: Open, tmp_path: Path) -> None:
    make.training().to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    expect(page.locator("#modules tbody tr").first).to_be_visible()
    expect(page.locator("#collectives")).to_be_hidden()
    expect(page.locator("#modules thead th[data-key=sent]")).to_have_count(0)


def test_a_narrow_screen_has_what_was_sent_and_how_much(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, viewport={"width": 390, "height": 800})
    assert cells(page)[0][:2] == ["all-reduce c10d.allreduce_", "140 B"]
