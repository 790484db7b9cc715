"""The page of a diff follows the phase that its reader chooses: forward, backward and the others."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_axe import SCHEMES, faults
from tests.browser.test_diff import names, shown
from tests.render.test_diff_page_data import step
from tests.report import make

# MACs of `step` for 16 and 32 features between its layers, as tests/render/test_diff_page_data.py
# works them out: forward 384 → 768, backward 512 → 1,024.


def training(open_page: Open, tmp_path: Path, **options: object) -> Page:
    return shown(step(16), step(32), open_page, tmp_path, **options)


def cells(page: Page, table: str, row: int = 0) -> list[str]:
    found: list[str] = (
        page.locator(f"#{table} tbody tr").nth(row).locator("th, td").all_inner_texts()
    )
    return found


def test_the_switch_offers_the_phases_of_both(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    run = page.locator("#run")
    assert run.locator("option").all_inner_texts() == ["Whole block", "forward", "backward"]
    expect(page.locator("#totals-title")).to_have_text("Totals")
    expect(page.locator("#old-title")).to_have_text("Old 896 FLOPs")
    expect(page.locator("#new-title")).to_have_text("New 1.79 k FLOPs, +100.0 %")


def test_reports_of_one_phase_have_no_switch(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), make.stack(5), open_page, tmp_path)
    expect(page.locator("#run-label")).to_be_hidden()


def test_everything_follows_the_phase(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    page.select_option("#run", label="backward")
    expect(page.locator("#totals-title")).to_have_text("Totals of backward")
    assert cells(page, "totals")[1:] == ["512", "1.02 k", "+512", "+100.0 %"]
    expect(page.locator("#old-title")).to_have_text("Old 512 FLOPs of backward")
    expect(page.locator("#new-title")).to_have_text("New 1.02 k FLOPs of backward, +100.0 %")
    # Half as much before, on one scale. Both layers have a half of it.
    whole = (page.locator(f"#{side} [data-path='(root)'] rect") for side in ("old", "new"))
    before, after = (float(one.get_attribute("width") or 0) for one in whole)
    assert abs(before / after - 1 / 2) < 0.01
    layers = (page.locator(f"#new [data-path='{layer}'] rect") for layer in "01")
    first, second = (float(one.get_attribute("width") or 0) for one in layers)
    assert abs(first - second) < 2
    page.select_option("#run", label="forward")
    expect(page.locator("#new-title")).to_have_text("New 768 FLOPs of forward, +100.0 %")
    layers = (page.locator(f"#new [data-path='{layer}'] rect") for layer in "01")
    first, second = (float(one.get_attribute("width") or 0) for one in layers)
    assert abs(first / second - 512 / 256) < 0.01
    assert cells(page, "operators")[:4] == ["aten.mm", "384", "768", "+384"]
    page.select_option("#run", label="Whole block")
    expect(page.locator("#totals-title")).to_have_text("Totals")


def test_rows_stand_by_their_change_in_the_phase(open_page: Open, tmp_path: Path) -> None:
    # The first layer is frozen: backward does without its weight's gradient, 256 MACs, and without
    # that of the second layer's input, 128 MACs. Forward is as it was.
    page = shown(step(16), step(16, frozen=True), open_page, tmp_path)
    assert names(page) == ["(root)", "0", "1"]
    page.select_option("#run", label="backward")
    assert names(page) == ["(root)", "0", "1"]
    figures = [cells(page, "modules", row)[2:5] for row in range(3)]
    assert figures == [["512", "128", "−384"], ["256", "0", "−256"], ["256", "128", "−128"]]
    page.select_option("#run", label="forward")
    expect(page.locator("#modules tbody")).to_have_text("No module changed in forward.")
    page.get_by_label("Which modules").select_option("all")
    assert {cells(page, "modules", row)[1] for row in range(3)} == {"same"}
    page.get_by_label("Which modules").select_option("changed")
    expect(page.locator("#modules tbody")).to_have_text("No module matches.")


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_phase_of_one_report_leaves_the_other_side_empty(
    side: str, open_page: Open, tmp_path: Path
) -> None:
    reports = step(16, backward=False), step(16)
    page = shown(*(reports if side == "old" else reports[::-1]), open_page, tmp_path)
    other = "new" if side == "old" else "old"
    page.select_option("#run", label=f"backward ({other} only)")
    word = f"The {side} report has no backward."
    expect(page.locator(f"#{side}-none")).to_have_text(word)
    expect(page.locator("#totals")).to_contain_text(word)
    expect(page.locator(f"#{side}")).to_be_hidden()
    expect(page.locator(f"#{other} svg")).to_be_visible()
    expect(page.locator(f"#{other}-none")).to_be_hidden()
    expect(page.locator(f"#{other}-title")).to_contain_text("512 FLOPs of backward")
    assert names(page)[:3] == ["(root)", "0", "1"]
    page.select_option("#run", label="forward")
    expect(page.locator(f"#{side} svg")).to_be_visible()
    expect(page.locator("#totals")).not_to_contain_text("has no")


def test_a_phase_without_the_figure_says_which_it_has(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), make.training(), open_page, tmp_path)
    page.select_option("#run", label="optimizer (new only)")
    said = page.locator("#empty")
    expect(said).to_contain_text("The old report has no optimizer.")
    page.select_option("#metric", "macs")
    expect(said).to_contain_text("has no MACs of optimizer in either report.")
    page.select_option("#metric", "bytes")
    expect(said).to_be_hidden()
    expect(page.locator("#new-title")).to_have_text(
        "New Bytes 4.18 kB of optimizer, new"
    )  # 348 × 12


def test_a_link_restores_the_phase(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    page.select_option("#run", label="backward")
    page.locator("#new [data-path='1']").click()
    again = open_page(tmp_path / "diff.html", page.evaluate("location.hash"))
    expect(again.locator("#run")).to_have_value("2")
    expect(again.locator("#trail button[aria-current]")).to_have_text("1")
    expect(again.locator("#new-title")).to_have_text("New 512 FLOPs of backward, +100.0 %")
    page.go_back()
    expect(page.locator("#trail button[aria-current]")).to_have_text("Everything")
    expect(page.locator("#run")).to_have_value("2")


def test_a_link_to_a_phase_that_is_not_there_says_so(open_page: Open, tmp_path: Path) -> None:
    step(16).diff(step(32)).to_html(tmp_path / "diff.html")
    page = open_page(tmp_path / "diff.html", "#&run=7")
    expect(page.locator("#gone")).to_contain_text("run 7")
    expect(page.locator("#run")).to_have_value("0")


def test_files_are_those_of_the_phase(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    page.select_option("#run", label="backward")
    page.locator("#export summary").press("Enter")
    with page.expect_download() as download:
        page.locator("#save-csv").press("Enter")
    assert download.value.suggested_filename.endswith("_backward.csv")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("Module,What,Old FLOPs,New FLOPs,Change of FLOPs,%")
    assert lines[1].startswith("(root),changed,512,1024,512,100")


def test_the_empty_side_is_no_picture(open_page: Open, tmp_path: Path) -> None:
    page = shown(step(16, backward=False), step(32), open_page, tmp_path)
    page.select_option("#run", label="backward (new only)")
    page.locator("#export summary").press("Enter")
    files: list[str] = []
    page.on("download", lambda file: files.append(file.suggested_filename))
    with page.expect_download():
        page.locator("#save-svg").press("Enter")
    page.select_option("#run", label="forward")
    with page.expect_download(lambda file: "_old" in file.suggested_filename):
        page.locator("#save-svg").press("Enter")
    assert files[0].endswith("_backward_new.svg")
    assert files[1].endswith("_forward_old.svg")


def test_on_paper_the_phase_is_named(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    page.select_option("#run", label="backward")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("#run")).to_be_hidden()
    expect(page.locator("#totals-title")).to_have_text("Totals of backward")
    expect(page.locator("#old-title")).to_have_text("Old 512 FLOPs of backward")


def test_the_keyboard_chooses_a_phase(open_page: Open, tmp_path: Path) -> None:
    page = training(open_page, tmp_path)
    page.locator("#run").focus()
    page.keyboard.press("End")
    expect(page.locator("#totals-title")).to_have_text("Totals of backward")
    expect(page.locator("#run")).to_be_focused()
    page.locator("#new").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("0, new: 512 FLOPs, +100.0 %")


def test_phases_fit_a_narrow_screen(open_page: Open, tmp_path: Path) -> None:
    page = shown(
        step(16, backward=False),
        step(32),
        open_page,
        tmp_path,
        viewport={"width": 390, "height": 844},
    )
    page.select_option("#run", label="backward (new only)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert names(page)[0] == "(root)"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(scheme: str, open_page: Open, tmp_path: Path) -> None:
    reports = step(16, backward=False), step(32)
    page = shown(*reports, open_page, tmp_path, color_scheme=scheme)
    for choice in ("forward", "backward (new only)"):
        page.select_option("#run", label=choice)
        expect(page.locator("#new svg")).to_be_visible()
        assert faults(page) == []
