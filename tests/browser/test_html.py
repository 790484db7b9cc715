import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path as FilePath

import pytest
from hypothesis import given, settings
from playwright.sync_api import Locator, Page, expect

from dispatchcount.render.html import payload
from dispatchcount.render.html.page import to_html
from dispatchcount.report.rows import NO_MODULE, Module, Path
from dispatchcount.report_api import Report
from tests.browser.conftest import Open
from tests.render.test_page_data import totals
from tests.report import make

EVIL = (
    "</script><script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "<!--<script>",
    "{a|b}\u2028𝔘🔑'`${1}`",
    "x" * 500,
)


def shown(report: Report, open_page: Open, tmp_path: FilePath, **options: object) -> Page:
    path = tmp_path / "report.html"
    report.to_html(path)
    return open_page(path, **options)


def names(page: Page, table: str) -> list[str]:
    """What a table's rows are called in full."""
    heads = page.locator(f"#{table} tbody th")
    return [
        head.replace("\u2028", " ")
        for head in heads.evaluate_all("all => all.map((one) => one.title)")
    ]


def tile(page: Page, path: str) -> Locator:
    """The tile of the chart that stands for this module."""
    return page.locator(f"#chart [data-path='{path}']")


def tiles(page: Page, more: str = "") -> list[str]:
    """What the tiles of the chart stand for."""
    found: list[str] = page.locator(f"#chart [data-path]{more}").evaluate_all(
        "all => all.map((one) => one.dataset.path)"
    )
    return found


def evil() -> Report:
    report = make.stack(2)
    types = {i: Module(name, name, 1, name, (name + "!",)) for i, name in enumerate(EVIL, start=4)}
    modules = tuple(types.get(i, module) for i, module in enumerate(report.modules))
    entries = tuple(replace(e, op=EVIL[i % len(EVIL)]) for i, e in enumerate(report.entries))
    meta = replace(
        report.meta,
        model=EVIL[0],
        labels=((EVIL[1], EVIL[2]),),
        notes=EVIL,
        stopped_in=EVIL[0],
        error=EVIL[1],
    )
    issues = tuple(
        replace(issue, op=EVIL[0], shapes=EVIL, modules=EVIL, message=EVIL[1])
        for issue in make.troubled().issues
    )
    return replace(report, meta=meta, modules=modules, entries=entries, issues=issues)


@pytest.mark.parametrize("name", ["cnn", "training", "routed", "troubled", "huge"])
def test_the_page_of_any_report_opens(name: str, open_page: Open, tmp_path: FilePath) -> None:
    report = getattr(make, name)()
    page = shown(report, open_page, tmp_path)
    expect(page.locator("#chart svg")).to_be_visible()
    expect(page.locator("#words")).to_contain_text(report.flop_definition.unit)
    expect(page.locator("#totals .first")).to_contain_text(report.convention)
    expect(page.locator("#modules [role=status]")).to_contain_text(
        f"{len(report.by_module())} modules"
    )


