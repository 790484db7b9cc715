"""Ranks: spreads, imbalance, redundancy, files. No process group: the reports are made by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from dispatchcount.cli import main
from dispatchcount.errors import ReportError
from dispatchcount.report.ranks import Spread
from dispatchcount.report_api import Ranks, Report
from tests.report.make import cnn, routed

pytestmark = pytest.mark.torch_alone


def job(*ranks: int, world: int = 3) -> Ranks:
    return Ranks(world, ranks, tuple(cnn() for _ in ranks))


def test_the_imbalance_of_two_experts() -> None:
    """1,531,904 and 2,025,472 MACs: the second takes 2,025,472 ÷ 1,778,688 of the mean."""
    spread = Spread((0, 1), (1_531_904, 2_025_472))
    assert spread.mean == 1_778_688
    assert spread.slowest == 1
    assert spread.imbalance is not None
    assert round(spread.imbalance, 4) == 1.1387
    assert spread.std == (2_025_472 - 1_531_904) / 2


def test_nothing_is_not_uneven() -> None:
    assert Spread((0, 1), (0, 0)).imbalance is None
    assert Spread((3, 5), (4, 4)).imbalance == 1
    assert Spread((3, 5), (4, 4)).slowest == 3


def test_figures_by_module_and_rank() -> None:
    ranks, one = Ranks(2, (0, 1), (cnn(), cnn() + cnn())), cnn()
    for metric in ("flops", "macs", "bytes", "calls"):
        rows = ranks.by_module(metric)
        assert list(rows) == list(one.by_module())
        for name, spread in rows.items():
            once, twice = spread.values
            assert twice == 2 * once, (metric, name)
    assert ranks.spread("macs").values == (one.macs, 2 * one.macs)
    assert ranks.spread("local_params").values == (one.params, one.params)
    heat = ranks.heat("macs")
    assert heat.modules == tuple(one.by_module())
    assert heat.values[heat.modules.index("")] == (one.macs, 2 * one.macs)
    assert ranks.sum.macs == 3 * one.macs
    assert ranks.sum.params == one.params
    with pytest.raises(ValueError, match="memory=True"):
        ranks.spread("memory_saved")
    with pytest.raises(ValueError, match="metric 'flop' is not known"):
        ranks.by_module("flop")


def test_a_module_that_a_rank_does_not_have_is_0_there() -> None:
    ranks = Ranks(2, (0, 1), (cnn(), routed()))
    only = set(routed().by_module()) - set(cnn().by_module())
    assert only
    assert all(ranks.by_module("calls")[name].values[0] == 0 for name in only)


def test_what_is_held_twice() -> None:
    assert {value for value in job(0, 1, 2).redundancy().values() if value} == {3.0}
    assert job(0, 1, 2).redundancy(cnn(), "macs")[""] == 3.0
    with pytest.raises(ValueError, match=r"missing of ranks \[1\]"):
        job(0, 2).redundancy()


def test_modules_of_one_name_may_be_different_ones() -> None:
    """Elements are counted as often as there are different ones, and so are those above them."""
    ranks, one = job(0, 1, 2), cnn().by_module()
    name = next(name for name, row in one.items() if "." not in name and name and row.params)
    found = ranks.redundancy(distinct={name: 3})
    assert found[name] == 1.0
    assert found[""] == 3 * one[""].params / (one[""].params + 2 * one[name].params)
    assert {found[other] for other in one if other.startswith(f"{name}.")} <= {1.0, None}
    assert ranks.redundancy(distinct={name: 1}) == ranks.redundancy()
    for distinct, message in (
        ({"nowhere": 2}, "distinct names 'nowhere', and there is no such module"),
        ({name: 0}, "an integer from 1 up"),
        ({"": 2, name: 2}, f"distinct names '' and '{name}', which lies in it"),
    ):
        with pytest.raises(ValueError, match=message):
            ranks.redundancy(distinct=distinct)
    with pytest.raises(ValueError, match="distinct goes without logical"):
        ranks.redundancy(cnn(), distinct={name: 3})


def test_ranks_that_are_missing_are_named() -> None:
    ranks = job(0, 2)
    assert ranks.missing == (1,)
    assert ranks.of(2) == cnn()
    with pytest.raises(KeyError, match="rank 1"):
        ranks.of(1)
    assert "no report of rank 1" in str(ranks)
    assert repr(ranks).startswith("<Ranks 2 of 3: ")
    assert "\n" not in repr(ranks)


@pytest.mark.parametrize("ranks", [(1, 0), (0, 0), (0, 3), (-1, 0)])
def test_ranks_that_cannot_be(ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="each must be there once"):
        job(*ranks)


def test_no_ranks_at_all() -> None:
    with pytest.raises(ValueError, match="no report"):
        job()
    with pytest.raises(ValueError, match="no report"):
        Report.merge([], axis="rank")


def test_a_file_holds_all_of_it(tmp_path: object) -> None:
    ranks = job(0, 2)
    path = f"{tmp_path}/ranks.json"
    assert Ranks.from_json(ranks.to_json(path)) == ranks == Ranks.from_json(path)
    assert all(isinstance(report, Report) for report in Ranks.from_json(path).reports)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b'"world_size":3', b'"world_size":1', "a row for each rank"),
        (b'"world_size":3', b'"world_size":"3"', "world_size: expected an integer from 0 up"),
        (b'"rank":2', b'"rank":null', r"ranks\[1\].rank: expected an integer"),
        (
            b'"version":1,"meta"',
            b'"version":9,"meta"',
            r"ranks\[0\].report: it is a report of schema version 9",
        ),
        (b"dispatchcount.ranks", b"dispatchcount.rank", "no file of all ranks"),
        (b'"report":{"schema":"dispatchcount.report"', b'"report":{"schema":"x"', "no report of"),
    ],
)
def test_files_that_hold_something_else(before: bytes, after: bytes, message: str) -> None:
    data = job(0, 2).to_json()
    assert before in data
    with pytest.raises(ReportError, match=message):
        Ranks.from_json(data.replace(before, after))


DAMAGES = {
    "cut off": (lambda data: data[: len(data) // 2], "by its beginning it was the reports of all"),
    "without a member": (
        lambda data: data.replace(b'"world_size"', b'"world"'),
        "a file of all ranks: world_size is missing",
    ),
    "with a damaged report": (
        lambda data: data.replace(b'"modules"', b'"mod"', 1),
        "a file of all ranks: ranks[0].report.modules is missing",
    ),
    "of a later version": (
        lambda data: data.replace(b'"version":1', b'"version":7', 1),
        "it is a file of all ranks of schema version 7, this dispatchcount reads up to 1",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_to_be_one_of_all_ranks(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = DAMAGES[damage]
    path = tmp_path / "ranks.json"
    path.write_bytes(change(job(0, 2).to_json()))
    with pytest.raises(ReportError, match=re.escape(message)):
        Ranks.from_json(path)
    assert main(["html", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_of_another_kind_is_named_with_who_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever file of ours a reader is given, the message says what it is and what takes it."""
    path = tmp_path / "some.json"
    job(0, 2).to_json(path)
    others = "it is no report of dispatchcount but the reports of all ranks; dispatchcount.Ranks.from_json() and"
    with pytest.raises(ReportError, match=re.escape(others)):
        Report.from_json(path)
    assert main(["show", str(path)]) == 2
    assert f"{path}: {others} `dispatchcount html` read it" in capsys.readouterr().err
    # Also with the members in another order, as other programs write them.
    value = orjson.loads(job(0, 2).to_json())
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    assert main(["html", str(path), "-o", str(tmp_path / "some.html")]) == 0
    cnn().to_json(path)
    with pytest.raises(
        ReportError, match="it is no file of all ranks of dispatchcount but a report; dispatchcount"
    ):
        Ranks.from_json(path)
    for schema, what in (("law", "a law"), ("plan", "a plan")):
        data = orjson.dumps({"schema": f"dispatchcount.{schema}", "version": 1})
        with pytest.raises(
            ReportError, match=f"it is no report of dispatchcount but {what}; dispatchcount"
        ):
            Report.from_json(data)


