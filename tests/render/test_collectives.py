"""What was sent between ranks: as a table, in Markdown, in a line, and on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli import main
from dispatchcount.report.rows import ZERO, Entry
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.group import Group
from tests.report.make import cnn

NAME = "features.0"

pytestmark = pytest.mark.torch_alone


def spread() -> dc.Report:
    """A report with an all-reduce of a convolution's gradient, issued outside, and a barrier."""
    report = cnn()
    sent = Cost(bytes_read=80, bytes_written=80, payload_bytes=80, wire_bytes=140)
    [path] = [i for i, p in enumerate(report.paths) if report.modules[p.module].name == NAME]
    entries = (
        Entry(path, "c10d.allreduce_", "backward", "float32", ZERO, "", 2, sent, 0, 0, 0),
        Entry(0, "c10d.barrier", "forward", "", ZERO, "", 1, Cost(), 0, 1, 0, True),
    )
    groups = (Group("1", (0, 1, 2, 3, 4, 5, 6, 7), "dp"), Group("0", (0, 9)))
    return replace(report, entries=report.entries + entries, groups=groups)


def test_the_table_says_which_side_the_payload_is() -> None:
    lines = str(spread().collectives()).splitlines()
    assert lines[2].split() == [
        *("c10d.allreduce_", "dp:", "8", "ranks", "0–7", "2", "80", "B", "input", "140", "B"),
        "backward",
    ]
    assert lines[3].startswith("c10d.barrier (control)  group 0: 2 ranks 0, 9")
    assert lines[7].split() == [NAME, "2", "80", "B", "140", "B"]


def test_control_has_no_row_among_modules() -> None:
    text = str(spread().collectives(exact=True))
    assert "(no module)" not in text
    with pytest.raises(ValueError, match="top=-1 is negative"):
        spread().collectives(top=-1)


def test_a_line_stands_below_every_table() -> None:
    said = "2 collectives in 2 groups, payload 80 B, 140 B on the wire of this rank"
    report = spread()
    for text in (str(report.table()), str(report), report.to_markdown(), str(report.operators())):
        assert said in " ".join(text.split())
    assert "collectives" not in str(cnn())


def test_markdown_has_a_table_of_its_own() -> None:
    lines = spread().to_markdown().splitlines()
    head = lines.index("| operator | group | calls | payload | of | on the wire | phases |")
    assert lines[head + 2] == (
        "| `c10d.allreduce_` | dp: 8 ranks 0–7 | 2 | 80 B | input | 140 B | backward |"
    )


def test_a_report_without_any_says_so() -> None:
    assert str(cnn().collectives()).startswith("collectives  none ran in the block")


def test_the_command_line_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    report = spread()
    report.to_json(path)
    assert dc.Report.from_json(path) == report
    assert main(["show", str(path), "--format", "collectives", "--exact"]) == 0
    shown = capsys.readouterr().out
    assert "c10d.allreduce_" in shown
    assert "--format collectives lists them" in " ".join(shown.split())
    cnn().to_json(path)
    assert main(["show", str(path), "--format", "collectives"]) == 0
    assert "none ran in the block" in capsys.readouterr().out


def test_modules_that_are_left_out_are_counted() -> None:
    """One module sent something, and none of its rows is wanted."""
    text = " ".join(str(spread().collectives(top=0)).split())
    assert "1 module; top=None shows all" in text
    assert NAME not in text


def test_a_line_without_control_says_nothing_of_it() -> None:
    report = spread()
    data = replace(report, entries=tuple(entry for entry in report.entries if not entry.control))
    for one, said in ((report, True), (data, False)):
        text = " ".join(str(one.table()).split())
        assert "2 collectives in" in text
        assert ("besides 1 call of objects, metadata and barriers" in text) is said
