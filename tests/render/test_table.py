"""The module table: its options, and that it says what it does not show."""

from dataclasses import replace

import pytest

from dispatchcount.report.rows import OpIssue
from tests.report.make import cnn, cost, routed, stack, training, troubled

pytestmark = pytest.mark.torch_alone


def lines(view):
    return str(view).split("\n")


def names(view):
    """The first cell of each row."""
    text = lines(view)
    return [line.split()[0] for line in text[2 : text.index("")] if line[0] not in "─"]


def line(view, about):
    """What the line of the footer about something says."""
    return next(
        (text.split(maxsplit=1)[1] for text in lines(view) if text.startswith(f"{about} ")), None
    )


def test_printing_a_report_prints_where_it_goes_above_the_table():
    assert str(cnn()) == str(cnn().overview())
    assert str(cnn()).endswith("\n\n" + str(cnn().table()))
    assert str(cnn().overview(top=0)) == str(cnn().table())


def test_rows_are_in_the_models_order_and_indented_by_depth():
    assert [text[:11].rstrip() for text in lines(cnn().table())[2:9]] == [
        "(root)", "  features", "    0", "    1", "    2", "  head", "  aux",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("depth", "shown", "hidden"),
    # root; encoder; layers; 3 blocks; 3 · 4 parts
    [(0, 1, 17), (1, 2, 16), (3, 6, 12), (None, 18, None), (99, 18, None)],
)
def test_depth(depth, shown, hidden):
    view = stack(3, 4).table(depth=depth, fold=False)
    assert len(names(view)) == shown
    assert line(view, "hidden") == (
        hidden and f"{hidden} modules below depth {depth}; depth=None shows all"
    )


def test_columns_are_those_asked_for_in_their_order():
    head = lines(cnn().table(columns=("macs", "type", "bytes_read", "self_macs")))[0]
    assert head.split() == ["module", "MACs", "type", "bytes", "read", "self", "MACs"]


def test_full_names_are_a_column():
    assert names(cnn().table(columns=("path", "flops")))[2:5] == [
        "features.0",
        "features.1",
        "features.2",
    ]


def test_one_column_may_be_given_as_a_string():
    assert lines(cnn().table(columns="macs"))[0].split() == ["module", "MACs"]


def test_unknown_columns_are_answered_with_those_there_are():
    with pytest.raises(
        ValueError,
        match=r"column 'flop' is not known; it is one of name, path, type, calls, params, flops, ",
    ):
        cnn().table(columns=("flop",))


def test_unknown_sort_is_answered_with_those_there_are():
    with pytest.raises(
        ValueError, match=r"sort 'size' is not known; it is one of name, path, type, .*self_flops"
    ):
        cnn().table(sort="size")


def test_sort_orders_siblings_and_keeps_children_below_their_parent():
    assert names(stack(2, 2).table(depth=None, sort="flops", fold=False)) == [
        "(root)", "encoder", "layers", "0", "part1", "part0", "1", "part1", "part0",
    ]  # fmt: skip
    assert names(cnn().table(sort="name")) == ["(root)", "aux", "features", "0", "1", "2", "head"]


def test_what_is_sorted_by_is_shown():
    assert "self arithmetic" in lines(cnn().table(sort="self_arithmetic"))[0]


def test_min_share_hides_the_small_and_says_so():
    view = cnn().table(min_share=0.05)
    # head has 80 of 14928 flops, aux none, ReLU none
    assert names(view) == ["(root)", "features", "0", "1"]
    assert (
        line(view, "hidden") == "3 modules with less than 5.0 % of the flops; min_share=0 shows all"
    )


@pytest.mark.parametrize("options", [{"min_share": 1.5}, {"min_share": -0.1}, {"depth": -1}])
def test_impossible_options_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}="):
        cnn().table(**options)


def test_modules_never_called_have_no_figures_but_parameters():
    assert lines(cnn().table())[8].split() == ["aux", "Linear", "–", "18", "–", "–", "–"]
    assert line(cnn(), "uncalled") == "1 module: aux"


def test_modules_run_by_an_operator_of_another_are_no_alarm():
    report = cnn()
    modules = (*report.modules[:-1], replace(report.modules[-1], fused=True))
    view = replace(report, modules=modules).table()
    assert line(view, "uncalled") is None
    assert line(view, "fused") == "1 module run by operators of modules around them: aux"


