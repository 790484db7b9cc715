from __future__ import annotations

import argparse
import json

import pytest

from dispatchcount.cli import ops
from dispatchcount.errors import UsageError
from dispatchcount.rules.core.classify import Classified
from dispatchcount.rules.core.registry import OpKind

ROWS = [
    ops.Row("aten::mm", "", Classified(OpKind.RULE, "matmul")),
    ops.Row("aten::mm", "out", Classified(OpKind.RULE, "matmul")),
    ops.Row("aten::view", "", Classified(OpKind.FREE, "views")),
    ops.Row("my::new", "", Classified(None)),
]


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    ops.add_parser(parser.add_subparsers())
    args = parser.parse_args(["ops", *argv])
    return int(args.run(args))


def test_choose_and_count() -> None:
    assert [r.packet for r in ops.choose(ROWS, ["free"], [], "")] == ["aten::view"]
    assert [r.packet for r in ops.choose(ROWS, [], ["my"], "")] == ["my::new"]
    assert [r.overload for r in ops.choose(ROWS, [], [], "MM.out")] == ["out"]
    assert ops.counts(ROWS) == {
        "rule": 2,
        "movement": 0,
        "free": 1,
        "composite": 0,
        "unknown": 0,
        "none": 1,
    }
    assert ops.summary(ROWS) == "4 overloads: 2 rule, 1 free, 1 none"


def test_markdown_has_counts_and_groups() -> None:
    page = ops.as_markdown(ROWS, "9.9")
    assert "| rule | 2 | a formula |" in page
    assert "## my" in page
    assert "| free | views | `view` |" in page


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("addmm", "--json", "--namespace", "aten", "--class", "rule") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"aten::addmm"} <= {row["operator"] for row in rows}
    assert {row["class"] for row in rows} == {"rule"}


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pixel_shuffle") == 0
    assert "aten::pixel_shuffle" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--namespace", "nowhere"], "torch registers no namespace nowhere; there are .*aten"),
        (["no_such_operator"], "no operator fits; leave out"),
    ],
)
def test_nothing_found_says_what_there_is(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(*argv)