def test_merging_files_by_their_labels() -> None:
    given = [cnn().with_labels(rank=str(rank), world_size="4") for rank in (3, 0)]
    ranks = Report.merge(given, axis="rank")
    assert (ranks.world, ranks.ranks) == (4, (0, 3))
    assert ranks.reports == (given[1], given[0])
    plain = Report.merge([cnn(), cnn()], axis="rank")
    assert (plain.world, plain.ranks) == (2, (0, 1))
    with pytest.raises(ValueError, match=r"\['3', None\]"):
        Report.merge([given[0], cnn()], axis="rank")
    with pytest.raises(ValueError, match="axis='ranks' is not known"):
        Report.merge([cnn()], axis="ranks")  # type: ignore[call-overload]


def test_reports_of_two_conventions_have_no_sum() -> None:
    ranks = Ranks(2, (0, 1), (cnn(), replace(cnn(), convention="macs")))
    with pytest.raises(ValueError, match="different conventions"):
        _ = ranks.sum


def test_ranks_and_reports_stand_side_by_side() -> None:
    with pytest.raises(ValueError, match="2 ranks are given and 1 reports"):
        Ranks(2, (0, 1), (cnn(),))


def test_what_is_said_below_the_table() -> None:
    """Two ranks that each hold all 348 parameters; the second one's block did not end."""
    one = cnn()
    broken = replace(one, meta=replace(one.meta, stopped_in="features.1", error="OSError: gone"))
    text = " ".join(str(Ranks(2, (0, 1), (one, broken))).split())
    params = sum(parameter.numel for module in one.modules for parameter in module.parameters)
    assert params == 8 * 3 * 9 + 8 + 8 + 8 + 80 + 10 + 16 + 2
    assert f"{params}, of which the ranks hold {2 * params} together, each 2 times" in text
    assert "rank 1 in features.1: OSError: gone" in text
    assert "no report of" not in text


def test_the_line_of_ranks_names_those_that_are_missing() -> None:
    """One and two runs of 14,928 flops: the second takes 2 ÷ 1.5 of the mean."""
    assert cnn().flops == 512 * 27 + 80 + 1024
    assert repr(Ranks(2, (0, 1), (cnn(), cnn() + cnn()))) == (
        "<Ranks 2 of 2: 44.8 k flops (fvcore), slowest rank 1, max/mean 1.333>"
    )
    assert repr(job(0, 2)) == "<Ranks 2 of 3: 29.9 k flops (fvcore), no report of 1>"
