"""A chain of modules 20,000 levels deep renders in every form, and twice the levels take about twice the memory and text."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from dispatchcount.render.html.page import page
from dispatchcount.report.expert_load import expert_load
from dispatchcount.report.rows import (
    NO_MODULE,
    Memory,
    Module,
    ModuleCost,
    ModuleMemory,
    Parameter,
    Path,
    Sample,
)
from dispatchcount.report_api import Report
from tests.report import make

pytestmark = pytest.mark.torch_alone

DEEP = 20_000


def chain(levels: int) -> Report:
    """Modules each of which calls the next, does 5 MACs and holds 4 weights. Names are short: those of a real chain are as long
    as it is deep, and so is every text that holds them all."""
    modules = [Module(NO_MODULE, "")]
    modules += [
        Module(
            f"m{i}",
            "Block",
            i - 1 if i > 1 else -1,
            "",
            (),
            (Parameter(f"m{i}.weight", (2, 2), 4),),
        )
        for i in range(1, levels)
    ]
    paths = tuple(Path(i - 1, i, "(1, 4)", int(i > 0)) for i in range(levels))
    entries = tuple(
        make.entry(i, "aten.mm", make.cost(5, 1, 2, 3, 4), time_ns=7) for i in range(1, levels)
    )
    profile = tuple(ModuleCost(i, 1, make.cost(5)) for i in range(1, levels))
    memory = Memory(tuple(ModuleMemory(i, 16, 16) for i in range(1, levels)), 100, "m1", "aten.mm")
    samples = (Sample("a", 0), Sample("b", 0))
    return Report(
        make.META, "macs", tuple(modules), paths, entries, (), samples, (profile,), memory
    )


def narrow(renderable: Any) -> str:
    stream = StringIO()
    Console(file=stream, width=80).print(renderable)
    return stream.getvalue()


FORMS: dict[str, Callable[[Report], object]] = {
    "json": Report.to_json,
    "table": lambda report: str(report.table(None)),
    "sorted table": lambda report: str(report.table(None, sort="flops")),
    "tree": lambda report: str(report.tree()),
    "tree on a console": lambda report: narrow(report.tree()),
    "arch": lambda report: str(report.arch()),
    "memory": lambda report: str(report.memory_table(None)),
    "samples": lambda report: str(report.samples_table(depth=None)),
    "side by side": lambda report: str(report.side_by_side(None)),
    "diff": lambda report: str(make.cnn().diff(report).table(None)),
    "diff in Markdown": lambda report: report.diff(make.cnn()).to_markdown(None),
    "page": lambda report: page(report, "report.js"),
    "chrome": Report.to_chrome_trace,
    "speedscope": Report.to_speedscope,
    "csv": Report.to_csv,
    "lines": Report.to_jsonl,
    "markdown": lambda report: report.to_markdown(None),
    "metrics": Report.to_openmetrics,
    "notebook": Report._repr_html_,
    "repr": repr,
    "merged": lambda report: repr(report + report),
    "by caller": lambda report: "x" * len(report.by_module("caller")),
    "by operator": lambda report: "x" * len(report.by_module_and_operator()),
    "by operator and caller": lambda report: "x" * len(report.by_module_and_operator("caller")),
}


def measured(form: Callable[[Report], object], report: Report) -> tuple[int, int]:
    """The length of a form, and the most bytes of Python memory while it was made."""
    tracemalloc.start()
    try:
        made = form(report)
        assert isinstance(made, str | bytes)
        return len(made), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FORMS)
def test_twice_the_levels_are_twice_the_text_and_memory(name: str) -> None:
    form = FORMS[name]
    form(chain(10))  # what is imported and learned once
    length, peak = measured(form, chain(400))
    longer, higher = measured(form, chain(800))
    # Numbers of more digits and tables that double in size add to it; what is quadratic would be four times as much.
    assert longer < 2.6 * length + 200
    assert higher < 2.8 * peak + 200_000


def test_the_deepest_chain_in_every_form() -> None:
    report = chain(DEEP)
    for name in (
        "json",
        "tree",
        "speedscope",
        "diff in Markdown",
        "by caller",
        "by operator and caller",
    ):
        # 2,000 bytes a level; the largest is speedscope's, which has each level open and close in ten profiles.
        assert len(FORMS[name](report)) < 2_000 * DEEP, name  # type: ignore[arg-type]
    assert report.by_module("caller")["m1"].macs == 5 * (DEEP - 1)
    assert report.by_module_and_operator("caller")["m10"]["aten.mm"].macs == 5 * (DEEP - 10)
    assert report.by_module_and_operator()["m10"]["aten.mm"].calls == DEEP - 10
    assert report.by_module_over_samples()["m10"].flops.max == 5 * (DEEP - 10)
    with pytest.raises(ValueError, match="holds a single module"):
        expert_load(report, "m1")


def test_levels_beyond_those_drawn_are_numbers() -> None:
    report = chain(36)
    lines = str(report.tree()).split("\n")
    names = [line.partition("m")[2].split()[0] for line in lines if " Block" in line]
    assert names == [str(i) for i in range(1, 36)]
    assert lines[34].startswith(
        "    " * 31 + "├── m33 "
    )  # rows that are deeper stand at the last level drawn
    assert lines[35].startswith("    " * 31 + "├── +1 m34 ")
    assert lines[36].startswith("    " * 31 + "└── +2 m35 ")
    assert str(report.table(None)).split("\n")[36].startswith("  " * 32 + "+2 m35 ")
    assert "  " * 32 + "+2 (m35): Block()" in str(report.arch())


def test_very_long_names_show_their_end_where_they_are_shown_in_passing() -> None:
    name = "a." * 500 + "last"
    report = make.cnn()
    modules = (*report.modules[:7], Module(name, "Linear", 1), Module("b." * 90, "Linear", 1))
    report = Report(make.META, "macs", modules, report.paths, report.entries)
    line = next(line for line in str(report).split("\n") if line.startswith("uncalled"))
    assert line.endswith(f"…{name[-199:]}, {'b.' * 90}")
    assert name in report.to_csv()
