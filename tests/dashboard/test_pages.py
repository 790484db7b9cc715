import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatchcount.cli import main
from dispatchcount.dashboard.collect import page_name, summarize
from dispatchcount.dashboard.site import build
from dispatchcount.report_api import Report
from tests.report import make


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    (folder / "deeper").mkdir(parents=True)
    make.cnn().with_labels(model="net", commit="a1", input="8x8").to_json(folder / "one.json")
    make.training().with_labels(model="net", commit="b2", input="8x8").to_json(
        folder / "deeper" / "one.json"
    )
    make.routed().to_json(folder / "routed.json")
    return folder


def data(site: Path) -> dict[str, object]:
    page = (site / "index.html").read_text(encoding="utf-8")
    start = page.index(">", page.index('id="data"')) + 1
    loaded: dict[str, object] = json.loads(page[start : page.index("</script>", start)])
    return loaded


def test_a_site_has_an_index_a_page_for_each_report_and_its_script_once(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "out" / "site"
    assert main(["dashboard", str(runs), "-o", str(site)]) == 0
    shown = capsys.readouterr()
    # A page for each of three reports, and one for the change from the first run of net to the second.
    assert (
        shown.out
        == f"{site / 'index.html'}: 3 reports in 2 series, 0 files left out, 4 pages written\n"
    )
    assert "1 report has no label model. Each is" in shown.err
    pages = [page_name(name) for name in ("one.json", "deeper/one.json", "routed.json")]
    change = page_name("deeper/one.json\0to\0one.json")
    assert sorted(
        path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()
    ) == sorted(
        [
            *("report.js", "diff.js", "index.html", "manifest", f"diffs/{change}"),
            *(f"reports/{page}" for page in pages),
        ]
    )
    assert all((site / "reports" / page).stat().st_size < 200_000 for page in pages)


def test_runs_are_in_order_under_one_convention(runs: Path, tmp_path: Path) -> None:
    make.cnn().with_convention("full").with_labels(model="net", commit="c3", input="8x8").to_json(
        runs / "three.json"
    )
    assert main(["dashboard", str(runs), "-o", str(tmp_path / "site"), "--convention", "macs"]) == 0
    found: Any = data(tmp_path / "site")["series"]
    assert [
        (one["name"], run["commit"], run["values"]["flops"]) for one in found for run in one["runs"]
    ] == [
        ("Router in routed.json", "", 48 + 1600),
        ("net, 8x8", "b2", make.training().macs),
        ("net, 8x8", "a1", make.cnn().macs),
        ("net, 8x8", "c3", make.cnn().macs),
    ]


def test_bad_files_are_listed_and_do_not_stop_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "cut.json").write_bytes(make.cnn().to_json()[:100])
    (runs / "other.json").write_text("[]")
    assert main(["dashboard", str(runs), "-o", str(tmp_path / "site")]) == 0
    shown = capsys.readouterr()
    assert "2 files left out" in shown.out
    assert "dispatchcount: left out cut.json: it is not JSON, or was cut off" in shown.err
    bad = data(tmp_path / "site")["bad"]
    assert isinstance(bad, list)
    assert [one["file"] for one in bad] == ["cut.json", "other.json"]
    assert str(tmp_path) not in json.dumps(bad)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no .json file in"),
        ({"a.json": "[]"}, "no file in"),
        (None, "there is no folder"),
    ],
)
def test_nothing_to_show_writes_nothing(
    files: dict[str, str] | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if files is not None:
        (tmp_path / "runs").mkdir()
        for name, text in files.items():
            (tmp_path / "runs" / name).write_text(text)
    assert main(["dashboard", str(tmp_path / "runs"), "-o", str(tmp_path / "site")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_a_file_is_no_place_for_a_site(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site").write_text("mine")
    assert main(["dashboard", str(runs), "-o", str(tmp_path / "site")]) == 2
    assert "is a file; give a folder for the pages with -o" in capsys.readouterr().err
    assert (tmp_path / "site").read_text() == "mine"


def test_pages_have_names_that_are_safe_everywhere() -> None:
    names = [
        "a.json",
        "b/a.json",
        "b_a.json",
        "../a.json",
        "</script>.json",
        "é.json",
        "x" * 300 + ".json",
        "a b.json",
    ]
    pages = [page_name(name) for name in names]
    assert len(set(pages)) == len(names)
    assert all(
        page.replace("-", "").replace(".", "").replace("_", "").isalnum() and len(page) < 120
        for page in pages
    )
    assert all(page.isascii() and not page.startswith(".") for page in pages)


def test_what_was_not_counted_is_kept() -> None:
    assert summarize(make.troubled(), "a.json").uncounted == (
        "mylib.[attn]",
        "mylib.broken",
        "aten.empty filled by nobody",
    )


def ages(site: Path) -> dict[str, int]:
    return {
        path.relative_to(site).as_posix(): path.stat().st_mtime_ns for path in site.rglob("*.html")
    }


def test_only_what_is_new_is_written_again(runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(runs, site, "fvcore").written == 3 + 1
    before = ages(site)
    assert build(runs, site, "fvcore").written == 0
    assert {name for name, age in ages(site).items() if age != before[name]} == {"index.html"}
    # Another run of net: its page, and the change that led to it.
    later = replace(make.cnn(), meta=replace(make.META, created=2**31))
    later.with_labels(model="net", commit="c3", input="8x8").to_json(runs / "three.json")
    assert build(runs, site, "fvcore").written == 2
    # A report with other contents under its name: its page, and the changes before and after it.
    make.routed().with_labels(model="net", commit="a1", input="8x8").to_json(runs / "one.json")
    assert build(runs, site, "fvcore").written == 1 + 2
    # Another convention makes all figures others: four reports, two changes.
    assert build(runs, site, "macs").written == 4 + 2


def test_pages_that_nothing_leads_to_are_removed(runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(runs, site, "fvcore")
    (site / "reports" / "mine.html").write_text("mine")
    (runs / "one.json").unlink()
    assert build(runs, site, "fvcore").written == 0
    assert set(ages(site)) == {
        "index.html",
        "reports/mine.html",
        f"reports/{page_name('deeper/one.json')}",
        f"reports/{page_name('routed.json')}",
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"maker": 1}', '{"maker": "%s", "runs": 3, "diffs": {}}']
)
def test_a_damaged_manifest_is_as_good_as_none(text: str, runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(runs, site, "fvcore")
    maker = json.loads((site / "manifest").read_text())["maker"]
    (site / "manifest").write_text(text.replace("%s", maker))
    assert build(runs, site, "fvcore").written == 3 + 1


def test_a_manifest_names_no_file_outside_of_the_site(runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(runs, site, "fvcore")
    (tmp_path / "precious.html").write_text("mine")
    whole = json.loads((site / "manifest").read_text())
    whole["diffs"]["../../precious.html"] = ["a", "b"]
    digest, run = whole["runs"]["routed.json"]
    whole["runs"]["../gone.json"] = [digest, {**run, "page": "../../precious.html"}]
    (site / "manifest").write_text(json.dumps(whole))
    build(runs, site, "fvcore")
    assert (tmp_path / "precious.html").read_text() == "mine"


def test_a_site_may_lie_in_the_folder_of_the_reports(runs: Path) -> None:
    assert build(runs, runs / "site", "fvcore").reports == 3
    again = build(runs, runs / "site", "fvcore")
    assert (again.reports, again.bad, again.written) == (3, [], 0)


def test_names_of_folders_that_are_none(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["", "-o", str(tmp_path / "site")],
        [str(runs), "-o", ""],
        [str(runs), "-o", "\0"],
    ):
        assert main(["dashboard", *arguments]) == 2
        assert "is no name of a folder" in capsys.readouterr().err


def test_names_of_files_are_safe_on_a_terminal(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "\x1b[31m\n.json").write_text("[]")
    assert main(["dashboard", str(runs), "-o", str(tmp_path / "\x1b[32m")]) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert r"left out \x1b[31m" in shown.err


def test_a_report_is_read_once_for_its_line_and_once_for_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    for day in range(6):  # two series whose files lie between each other
        report = make.cnn().with_labels(model=f"net{day % 2}", commit=f"c{day}")
        report.to_json(runs / f"{day}.json")
    read: list[str] = []
    from_json = Report.from_json

    def counted(source: Path) -> Report:
        read.append(source.name)
        return from_json(source)

    monkeypatch.setattr(Report, "from_json", staticmethod(counted))
    made = build(runs, tmp_path / "site", "fvcore")
    assert made.written == 6 + 2 * 2  # three runs of a series have two changes
    assert sorted(read) == sorted(2 * [f"{day}.json" for day in range(6)])
