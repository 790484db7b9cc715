"""A Ctrl-C at any line that the package runs while a block opens and closes leaves nothing behind."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
import torch
import torch._dynamo  # the compiler is there, so that the stance is set
from torch import nn
from torch.nn.modules import module as hooks
from torch.optim import optimizer as optimizers

import dispatchcount as dc
from dispatchcount import session

pytestmark = pytest.mark.torch_alone

PACKAGE = os.path.dirname(dc.__file__) + os.sep


class Stop(KeyboardInterrupt):
    pass


def left() -> dict[str, Any]:
    """What a block puts on a process."""
    return {
        "modes": torch.utils._python_dispatch._get_current_dispatch_mode_stack(),
        "function modes": torch.overrides._get_current_function_mode_stack(),
        "module hooks": [
            *hooks._global_forward_pre_hooks.values(),
            *hooks._global_forward_hooks.values(),
            *hooks._global_module_registration_hooks.values(),
        ],
        "optimizer hooks": [
            *optimizers._global_optimizer_pre_hooks.values(),
            *optimizers._global_optimizer_post_hooks.values(),
        ],
        "torch functions": torch._C._get_torch_function_state(),
        "dispatch": str(torch._C._dispatch_tls_local_exclude_set()),
        "stance": torch._dynamo.eval_frame._stance.stance,
        "finders": [type(finder) for finder in sys.meta_path],
        "filters": warnings.filters[:],
    }


@contextmanager
def at_line(number: int) -> Iterator[list[int]]:
    """Raise at the line of the package that is run as that one; gives how many were run."""
    seen = [0]

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            seen[0] += 1
            if seen[0] == number:
                raise Stop
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


def sequential() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU())


CASES: dict[str, Callable[[nn.Module], dc.Profile]] = {
    "plain": lambda m: dc.profile(m),
    "everything": lambda m: dc.profile(m, memory=True, time=True, functions=True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_ctrl_c_at_any_line_leaves_nothing(case: str) -> None:
    model, x = sequential(), torch.ones(1, 2)
    with CASES[case](model):  # what is learned once in a process is learned
        model(x)
    clean, number, lines = left(), 0, 1
    while number < lines:
        number += 1
        prof = CASES[case](model)
        try:
            with at_line(number) as seen, prof:
                pass
        except Stop:
            pass
        lines = seen[0] if number == 1 else max(lines, seen[0])
        assert left() == clean, f"line {number}"
        assert prof._depth == 0
        if number == 1:  # it stopped at once; count the lines of a whole run
            with at_line(0) as seen, CASES[case](model):
                pass
            lines = seen[0]
    assert number > 200
    with CASES[case](model) as prof:  # and blocks can still be opened
        model(x)
    assert prof.report.macs == 2 * 2


@pytest.mark.parametrize("raising", ["close", "remove", "finish"])
def test_an_error_of_ours_is_not_over_the_users(
    raising: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("ours")

    target = {
        "close": (session.MemoryWatch, "close"),
        "remove": (session.MemoryWatch, "remove"),
        "finish": (session.Session, "_take_inventory"),
    }[raising]
    monkeypatch.setattr(*target, fail)
    clean = left()
    prof = dc.profile(sequential(), memory=True)
    with pytest.raises(ValueError, match="the user's"), prof:
        raise ValueError("the user's")
    if raising != "remove":  # that one is what takes the hooks off
        assert left() == clean
    monkeypatch.undo()
    assert prof._session is not None
    prof._session._memory.remove()  # type: ignore[union-attr]
    assert "dispatchcount's own: RuntimeError" in str(prof.report.meta.notes)


def test_a_block_is_left_as_often_as_it_was_entered() -> None:
    clean, model, x = left(), sequential(), torch.ones(1, 2)
    prof = dc.profile(model)
    with prof:
        with prof:
            model(x)
        assert left() != clean
        model(x)
    assert left() == clean
    assert prof.report.macs == 2 * 4
    prof.__enter__()
    model(x)
    prof.__exit__(None, None, None)
    assert left() == clean
    assert prof.report.macs == 4
