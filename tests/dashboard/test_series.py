"""Which runs are of one series, what a series is called, and its budgets."""

from __future__ import annotations

import itertools
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatchcount.dashboard.collect import Run, summarize
from dispatchcount.dashboard.series import in_series, parse_budget
from dispatchcount.errors import UsageError
from tests.report import make

COUNT = itertools.count()


def run(created: int = 0, **labels: str) -> Run:
    report = make.cnn()
    report = replace(report, meta=replace(report.meta, created=created))
    return summarize(report.with_labels(**labels), f"{next(COUNT)}.json")


def test_labels_tell_series_apart_and_commits_and_devices_do_not() -> None:
    runs = [
        run(3, model="net", input="8x8", commit="c"),
        run(1, model="net", input="8x8", commit="a"),
        run(2, model="net", input="8x8", commit="b", mode="train"),
        run(2, model="net", input="8x8", commit="b", dtype="bfloat16"),
        run(2, model="net", input="16x16", commit="b"),
        run(2, model="other", commit="b", device="cpu"),
        run(3, model="other", commit="c", device="meta"),
    ]
    found = in_series(runs, (), ())
    assert [(one.name, [each.commit for each in one.runs]) for one in found] == [
        ("net, 16x16, no dtype, no mode", ["b"]),
        ("net, 8x8, dtype=bfloat16, no mode", ["b"]),
        ("net, 8x8, no dtype, mode=train", ["b"]),
        ("net, 8x8, no dtype, no mode", ["a", "c"]),
        ("other", ["b", "c"]),
    ]


def test_labels_that_differ_within_a_series_are_named() -> None:
    runs = [run(step, model="net", step=str(step)) for step in (2, 1)]
    assert [one.name for one in in_series(runs, (), ())] == ["net, step=1", "net, step=2"]
    (one,) = in_series(runs, ("step",), ())
    assert (one.name, [each.created for each in one.runs]) == ("net", [1, 2])


def test_models_of_one_class_are_not_mixed() -> None:
    """Both are a SmallNet, and nothing says that they are the same one."""
    found = in_series([run(), run()], (), ())
    assert [len(one.runs) for one in found] == [1, 1]
    assert all(one.name.startswith("SmallNet in ") for one in found)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["model", "input", "commit", "mode", "dtype"]),
            st.sampled_from(["a", "b", ""]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_run_is_in_one_series_and_names_differ(labels: list[dict[str, str]]) -> None:
    runs = [run(**{key: value for key, value in one.items() if value}) for one in labels]
    found = in_series(runs, (), ())
    assert sorted(each.file for one in found for each in one.runs) == sorted(
        each.file for each in runs
    )
    assert len({one.name for one in found}) == len(found)


def test_budgets_of_all_and_of_one() -> None:
    budgets = [
        parse_budget("flops=4.2G,params=26M"),
        parse_budget("torchvision:resnet50:flops=5G"),
        parse_budget("params=1M"),
    ]
    found = in_series([run(model="torchvision:resnet50"), run(model="net")], (), budgets)
    assert {one.name: {limit.metric: limit.text for limit in one.budgets} for one in found} == {
        "net": {"flops": "4.2G", "params": "1M"},
        "torchvision:resnet50": {"flops": "5G", "params": "1M"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no limit was given"),
        ("net:", "no limit was given"),
        ("net:flops", "is not a limit"),
        ("flops=5%", "flops=5% is a share of a baseline; give an amount"),
        ("unknown_ops=0", "unknown_ops has no trend to draw a budget into; it is one of flops,"),
        ("speed=3", "cannot be limited"),
    ],
)
def test_budgets_that_cannot_be_drawn(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_budget(text)


def test_a_budget_for_nobody() -> None:
    with pytest.raises(UsageError, match="no run has the model 'nett' .* there is net"):
        in_series([run(model="net")], (), [parse_budget("nett:flops=1G")])
