"""What a reader does with the page of a report: fold and open, choose a run, filter, link, export, print."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dispatchcount.hardware.device import Device
from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.browser.test_html import names, shown, tile, tiles
from tests.report import make


def test_equal_layers_are_one_tile_that_opens(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), open_page, tmp_path)
    assert tiles(page)[:3] == ["(root)", "encoder", "encoder.layers.0–2"]
    expect(tile(page, "encoder.layers.0–2")).to_contain_text("layers.0–2 ×3")
    tile(page, "encoder.layers.0–2").click()
    expect(page.locator("#chosen")).to_contain_text("Called 3 times")
    page.get_by_role("button", name="Show the 3 one by one", exact=True).click()
    assert "encoder.layers.1" in tiles(page)
    expect(page.locator("#trail")).to_have_text("(root)›encoder")
    tile(page, "encoder.layers.1").click()
    page.get_by_role("button", name="Fold again").click()
    assert "encoder.layers.0–2" in tiles(page)


def test_the_keyboard_opens_a_fold_in_the_chart(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), open_page, tmp_path)
    page.focus("#chart")
    for key in ("ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#spoken")).to_contain_text("encoder.layers.0–2, Block")
    page.keyboard.press("o")
    assert "encoder.layers.2" in tiles(page)


def test_a_row_opens_its_branch_and_its_fold(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), open_page, tmp_path)
    layers = page.locator("button[title='encoder.layers.0–2']")
    layers.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("button[title='encoder.layers.0–2.part1']")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(page.locator("button[title='encoder.layers.0–2.part1']")).to_be_visible()
    page.get_by_role("button", name="Show the 3 of encoder.layers.0–2 one by one").click()
    page.get_by_role("button", name="Expand", exact=True).click()
    assert "encoder.layers.2.part1" in names(page, "modules")


def test_chart_and_table_light_the_same_module(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.locator("button[title='features.0']").hover()
    assert tiles(page, ".lit") == ["features.0"]
    tile(page, "features").hover()
    expect(page.locator("#modules tr.marked th")).to_have_attribute("title", "features")
    expect(page.locator(".tip")).to_contain_text("features")


def test_a_phase_is_a_run_of_every_view(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    page.select_option("#run", label="backward")
    # 2·512·27 of the convolution's backward and 2·80 of the head's: 27,808
    expect(page.locator("#chosen")).to_contain_text("27.8 k FLOPs, 100.0 % of the whole")
    assert names(page, "operators") == ["aten.convolution_backward", "aten.mm"]
    page.select_option("#metric", "params")
    expect(page.locator("#chosen")).to_contain_text("348 Params")  # a module's in every phase


def test_filters_leave_what_they_name(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.get_by_label("Status of module").select_option("never called")
    assert names(page, "modules") == ["aux"]
    page.get_by_label("Status of module").select_option("any status")
    page.get_by_label("Type of module").select_option("Linear")
    assert names(page, "modules") == ["head", "aux"]
    assert tiles(page, ".hit") == ["head"]
    page.get_by_label("Type of module").select_option("any type")
    page.get_by_label("Depth of module").select_option("depth ≤ 1")
    assert names(page, "modules") == ["(root)", "features", "head", "aux"]


def test_columns_are_chosen(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    heads = page.locator("#modules thead th")
    expect(heads.get_by_text("Arithmetic")).to_have_count(0)
    page.get_by_label("Columns of modules").click()
    page.locator("#modules .menu").get_by_label("Arithmetic").check()
    page.locator("#modules .menu").get_by_label("Activations").uncheck()
    expect(heads.get_by_text("Arithmetic")).to_be_visible()
    expect(heads.get_by_text("Activations")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#modules .menu .panel")).to_be_hidden()


def test_a_link_restores_the_view(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    page.select_option("#metric", "bytes")
    page.locator("#treemap").click()
    page.select_option("#run", label="forward")
    page.get_by_label("Search modules").fill("conv")
    page.locator("#modules thead button", has_text="Params").click()
    tile(page, "features").locator("text").first.click()  # its children lie on its middle
    fragment = page.evaluate("location.hash")
    seen = names(page, "modules"), tiles(page)
    again = open_page(tmp_path / "report.html", fragment)
    expect(again.locator("#trail button[aria-current]")).to_have_text("features")
    assert (names(again, "modules"), tiles(again)) == seen
    expect(again.locator("#treemap")).to_have_attribute("aria-pressed", "true")
    expect(again.locator("#metric")).to_have_value("bytes")
    expect(again.get_by_label("Search modules")).to_have_value("conv")


def test_a_link_restores_branches_and_digits(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(3), open_page, tmp_path)
    page.get_by_label("Exact numbers").check()
    page.get_by_role("button", name="Collapse", exact=True).click()
    page.locator("button[title='encoder']").press("ArrowRight")
    seen = names(page, "modules")
    assert "encoder.layers.0–2" in seen
    assert "encoder.layers.0–2.part1" not in seen
    again = open_page(tmp_path / "report.html", page.evaluate("location.hash"))
    assert names(again, "modules") == seen
    expect(again.get_by_label("Exact numbers")).to_be_checked()
    expect(again.locator("#modules tbody tr >> nth=0")).to_contain_text("1,152")


def test_a_link_leads_to_one_of_samples_that_are_alike(open_page: Open, tmp_path: Path) -> None:
    report = make.routed()
    names_of = [sample.label for sample in report.samples]
    page = shown(report, open_page, tmp_path)
    chosen = page.locator("#samples tr.selected th")
    for name in names_of:
        page.locator("#samples").get_by_role("button", name=name, exact=True).press("Enter")
        expect(chosen).to_have_text(name)
        again = open_page(tmp_path / "report.html", page.evaluate("location.hash"))
        expect(again.locator("#totals .first")).to_contain_text(f"of sample {name}")
        expect(again.locator("#samples tr.selected th")).to_have_text(name)
    # A link made before samples had names in it, or one of a name that is not there.
    again = open_page(tmp_path / "report.html", "#&run=1&sample=%3Cimg%3E")
    expect(again.locator("#totals")).not_to_contain_text("<img>")


@pytest.mark.parametrize("name", ["routed", "training"])
def test_no_picture_is_cut_off_on_narrow_paper(name: str, open_page: Open, tmp_path: Path) -> None:
    page = shown(getattr(make, name)(), open_page, tmp_path)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    for picture in page.locator("main svg:visible").all():
        box = picture.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 794
    assert page.evaluate("document.documentElement.scrollWidth") <= 794


def saved(page: Page, button: str) -> bytes:
    page.locator("#save-png").evaluate("one => { one.closest('details').open = true; }")
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def test_the_chart_and_the_table_are_saved(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    assert saved(page, "Chart as PNG").startswith(b"\x89PNG")
    picture = saved(page, "Chart as SVG").decode()
    assert picture.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert ">features</text>" in picture
    page.get_by_label("Search modules").fill("linear")
    rows = list(csv.reader(io.StringIO(saved(page, "Table as CSV").decode())))
    assert rows[0][:4] == ["Module", "Type", "Share", "FLOPs"]
    assert [row[0] for row in rows[1:]] == ["head", "aux"]
    assert rows[1][3] == "80"


def test_a_file_is_called_after_the_run_that_it_is_of(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    page.select_option("#run", label="backward")
    page.locator("#export summary").press("Enter")
    with page.expect_download() as download:
        page.locator("#save-csv").press("Enter")
    assert download.value.suggested_filename == "small_backward.csv"


def test_paper_has_the_chart_and_every_row_that_is_left(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(100), open_page, tmp_path)
    page.get_by_label("Fold equal layers").uncheck()
    page.get_by_label("Search modules").fill("part1")
    on_screen = page.locator("#modules tbody tr[data-place]").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert on_screen < page.locator("#modules tbody tr[data-place]").count() == 100
    expect(page.locator("#chart svg")).to_be_visible()
    expect(page.locator("#metric")).to_be_hidden()
    expect(page.locator("#modules thead")).to_have_css("display", "table-header-group")
    # Chromium repeats no head on each page that has a button in it.
    expect(page.locator("#modules thead button")).to_have_count(0)
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#modules tbody tr[data-place]").count() == on_screen
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["cnn", "routed", "training"])
def test_figure_and_first_columns_fit_a_phone(name: str, open_page: Open, tmp_path: Path) -> None:
    size = {"width": 390, "height": 844}
    page = shown(getattr(make, name)(), open_page, tmp_path, viewport=size)
    for key in ("name", "share", "flops"):
        box = page.locator(f"#modules thead th[data-key={key}]").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_name_is_never_cut_into_another(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.stack(60), open_page, tmp_path)
    page.get_by_label("Fold equal layers").uncheck()
    shows = page.locator("#chart [data-path^='encoder.layers.']").evaluate_all(
        "all => all.map((one) => [one.dataset.path, one.querySelector('text')?.textContent ?? ''])"
    )
    layers = {path.rpartition(".")[2]: text for path, text in shows if path.count(".") == 2}
    assert len(layers) == 60
    assert all(text in ("", name) for name, text in layers.items())


def test_memory_and_where_its_peak_was(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    expect(page.locator("#modules tr", has_text="peak").locator("th")).to_have_attribute(
        "title", "features.0"
    )
    page.locator("#totals").get_by_role("button", name="features.0").click()
    expect(page.locator("#trail button[aria-current]")).to_have_text("0")
    page.select_option("#metric", "memory_saved")
    expect(page.locator("#chosen")).to_contain_text("Memory: saved 2.05 kB")


def test_calls_by_the_shapes_of_their_inputs(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.routed(), open_page, tmp_path)
    page.locator("button[title='left']").click()
    expect(page.locator("#calls tbody tr")).to_contain_text(["(1, 4)348"])  # 3 calls, 48 FLOPs


def test_speed_of_operators_where_time_was_measured(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    expect(page.locator("#roofline svg circle")).to_have_count(
        5
    )  # those with FLOPs, bytes and time
    expect(page.locator("#modules thead")).to_contain_text("FLOP/s")
    expect(shown(make.cnn(), open_page, tmp_path).locator("#roofline")).to_be_hidden()


def test_keys_go_from_dot_to_dot_and_light_its_operator(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    dots = page.get_by_role("listbox").get_by_role("option")
    expect(dots).to_have_count(5)
    expect(page.locator("#roofline [tabindex='0']")).to_have_count(1)  # one stop of the tab key
    dots.first.focus()
    for key, place in [
        ("ArrowRight", 1),
        ("ArrowDown", 2),
        ("ArrowLeft", 1),
        ("End", 4),
        ("ArrowRight", 4),
    ]:
        page.keyboard.press(key)
        expect(dots.nth(place)).to_be_focused()
    name = str(dots.nth(4).get_attribute("aria-label")).split(":")[0]
    expect(page.locator("#operators tr.marked")).to_have_count(1)
    expect(page.locator("#operators tr.marked")).to_contain_text(name)
    page.keyboard.press("Home")
    expect(dots.first).to_have_attribute("aria-selected", "true")
    page.get_by_label("Search modules").focus()
    expect(page.locator("#operators tr.marked")).to_have_count(0)


def test_tables_that_follow_no_phase_say_so(open_page: Open, tmp_path: Path) -> None:
    page = shown(make.training(), open_page, tmp_path)
    expect(page.locator("#calls-title")).to_have_text("Calls in the whole block")
    page = shown(make.cnn(), open_page, tmp_path)
    expect(page.locator("#calls-title")).to_have_text("Calls")


def test_figures_that_are_all_unknown_say_what_to_do(open_page: Open, tmp_path: Path) -> None:
    report = make.troubled()
    unknown = tuple(entry for entry in report.entries if entry.status != "counted")
    page = shown(replace(report, entries=unknown), open_page, tmp_path)
    expect(page.locator("#empty")).to_contain_text("no operator that ran could be counted")
    expect(page.locator("#empty")).to_contain_text("dispatchcount.register")


def test_one_module_is_enough(open_page: Open, tmp_path: Path) -> None:
    report = make.cnn()
    alone = Report(
        report.meta,
        "fvcore",
        report.modules[:2],
        report.paths[:2],
        (make.entry(1, "aten.mm", make.cost(64, 0, 8, 100, 32)),),
    )
    page = shown(alone, open_page, tmp_path)
    assert tiles(page) == ["(root)", "(root): aten.mm"]
    expect(page.locator("#modules [role=status]")).to_have_text(re.compile("^1 module$"))


def test_the_roofline_of_a_device(open_page: Open, tmp_path: Path) -> None:
    device = Device(peak={"float32": 1e9}, bandwidth=1e8, name="slow")
    make.cnn().to_html(tmp_path / "page.html", device=device)
    page = open_page(tmp_path / "page.html")
    expect(page.locator("#roof")).to_contain_text("Roofline on slow")
    expect(page.locator("#roof polyline.roof")).to_have_count(1)
    expect(page.locator("#roof circle")).not_to_have_count(0)
    expect(page.locator("#roof text.label").first).to_have_text("native_batch_norm")
