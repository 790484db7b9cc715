"""What readers do and hand over that pages are not made for: odd names, dead links, reports of nothing."""

import re
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from playwright.sync_api import Page, expect

from dispatchcount.render.html import runs
from dispatchcount.render.html.page import diff_to_html, to_html
from dispatchcount.report.rows import NO_MODULE, Module, Path
from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.report import make

HIDDEN = "\u202eevil\u202c"
"""Shown as it is, it would read "live"."""


def shown(
    report: Report, open_page: Open, tmp_path: FilePath, fragment: str = "", **options: object
) -> Page:
    path = tmp_path / "report.html"
    to_html(report, path)
    return open_page(path, fragment, **options)


def named(*names: str) -> Report:
    """Modules of these names below a root, each with work of its own."""
    modules = [Module(NO_MODULE, ""), Module("", "Net")]
    paths = [Path(-1, 0), Path(0, 1, "(1, 4)", 1)]
    entries = []
    for place, name in enumerate(names):
        modules.append(Module(name, name, 1))
        paths.append(Path(1, len(modules) - 1, name, 1))
        entries.append(make.entry(len(paths) - 1, name, make.cost(10 + place)))
    return Report(
        replace(make.META, model=names[0]), "macs", tuple(modules), tuple(paths), tuple(entries)
    )


@pytest.mark.parametrize("kind", ["report", "diff"])
def test_nothing_in_a_name_is_hidden_or_turns_other_text_around(
    kind: str, open_page: Open, tmp_path: FilePath
) -> None:
    report = named(HIDDEN, "  ", "a\x00b", "x" * 500, "שלום")
    if kind == "report":
        page = shown(report, open_page, tmp_path)
    else:
        diff_to_html(report.diff(report), tmp_path / "diff.html")
        page = open_page(tmp_path / "diff.html")
        page.get_by_label("Which modules").select_option("all")
    expect(page.locator("#title")).to_contain_text("\\u202eevil\\u202c")
    assert "\u202e" not in page.evaluate("document.body.innerText")
    rows = page.locator("#modules tbody .last").all_text_contents()
    assert {"\\u202eevil\\u202c", "␣␣", "a\\x00b", "שלום"} <= set(rows)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#gone.module", "module “gone.module”"),
        ("#__proto__", "module “__proto__”"),
        ("#&run=99&metric=nope", "figure “nope”, run 99"),
        ("#&type=Nope&status=nope&depth=77", "class “Nope”, status “nope”, depth 77"),
        ("#%E0%A4%A", "a view that can be read"),
    ],
)
def test_a_link_to_what_is_gone_says_so_and_shows_the_rest(
    fragment: str, said: str, open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(make.cnn(), open_page, tmp_path, fragment)
    expect(page.locator("#gone")).to_contain_text(said)
    expect(page.locator("#modules [role=status]")).to_have_text("7 modules")
    expect(page.locator("#chart [data-path='features']")).to_have_count(1)
    for select in page.locator("#modules select").all():
        expect(select).to_have_value("")
    # The next step leads to what is there.
    page.locator("#modules button[title='features']").press("Enter")
    expect(page.locator("#gone")).to_be_hidden()


@pytest.mark.parametrize("fragment", ["", "#features", "#&sort=-flops&view=treemap"])
def test_a_link_to_what_is_there_says_nothing(
    fragment: str, open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(make.cnn(), open_page, tmp_path, fragment)
    expect(page.locator("#modules tbody tr").first).to_be_visible()
    expect(page.locator("#gone")).to_be_hidden()


def test_a_dead_link_into_a_diff(open_page: Open, tmp_path: FilePath) -> None:
    diff_to_html(make.cnn().diff(make.training()), tmp_path / "diff.html")
    page = open_page(tmp_path / "diff.html", "#gone&type=nope")
    expect(page.locator("#gone")).to_contain_text("module “gone”, modules that are “nope”")
    expect(page.locator("#modules tbody tr[data-place]").first).to_be_visible()


def test_modules_that_ran_no_operator_were_called(open_page: Open, tmp_path: FilePath) -> None:
    modules = (Module(NO_MODULE, ""), Module("", "Identity"))
    report = Report(make.META, "macs", modules, (Path(-1, 0), Path(0, 1, "(1, 3)", 1)), ())
    page = shown(report, open_page, tmp_path)
    expect(page.locator("#empty")).to_contain_text("no operator ran in them")


def test_the_totals_are_those_of_the_run(open_page: Open, tmp_path: FilePath) -> None:
    report = make.training()
    page = shown(report, open_page, tmp_path)
    expect(page.locator("#totals .first b")).to_have_text("42.7 k")
    page.select_option("#run", label="backward")
    flops = report.by_phase()["backward"].flops
    expect(page.locator("#totals .first")).to_contain_text("FLOPs of backward")
    expect(page.locator("#totals .first")).to_have_attribute(
        "title", re.compile(f"^{flops:,}: Floating")
    )


def test_samples_without_rows_are_told(
    open_page: Open, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = make.routed()
    most = max(len(profile) for profile in report.profiles)
    monkeypatch.setattr(runs, "MOST_SAMPLE_ROWS", most)
    page = shown(report, open_page, tmp_path)
    left = page.locator("#samples-left-out")
    expect(left).to_contain_text("of the 4 samples")
    expect(left).to_contain_text("FLOPs alone")
    expect(page.locator("#samples tbody tr[data-place]")).to_have_count(4)
    # All of them fit: nothing is said.
    monkeypatch.undo()
    expect(shown(report, open_page, tmp_path).locator("#samples-left-out")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 640, 1280])
def test_what_an_empty_table_says_is_in_sight(
    width: int, open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(
        make.routed(), open_page, tmp_path, "#&run=1", viewport={"width": width, "height": 800}
    )
    note = page.locator("#operators .note p")
    expect(note).to_contain_text("is not recorded")
    box, table = note.bounding_box(), page.locator("#operators .table-box").bounding_box()
    assert box
    assert table
    assert table["x"] <= box["x"]
    assert box["x"] + box["width"] <= table["x"] + table["width"] + 1


def test_the_keyboard_reaches_every_part_and_leaves_it_again(
    open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(make.routed(), open_page, tmp_path)
    seen: list[str] = []
    for _ in range(200):
        page.keyboard.press("Tab")
        section = page.evaluate(
            "document.activeElement === document.body ? null :"
            " (document.activeElement.closest('[id]') ?? document.body).id"
        )
        if section is None:
            break
        seen.append(section)
    else:
        pytest.fail(f"the focus never leaves {seen[-1]}")
    assert {"skip", "theme", "metric", "export", "trail", "chart", "modules", "samples"} <= set(
        seen
    )
    assert {"operators", "calls"} <= set(seen)
