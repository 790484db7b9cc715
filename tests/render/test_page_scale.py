"""A page asks a report for its modules a fixed number of times, however many modules there are.

Each answer is a table of all modules. Asked for once a module, 10,000 modules took ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dispatchcount.render.html.page import diff_page, page, ranks_to_html
from dispatchcount.report.model import ReportData
from dispatchcount.report_api import Report
from tests.report import make

pytestmark = pytest.mark.torch_alone

PAGES: dict[str, Callable[[int], str]] = {
    "report": lambda number: page(make.stack(number)),
    "diff": lambda number: diff_page(make.stack(number).diff(make.stack(number + 1))),
    "ranks": lambda number: ranks_to_html(Report.merge([make.stack(number)] * 2, axis="rank")),
}


@pytest.mark.parametrize("name", PAGES)
def test_modules_are_asked_for_as_often(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answer = ReportData.by_module

    def counting(report: ReportData, ancestors: str = "owner") -> object:
        asked.append(ancestors)
        return answer(report, ancestors)

    monkeypatch.setattr(ReportData, "by_module", counting)
    counts = []
    for number in (4, 40):
        asked.clear()
        PAGES[name](number)
        counts.append(len(asked))
    assert counts[0] == counts[1] > 0
