"""Plain text is the same everywhere, whole, and safe to print; a console gets colours and never a cut name."""

import csv
import re
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel

from dispatchcount.render.console.samples import samples_table
from dispatchcount.render.plain import ROOT, clean
from dispatchcount.render.text.csv_lines import csv_lines
from dispatchcount.report.alike import local_name
from tests.report.make import HOSTILE, cnn, reports, routed, stack, training, troubled

pytestmark = pytest.mark.torch_alone

VIEWS = {
    "table": lambda report: report.table(depth=None),
    "tree": lambda report: report.tree(),
    "operators": lambda report: report.operators(top=None),
    "arch": lambda report: report.arch(),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "20", "LINES": "5"},
        {"FORCE_COLOR": "1"},
        {"NO_COLOR": "1"},
        {"TERM": "dumb"},
        {"TTY_COMPATIBLE": "1"},
        {"COLORTERM": "truecolor"},
    ],
)
def test_text_does_not_depend_on_the_environment(name, environment, monkeypatch):
    before = str(VIEWS[name](troubled()))
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert str(VIEWS[name](troubled())) == before
    assert "\x1b" not in before


@pytest.mark.parametrize("name", VIEWS)
@given(report=reports())
@settings(deadline=None, max_examples=40)
def test_any_report_is_shown_whole_and_without_control_characters(name, report):
    text = str(VIEWS[name](report))
    assert all(line.isprintable() for line in text.split("\n"))
    shown = range(1, len(report.modules)) if name != "operators" else ()
    for index in shown:
        assert clean(local_name(report.modules, index)[0] or ROOT) in text or (
            name == "arch" and not report.modules[index].name
        )
    for entry in report.entries if name == "operators" else ():
        assert clean(entry.op) in text
    assert not any(line != line.rstrip() for line in text.split("\n"))


@given(
    rows=st.lists(
        st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=3), max_size=4
    )
)
def test_csv_is_read_as_it_was_written_but_for_two_characters(rows):
    read = list(csv.reader(StringIO(csv_lines(rows), newline="")))
    assert read == [
        [cell.replace("\0", r"\x00").replace("\r", r"\r") for cell in row] for row in rows
    ]


def test_csv_takes_numbers_as_they_are():
    assert csv_lines([("a\0b", 3, ""), ('x,"y"', 4.5, None)]) == 'a\\x00b,3,\n"x,""y""",4.5,\n'


@given(report=reports())
@settings(deadline=None, max_examples=40)
def test_any_report_goes_into_other_formats(report):
    report.to_csv()
    report.to_jsonl()
    report.to_markdown()
    if report.samples:
        str(samples_table(report))
        str(report.histogram())


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("make", [training, troubled, lambda: stack(2)])
def test_a_console_of_any_width_shows_every_name(name, width, make):
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(VIEWS[name](make()))
    lines = stream.getvalue().split("\n")
    assert all(cell_len(line) <= width for line in lines)
    report = make()
    names = (
        [entry.op for entry in report.entries]
        if name == "operators"
        else [local_name(report.modules, i)[0] for i in range(2, len(report.modules))]
    )
    for wanted in map(clean, names):
        # the parts of a name that folds have other cells between them, so its characters are looked for one after the other
        rest = iter(stream.getvalue())
        assert wanted in stream.getvalue() or all(c in rest for c in wanted if c != " ")


@pytest.mark.parametrize("width", [70, 50])
def test_a_narrow_console_says_which_columns_it_has_no_room_for(width):
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(
        stack(2).table(
            columns=(
                "type",
                "calls",
                "macs",
                "flops",
                "share",
                "activations",
                "bytes_read",
                "bytes_written",
            ),
            depth=3,
            fold=False,
        )
    )
    text = " ".join(stream.getvalue().split())
    hidden = re.search(r"The console is too narrow for: ([\w ,]+) hidden", text).group(1)
    head = stream.getvalue().split("\n")[0]
    assert hidden.endswith("bytes written")
    assert "flops" in head
    assert not set(hidden.split(", ")) & set(re.split(r"  +", head.strip()))


def test_the_biggest_stand_out_in_colour():
    stream = StringIO()
    Console(file=stream, width=100, force_terminal=True, color_system="standard").print(
        cnn().table()
    )
    conv, relu = (
        line for line in stream.getvalue().split("\n") if "Conv2d" in line or "ReLU" in line
    )
    assert "\x1b[1;33m" in conv
    assert "\x1b[1;31m" not in relu


def test_in_a_notebook_a_table_is_its_text_and_no_name_is_markup():
    html = troubled().table()._repr_html_()
    assert html.startswith("<pre")
    assert "=cmd(&quot;x&quot;)" in html
    assert cnn().diff(troubled())._repr_html_().startswith("<pre")


def test_clean_shows_what_cannot_be_printed():
    assert clean(HOSTILE[3]) == r"two\nlines\x1b[31m"
    assert clean("ключ.值.🔑") == "ключ.值.🔑"
    assert clean("a\u202eb\ud800") == r"a\u202eb\ud800"


def test_the_prompt_shows_one_line_that_says_how_to_see_the_rest():
    assert repr(cnn().table()) == (
        "<table of 14 lines: module type calls params flops share activations; print() shows it>"
    )
    for view in (*VIEWS.values(), lambda report: report.diff(cnn()).table()):
        for report in (cnn(), troubled(), routed(), training()):
            assert re.fullmatch(
                r"<table of \d+ lines?: [^\n]{1,60}; print\(\) shows it>", repr(view(report))
            )


def test_a_notebook_shows_tables_in_their_colours():
    page = stack(2).table()._repr_html_()
    # The root is bold, and what most of the flops are in is bold and yellow.
    assert '<span style="font-weight: bold">(root)</span>' in page
    assert re.search(r"color: #b07300[^>]*bold[^>]*>encoder<", page)
    assert re.sub(r"<[^>]+>|\s", "", page) == re.sub(r"\s", "", str(stack(2).table()))


def test_red_is_left_for_what_is_wrong():
    for report in (cnn(), stack(3), training(), routed()):
        for view in (report.table(), report.tree(), report.arch(), report.operators()):
            stream = StringIO()
            Console(file=stream, force_terminal=True, width=200, color_system="standard").print(
                view
            )
            assert "31m" not in stream.getvalue()
    stream = StringIO()
    Console(file=stream, force_terminal=True, width=200, color_system="standard").print(
        troubled().table()
    )
    assert "31m" in stream.getvalue()


@pytest.mark.parametrize("make", [cnn, lambda: stack(2)])
def test_a_table_in_a_frame_is_as_wide_as_it_needs_to_be(make):
    """rich asks a table how wide it is before it draws a frame that fits."""
    report = make()
    wide = max(cell_len(line) for line in str(report.table()).splitlines())
    text = StringIO()
    Console(file=text, width=200).print(Panel.fit(report.table()))
    lines = text.getvalue().splitlines()
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert wide + 4 <= cell_len(lines[0]) < 200
