"""What was measured and what ran is shown in every view, whatever the width; a prompt gets one line."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from dispatchcount.report.rows import Module, Path, Sample
from dispatchcount.report_api import Report
from tests.report.make import cnn, huge, reports, routed, stack, training, troubled

pytestmark = pytest.mark.torch_alone

WIDTHS = [*range(20, 60), *range(60, 201, 20)]
MAKERS = {
    "cnn": cnn,
    "training": training,
    "routed": routed,
    "troubled": troubled,
    "huge": huge,
    "stack": lambda: stack(2),
}


def printed(renderable: Any, width: int) -> str:
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(renderable)
    return stream.getvalue()


def three_samples() -> Report:
    report = routed()
    return replace(report, samples=(Sample("alpha", 0), Sample("beta", 1), Sample("gamma", 0)))


def views(report: Report) -> dict[str, Any]:
    found = {
        "table": report.table(),
        "tree": report.tree(),
        "operators": report.operators(),
        "arch": report.arch(),
    }
    found |= {"diff": report.diff(stack(1)).table(), "new": stack(1).diff(report).table()}
    if report.memory:
        found["memory"] = report.memory_table()
    if report.samples:
        found |= {
            "samples": report.samples_table(),
            "side": report.side_by_side(),
            "histogram": report.histogram(),
        }
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_no_width_cuts_anything_off(name: str) -> None:
    """A line is never wider than the console, and every character of the figures that must be kept is there."""
    report = MAKERS[name]()
    for view, renderable in views(report).items():
        for width in WIDTHS:
            text = printed(renderable, width)
            assert all(cell_len(line) <= width for line in text.split("\n")), (view, width)
            if view in ("table", "tree") and "flops" in text:
                assert "%" in text, (view, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_samples_are_named_over_their_figures_at_any_width(width: int) -> None:
    lines = printed(three_samples().side_by_side(), width).split("\n")
    heads = [
        number for number, line in enumerate(lines) if line.startswith("─")
    ]  # below the headers of each part
    named = " ".join(lines[number - 2] for number in heads)
    assert all(name in named for name in ("alpha", "beta", "gamma")), lines


def test_a_group_stands_over_its_own_columns() -> None:
    lines = printed(three_samples().side_by_side(), 60).split("\n")
    starts = [lines[0].index(name) for name in ("alpha", "beta", "gamma")]
    parts = [
        lines[3][start:end].split() for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    assert parts == [["1", "36", "100.0", "%"], ["1.62", "k"], ["36"]]
    assert "too narrow for: beta: calls, beta: share, gamma: calls, gamma: share" in " ".join(
        " ".join(lines).split()
    )


def test_samples_of_one_name_stay_apart() -> None:
    report = replace(routed(), samples=(Sample("a", 0), Sample("a", 1), Sample("", 0)))
    head = str(report.side_by_side()).split("\n")[0]
    assert head.split() == ["a", "a", "#2", "(no", "name)"]


def test_a_long_name_of_a_sample_folds_and_keeps_its_end() -> None:
    report = replace(
        routed(), samples=(Sample("/data/" + "x" * 60 + "/0001.jpg", 0), Sample("b", 1))
    )
    lines = str(report.side_by_side()).split("\n")
    head = "".join(line[: line.index("module")] if "module" in line else line for line in lines[:6])
    assert "".join(head.split()).replace("b", "", 1).startswith("/data/" + "x" * 10)
    assert "0001.jpg" in "".join("".join(lines[:5]).split())


def test_time_and_memory_are_in_every_view_of_modules() -> None:
    report = training()
    for text in (str(report), str(report.tree()), report.to_markdown()):
        assert "time" in text
        assert "memory" in text
        assert "10.0 µs" in text  # of the convolution
        assert "5.63 kB" in text  # 896 + 896 + 1792 + 2048 = 5,632 bytes
    assert "10.0 µs, 5.63 kB of memory" in str(report.arch())
    assert ">time</th>" in report._repr_html_()
    assert "10.0 µs" in report._repr_html_()
    for text in (str(cnn()), str(cnn().tree()), cnn().to_markdown()):
        assert "time" not in text
        assert "memory" not in text


def test_time_and_memory_of_samples_are_those_of_the_block() -> None:
    timed = replace(
        three_samples(), entries=tuple(replace(e, time_ns=1_500) for e in routed().entries)
    )
    assert "the whole block" in str(timed.side_by_side()).split("\n")[0]
    assert "time of all" in str(timed.samples_table())
    assert "1.50 µs" in str(timed.side_by_side())


def test_every_kind_of_memory_is_a_column() -> None:
    text = str(
        training().table(
            columns=("memory", "memory_parameters", "memory_saved", "memory_gradients"), exact=True
        )
    )
    row = next(line for line in text.split("\n") if line.strip().startswith("head"))
    assert row.split() == ["head", "1,472", "360", "32", "360"]  # 360 + 360 + 720 + 32 = 1,472


def test_what_was_measured_outlives_a_narrow_console() -> None:
    text = printed(training().table(), 60)
    assert {"flops", "share", "time", "memory"} <= set(text.split("\n")[0].split())


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([("", "(2, 3, 8, 8)")], "input (2, 3, 8, 8)"),
        ([("", "(1, 4)"), ("", "(2, 4)")], "input (1, 4) or (2, 4)"),
        (
            [("", f"({i}, 4)") for i in range(1, 8)],
            "input (1, 4) or (2, 4) or (3, 4) and 4 other shapes",
        ),
        ([("a", "(1, 4)"), ("b", "x=(2, 4)")], "inputs a (1, 4), b x=(2, 4)"),
        (
            [(c, "(1, 4)") for c in "abcde"],
            "inputs a (1, 4), b (1, 4), c (1, 4), those of 2 other roots",
        ),
        ([("", "-"), ("", "…")], None),
    ],
)
def test_the_shapes_that_went_into_the_roots_are_named(
    paths: list[tuple[str, str]], said: str | None
) -> None:
    names = list(dict.fromkeys(name for name, _ in paths))
    modules = (cnn().modules[0], *(Module(name, "Net") for name in names))
    stacks = (
        Path(-1, 0),
        *(Path(0, 1 + names.index(name), signature, 1) for name, signature in paths),
    )
    report = Report(cnn().meta, "fvcore", modules, stacks, ())
    for one in (report, Report.from_json(report.to_json())):
        ran = next(line for line in str(one).split("\n") if line.startswith("ran"))
        assert ran.endswith(f"; {said}" if said else "; eval mode")
    assert report.to_markdown().count("input") == (said is not None)


@pytest.mark.parametrize("name", MAKERS)
def test_a_prompt_shows_one_line(name: str) -> None:
    report = MAKERS[name]()
    for value in (report, report.diff(cnn()), report.diff(report)):
        assert re.fullmatch(r"<(Report|Diff) [^\n]{10,200}>", repr(value))


def test_the_line_of_a_report_says_what_is_missing() -> None:
    assert repr(cnn()) == "<Report SmallNet: 14.9 k flops (fvcore), 348 params, 7 modules>"
    # 6,000 MACs are 12,000 flops, an estimate; three operators could not be counted
    assert repr(troubled()) == (
        "<Report Odd[Net]: ≈12.0 k flops (torch), 13 params, 9 modules, 3 operators not counted, stopped by an exception>"
    )
    assert (
        repr(cnn().diff(cnn()))
        == "<Diff SmallNet → SmallNet: 14.9 k → 14.9 k flops (fvcore), nothing changed>"
    )


@given(reports())
@settings(max_examples=60, deadline=None)
def test_every_row_is_a_short_line_at_a_prompt(report: Report) -> None:
    rows = (
        report,
        report.total,
        report.meta,
        report.memory,
        *report.modules,
        *report.paths,
        *report.entries,
        *report.issues,
    )
    for row in (*rows, *report.samples, *report.diff(report).rows):
        text = repr(row)
        assert "\n" not in text
        assert len(text) < 2_000


def test_stats_at_a_prompt_have_what_is_not_zero() -> None:
    row = cnn().by_module()["head"]
    assert repr(row) == (
        "Stats(flops=80, macs=80, arithmetic=10, activations=10, params=90, bytes_read=392, bytes_written=40, calls=1)"
    )
