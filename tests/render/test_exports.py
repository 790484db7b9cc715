import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings

from dispatchcount.report_api import Report
from tests.report import make

SAMPLE = re.compile(
    r'(dispatchcount_[a-z_]+)\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\[\\"n])*"(,|(?=\})))+\} \d+'
)


def check_openmetrics(text: str) -> dict[str, int]:
    """The rules of the OpenMetrics text format that concern gauges; the samples."""
    assert text.endswith("\n# EOF\n")
    samples: dict[str, int] = {}
    seen: list[str] = []
    for line in text.split("\n")[:-2]:
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert kind == "gauge"
            assert name not in seen
            seen.append(name)
        elif line.startswith("# HELP "):
            assert line.split(" ")[2] == seen[-1]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == seen[-1]
            key, value = line.rsplit(" ", 1)
            names = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"', key)
            assert len(set(names)) == len(names)
            assert key not in samples
            samples[key] = int(value)
    return samples


def test_openmetrics_has_totals_and_modules() -> None:
    samples = check_openmetrics(make.training().to_openmetrics())
    labels = 'convention="fvcore",commit="1f3a",model="small"'
    assert samples[f"dispatchcount_flops{{{labels}}}"] == make.training().flops
    assert (
        samples[f'dispatchcount_module_params{{{labels},module="head",type="Linear"}}'] == 90
    )  # 8·10 + 10
    assert samples[f'dispatchcount_module_calls{{{labels},module="aux",type="Linear"}}'] == 0


def test_openmetrics_names_what_could_not_be_counted() -> None:
    samples = check_openmetrics(make.troubled().to_openmetrics())
    assert (
        samples[
            'dispatchcount_uncounted_calls{convention="torch",op="mylib.[attn]",status="unknown"}'
        ]
        == 3
    )


@settings(max_examples=60, deadline=None)
@given(make.reports())
def test_openmetrics_of_any_report_is_well_formed(report: Report) -> None:
    check_openmetrics(report.to_openmetrics())


def test_labels_that_are_no_names_become_some() -> None:
    report = make.cnn().with_labels(
        **{"1st": "a", "a-b": "b", "a b": "c", "module": "d", "convention": "e", "": "f"}
    )
    check_openmetrics(report.to_openmetrics())
    assert (
        'label_1st="a",a_b="b",a_b_="c",module_="d",convention_="e",label_="f"'
        in report.to_openmetrics()
    )


def test_a_frame_has_a_row_for_each_module() -> None:
    frame = make.cnn().to_frame()
    assert list(frame.index) == list(make.cnn().by_module())
    assert frame.loc["features.0", "macs"] == 512 * 27
    assert frame.loc["features", "self_macs"] == 0
    assert frame.loc["head", "type"] == "Linear"
    assert frame["self_params"].sum() == make.cnn().params
    assert make.huge().to_frame().loc["", "flops"] == 14_928 * 10**25


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ImportError,
        match=r"to_frame\(\) needs pandas; install it with: pip install 'dispatchcount\[frame\]'",
    ):
        make.cnn().to_frame()


def test_tensorboard_holds_the_scalars(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        make.cnn().to_tensorboard(writer, 7)
        make.troubled().to_tensorboard(writer, 8)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("dispatchcount/flops")] == [
        (7, 14_928),
        (8, 12_000),
    ]
    assert [event.value for event in events.Scalars("dispatchcount/uncounted_ops")] == [0, 3]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, text: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text


def cells(report: Report) -> _Text:
    parser = _Text()
    parser.feed(report._repr_html_())
    return parser


def test_a_notebook_shows_a_table_without_script() -> None:
    shown = cells(make.cnn())
    assert shown.tags <= {
        "div",
        "p",
        "b",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
        "code",
    }
    assert shown.rows[0] == [
        "module",
        "type",
        "share",
        "flops",
        "MACs",
        "params",
        "activations",
        "calls",
    ]
    assert shown.rows[3] == [
        "0",
        "Conv2d",
        "92.6 %",
        "13.8 k",
        "13.8 k",
        "224",
        "512",
        "1",
    ]
    assert 'title="features.0"' in make.cnn()._repr_html_()
    assert "14.9 k FLOPs (fvcore)" in make.cnn()._repr_html_()


def test_a_notebook_names_what_is_missing_and_keeps_names_text() -> None:
    page = make.troubled()._repr_html_()
    assert "≥12.0 k FLOPs (torch)" in page
    assert "Not counted: mylib.[attn] (unknown, 3 calls" in page
    assert "The block stopped in two" in page
    assert '=cmd("x")' in [row[0] for row in cells(make.troubled()).rows]


def test_a_notebook_folds_equal_siblings() -> None:
    shown = [row[0] for row in cells(make.stack(100)).rows[1:]]
    assert shown == ["(root)", "encoder", "layers.0–99 ×100", "part0", "part1", "part2"]
    assert "100 equal modules as 1 row marked ×" in make.stack(100)._repr_html_()


def test_a_notebook_keeps_the_biggest_modules_in_their_order() -> None:
    report = make.stack(1, 100)  # parts of 64, 128, 192 … MACs in one block
    shown = [row[0] for row in cells(report).rows[1:]]
    # The root, the encoder, its layers, their block, and the 20 biggest of its 100 parts.
    assert shown == ["(root)", "encoder", "layers", "0 …", *(f"part{n}" for n in range(80, 100))]
    assert "80 modules in rows marked …" in report._repr_html_()


@settings(max_examples=40, deadline=None)
@given(make.reports())
def test_a_notebook_of_any_report_is_plain_markup(report: Report) -> None:
    report._repr_html_().encode()
    assert cells(report).tags <= {
        "div",
        "p",
        "b",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
        "code",
    }
