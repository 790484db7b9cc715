"""Tree, operators, architecture, histogram and samples; CSV, JSON lines and Markdown."""

import csv
import io
import re
from dataclasses import replace

import orjson
import pytest

from dispatchcount.render.console.grid import bar
from dispatchcount.render.console.samples import samples_table
from dispatchcount.report.metrics import KEYS
from tests.report.make import cnn, huge, routed, stack, training, troubled

pytestmark = pytest.mark.torch_alone


def rows(view):
    text = str(view).split("\n")
    return [line.split() for line in text[2 : text.index("")]]


def test_operators_are_the_biggest_first_and_the_rest_is_counted():
    assert [row[0] for row in rows(training().operators(top=3))] == [
        "aten.convolution_backward", "aten.convolution", "aten.native_batch_norm",
    ]  # fmt: skip
    assert "hidden    6 operators after the first 3; top=None shows all" in str(
        training().operators(top=3)
    )
    assert len(rows(training().operators(top=None))) == 9


def test_operators_sort_by_any_column_and_show_it():
    view = cnn().operators(sort="transcendentals")
    assert "transcendentals" in str(view).split("\n")[0]
    assert rows(training().operators(sort="time_ns"))[0][0] == "aten._foreach_add_"
    assert rows(cnn().operators(sort="operator"))[0][0] == "aten.addmm"


def test_operators_know_what_they_can_sort_by():
    with pytest.raises(
        ValueError, match=r"sort 'params' is not known; it is one of operator, status, calls, flops"
    ):
        cnn().operators(sort="params")
    with pytest.raises(ValueError, match=r"top=-1 is negative"):
        cnn().operators(top=-1)


def test_operators_that_could_not_be_counted_are_no_zeros():
    by_name = {row[0]: row for row in rows(troubled().operators())}
    assert by_name["mylib.[attn]"][1:4] == ["3", "–", "–"]
    assert by_name["mylib.broken"][-1] == "failed"
    assert by_name["aten.randn"][2] == "0"


def test_tree_hides_and_says_so():
    text = str(stack(2).tree(depth=3, fold=False))
    assert "hidden  6 modules below depth 3; depth=None shows all" in text
    assert "part0" not in text
    assert "part0" in str(stack(2).tree(fold=False))


def test_tree_has_its_figures_in_columns():
    lines = str(stack(2).tree(fold=False)).split("\n")[:11]
    assert len({line.index("%") for line in lines}) == 1


def test_architecture_nests_like_print_model():
    lines = str(cnn().arch()).split("\n")
    assert lines[0] == "SmallNet(  # 348 params, 14.9 k flops, 522 activations"
    assert (
        lines[2]
        == "    (0): Conv2d(3, 8, kernel_size=(3, 3), padding=(1, 1))  # 224 params, 13.8 k flops, 512 activations"
    )
    assert lines[4] == "    (2): ReLU(inplace=True)"
    assert lines[7] == "  (aux): Linear(in_features=8, out_features=2)  # 18 params, never called"
    assert lines[8] == ")"
    assert sum(line.count("(") - line.count(")") for line in lines[:9]) == 0


def test_architecture_says_how_often_and_under_which_names_a_module_runs():
    assert "# 8 params, 80 flops, 4 calls, also left_norm, also right_norm" in str(routed().arch())


def test_histogram_counts_every_sample():
    assert [row[-2 if len(row) > 5 else -1] for row in rows(routed().histogram(4))][1:3] == [
        "0",
        "0",
    ]
    for bins in (1, 2, 3, 7, 10_000):
        text = str(routed().histogram(bins))
        assert (
            sum(
                int(n)
                for n in re.findall(r"(\d+)(?:  █.*|)$", text[: text.index("\n\n")], re.MULTILINE)
            )
            == 4
        )


def test_histogram_of_equal_samples_is_one_bar():
    report = routed()
    report = replace(report, samples=tuple(replace(sample, profile=0) for sample in report.samples))
    assert len(rows(report.histogram())) == 1


