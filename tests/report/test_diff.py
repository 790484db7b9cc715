from dataclasses import replace

import pytest
from hypothesis import given, settings

from dispatchcount.report.diff import Change
from dispatchcount.report.metrics import KEYS
from dispatchcount.report.rows import Module
from dispatchcount.report_api import Report
from dispatchcount.rules.core.cost import Cost
from tests.report import make

pytestmark = pytest.mark.torch_alone


def rename(report: Report, old: str, new: str) -> Report:
    """`report` with the modules at and below `old` called `new`."""
    modules = (
        replace(m, name=new + m.name[len(old) :])
        if m.name == old or m.name.startswith(f"{old}.")
        else m
        for m in report.modules
    )
    return replace(report, modules=tuple(modules))


def listed(rows: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(row.change, row.name) for row in rows]


def test_a_report_does_not_differ_from_itself() -> None:
    diff = make.troubled().diff(make.troubled())
    assert not diff
    assert diff.rows == ()
    assert str(diff).startswith("Nothing changed")


def test_time_is_no_change() -> None:
    report = make.cnn()
    assert not report.diff(
        replace(report, entries=tuple(replace(e, time_ns=7) for e in report.entries))
    )


def test_a_bigger_layer_changes_it_and_what_is_above_it() -> None:
    old = make.cnn()
    entries = tuple(
        replace(e, cost=e.cost + Cost(macs=1000)) if e.op == "aten.convolution" else e
        for e in old.entries
    )
    diff = old.diff(replace(old, entries=entries))
    assert listed(diff.rows) == [
        ("changed", ""),
        ("changed", "features"),
        ("changed", "features.0"),
        ("changed", "aten.convolution"),
    ]
    assert {row.delta("flops") for row in diff.rows} == {1000}
    assert diff.modules[2].percent("flops") == 100 * 1000 / (512 * 27)
    assert diff.total.delta("macs") == 1000


def test_the_biggest_change_comes_first() -> None:
    diff = make.cnn().diff(make.training())
    deltas = [abs(row.delta("flops")) for row in diff.modules]
    assert deltas == sorted(deltas, reverse=True)
    assert listed(diff.operators)[0] == ("added", "aten.convolution_backward")  # 2·512·27


def test_added_and_removed_have_their_whole_figures() -> None:
    old = make.stack(2)
    diff = old.diff(make.stack(3))
    added = [row for row in diff.modules if row.change == "added"]
    assert [row.name for row in added] == [
        "encoder.layers.2",
        *(f"encoder.layers.2.part{i}" for i in (2, 1, 0)),
    ]
    assert (added[0].delta("flops"), added[0].delta("params")) == (64 * (1 + 2 + 3), 3 * 64)
    assert added[0].percent("flops") is None
    back = [row for row in make.stack(3).diff(old).modules if row.change == "removed"]
    assert [row.delta("flops") for row in back] == [-row.delta("flops") for row in added]


def test_a_renamed_tree_is_one_row() -> None:
    old = make.cnn()
    diff = old.diff(rename(old, "features", "stem"))
    assert listed(diff.rows) == [("renamed", "stem")]
    assert diff.rows[0].old_name == "features"
    assert diff.rows[0].delta("flops") == 0
    assert "stem ← features" in str(diff)


def test_equal_modules_under_a_renamed_parent_keep_their_pairs() -> None:
    old = make.stack(3)
    assert listed(old.diff(rename(old, "encoder", "body")).rows) == [("renamed", "body")]


def test_only_the_same_type_is_a_rename() -> None:
    old = make.cnn()
    modules = tuple(
        Module("mlp", "Gate", m.parent, m.extra, (), m.parameters) if m.name == "head" else m
        for m in old.modules
    )
    assert sorted(listed(old.diff(replace(old, modules=modules)).rows)) == [
        ("added", "mlp"),
        ("removed", "head"),
    ]


