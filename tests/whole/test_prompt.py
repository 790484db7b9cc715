"""Whatever people type at a prompt answers with one line, and in a notebook with a table."""

from __future__ import annotations

import re
from io import StringIO

import pytest
import torch
from rich.console import Console
from torch import nn

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone


def test_a_profile_says_in_which_state_it_is() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    prof = dc.profile(net)
    assert repr(prof) == "<Profile of Sequential: nothing has run yet>"
    with prof:
        net(torch.zeros(2, 4))
        assert repr(prof) == "<Profile of Sequential: running; .report has what ran so far>"
    assert repr(prof) == "<Profile of Sequential: done; .report has the figures>"
    assert repr(dc.profile()) == "<Profile of a block: nothing has run yet>"


def test_everything_that_is_displayed_is_one_line_and_has_a_form_for_notebooks() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with dc.profile(net, memory=True, time=True) as prof, prof.sample("one"):
        net(torch.zeros(2, 4))
    report = prof.report
    device = dc.Device(peak={"float32": 1e12}, bandwidth=1e11)
    law = dc.law(net, lambda b: net(torch.zeros(b, 4)), b=2)
    shown = [
        report,
        report.diff(report),
        report.total,
        report.table(),
        report.overview(),
        report.tree(),
        report.arch(),
        report.operators(),
        report.memory_table(),
        report.side_by_side(),
        report.samples_table(),
        report.histogram(),
        report.diff(report).table(),
        report.roofline(device),
        report.roofline(device).table(),
        report.utilization(device, 0.5),
        law,
        law.table(),
        law.diff(law),
        law(b=3),
    ]
    for value in shown:
        line = repr(value)
        assert "\n" not in line
        assert len(line) < 400, line
        assert value._repr_html_().startswith("<")
    for value in (*report.samples, *report.modules, *report.paths, device, prof):
        assert re.fullmatch(r"[^\n]{5,500}", repr(value))


def test_rich_prints_of_everything_what_its_table_is() -> None:
    net = nn.Linear(4, 3)
    with dc.profile(net) as prof:
        net(torch.zeros(2, 4))
    report = prof.report
    diff = report.diff(report)
    roofline = report.roofline(dc.Device(peak={"float32": 1e12}, bandwidth=1e11))
    ranks = dc.Report.merge([report.with_labels(rank="0", world_size="1")], axis="rank")
    for shown, table in (
        (report, report.overview()),
        (diff, diff.table()),
        (roofline, roofline.table()),
        (ranks, ranks.table()),
    ):
        texts = []
        for one in (shown, table):
            text = StringIO()
            Console(file=text, width=120).print(one)
            texts.append(text.getvalue())
        assert texts[0] == texts[1]
        assert texts[0].count("\n") > 1
