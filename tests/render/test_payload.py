"""The data in a page: JSON as it is, or deflated, and small enough either way."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import pytest
from hypothesis import given, settings

from dispatchcount.render.html import payload
from dispatchcount.render.html.data import page_data
from dispatchcount.render.html.page import to_html
from dispatchcount.report_api import Report
from tests.report import make

pytestmark = pytest.mark.torch_alone


def held(page: str) -> tuple[str, Any]:
    """How a page holds its data, and the data, read as somebody without our scripts would."""
    found = re.search(r'<script type="([^"]*)" id="data">([^<]*)</script>', page)
    assert found is not None
    kind, text = found.groups()
    if kind == "application/zlib":
        text = zlib.decompress(base64.b64decode(text)).decode("ascii")
    return kind, json.loads(text)


@settings(max_examples=30, deadline=None)
@given(make.reports())
def test_both_ways_hold_the_same(report: Report) -> None:
    data = json.loads(json.dumps(page_data(report, "x")))
    assert held(payload.element(data)) == ("application/json", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "MOST_PLAIN", 0)
        assert held(payload.element(data)) == ("application/zlib", data)


def test_data_is_deflated_only_where_it_is_long() -> None:
    longest = "<" * (payload.MOST_PLAIN - 2)  # two quotes make it as long as plain data may be
    assert held(payload.element(longest)) == ("application/json", longest)
    assert held(payload.element(longest + "<")) == ("application/zlib", longest + "<")


def test_a_page_of_100_000_modules_that_all_differ_is_smaller_than_15_mb() -> None:
    page = to_html(make.unequal(100_000))
    kind, data = held(page)
    assert kind == "application/zlib"
    assert len(set(data["rows"]["name"])) == 100_000
    assert data["rows"]["folds"]["members"] == []
    assert len(page.encode()) < 15_000_000