def test_histogram_needs_samples_and_bins():
    with pytest.raises(ValueError, match="has no samples"):
        cnn().histogram()
    with pytest.raises(ValueError, match="bins=0"):
        routed().histogram(0)


def test_samples_are_the_most_expensive_first_and_modules_have_their_rate():
    text = str(samples_table(routed(), top=1))
    assert "image-2  1.62 k  93.8 %" in text
    assert "hidden   3 cheaper samples; top=None shows all" in text
    assert re.search(r"right +Linear +25\.0 %", text)
    with pytest.raises(ValueError, match="has no samples"):
        samples_table(cnn())


@pytest.mark.parametrize("make", [cnn, training, troubled, huge])
def test_csv_holds_the_raw_integers(make, tmp_path):
    report = make()
    text = report.to_csv(tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_bytes() == text.encode()
    read = {row["name"]: row for row in csv.DictReader(io.StringIO(text))}
    assert list(read) == list(report.by_module())
    for name, stats in report.by_module().items():
        for metric in KEYS:
            assert int(read[name][metric]) == getattr(stats, metric)
        assert int(read[name]["self_flops"]) == stats.self_.flops


def test_json_lines_hold_an_object_a_module(tmp_path):
    data = cnn().to_jsonl(tmp_path / "report.jsonl")
    assert (tmp_path / "report.jsonl").read_bytes() == data
    read = [orjson.loads(line) for line in data.splitlines()]
    assert [row["name"] for row in read] == list(cnn().by_module())
    assert [row["parent"] for row in read] == [None, "", "features", "features", "features", "", ""]
    assert read[2]["self"]["macs"] == 13824


def test_markdown_is_one_table_whatever_the_names():
    lines = troubled().to_markdown().split("\n")
    table = lines[: lines.index("")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    assert len(table) == 2 + len(troubled().modules) - 1
    assert "| ``a\\|b`c`` |" in "\n".join(table)


def test_markdown_says_what_the_table_hides():
    assert "- hidden: 6 modules below depth 3; depth=None shows all" in stack(2).to_markdown(
        3, fold=False
    )


@pytest.mark.parametrize(
    ("share", "text"), [(0, ""), (1e-9, "▏"), (0.5, "████"), (0.5625, "████▌"), (1, "████████")]
)
def test_bar(share, text):
    assert bar(share, 8) == text


def test_a_flat_table_has_the_biggest_modules_and_counts_the_rest():
    """The convolution does the most by itself; all modules are 7, of which the root holds the most."""
    found = {}
    for sort, top in ((None, 1), ("params", 2)):
        _, _, *lines = str(cnn().table(flat=True, top=top, sort=sort)).splitlines()
        found[sort] = [line.split()[0] for line in lines[:top]]
        assert (
            lines[top + 1]
            == f"hidden    {7 - top} modules after the first {top}; top=None shows all"
        )
    assert found == {None: ["features.0"], "params": ["(root)", "features"]}
    assert "after the first" not in str(cnn().table(flat=True))


def test_top_is_for_flat_tables_and_a_number_from_0_up():
    with pytest.raises(ValueError, match="top=3 needs flat=True: a tree is cut by depth"):
        cnn().table(top=3)
    with pytest.raises(ValueError, match="top=-3 is negative; give a number of modules from 0"):
        cnn().table(flat=True, top=-3)
    with pytest.raises(ValueError, match="top=-1 is negative; give a number of samples"):
        routed().samples_table(top=-1)


def test_the_sides_of_a_module_call_are_known_by_name():
    with pytest.raises(ValueError, match="ancestors='caller of all' is not known"):
        cnn().by_module_and_operator(ancestors="caller of all")
    owned = cnn().by_module_and_operator()
    called = cnn().by_module_and_operator(ancestors="caller")
    # Nothing is shared here, so both ways to say what a module did are one.
    assert owned == called
    assert {op: row.macs for op, row in owned[""].items() if row.macs} == {
        "aten.convolution": 512 * 27,
        "aten.addmm": 80,
    }
