"""Torch functions that are written in Python run in their own module, also where the block notes functions."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

CALLS = 0
FACTOR = 2


def counted(x: Tensor) -> Tensor:
    """Built as torch's own functions are: it asks for overrides first."""
    global CALLS, LATEST
    if has_torch_function_unary(x):
        return handle_torch_function(counted, (x,), x)
    CALLS += 1
    LATEST = CALLS
    return x * FACTOR


def warning(x: Tensor) -> Tensor:
    if has_torch_function_unary(x):
        return handle_torch_function(warning, (x,), x)
    warnings.warn("once for this line", stacklevel=1)
    return counted(x)


def test_global_names_are_the_modules() -> None:
    before = CALLS
    with dc.profile(functions=True) as prof:
        counted(torch.ones(3))
        counted(torch.ones(3))
    assert before + 2 == CALLS == LATEST
    assert prof.report.by_function()["mul"].calls == 2  # what `counted` calls was seen


def test_a_name_replaced_inside_the_block_is_replaced_for_the_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with dc.profile(functions=True):
        assert counted(torch.ones(1)).item() == 2
        monkeypatch.setitem(globals(), "FACTOR", 3)
        assert counted(torch.ones(1)).item() == 3


def test_a_warning_is_shown_once() -> None:
    """Without a profiler, under Python's own rules, a line warns once in a process."""
    globals().pop("__warningregistry__", None)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        with dc.profile(functions=True):
            warning(torch.ones(1))
            warning(torch.ones(1))
        with dc.profile(functions=True):
            warning(torch.ones(1))
        warning(torch.ones(1))
    assert [str(w.message) for w in shown] == ["once for this line"]


def test_functions_that_import_beside_them() -> None:
    """An import inside a function needs the names that Python keeps of its module."""

    def imports(x: Any) -> str:
        from . import test_torch_functions

        if has_torch_function_unary(x):
            return handle_torch_function(imports, (x,), x)
        from . import test_torch_functions as again

        return test_torch_functions.__name__ if again is test_torch_functions else ""

    with dc.profile(functions=True):
        assert imports(torch.ones(1)) == __name__
