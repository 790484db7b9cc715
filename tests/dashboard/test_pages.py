import json
from pathlib import Path

import pytest

from dispatchcount.cli import main
from dispatchcount.dashboard.collect import page_name
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
    assert (
        capsys.readouterr().out
        == f"{site / 'index.html'}: 3 reports in 2 series, 0 files left out\n"
    )
    pages = [page_name(name) for name in ("one.json", "deeper/one.json", "routed.json")]
    assert sorted(
        path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()
    ) == sorted(["report.js", "index.html", *(f"reports/{page}" for page in pages)])
    assert all((site / "reports" / page).stat().st_size < 200_000 for page in pages)


def test_runs_are_in_order_under_one_convention(runs: Path, tmp_path: Path) -> None:
    make.cnn().with_convention("full").with_labels(model="net", commit="c3", input="8x8").to_json(
        runs / "three.json"
    )
    assert main(["dashboard", str(runs), "-o", str(tmp_path / "site"), "--convention", "macs"]) == 0
    found = data(tmp_path / "site")
    assert isinstance(found["runs"], list)
    assert [(run["model"], run["commit"], run["values"]["flops"]) for run in found["runs"]] == [
        ("Router", "", 48 + 1600),
        ("net", "b2", make.training().macs),
        ("net", "a1", make.cnn().macs),
        ("net", "c3", make.cnn().macs),
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


def test_the_model_is_the_label_or_the_class(tmp_path: Path) -> None:
    from dispatchcount.dashboard.collect import summarize

    report: Report = make.cnn()
    assert summarize(report, "a.json").model == "SmallNet"
    assert summarize(report.with_labels(model="mine"), "a.json").model == "mine"
    assert summarize(make.troubled(), "a.json").uncounted == (
        "mylib.[attn]",
        "mylib.broken",
        "aten.empty filled by nobody",
    )


def test_a_mode_of_its_own_is_a_series_of_its_own() -> None:
    from dispatchcount.dashboard.collect import summarize

    report: Report = make.cnn().with_labels(model="net", mode="eval")
    assert summarize(report, "a.json").model == "net"
    assert (
        summarize(report.with_labels(mode="train and backward"), "a.json").model
        == "net (train and backward)"
    )


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
