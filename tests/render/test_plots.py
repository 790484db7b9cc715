"""Pictures of reports: what is drawn, how long, under which name."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from torch import nn

from dispatchcount import Device, law
from dispatchcount.render.plots.figure import PALETTE, ink
from tests.report.make import cnn, huge, reports, routed, stack, training, troubled

CONV, NORM, HEAD = 512 * 27, 1024, 80
"""The flops of `cnn()`: 512 outputs of 27 MACs, two figures for each of 512 elements, 10 · 8."""

LAYER = nn.Linear(4, 3)


def bars_of(figure: Figure) -> dict[str, float]:
    """The length of each bar by its name."""
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    lengths: dict[str, float] = dict.fromkeys(names, 0.0)
    for patch in axes.patches:
        lengths[names[round(patch.get_y() + patch.get_height() / 2)]] += patch.get_width()
    return lengths


def boxes_of(figure: Figure) -> list[tuple[int, float, float]]:
    """Level, begin and width of each box."""
    (axes,) = figure.axes
    return [(round(p.get_y() + 0.5), p.get_x(), p.get_width()) for p in axes.patches]


def test_bars_are_the_modules_without_their_children():
    assert bars_of(cnn().plot()) == {"features.0": CONV, "features.1": NORM, "head": HEAD}


def test_the_last_bar_is_the_sum_of_the_others():
    assert bars_of(cnn().plot(top=1)) == {"features.0": CONV, "2 other modules": NORM + HEAD}
    assert bars_of(cnn().plot(top=0)) == {"3 other modules": CONV + NORM + HEAD}


def test_bars_of_another_metric_have_its_unit():
    figure = cnn().plot(metric="bytes")
    # The convolution reads 416 floats and writes 512.
    assert bars_of(figure)["features.0"] == 4 * (416 + 512)
    figure.draw_without_rendering()
    assert any(label.get_text().endswith("B") for label in figure.axes[0].get_xticklabels())
    with pytest.raises(ValueError, match="metric 'speed' is not known; it is one of flops"):
        cnn().plot(metric="speed")


def test_an_icicle_has_children_below_their_parent():
    boxes = boxes_of(cnn().plot("icicle"))
    whole = CONV + NORM + HEAD
    assert boxes == [
        (0, 0, whole),
        (1, 0, CONV + NORM),
        (2, 0, CONV),
        (2, CONV, NORM),
        (1, CONV + NORM, HEAD),
    ]
    assert len(boxes_of(cnn().plot("icicle", depth=1))) == 3


def test_equal_siblings_are_one_box_and_one_bar():
    names = [text.get_text() for text in stack(4).plot("icicle").axes[0].texts]
    assert any("×" in name for name in names)
    assert any("–" in name for name in bars_of(stack(4).plot()))


def test_names_in_boxes_are_whole():
    report = cnn()
    shown = [text.get_text().split("\n")[0] for text in report.plot("icicle").axes[0].texts]
    assert set(shown) <= {"(root)", "features", "0", "1", "head"}


def test_memory_has_a_part_for_each_kind():
    report = training()
    assert report.memory is not None
    lengths = bars_of(report.plot("memory"))
    kinds = ("parameters", "gradients", "optimizer", "saved")
    assert sum(lengths.values()) == sum(getattr(report.memory, kind) for kind in kinds)
    with pytest.raises(ValueError, match=r"profile\(model, memory=True\)"):
        cnn().plot("memory")


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_picture_is_written(tmp_path, ending):
    path = tmp_path / f"picture.{ending}"
    figure = cnn().plot("icicle", path)
    assert isinstance(figure, Figure)
    assert path.read_bytes()[:5] in (b"<?xml", b"\x89PNG\r", b"%PDF-")


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="kind='pie' is no kind of plot; it is 'bars', 'icicle'"):
        cnn().plot("pie")
    with pytest.raises(ValueError, match="top=-1"):
        cnn().plot(top=-1)
    with pytest.raises(ValueError, match="depth=-1"):
        cnn().plot("icicle", depth=-1)


def test_the_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'dispatchcount\[plot\]'"):
        cnn().plot()


@pytest.mark.parametrize("make", [huge, routed, troubled, training])
@pytest.mark.parametrize("kind", ["bars", "icicle"])
def test_any_report_can_be_drawn(make, kind, tmp_path):
    make().plot(kind, tmp_path / "picture.png")


@pytest.mark.parametrize(
    "plot",
    [
        lambda: cnn().plot(),
        lambda: cnn().plot("icicle"),
        lambda: cnn().roofline(Device(peak={"float32": 1e12}, bandwidth=1e11)).plot(),
        lambda: law(LAYER, lambda b: LAYER(torch.zeros(b, 4)), b=2).plot("b"),
    ],
    ids=["bars", "icicle", "roofline", "law"],
)
def test_a_notebook_shows_a_figure_although_nobody_asked_for_pyplot(plot):
    shown, _ = DisplayFormatter().format(plot())
    assert shown["image/png"].startswith(b"\x89PNG")


def test_nothing_that_ran_is_an_empty_picture(tmp_path):
    empty = replace(cnn(), entries=())
    for kind in ("bars", "icicle"):
        empty.plot(kind, tmp_path / "picture.png")


@pytest.mark.filterwarnings("ignore:Glyph")
@settings(max_examples=8, deadline=None)
@given(reports())
def test_names_of_any_kind_are_no_formulas(report):
    for kind in ("bars", "icicle"):
        report.plot(kind, metric="macs").draw_without_rendering()


@pytest.mark.parametrize("colour", PALETTE)
def test_texts_can_be_read_on_their_colour(colour):
    def luminance(text: str) -> float:
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(colour), luminance(ink(colour))), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # what W3C asks of small texts


def test_memory_of_modules_that_are_left_out_is_one_bar():
    """Kinds of memory of the second of two modules: 360, 360, 720 and 32 bytes."""
    figure = training().plot("memory", top=1)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["features.0", "1 other module"]
    sums = bars_of(figure)
    assert sum(sums.values()) == (896 + 896 + 1792 + 2048) + (360 + 360 + 720 + 32)


def test_memory_that_nothing_held():
    report = training()
    empty = replace(report, memory=replace(report.memory, modules=(), peak=0))
    [axes] = empty.plot("memory").axes
    texts = [text.get_text() for text in axes.texts] + [axes.get_title(), axes.get_xlabel()]
    assert any("no tensor was alive" in text for text in texts)


def test_time_has_seconds_along_its_axis():
    [axes] = training().plot(metric="time_ns").axes
    write = axes.xaxis.get_major_formatter()
    assert [write(value, None) for value in (0, 2500, 1_500_000)] == ["0 s", "2.5 µs", "1.5 ms"]
