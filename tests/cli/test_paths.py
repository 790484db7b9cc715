"""No command writes over a file that it reads, whatever the two are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatchcount.cli import main
from tests.report import make

NAMES: dict[str, Callable[[Path], str]] = {
    "the same": str,
    "relative": lambda path: os.path.relpath(path),
    "roundabout": lambda path: str(path.parent / "in" / ".." / path.name),
    "a link": lambda path: _linked(path, os.symlink),
    "a hard link": lambda path: _linked(path, os.link),
    "a link to its folder": lambda path: str(Path(_linked(path.parent, os.symlink)) / path.name),
}


def _linked(path: Path, link: Callable[[Path, Path], None]) -> str:
    name = path.with_name("link")
    link(path, name)
    return str(name)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "place"
    (place / "in").mkdir(parents=True)
    monkeypatch.chdir(place)
    make.cnn().to_json(place / "a.json")
    make.training().to_json(place / "b.json")
    (place / "net.py").write_text(
        "import torch\ndef build(): return torch.nn.Linear(4, 4)\ndef x(): return torch.ones(1, 4)\n"
    )
    return place


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("read", "command"),
    [
        ("a.json", ["show", "a.json", "-o", "OUT"]),
        ("a.json", ["show", "OUT", "-o", "a.json"]),
        ("a.json", ["show", "a.json", "--format", "json", "-o", "OUT"]),
        ("a.json", ["html", "a.json", "-o", "OUT"]),
        ("a.json", ["diff", "a.json", "b.json", "-o", "OUT"]),
        ("b.json", ["diff", "a.json", "b.json", "-o", "OUT", "--markdown"]),
        ("b.json", ["diff", "a.json", "b.json", "--html", "OUT"]),
        ("net.py", ["profile", "net.py:build", "--input", "1,4", "--json", "OUT"]),
        ("net.py", ["profile", "torch.nn:Identity", "--inputs", "net.py:x", "--json", "OUT"]),
    ],
)
def test_no_name_of_an_input_is_written(
    read: str, command: list[str], name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (place / read).read_bytes()
    out = NAMES[name](place / read)
    assert main([out if word == "OUT" else word for word in command]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (place / read).read_bytes() == before


def test_a_module_is_not_written_either(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    (place / "net_as_a_module.py").write_text((place / "net.py").read_text())
    command = ["profile", "net_as_a_module:build", "--input", "1,4", "--json", "net_as_a_module.py"]
    assert main(command) == 2
    assert (place / "net_as_a_module.py").read_text() == (place / "net.py").read_text()


def test_a_page_named_as_a_report_is_kept(place: Path) -> None:
    os.rename(place / "a.json", place / "a.html")
    assert main(["html", "a.html"]) == 2
    make.cnn().to_json(place / "a.json")
    assert (place / "a.html").read_bytes() == (place / "a.json").read_bytes()


def test_standard_streams_that_are_the_report(place: Path) -> None:
    from tests.cli.test_streams import COMMAND, shell

    before = (place / "a.json").read_bytes()
    for line in (
        "show a.json >>a.json",
        "show - -o a.json <a.json",
        "show - <a.json >>a.json",
        "check a.json --max flops=1G >>a.json",
    ):
        code, _, said = shell(f"{COMMAND} {line}", place)
        assert (code, "would overwrite" in said) == (2, True), line
    assert (place / "a.json").read_bytes() == before


def test_a_dashboard_keeps_the_reports_that_its_pages_are_linked_to(place: Path) -> None:
    site = place / "site"
    site.mkdir()
    before = (place / "a.json").read_bytes()
    (site / "index.html").symlink_to(place / "a.json")
    assert main(["dashboard", str(place), "-o", str(site)]) == 2
    assert (place / "a.json").read_bytes() == before
    assert [path.name for path in site.iterdir()] == ["index.html"]


def test_devices_are_no_reports(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for device in ("/dev/zero", "/dev/null"):
        assert main(["show", device]) == 2
        assert "is a device" in capsys.readouterr().err
    assert main(["show", "a.json", "-o", "/dev/null"]) == 0
