"""The magics, in a real shell of IPython and in a notebook's kernel."""

from __future__ import annotations

import importlib
import sys

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from traitlets.config import Config

import dispatchcount as dc

SETUP = """
import torch
from torch import nn
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
x = torch.zeros(3, 8)
"""
FORWARD = 3 * 8 * 16 + 3 * 16 * 4
"""Rows · in · out of both layers."""


@pytest.fixture
def shell():
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "dispatchcount")
    shell.run_cell(SETUP)
    yield shell
    InteractiveShell.clear_instance()


def run(shell, source: str) -> tuple[object, str]:
    """What a cell returns or raises, and what it shows as text."""
    with capture_output() as shown:
        done = shell.run_cell(source)
    text = shown.stdout + "".join(output.data.get("text/plain", "") for output in shown.outputs)
    return done.error_in_exec or done.error_before_exec or done.result, text


def report(shell, name: str = "_report") -> dc.Report:
    return shell.user_ns[name]


def test_a_cell(shell):
    value, shown = run(shell, "%%dispatchcount --model net\ny = net(x)\ny.shape")
    assert tuple(value) == (3, 4)
    assert report(shell).macs == FORWARD
    assert "Where it goes" in shown
    assert tuple(shell.user_ns["y"].shape) == (3, 4)
    assert report(shell).modules[1].type == "Sequential"


def test_a_statement_keeps_its_quotes_and_dashes(shell):
    value, shown = run(shell, """%dispatchcount --depth 0 net(x).sum(-1).shape[0], "a  - b" """)
    assert value == (3, "a  - b")
    assert report(shell).macs == FORWARD
    assert "Linear" not in shown.partition("module ")[2].partition("\n\n")[0]


def test_a_statement_that_assigns(shell):
    value, _ = run(shell, "%dispatchcount z = net(x)")
    assert value is None
    assert "z" in shell.user_ns


def test_options_reach_the_profile(shell):
    options = "--convention torch --memory --time --to mine --operators --exact --top all"
    _, shown = run(shell, f"%%dispatchcount --model=net {options}\nnet(x)")
    mine = report(shell, "mine")
    assert mine.flops == 2 * FORWARD
    assert f"{2 * FORWARD:,}" in shown
    assert "aten.addmm" in shown
    assert mine.memory is not None
    assert mine.total.time_ns > 0
    assert "_report" not in shell.user_ns


def test_backward(shell):
    run(shell, "%%dispatchcount --model net --backward\nnet(x)")
    # Both weights take a gradient, and the second layer's input.
    assert report(shell).by_phase()["backward"].macs == FORWARD + 3 * 16 * 4
    raised, _ = run(shell, "%dispatchcount --backward 1 + 1")
    assert "nothing to run backward from" in str(raised)


def test_code_that_raises_leaves_a_report_and_raises(shell):
    raised, shown = run(shell, "%%dispatchcount --model net\nnet(x)\nnet(torch.zeros(3, 7))")
    assert isinstance(raised, RuntimeError)
    assert report(shell).macs == FORWARD
    assert "stopped" in shown


def test_magics_inside_the_cell(shell):
    run(shell, "%%dispatchcount\nimport torch\n%timeit -n 1 -r 1 net(x)\nnet(x)")
    assert report(shell).macs == 2 * FORWARD


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%dispatchcount", "nothing to run"),
        ("%dispatchcount --model nothing net(x)", "--model nothing: NameError"),
        ("%dispatchcount --model x net(x)", "is a Tensor, not a torch.nn.Module"),
        ("%dispatchcount --convention mine net(x)", "convention 'mine' is not known"),
        ("%dispatchcount --depth deep net(x)", "--depth: 'deep' is no number"),
        ("%dispatchcount --to 1x net(x)", "no name of a variable"),
        ("%dispatchcount --columns nope net(x)", "column 'nope' is not known"),
        ("%dispatchcount --model", "--model needs a value"),
        ("%dispatchcount --nope net(x)", "there is no option --nope"),
        ("%%dispatchcount net(x)\nnet(x)", "no option"),
    ],
)
def test_wrong_use_says_what_to_do(shell, line, said):
    raised, _ = run(shell, line)
    assert said in str(raised)


def test_a_notebook_shows_a_page_and_stops_where_a_cell_raises():
    cells = [f"%load_ext dispatchcount\n{SETUP}", "%%dispatchcount --model net\nnet(x).shape"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=300, kernel_name="python3").execute()
    report, value = book.cells[1].outputs
    assert "<table" in report.data["text/html"]
    assert "Where it goes" in report.data["text/plain"]
    assert value.data["text/plain"] == "torch.Size([3, 4])"


def test_the_package_that_is_missing_is_named(monkeypatch):
    name = "dispatchcount.integrations.ipython"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "IPython.core.error", None)
    with pytest.raises(ImportError, match=r"pip install 'dispatchcount\[ipython\]'"):
        importlib.import_module(name)
