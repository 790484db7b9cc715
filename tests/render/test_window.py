"""Tables that choose by themselves what to show: they fit a window, and say what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.render.select import AUTO, MORE, ROWS, Row, _Rows, select
from dispatchcount.report.rows import (
    NO_MODULE,
    Memory,
    Module,
    ModuleCost,
    ModuleMemory,
    Path,
    Sample,
)
from dispatchcount.report_api import Report
from tests.report.make import META, cnn, cost, entry, reports, routed, stack, training

pytestmark = pytest.mark.torch_alone


def tree(parents: Sequence[int], macs: Sequence[int]) -> Report:
    """A report of a tree: for each module the number of the module around it, 0 the root."""
    modules = [Module(NO_MODULE, ""), Module("", "Net")]
    paths = [Path(-1, 0), Path(0, 1, "(1, 4)", 1)]
    entries = []
    for number, parent in enumerate(parents, start=1):
        above = modules[parent + 1].name
        name = f"{above}.m{number}x" if above else f"m{number}x"
        modules.append(Module(name, "Part", parent + 1))
        paths.append(Path(parent + 1, number + 1, "(1, 4)", 1))
        entries.append(entry(number + 1, "aten.mm", cost(macs[number - 1])))
    return Report(META, "fvcore", tuple(modules), tuple(paths), tuple(entries))


def labels(rows: Sequence[Row]) -> list[str]:
    return [row.name for row in rows]


def test_what_fits_is_shown_whole() -> None:
    assert not select(stack(2), AUTO, fold=True).deeper
    assert not any(row.closed for row in select(stack(2), AUTO).rows)


def test_the_biggest_module_is_opened_first() -> None:
    # Two blocks of four parts; the second has ten times the work of the first.
    report = tree([0, 0, 1, 1, 1, 1, 2, 2, 2, 2], [0, 0, 1, 1, 1, 1, 10, 10, 10, 10])
    found = select(report, AUTO, most=8)
    # The root, two blocks, and 4 parts of the second are 7 rows; 4 more do not fit.
    assert labels(found.rows) == ["(root)", "m1x …", "m2x", "m7x", "m8x", "m9x", "m10x"]
    assert found.deeper == 4


def test_a_hundred_layers_in_a_row_are_not_one_line() -> None:
    # Layer n has n flops; the root and the 30 biggest fit.
    found = select(tree([0] * 100, range(1, 101)), AUTO)
    assert labels(found.rows)[0].endswith(MORE)
    assert labels(found.rows)[1:] == [f"m{number}x" for number in range(71, 101)]
    assert found.deeper == 100 - 30


def test_what_is_small_is_hidden_and_does_not_close_a_row() -> None:
    # 1 and 3 of 1,004 flops are less than 1 %.
    found = select(tree([0, 0, 0], [1000, 1, 3]), AUTO, min_share=0.01)
    assert labels(found.rows)[1:] == ["m1x"]
    assert (found.smaller, found.deeper) == (2, 0)
    assert not found.rows[0].closed


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_tree_fits_and_every_module_is_shown_or_counted(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 80))
    parents = [data.draw(st.integers(0, number)) for number in range(size)]
    macs = data.draw(st.lists(st.integers(0, 50), min_size=size, max_size=size))
    most = data.draw(st.integers(1, 40))
    found = select(tree(parents, macs), AUTO, most=most)
    assert len(found.rows) <= most
    assert len(found.rows) + found.deeper == size + 1
    assert bool(found.deeper) == any(row.closed for row in found.rows)


@settings(deadline=None, max_examples=60)
@given(reports())
def test_any_report_says_what_is_left_out(report: Report) -> None:
    found = select(report, AUTO, fold=True, most=4)
    # Top rows are never left out.
    assert len(found.rows) <= max(4, sum(not row.level for row in found.rows))
    assert bool(found.deeper) == any(row.closed for row in found.rows)
    text = str(report.table())
    assert ("in rows marked …" in text) == bool(select(report, AUTO, fold=True).deeper)


def test_printing_a_report_fits_a_window_of_forty_lines() -> None:
    report = tree([number // 3 for number in range(120)], range(120))
    for view in (str(report), str(report.table()), report.to_markdown()):
        assert len(view.rstrip().split("\n")) <= 40
    assert "depth=None shows all" in str(report)
    assert select(report, AUTO).deeper + len(select(report, AUTO).rows) == 121
    assert len(select(report, AUTO).rows) <= ROWS


def test_a_closed_row_is_marked_in_full_names_too() -> None:
    report = tree([0, 1] + [2] * 40, [0, 0, *range(40)])
    assert "`m1x.m2x …`" in report.to_markdown()


@pytest.mark.parametrize("depth", ["all", -1, 2.5, "3"])
def test_what_is_no_depth_is_refused_with_what_is_one(depth: object) -> None:
    for view in (
        cnn().table,
        cnn().tree,
        cnn().to_markdown,
        cnn().to_latex,
        routed().side_by_side,
        training().memory_table,
    ):
        with pytest.raises(ValueError, match=r"depth=.*; give a number of levels from 0 up, None"):
            view(depth=depth)  # type: ignore[operator]


def in_samples(report: Report, number: int = 2) -> Report:
    """A report that ran as so many equal samples."""
    calls = {path.module: path.calls for path in report.paths}
    costs = {report.paths[one.path].module: one.cost for one in report.entries}
    profile = tuple(
        ModuleCost(index, calls[index], costs.get(index, cost()))
        for index in sorted(calls)
        if index
    )
    samples = tuple(Sample(f"s{place}", 0) for place in range(number))
    return replace(report, samples=samples, profiles=(profile,))


def holding(report: Report) -> Report:
    """A report in which every module with parameters holds bytes."""
    rows = tuple(
        ModuleMemory(index, 4 * module.params)
        for index, module in enumerate(report.modules)
        if module.params
    )
    return replace(report, memory=Memory(rows, 9, "", ""))


FOLDED: dict[str, Callable[[bool], object]] = {
    "table": lambda fold: stack(3).table(None, fold=fold),
    "overview": lambda fold: stack(3).overview(0, depth=None, fold=fold),
    "tree": lambda fold: stack(3).tree(fold=fold),
    "arch": lambda fold: stack(3).arch(fold=fold),
    "markdown": lambda fold: stack(3).to_markdown(None, fold=fold),
    "latex": lambda fold: stack(3).to_latex(None, fold=fold),
    "side_by_side": lambda fold: in_samples(stack(3)).side_by_side(None, fold=fold),
    "samples_table": lambda fold: in_samples(stack(3)).samples_table(depth=None, fold=fold),
    "memory_table": lambda fold: holding(stack(3)).memory_table(None, fold=fold),
}


@pytest.mark.parametrize("name", FOLDED)
def test_every_view_folds_equal_siblings_and_opens_them(name: str) -> None:
    folded, opened = str(FOLDED[name](True)), str(FOLDED[name](False))
    times = r"$\times$3" if name == "latex" else "×3"
    assert times in folded
    assert folded.count("part0") == 1
    assert "fold=False shows every one" in folded
    assert times not in opened
    assert opened.count("part0") == 3


def test_folded_rows_of_samples_have_the_sum_of_their_modules() -> None:
    report = in_samples(stack(3))
    (line,) = [text for text in str(report.side_by_side()).split("\n") if "×3" in text]
    # Each of 3 blocks has parts of 64, 128 and 192 MACs in each of two samples.
    assert line.split()[3:] == ["3", "1.15", "k", "100.0", "%", "3", "1.15", "k", "100.0", "%"]
    assert 3 * (64 + 128 + 192) == 1152
    (line,) = [text for text in str(report.samples_table()).split("\n") if "×3" in text]
    assert line.split()[3:8] == ["100.0", "%", "3.00", "1.15", "k"]


def test_folded_rows_of_memory_have_the_sum_of_their_modules() -> None:
    (line,) = [t for t in str(holding(stack(3)).memory_table(exact=True)).split("\n") if "×3" in t]
    # 3 blocks of 3 matrices of 8 · 8 floats of 4 bytes
    assert line.split()[2] == f"{3 * 3 * 64 * 4:,}"


def test_a_container_is_not_said_to_have_run_in_no_sample() -> None:
    report = in_samples(stack(2))
    text = str(report.samples_table(depth=None, fold=False))
    (line,) = [one for one in text.split("\n") if "ModuleList" in one]
    assert line.split()[2:4] == ["–", "–"]


def test_samples_are_chosen_by_their_labels_and_columns_by_their_names() -> None:
    report = routed()
    head, names = str(report.side_by_side(samples=["image-2"], columns=("flops", "bytes"))).split(
        "\n"
    )[:2]
    assert head.split() == ["image-2"]
    assert names.split() == ["module", "type", "flops", "bytes"]
    text = str(report.side_by_side(samples=["image-2", "image-0"], columns=("bytes",), exact=True))
    assert text.split("\n")[0].split() == ["image-2", "image-0"]
    # right reads 6,416 and writes 1,600 bytes in one sample and does not run in the other
    (row,) = [line for line in text.split("\n") if line.startswith("  right")]
    assert row.split() == ["right", "Linear", "8,016", "–"]
    assert "hidden   2 samples besides those named; samples_table() sums up all" in text


def test_samples_and_columns_that_are_not_there_are_answered_with_those_that_are() -> None:
    with pytest.raises(
        ValueError, match=r"no sample is called 'x0'; there are 'image-0', 'image-1'"
    ):
        routed().side_by_side(samples=["x0"])
    with pytest.raises(
        ValueError, match=r"column 'time_ns' is not known; it is one of calls, share"
    ):
        routed().side_by_side(columns=("time_ns",))
    with pytest.raises(ValueError, match="depth="):
        routed().side_by_side(["x0"])  # type: ignore[arg-type]


@given(reports(), st.integers(0, 3), st.booleans(), st.integers(0, 6))
@settings(deadline=None)
def test_every_module_is_shown_or_counted(
    report: Report, depth: int, fold: bool, most: int
) -> None:
    for limit in (depth, AUTO, None):
        found = select(report, limit, fold=fold, most=most)
        shown = sum(row.members for row in found.rows)
        assert shown + found.deeper + found.smaller == len(report.by_module())


@given(reports(), st.integers(0, 3), st.booleans())
@settings(deadline=None)
def test_what_is_left_out_without_a_word_is_counted_nowhere(
    report: Report, depth: int, fold: bool
) -> None:
    found = select(report, depth, fold=fold, wanted=lambda index: index > 0)
    shown = sum(row.members for row in found.rows)
    assert shown + found.deeper == len(set(report.by_module()) - {report.modules[0].name})


def test_what_is_beyond_the_table_gets_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    row_of = _Rows._row
    monkeypatch.setattr(
        _Rows,
        "_row",
        lambda self, fold, level: made.append(fold.first) or row_of(self, fold, level),
    )
    # A root with 20 modules, of which each holds 50. Of 8 rows the root and 7 of the 20 are shown,
    # and each of those is marked if what it holds is not: that takes 7 × 50 rows.
    report = tree([0] * 20 + [1 + i // 50 for i in range(1000)], [1] * 1020)
    assert select(report, AUTO, most=8).deeper == 1 + 20 + 1000 - 8
    assert len(set(made)) == 1 + 20 + 7 * 50