def test_another_kernel_of_the_same_cost_is_a_renamed_operator() -> None:
    old = make.cnn()
    entries = tuple(
        replace(e, op="aten.linear") if e.op == "aten.addmm" else e for e in old.entries
    )
    (row,) = old.diff(replace(old, entries=entries)).rows
    assert (row.kind, row.change, row.name, row.old_name) == (
        "operator",
        "renamed",
        "aten.linear",
        "aten.addmm",
    )


def test_a_type_that_changed_is_a_change() -> None:
    old = make.cnn()
    modules = tuple(replace(m, type="LazyLinear") if m.name == "head" else m for m in old.modules)
    assert listed(old.diff(replace(old, modules=modules)).rows) == [("changed", "head")]


def test_the_older_reports_convention_holds() -> None:
    old = make.cnn().with_convention("macs")
    diff = old.diff(make.cnn().with_convention("full"))
    assert not diff
    assert diff.new.convention == "macs"
    assert "macs convention: 1 MAC = 1 flop, nothing besides" in str(diff)


def test_limits_hold_the_totals() -> None:
    diff = make.cnn().diff(make.training())
    assert diff.over("params=0") == ()
    assert [str(breach) for breach in diff.over({"flops": "1%"})] == [
        "flops grew from 14,928 to 42,736, by 27,808 (+186.28%); 1% is allowed"
    ]


def test_markdown_shows_hostile_names_as_they_are() -> None:
    text = make.cnn().diff(make.troubled()).to_markdown(None)
    assert "`` a\\|b`c ``" in text or "``a\\|b`c``" in text
    assert "\x1b" not in text
    assert "- not counted, new: mylib.\\[attn\\] (unknown, 3 calls)" in text
    assert "- the new run stopped in two\\\\nlines" in text


def test_what_is_left_out_is_said() -> None:
    diff = make.stack(2).diff(make.stack(20))
    assert "smaller changes; top=None shows all" in str(diff.table(3, fold=False))
    assert "smaller changes" not in str(diff.table(None))


@settings(max_examples=40, deadline=None)
@given(make.reports(), make.reports())
def test_a_diff_and_its_reverse_agree(old: Report, new: Report) -> None:
    there, back = old.diff(new), new.with_convention(old.convention).diff(old)
    assert bool(there) == bool(back)
    for key in KEYS:
        assert there.total.delta(key) == -back.total.delta(key)
    str(there)
    there.to_markdown().encode()
    assert not old.diff(old)


def test_the_page_is_linked_from_markdown() -> None:
    diff = make.cnn().diff(make.training())
    address = "https://ci.example/runs/1?a=b_c(d)&e=*"
    assert diff.to_markdown(page=address).endswith(
        f"\n[Both reports beside each other](<{address}>)\n"
    )
    for bad in ("", "a\nb", "a>b", "<a"):
        with pytest.raises(ValueError, match="is not an address that Markdown can link to"):
            diff.to_markdown(page=bad)


def untimed(report: Report) -> Report:
    """`report` of a block that measured neither time nor memory."""
    entries = tuple(replace(entry, time_ns=0) for entry in report.entries)
    return replace(report, entries=entries, memory=None)


def test_what_one_report_alone_measured_is_no_change() -> None:
    timed = make.training()
    for old, new, which in ((timed, untimed(timed), "old"), (untimed(timed), timed, "new")):
        diff = old.diff(new)
        assert not diff
        assert diff.uncompared == (
            f"the {which} report alone has memory",
            f"the {which} report alone has time",
        )
        assert f"not compared: {diff.uncompared[1]}" in diff.to_markdown()
    assert timed.diff(timed).uncompared == ()


def test_weights_that_one_report_alone_read_are_no_change() -> None:
    plain = make.cnn()
    read = replace(
        plain,
        modules=tuple(
            replace(
                module,
                parameters=tuple(replace(one, nonzero=one.numel) for one in module.parameters),
            )
            for module in plain.modules
        ),
    )
    assert read.nonzero_params > 0
    diff = plain.diff(read)
    assert not diff
    assert diff.modules == ()
    assert diff.uncompared == ("the new report alone has non-zero weights",)
    assert "nonzero_params" not in diff.to_markdown()
    assert read.diff(read).uncompared == ()
