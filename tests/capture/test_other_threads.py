"""Modules that run in a thread which a block does not count are noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.capture.calls import ELSEWHERE

pytestmark = pytest.mark.torch_alone

X = torch.ones(2, 4)
MACS = 2 * 4 * 3


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3, bias=False), nn.Linear(3, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)


def elsewhere(run: Callable[[], Any]) -> None:
    """Run something in a thread of its own, and wait for it."""
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def notes_of(net: nn.Module, run: Callable[[], Any]) -> tuple[int, bool]:
    """The MACs that a block counts, and True if it says that modules ran elsewhere."""
    with dc.profile(net) as prof:
        run()
    prof.report.self_check()
    return prof.report.macs, ELSEWHERE in prof.report.meta.notes


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda net: net(X), (MACS, False)),
        (lambda net: elsewhere(lambda: net(X)), (0, True)),
        (lambda net: (net(X), elsewhere(lambda: net(X))), (MACS, True)),
        (lambda net: elsewhere(lambda: net.a(X)), (0, True)),
        # The copies of modules that DataParallel makes have the ids of no known module.
        (lambda net: elsewhere(lambda: net._replicate_for_data_parallel()(X)), (0, True)),
        # A server may run other models in other threads meanwhile.
        (lambda net: (net(X), elsewhere(lambda: nn.Linear(4, 3)(X))), (MACS, False)),
        (lambda net: (net(X), elsewhere(lambda: X + 1)), (MACS, False)),
    ],
    ids=["here", "there", "both", "a part", "a replica", "another model", "no module"],
)
def test_what_ran_elsewhere(run: Callable[[nn.Module], Any], expected: tuple[int, bool]) -> None:
    net = Net()
    assert notes_of(net, lambda: run(net)) == expected


def test_what_a_block_of_that_thread_counts_is_no_gap() -> None:
    net, reports = Net(), []

    def counted() -> None:
        with dc.profile(net) as prof:
            net(X)
        reports.append(prof.report)

    assert notes_of(net, lambda: (net(X), elsewhere(counted))) == (MACS, False)
    assert ELSEWHERE not in reports[0].meta.notes
    assert dc.Report.merge(reports * 2).macs == 2 * MACS


def test_the_text_says_it() -> None:
    net = Net()
    with dc.profile(net) as prof:
        elsewhere(lambda: net(X))
    assert ELSEWHERE in " ".join(str(prof.report.table()).split())
