"""What a block shares with the process: the compiler's stance, warnings, threads, signals, the user's objects."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
import torch
import torch._dynamo
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import dispatchcount as dc
from dispatchcount.capture.inputs import DEPTH, ITEMS, MORE, input_shapes, plain_shapes

pytestmark = pytest.mark.torch_alone


def stance() -> str:
    return torch._dynamo.eval_frame._stance.stance


def test_the_stance_is_put_back() -> None:
    assert stance() == "default"
    with dc.profile(), dc.profile():
        assert stance() == "force_eager"
    assert stance() == "default"


def test_a_stance_that_the_user_sets_inside_is_the_users_afterwards() -> None:
    try:
        with dc.profile():
            torch.compiler.set_stance("eager_on_recompile")
        assert stance() == "eager_on_recompile"
    finally:
        torch.compiler.set_stance("default")


def test_a_stance_taken_back_after_the_block_does_not_bring_ours_back() -> None:
    with dc.profile():
        users = torch.compiler.set_stance("eager_on_recompile")
        users.__enter__()
    users.__exit__(None, None, None)
    assert stance() == "default"


def test_blocks_in_many_threads_share_the_stance() -> None:
    def work() -> None:
        for _ in range(50):
            with dc.profile():
                torch.ones(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert stance() == "default"
    assert not any(type(finder).__name__ == "EagerStance" for finder in sys.meta_path)


def test_a_compiled_module_gives_no_warning_of_ours() -> None:
    model = torch.compile(nn.Linear(2, 2), backend="eager")
    model(torch.ones(1, 2))  # compiling it warns by itself, under Python 3.13.0
    before = warnings.filters[:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with dc.profile(model) as prof:
            model(torch.ones(1, 2))
    assert prof.report.macs == 4
    with (
        dc.profile(),
        warnings.catch_warnings(),
    ):  # the filters that are put aside have ours in them
        pass
    assert warnings.filters == before


class Log(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("options", [{}, {"memory": True}, {"time": True}])
def test_a_function_mode_of_the_users_sees_its_own_calls(
    outside: bool, options: dict[str, Any]
) -> None:
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2)
    with Log() as alone:
        model(x)
    if outside:
        with Log() as beside, dc.profile(model, **options) as prof:
            model(x)
        assert prof.report.macs == 4
    else:
        with dc.profile(model, **options), Log() as beside:
            model(x)
    assert beside.seen == alone.seen


class Lazy(dict[str, Any]):
    def items(self) -> Any:
        raise AssertionError("opened")

    __iter__ = values = keys = __getitem__ = items  # type: ignore[assignment]


class Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


class Unhashable(type):
    def __eq__(cls, other: object) -> bool:
        raise AssertionError

    def __hash__(cls) -> int:
        raise AssertionError


def test_the_class_of_an_input_is_not_asked_for_anything() -> None:
    odd, x = Unhashable("Odd", (), {})(), torch.ones(2, 3)

    class Takes(nn.Module):
        def forward(self, x: Tensor, odd: Any) -> Tensor:
            return x + 1

    model = Takes()
    with dc.profile(model) as prof:
        model(x, odd)
        model(x, odd=odd)
        model(x, [odd, {"key": odd}])
    assert prof.report.by_module()[""].calls == 3


def test_inputs_are_looked_at_from_outside() -> None:
    x = torch.ones(2, 3)
    loop: dict[str, Any] = {"x": x}
    loop["again"] = [loop]
    node: list[Any] = [x]
    for _ in range(10):
        node = [node]
    for odd in (
        loop,
        node,
        Lazy(a=x),
        Hostile(),
        {Hostile: x},
        [x] * 100_000,
        dict.fromkeys(range(1000), x),
        iter([x]),
        {1.5: x},
    ):
        shapes = input_shapes((x, odd), {"named": odd, "x": x})
        hash(shapes)
        assert (shapes[0] == (2, 3) and shapes[-1] == ("x", (2, 3))) or MORE in str(shapes)
        assert len(str(shapes)) < 100 * ITEMS
    nested: Any = x
    for _ in range(DEPTH):
        nested = [nested]
    assert str(input_shapes((nested,), {})).count("2, 3") == 1
    assert MORE in str(input_shapes(([nested],), {}))
    for args, kwargs in (
        ((x,), {}),
        ((x, None, 2), {"y": x, "flag": True}),
        ((), {"x": x}),
        ((), {}),
        ((None,), {}),
    ):
        assert plain_shapes(args, kwargs) == input_shapes(args, kwargs)


def test_a_subclass_that_lies_about_its_shape_does_no_harm() -> None:
    class Liar(Tensor):
        @property
        def shape(self) -> Any:
            raise SystemError("no shape")

        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return super().__torch_function__(func, types, args, kwargs or {})

    model = nn.Identity()
    with dc.profile(model) as prof:
        model(torch.ones(2).as_subclass(Liar))
    assert prof.report.by_module()[""].calls == 1


class Odd(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def test_an_exception_without_a_text_comes_out() -> None:
    with pytest.raises(Odd), dc.profile(nn.Linear(2, 2)) as prof:
        raise Odd
    assert prof.report.meta.error is not None
    assert prof.report.meta.error.startswith("Odd")


@pytest.fixture
def alarms() -> Iterator[list[int]]:
    """A signal handler that runs a module and operators, many times a second."""
    other, x, seen, busy = nn.Sequential(nn.Linear(4, 4)), torch.ones(2, 4), [0], [False]

    def handler(number: int, frame: FrameType | None) -> None:
        if not busy[0]:
            busy[0] = True
            other(x).sum()
            seen[0] += 1
            busy[0] = False

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    yield seen
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("options", [{}, {"memory": True}, {"time": True}])
def test_signal_handlers_may_run_modules(alarms: list[int], options: dict[str, Any]) -> None:
    x = torch.ones(2, 4, requires_grad=True)
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4)) for _ in range(10)])
    with dc.profile(model, **options) as prof:
        for _ in range(60):
            model(x).sum().backward()
    assert alarms[0] > 20
    report = prof.report
    report.self_check()
    calls = report.by_module()["0.0"].calls
    assert calls == 60
    # Each layer: forward once, and two products backward.
    assert (
        sum(report.by_module()[f"{i}.0"].self_.macs for i in range(10)) == 60 * 10 * 3 * 2 * 4 * 4
    )


def test_a_handler_that_raises_leaves_nobody_let_by(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stops(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt

    model, other, x = nn.Linear(4, 4), Stops(), torch.ones(2, 4)
    with dc.profile(model) as prof:
        model(x)
        calls = prof._session._mode.calls  # type: ignore[union-attr]
        calls.tape.worker = (
            threading.get_ident()
        )  # as in a line that changes the tree, where a signal arrives
        with pytest.raises(KeyboardInterrupt):
            other(x)
        model(x)  # let by
        calls.tape.worker = 0
        model(x)
    assert prof.report.by_module()[""].macs == 2 * 2 * 4 * 4


def test_finalizers_may_run_modules() -> None:
    other, x = nn.Linear(4, 4), torch.ones(2, 4)
    ran = [0]

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            other(x)
            ran[0] += 1

    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4)) for _ in range(10)])
    gc.callbacks.append(collected)
    threshold = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with dc.profile(model, memory=True) as prof:
            for _ in range(20):
                model(x)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collected)
    assert ran[0] > 10
    prof.report.self_check()
    assert prof.report.by_module()["0.0"].self_.macs == 20 * 2 * 4 * 4


def test_a_compiler_that_another_thread_loads_is_waited_for_by_nobody() -> None:
    code = """
import threading, time, torch, dispatchcount as dc
def load(): import torch._dynamo
thread = threading.Thread(target=load, daemon=True)
with dc.profile():
    thread.start()
    time.sleep(0.05)
end = time.time() + 100
while thread.is_alive() and time.time() < end:
    with dc.profile():
        time.sleep(0.005)
assert not thread.is_alive()
assert torch._dynamo.eval_frame._stance.stance == "default"
"""
    import subprocess

    began = time.time()
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stderr
    assert time.time() - began < 120


def test_a_compiler_that_the_block_loads_runs_eagerly_from_then_on() -> None:
    code = """
import sys, torch, dispatchcount as dc
w = torch.ones(8, 8)
assert "torch._dynamo" not in sys.modules
with dc.profile() as prof:
    import torch._dynamo
    assert torch._dynamo.eval_frame._stance.stance == "force_eager"
    before = prof.report.macs
    torch.cond(w.sum() > 0, lambda v: v @ w, lambda v: v, (torch.ones(4, 8),))
    assert prof.report.macs - before == 4 * 8 * 8
assert torch._dynamo.eval_frame._stance.stance == "default"
"""
    import subprocess

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stderr