@pytest.mark.parametrize(
    "modules", [(Module(NO_MODULE, ""),), (Module(NO_MODULE, ""), Module("", "Net"))]
)
def test_the_page_of_a_report_in_which_nothing_ran_opens(
    modules: tuple[Module, ...], open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(Report(make.META, "macs", modules, (Path(-1, 0),), ()), open_page, tmp_path)
    expect(page.locator("#empty")).to_contain_text(
        "Nothing ran: (root) has no FLOPs to draw."
    ) if len(modules) > 1 else expect(page.locator("#empty")).to_contain_text("Nothing ran")
    expect(page.locator("#operators")).to_contain_text("No operator ran here.")
    expect(page.locator("#chart-help")).to_be_hidden()


def test_a_page_whose_data_is_deflated_is_like_any_other(
    open_page: Open, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "MOST_PLAIN", 0)
    report = evil()
    page = shown(report, open_page, tmp_path)
    expect(page.locator("#chart svg")).to_be_visible()
    paths = [name.replace("\u2028", " ") or "(root)" for name in report.by_module()]
    assert names(page, "modules") == paths


def test_a_page_whose_data_is_damaged_says_so(
    open_page: Open, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "MOST_PLAIN", 0)
    path = tmp_path / "report.html"
    whole = make.cnn().to_html()
    path.write_text(re.sub(r'(id="data">.{40}).*?<', r"\1<", whole), encoding="utf-8")
    expect(open_page(path).get_by_role("alert")).to_contain_text("The file is damaged")


def test_a_click_zooms_in_and_the_trail_leads_back(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    assert names(page, "modules") == [
        "(root)",
        "features",
        "features.0",
        "features.1",
        "features.2",
        "head",
        "aux",
    ]
    tile(page, "features").click()
    expect(page.locator("#trail")).to_have_text("(root)›features")
    assert names(page, "modules") == ["features", "features.0", "features.1", "features.2"]
    assert names(page, "operators") == ["aten.convolution", "aten.native_batch_norm", "aten.relu_"]
    tile(page, "features.0").click()
    expect(page.locator("#chosen")).to_have_text(
        "Conv2d(3, 8, kernel_size=(3, 3), padding=(1, 1)) 13.8 k FLOPs, 92.6 % of the whole. Called 1 time."
    )
    assert names(page, "operators") == ["aten.convolution"]
    page.go_back()
    expect(page.locator("#trail")).to_have_text("(root)›features")
    page.click("#trail button >> nth=0")
    expect(page.locator("#trail")).to_have_text("(root)")
    assert len(names(page, "modules")) == 7


def test_the_chart_goes_by_the_keyboard_and_speaks(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.focus("#chart")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_have_text("features, Sequential, 14.8 k FLOPs, 99.5 %")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#spoken")).to_have_text("head, Linear, 80 FLOPs, 0.5 %")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#trail")).to_have_text("(root)›features›0")
    page.keyboard.press("Escape")
    expect(page.locator("#trail")).to_have_text("(root)›features")
    page.keyboard.press("Home")
    expect(page.locator("#trail")).to_have_text("(root)")


def test_a_link_leads_to_a_module(open_page: Open, tmp_path: FilePath) -> None:
    make.cnn().to_html(tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", "#features.1")
    expect(page.locator("#trail")).to_have_text("(root)›features›1")


def test_the_tables_sort_three_ways(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    params = page.locator("#modules thead th", has_text="Params")
    params.locator("button").click()
    expect(params).to_have_attribute("aria-sort", "descending")
    # 348 = 240 + 90 + 18: features.0 has 216 + 8, features.1 8 + 8
    assert names(page, "modules") == [
        "(root)",
        "features",
        "features.0",
        "head",
        "aux",
        "features.1",
        "features.2",
    ]
    params.locator("button").click()
    expect(params).to_have_attribute("aria-sort", "ascending")
    assert names(page, "modules")[0] == "features.2"
    params.locator("button").click()
    expect(params).to_have_attribute("aria-sort", "none")
    assert names(page, "modules")[1] == "features"
    page.locator("#operators thead button", has_text="Operator").click()
    assert names(page, "operators") == sorted(make.cnn().by_operator())


def test_the_tables_search_names_and_types(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.cnn(), open_page, tmp_path)
    page.get_by_label("Search modules").fill("LINEAR")
    assert names(page, "modules") == ["head", "aux"]
    expect(page.locator("#modules [role=status]")).to_have_text("2 of 7 modules")
    assert tiles(page, ".hit") == ["head"]  # aux has no area
    page.get_by_label("Search modules").fill("nothing like it")
    expect(page.locator("#modules tbody")).to_contain_text("No module matches.")
    expect(page.locator("#chart .tile.hit")).to_have_count(0)
    page.get_by_label("Search operators").fill("zero")
    assert names(page, "operators") == ["aten.t"]


def test_area_goes_by_any_figure_and_shares_follow(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.training(), open_page, tmp_path)
    options = page.locator("#metric option").all_inner_texts()
    kinds = ["parameters", "gradients", "optimizer", "saved"]
    assert options == [
        *("FLOPs", "MACs", "Activations", "Params", "Bytes", "Arithmetic", "Time"),
        *(f"Memory: {kind}" for kind in kinds),
    ]
    page.select_option("#metric", "params")
    row = page.locator("#modules tbody tr", has=page.locator("th[title='features.0']"))
    expect(row).to_contain_text("64.4 %")  # 224 of 348
    expect(page.locator("#modules thead")).to_contain_text("of Params")
    page.select_option("#colour", "type")
    expect(page.locator("#legend")).to_contain_text("Conv2d64.4 %")
    # Parameters are modules': operators keep the share of FLOPs.
    expect(page.locator("#operators thead")).to_contain_text("of FLOPs")


def test_integers_beyond_what_javascript_holds_are_exact(
    open_page: Open, tmp_path: FilePath
) -> None:
    page = shown(make.huge(), open_page, tmp_path)
    page.get_by_label("Exact numbers").check()
    flops = 14928 * 10**25  # 512·27 + 1024 + 80 = 14928, see make.cnn()
    expect(page.locator("#modules tbody tr >> nth=0")).to_contain_text(f"{flops:,}")
    expect(page.locator("#operators tbody tr >> nth=0")).to_contain_text(f"{512 * 27 * 10**25:,}")


def test_what_could_not_be_counted_stands_on_top(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.troubled(), open_page, tmp_path)
    issues = page.locator("#issues")
    expect(issues).to_contain_text("3 operators could not be counted")
    for text in (
        "mylib.[attn]",
        "mylib.broken",
        "aten.empty filled by nobody",
        "no rule and no decomposition",
        "RuntimeError: boom",
    ):
        expect(issues).to_contain_text(text)
    assert page.evaluate("document.querySelector('main').firstElementChild.id") == "issues"
    expect(page.locator("#totals .first b")).to_have_text(
        "≥ 12.0 k"
    )  # 2·(1000 + 5000) by the convention torch
    expect(shown(make.cnn(), open_page, tmp_path).locator("#issues")).to_be_hidden()


def test_samples_and_phases_have_their_distributions(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.routed(), open_page, tmp_path)
    samples = page.locator("#samples")
    expect(samples.locator(".figures")).to_contain_text("samples4")
    expect(samples.locator(".figures")).to_contain_text("max1.62 k")
    samples.locator("thead button", has_text="FLOPs").click()
    expect(samples.locator("tbody tr >> nth=0")).to_contain_text("image-2")
    page.get_by_role("button", name=re.compile("1.62 k FLOPs: 1 sample")).click()
    assert names(page, "samples") == ["image-2"]
    samples.get_by_role("button", name="image-2").click()
    expect(page.locator("#chosen")).to_contain_text("1.62 k FLOPs, 100.0 % of the whole")
    assert tiles(page) == ["(root)", "right", "norm"]
    page.select_option("#run", "0")
    samples.get_by_role("button", name="All samples").click()
    assert len(names(page, "samples")) == 4
    expect(page.locator("#modules tbody tr", has_text="right")).to_contain_text(
        "25.0 %"
    )  # ran in 1 of 4
    phases = shown(make.training(), open_page, tmp_path).locator("#groups")
    expect(phases.locator("tbody tr")).to_have_text(
        [re.compile("^forward"), re.compile("^backward"), re.compile("^optimizer")]
    )


def test_hostile_names_are_text(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(evil(), open_page, tmp_path)
    assert page.title() == f"{EVIL[0]} · dispatchcount"
    expect(page.locator("#title")).to_have_text(EVIL[0])
    assert set(EVIL) <= set(
        page.locator("#modules tbody button").evaluate_all("all => all.map((one) => one.title)")
    )
    for name in EVIL:
        page.locator("#modules tbody button").evaluate_all(
            "(all, name) => all.find((one) => one.title === name).click()", name
        )
        expect(page.locator("#trail button[aria-current]")).to_have_attribute("title", name)
        page.keyboard.press("Tab")
        page.evaluate("location.hash = ''")
    page.focus("#chart")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("window.pwned") is None


def test_five_thousand_modules_render_only_what_is_in_sight(
    open_page: Open, tmp_path: FilePath
) -> None:
    report = make.stack(1250)  # 3 + 1250·(1 + 3) = 5003 rows
    page = shown(report, open_page, tmp_path)
    expect(page.locator("#modules [role=status]")).to_have_text("5,003 modules")
    assert page.locator("#modules tbody tr").count() == 6
    page.get_by_label("Fold equal layers").uncheck()
    page.get_by_role("button", name="Expand", exact=True).click()
    assert page.locator("#modules tbody tr").count() < 100
    assert page.locator("#modules table").get_attribute("aria-rowcount") == "5004"
    page.locator("#modules .table-box").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    page.locator("#modules button[title='encoder.layers.1249.part2']").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(":focus")).to_have_attribute("title", "encoder.layers.1249.part1")
    for _ in range(40):
        page.keyboard.press("ArrowUp")
    expect(page.locator(":focus")).to_have_attribute("title", "encoder.layers.1239.part1")
    assert page.locator("#modules tbody tr").count() < 100


def test_light_and_dark_follow_the_system_until_chosen(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.cnn(), open_page, tmp_path, color_scheme="dark")
    theme = page.locator("html")
    expect(theme).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(theme).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Switch to the dark theme").click()
    expect(theme).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(theme).to_have_attribute("data-theme", "dark")


def test_a_narrow_screen_does_not_scroll_sideways(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(evil(), open_page, tmp_path, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_control_has_a_name(open_page: Open, tmp_path: FilePath) -> None:
    page = shown(make.routed(), open_page, tmp_path)
    for role in (
        "button",
        "combobox",
        "searchbox",
        "checkbox",
        "table",
        "region",
        "application",
        "img",
    ):
        assert (
            page.get_by_role(role).count() == page.get_by_role(role, name=re.compile(".")).count()
        ), role


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.tags.append(dict(attrs).get("type") or "")
            self.texts.append("")

    def handle_data(self, text: str) -> None:
        if self.cdata_elem == "script":
            self.texts[-1] += text


@settings(max_examples=20, deadline=None)
@given(make.reports())
def test_no_report_breaks_out_of_its_data(report: Report) -> None:
    page = to_html(report)
    page.encode()
    parser = _Scripts()
    parser.feed(page)
    assert parser.tags == ["application/json", ""]
    data = json.loads(parser.texts[0])
    assert len(data["rows"]["name"]) == len(report.by_module())
    assert totals(data, data["runs"][0], "flops") == [
        row.flops for row in report.by_module().values()
    ]


def test_the_page_is_one_file_and_forbids_all_others(tmp_path: FilePath) -> None:
    page = to_html(make.cnn(), tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == page
    assert not re.search(
        r'(src|href)="(?!data:|#)', re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    )
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page
    assert list(tmp_path.iterdir()) == [tmp_path / "a.html"]
