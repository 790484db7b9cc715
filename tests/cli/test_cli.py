import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatchcount.cli import COMMANDS, main
from dispatchcount.render.hints import in_shell
from dispatchcount.report_api import Report
from tests.report import make

Files = dict[str, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Saved reports, and files that are none."""
    good = {name: getattr(make, name)().to_json() for name in ("cnn", "training", "troubled")}
    newer = json.loads(good["cnn"]) | {"version": 99}
    wrong = json.loads(good["cnn"]) | {"modules": 3}
    bad = {
        "cut": good["cnn"][:200],
        "newer": json.dumps(newer).encode(),
        "text": b"hello",
        "empty": b"",
        "deep": b"[" * 100_000,
        "other": b'{"a": 1}',
        "wrong": json.dumps(wrong).encode(),
    }
    found = {}
    for name, data in {**good, **bad}.items():
        found[name] = tmp_path / f"{name}.json"
        found[name].write_bytes(data)
    return found


BAD = ("cut", "newer", "text", "empty", "deep", "other", "wrong", "missing")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "command",
    [
        lambda bad, good, out: ["show", bad, "-o", out],
        lambda bad, good, out: ["html", bad, "-o", out],
        lambda bad, good, out: ["diff", good, bad, "-o", out],
        lambda bad, good, out: ["diff", bad, good, "-o", out],
        lambda bad, good, out: ["check", bad, "--max", "flops=1"],
        lambda bad, good, out: ["check", good, "--baseline", bad, "--fail-over", "flops=1%"],
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_overwritten(
    name: str,
    command: Callable[..., list[str]],
    files: Files,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.write_text("as before")
    bad = str(files.get(name, tmp_path / "missing.json"))
    assert main(command(bad, str(files["cnn"]), str(out))) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("dispatchcount: ")
    assert bad in shown.err
    assert out.read_text() == "as before"


def test_traceback_shows_where_an_error_came_from(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["--traceback", "show", str(files["cut"])],
        ["show", str(files["cut"]), "--traceback"],
    ):
        assert main(arguments) == 2
        assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_the_environment_may_ask_for_colour_in_a_pipe(
    environment: dict[str, str],
    coloured: bool,
    files: Files,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert main(["show", str(files["training"])]) == 0
    plain = capsys.readouterr().out
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["show", str(files["training"])]) == 0
    text = capsys.readouterr().out
    assert ("\x1b[" in text) == coloured
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")
    assert [line.rstrip() for line in lines] == plain.split("\n")


def test_the_biggest_of_every_depth_are_a_list(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(files["training"]), "--flat", "--top", "2"]) == 0
    lines = capsys.readouterr().out.split("\n")
    # forward 512 · 27 and backward 2 · 512 · 27 MACs of the convolution, then batch norm
    assert [text.split()[0] for text in lines[2:4]] == ["features.0", "features.1"]
    assert lines[5].startswith("hidden") and lines[5].endswith("--top all shows all")  # noqa: PT018


def test_the_list_above_the_tree_is_as_long_as_asked_for(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    for top, lines in (("0", 0), ("1", 2), ("all", 3 + 5)):
        assert main(["show", str(files["training"]), "--top", top, "--unfold"]) == 0
        above = capsys.readouterr().out.partition("\nmodule ")[0]
        if lines:
            assert len(above.strip().split("\n")) == 1 + lines, above
        else:
            assert above.startswith("module ")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("table", lambda report: f"{report.overview()}\n"),
        ("tree", lambda report: f"{report.tree()}\n"),
        ("operators", lambda report: f"{report.operators()}\n"),
        ("arch", lambda report: f"{report.arch()}\n"),
        ("csv", lambda report: report.to_csv()),
        ("markdown", lambda report: report.to_markdown()),
        ("openmetrics", lambda report: report.to_openmetrics()),
        ("json", lambda report: report.to_json().decode()),
        ("jsonl", lambda report: report.to_jsonl().decode()),
        ("chrome", lambda report: report.to_chrome_trace().decode()),
        ("speedscope", lambda report: report.to_speedscope().decode()),
    ],
)
def test_show_has_every_form(
    form: str,
    expected: Callable[[Report], str],
    files: Files,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    text = expected(make.training())
    assert main(["show", str(files["training"]), "--format", form]) == 0
    assert capsysbinary.readouterr().out.decode().rstrip("\n") == text.rstrip("\n")
    assert (
        main(["show", str(files["training"]), "--format", form, "-o", str(tmp_path / "out")]) == 0
    )
    assert (tmp_path / "out").read_text(encoding="utf-8") == text
    assert capsysbinary.readouterr().out == b""


def test_show_takes_the_options_of_its_form(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(files["training"])
    arguments = [
        "--depth",
        "1",
        "--columns",
        "type,macs",
        "--sort",
        "macs",
        "--min-share",
        "1%",
        "--exact",
        "--convention",
        "full",
    ]
    assert main(["show", file, *arguments]) == 0
    report = make.training().with_convention("full")
    with in_shell():
        expected = report.overview(
            depth=1, columns=["type", "macs"], sort="macs", min_share=0.01, exact=True
        )
    assert capsys.readouterr().out == f"{expected}\n"
    assert main(["show", file, "--format", "operators", "--top", "2", "--sort", "calls"]) == 0
    with in_shell():
        operators = make.training().operators(top=2, sort="calls")
    assert capsys.readouterr().out == f"{operators}\n"
    assert main(["show", file, "--format", "chrome", "--metric", "bytes"]) == 0
    assert capsys.readouterr().out == make.training().to_chrome_trace(metric="bytes").decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "FILE", "--columns", "flop"], "column 'flop' is not known"),
        (["show", "FILE", "--format", "csv", "--exact"], "--exact does not apply to --format csv"),
        (
            ["show", "FILE", "--format", "chrome", "--metric", "params"],
            "metric 'params' cannot be the width",
        ),
        (["show", "FILE", "--depth", "-1"], "'-1' is no depth"),
        (["show", "FILE", "--min-share", "2"], "'2' is no share"),
        (["show", "FILE", "--format", "xml"], "invalid choice: 'xml'"),
        (["show", "FILE", "--convention", "mine"], "invalid choice: 'mine'"),
        (["check", "FILE"], "there is nothing to check"),
        (["check", "FILE", "--max", "flops"], "'flops' is not a limit"),
        (["check", "FILE", "--baseline", "FILE"], "--baseline and --fail-over go together"),
        (["diff", "FILE", "FILE", "--fail-over", "x=1"], "'x' cannot be limited"),
        (["html", "FILE", "-o", "FILE"], "would overwrite"),
        (["html", "-"], "say where to write the page"),
        (["dashboard", "FILE", "-o", "x"], "there is no folder"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_use_exits_2_and_says_what_is_right(
    arguments: list[str], said: str, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(files["cnn"]) if part == "FILE" else part for part in arguments]) == 2
    assert said in capsys.readouterr().err


def test_html_writes_the_page_beside_the_report(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["html", str(files["cnn"])]) == 0
    page = files["cnn"].with_suffix(".html")
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8") == make.cnn().to_html()


def test_a_report_comes_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(make.cnn().to_json())))
    assert main(["show", "-"]) == 0
    assert capsys.readouterr().out == f"{make.cnn()}\n"


def test_diff_fails_over_its_limits(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = str(files["cnn"]), str(files["training"])
    assert main(["diff", old, new]) == 0
    assert capsys.readouterr().out == f"{make.cnn().diff(make.training())}\n"
    assert main(["diff", old, new, "--fail-over", "flops=1%,params=0", "--markdown"]) == 1
    shown = capsys.readouterr()
    assert shown.out == make.cnn().diff(make.training()).to_markdown()
    assert (
        shown.err
        == "dispatchcount: flops grew from 14,928 to 42,736, by 27,808 (+186.28%); 1% is allowed\n"
    )
    assert (
        main(["diff", new, old, "--fail-over", "flops=1%", "-o", str(tmp_path / "diff.txt")]) == 0
    )
    assert (tmp_path / "diff.txt").read_text(encoding="utf-8").startswith("Changed:")


def test_diff_writes_a_page_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, page = (str(tmp_path / name) for name in ("old.json", "new.json", "diff.html"))
    make.cnn().to_json(old)
    make.training().to_json(new)
    diff = make.cnn().diff(make.training())
    assert main(["diff", old, new, "--html", page]) == 0
    assert capsys.readouterr().out == f"{diff}\n"
    assert Path(page).read_text(encoding="utf-8") == diff.to_html()
    assert main(["diff", old, new, "--html", "-"]) == 2
    assert "give --html the name of a file" in capsys.readouterr().err
    assert main(["diff", old, new, "--html", page, "-o", page]) == 2


def test_the_markdown_of_a_diff_links_the_page_written_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, page = (str(tmp_path / name) for name in ("old.json", "new.json", "diff.html"))
    make.cnn().to_json(old)
    make.training().to_json(new)
    diff = make.cnn().diff(make.training())
    linked = ["diff", old, new, "--html", page, "--page", "https://ci.example/diff.html"]
    assert main([*linked, "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "[Both reports beside each other](<https://ci.example/diff.html>)" in shown
    assert shown == diff.to_markdown(page="https://ci.example/diff.html")
    assert Path(page).read_text(encoding="utf-8") == diff.to_html()
    assert main(linked) == 2
    assert "give --markdown with it" in capsys.readouterr().err


def test_check_holds_a_budget_and_a_baseline(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = str(files["cnn"]), str(files["training"])
    assert main(["check", new, "--max", "flops=42736,params=348,unknown_ops=0"]) == 0
    assert (
        capsys.readouterr().out
        == "within its limits: flops 42736, params 348, unknown_ops 0 (fvcore convention)\n"
    )
    assert (
        main(
            [
                "check",
                new,
                "--max",
                "flops=42K",
                "--baseline",
                old,
                "--fail-over",
                "flops=1%,params=0",
            ]
        )
        == 1
    )
    assert capsys.readouterr().err.splitlines() == [
        "dispatchcount: flops is 42,736, over the budget of 42K by 736",
        "dispatchcount: flops grew from 14,928 to 42,736, by 27,808 (+186.28%); 1% is allowed",
    ]
    assert main(["check", str(files["troubled"]), "--max", "unknown_ops=0"]) == 1


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {name} " in shown for name in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dispatchcount 0.")


def run(arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload,no-any-return]


def test_looking_at_reports_never_imports_torch(files: Files, tmp_path: Path) -> None:
    old, new, site = str(files["cnn"]), str(files["training"]), str(tmp_path / "site")
    commands = [
        ["show", old],
        ["show", old, "--format", "chrome"],
        ["html", old],
        ["diff", old, new],
        ["check", old, "--max", "flops=1G"],
        ["dashboard", str(tmp_path), "-o", site],
    ]
    code = f"import sys; from dispatchcount.cli import main; assert not any(map(main, {commands!r})); assert 'torch' not in sys.modules"
    done = run(["-c", code])
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error(files: Files) -> None:
    make.stack(2000).to_json(files["cnn"])
    shell = f"{sys.executable} -m dispatchcount show {files['cnn']} --format csv --traceback | head -n 1; exit ${{PIPESTATUS[0]}}"
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"
    }  # it hides the broken pipe
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 141
    assert done.stdout.startswith("name,type")
    assert done.stderr == ""


def test_a_console_without_unicode_still_gets_everything(files: Files) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run(["-m", "dispatchcount", "show", str(files["troubled"])], env=environment)
    assert done.returncode == 0
    assert "\\u043a\\u043b\\u044e\\u0447" in done.stdout


def test_an_interrupt_exits_130(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Report, *_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Report, "to_csv", interrupted)
    assert main(["show", str(files["cnn"]), "--format", "csv"]) == 130


@pytest.mark.parametrize("target", ["/no/such/folder/x.html", "."])
def test_what_cannot_be_written_is_said(
    target: str, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["html", str(files["cnn"]), "-o", target]) == 2
    assert capsys.readouterr().err.startswith(f"dispatchcount: {target}: cannot write the file: ")


def test_options_that_need_another(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(files["training"])
    wrong = {
        (
            "diff",
            file,
            file,
            "--page",
            "page.html",
        ): "--page is a link in Markdown; give --markdown",
        ("check", file, "--law", file, "--max", "flops=1"): "--max and --baseline are for reports",
        (
            "profile",
            "a:b",
            "c:d",
            "-o",
            "x.md",
            "-o",
            "y.md",
        ): "several targets are one table; give",
    }
    for arguments, said in wrong.items():
        assert main(list(arguments)) == 2
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.out == ""