def test_containers_never_called_have_their_childrens_figures():
    assert lines(stack(2).table(fold=False))[4].split() == [
        "layers",
        "ModuleList",
        "–",
        "384",
        "768",
        "100.0",
        "%",
        "48",
    ]
    assert line(stack(2), "uncalled") is None


def test_rows_add_up_to_the_total():
    rows = [
        text.split()
        for text in lines(
            training().table(depth=0, columns=("path", "flops", "bytes_read"), exact=True)
        )
    ]
    root, outside, total = rows[2], rows[3], rows[5]
    for i in (-1, -2):
        assert int(total[i].replace(",", "")) == int(root[i].replace(",", "")) + int(
            outside[i].replace(",", "")
        )
    assert total[0] == "total"


def test_work_outside_every_module_is_a_row_where_it_has_a_figure():
    # the optimizer adds 348 · 2, which is arithmetic and no flops, save under "full"; and its time was measured
    assert names(training().table(columns=("flops",)))[-1] == "aux"
    assert names(training().table(columns=("arithmetic",)))[-2:] == ["(no", "total"]
    assert names(training().with_convention("full").table(columns=("flops",)))[-2:] == [
        "(no",
        "total",
    ]
    assert names(training().table())[-2:] == ["(no", "total"]


def test_the_unit_is_always_said():
    assert line(cnn(), "flops").startswith("fvcore convention: 1 MAC = 1 flop, plus norms")
    assert (
        line(cnn().with_convention("torch"), "flops")
        == "torch convention: 1 MAC = 2 flops, nothing besides"
    )


def test_phases_are_said_where_more_than_forward_ran():
    assert line(cnn(), "phases") is None
    assert line(training(), "phases") == "forward 14.9 k, backward 27.8 k, optimizer 0 flops"
    assert (
        line(training().table(exact=True), "phases")
        == "forward 14,928, backward 27,808, optimizer 0 flops"
    )


def test_operators_that_could_not_be_counted_are_named_and_their_modules_marked():
    view = troubled()
    assert (
        line(view, "unknown")
        == "mylib.[attn], 3 calls in a|b`c, (root): no rule and no decomposition"
    )
    assert (
        line(view, "failed")
        == "mylib.broken, 1 call in ключ.值.🔑: ValueError: expected 2 tensors, …"
    )
    assert line(view, "unseen").startswith("aten.empty filled by nobody, 1 call in =cmd")
    assert "≥0" in next(text for text in lines(view) if text.startswith("  a|b`c"))


def test_many_unknown_operators_are_counted_and_the_heaviest_named():
    issues = tuple(OpIssue(f"lib.op{i}", "unknown", 1, ("m",) * 9, (), "", i) for i in range(8))
    text = [t for t in lines(replace(cnn(), issues=issues)) if t.startswith("unknown")]
    assert text[0] == "unknown   lib.op7, 1 call in m, m, m and 6 more (report.unknown_ops)"
    assert text[-1] == "unknown   3 more operators (report.unknown_ops)"


def test_where_the_block_stopped_is_said():
    assert (
        line(troubled(), "stopped")
        == r"in two\nlines\x1b[31m: RuntimeError: boom; the figures go up to there"
    )


def test_estimates_are_marked_and_named():
    assert "≈2.00 k" in next(
        text for text in lines(troubled()) if text.startswith("  [bold red]x[/]")
    )
    assert line(troubled(), "≈") == "an estimate is part of what is marked so: aten.linalg_svd"
    assert "≈" not in str(cnn())


def test_an_estimate_of_element_wise_work_alone_is_not_said_of_flops():
    """The operator's flops are exact under a convention that leaves element-wise work out."""
    some = cnn()
    sort = replace(some.entries[1], op="aten.sort", cost=cost(0, 9, 0, 4, 4, estimate=1))
    report = replace(some, entries=(*some.entries, sort))
    assert (
        line(report, "≈")
        == "an estimate is part of element-wise work, not of these flops: aten.sort"
    )
    assert (
        line(report.with_convention("full"), "≈")
        == "an estimate is part of what is marked so: aten.sort"
    )


def test_shared_modules_show_their_other_names():
    assert line(routed(), "shared") == "norm = left_norm = right_norm"
