"""``dispatchcount compare``, and ``profile`` of several targets: a row a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispatchcount.cli import main
from tests.report import make

NET = """
from torch import nn
def small(): return nn.Linear(4, 4)
def large(): return nn.Sequential(nn.Linear(4, 40), nn.Linear(40, 4))
"""
SMALL = (4 * 4 + 4, 2 * 4 * 4, 2 * 4)
LARGE = (4 * 40 + 40 + 40 * 4 + 4, 2 * (4 * 40 + 40 * 4), 2 * (40 + 4))
"""Parameters, MACs and activations for two rows of input."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    make.cnn().with_labels(model="cnn", input="1,3,8,8").to_json(tmp_path / "a.json")
    make.cnn().to_json(tmp_path / "b.json")
    make.training().to_json(tmp_path / "c.json")
    return tmp_path


def _rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def test_targets_run_and_are_rows_with_exact_figures(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["--columns", "params,macs,activations", "--format", "csv"]
    assert main(["compare", "net.py:small", "net.py:large", "--input", "2,4", *columns]) == 0
    assert _rows(capsys.readouterr().out) == [
        ["name", "params", "macs", "activations"],
        ["net.py:small", *map(str, SMALL)],
        ["net.py:large", *map(str, LARGE)],
    ]


def test_the_biggest_comes_first_where_it_is_asked_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["net.py:small", "net.py:large", "--input", "2,4", "--sort", "flops"]
    assert main(["profile", *arguments, "--exact"]) == 0
    header, _, first, second = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["model", "params"]
    assert first.split()[:3] == ["net.py:large", str(LARGE[0]), str(LARGE[1])]
    assert second.split()[:3] == ["net.py:small", str(SMALL[0]), str(SMALL[1])]


def test_reports_and_targets_are_mixed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a.json", "net.py:small", "--input", "2,4", "--format", "csv"]) == 0
    names = [row[0] for row in _rows(capsys.readouterr().out)]
    assert names == ["name", "cnn", "net.py:small"]


def test_reports_of_one_model_are_told_apart_by_their_files(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.cnn().with_labels(model="cnn").to_json("b.json")
    assert main(["compare", "a.json", "b.json", "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | params | flops (fvcore) | activations | bytes |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["cnn (a)", "cnn (b)"]


def test_all_rows_are_under_one_convention(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make.cnn().with_convention("torch").to_json("b.json")
    asked = ["--columns", "flops", "--format", "csv"]
    assert main(["compare", "a.json", "b.json", *asked]) == 0
    _, first, second = _rows(capsys.readouterr().out)
    assert first[1] == second[1] == str(make.cnn().flops)
    assert main(["compare", "a.json", "b.json", *asked, "--convention", "torch"]) == 0
    _, first, second = _rows(capsys.readouterr().out)
    assert first[1] == second[1] == str(2 * make.cnn().macs)


def test_latex_goes_to_a_file_and_memory_gets_a_column(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["net.py:small", "--input", "2,4", "--memory", "--format", "latex", "-o", "t.tex"]
    assert main(["compare", *arguments]) == 0
    assert capsys.readouterr().out == ""
    text = Path("t.tex").read_text()
    assert "\\toprule\nmodel & {params" in text
    assert "peak memory" in text


def test_a_configuration_is_a_target_and_not_a_report(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 32, "vocab_size": 100}
    small |= {"intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4}
    Path("config.json").write_text(json.dumps(small))
    asked = ["--columns", "macs", "--format", "csv", "--length", "8"]
    assert main(["compare", "config.json", *asked]) == 0
    weights = 4 * 32 * 32 + 3 * 32 * 64 + 32 * 100
    assert _rows(capsys.readouterr().out)[1] == ["config.json", str(8 * weights + 2 * 32 * 8 * 8)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "missing.json"], "missing.json"),
        (["compare", "a.json", "--columns", "price"], "column 'price' is not known"),
        (["compare", "a.json", "--sort", "price"], "sort 'price' is not known"),
        (["compare", "."], "is a folder; give one of its files, such as a.json"),
        (["compare", "net.py:small", "--input", "2,5"], "net.py:small: the model raised"),
        (["compare", "a.json", "-o", "a.json"], "would overwrite a.json"),
        (["profile", "net.py:small", "net.py:large", "--json", "x.json"], "is for one target"),
        (["profile", "net.py:small", "net.py:large", "--depth", "1"], "--depth is for one target"),
        (["profile", "net.py:small", "net.py:large", "-o", "x.html"], "saved as one table"),
        (["check", "a.json", "--baseline", ".", "--fail-over", "flops=1%"], "such as a.json"),
        (["show", "a.json", "--format", "operators", "--top", "-1"], "is no number of rows"),
    ],
)
def test_wrong_use_is_said(
    arguments: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
