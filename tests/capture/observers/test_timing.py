"""Time by operator and module, on a clock that only moves when told to, so that every figure is exact."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.capture import record
from dispatchcount.capture.observers import memory, timing
from dispatchcount.capture.observers.timing import Timing
from dispatchcount.capture.record import Place, Table
from dispatchcount.capture.signature import Signature

pytestmark = pytest.mark.torch_alone

NOW = [0]


@torch.library.custom_op("timingtests::sleep", mutates_args=())
def sleep(x: Tensor, ns: int) -> Tensor:
    NOW[0] += ns
    return x.clone()


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.ns = inputs[1]


def back(ctx: Any, grad: Tensor) -> Any:
    (x,) = ctx.saved_tensors
    return sleep(grad * x, 2 * ctx.ns), None


sleep.register_autograd(back, setup_context=keep)


class Sleeper(nn.Module):
    def __init__(self, ns: int) -> None:
        super().__init__()
        self.ns = ns

    def forward(self, x: Tensor) -> Tensor:
        NOW[0] += 1_000_000  # Python of its own
        return sleep(x, self.ns)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "perf_counter_ns", lambda: NOW[0])


def net() -> nn.Sequential:
    return nn.Sequential(Sleeper(30), nn.Sequential(Sleeper(5), Sleeper(7)))


def test_time_is_that_of_the_operators_alone() -> None:
    model = net()
    with dc.profile(model, time=True) as prof:
        model(torch.ones(3))
        model(torch.ones(3))
    rows = prof.report.by_module()
    assert {name: row.time_ns for name, row in rows.items() if name} == {
        "0": 60,
        "1": 24,
        "1.0": 10,
        "1.1": 14,
        "(no module)": 0,
    }
    assert rows[""].time_ns == prof.report.total.time_ns == 84
    assert prof.report.by_operator()["timingtests.sleep"].time_ns == 84
    prof.report.self_check()


def test_phases_have_their_own_time() -> None:
    model = net()
    with dc.profile(model, time=True) as prof:
        checkpoint(model, torch.ones(3, requires_grad=True), use_reentrant=False).sum().backward()
    assert {name: row.time_ns for name, row in prof.report.by_phase().items()} == {
        "forward": 42,
        "recompute": 42,
        "backward": 84,
    }
    assert prof.report.by_module()["0"].time_ns == 30 + 30 + 60
    prof.report.self_check()


def test_nothing_is_timed_unless_asked_for() -> None:
    model = net()
    with dc.profile(model) as prof:
        model(torch.ones(3))
    assert prof.report.total.time_ns == 0
    assert not any(entry.time_ns for entry in prof.report.entries)


def test_what_watches_memory_is_not_in_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before", "after"):
        original = getattr(memory.MemoryWatch, name)

        def slow(*args: Any, original: Any = original) -> None:
            NOW[0] += 10_000
            original(*args)

        monkeypatch.setattr(memory.MemoryWatch, name, slow)
    model = net()
    with dc.profile(model, time=True, memory=True) as prof:
        model(torch.ones(3))
    assert prof.report.total.time_ns == 42


def test_an_operator_that_raises_leaves_no_time_to_the_next() -> None:
    with dc.profile(time=True) as prof:
        with pytest.raises(RuntimeError):
            torch.ones(3) @ torch.ones(4)
        NOW[0] += 500
        sleep(torch.ones(3), 11)
    assert prof.report.total.time_ns == 11


def test_the_parts_of_a_composite_are_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**6))
    monkeypatch.setattr(timing, "perf_counter_ns", lambda: next(ticks))  # every call takes one
    model = nn.Linear(4, 4)
    with dc.profile(model, time=True) as prof, torch.inference_mode():
        model(torch.ones(2, 4))  # arrives as aten.linear, runs as its parts
    assert "aten.linear" not in prof.report.by_operator()
    assert prof.report.total.time_ns == prof.report.total.calls > 0


def test_every_operator_has_a_time_on_the_real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)
    )
    optimizer = torch.optim.Adam(model[:1].parameters())
    with dc.profile(model, time=True) as prof:
        model(torch.randn(2, 3, 16, 16)).sum().backward()
        optimizer.step()
    report = prof.report
    assert [entry.op for entry in report.entries if entry.time_ns <= 0] == []
    assert {phase for phase, row in report.by_phase().items() if row.time_ns} == {
        "forward",
        "backward",
        "optimizer",
    }
    assert sum(row.time_ns for row in report.by_operator().values()) == report.total.time_ns
    report.self_check()


def test_time_survives_that_records_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_RECORDS", 10)
    with dc.profile(time=True) as prof:
        for size in range(1, 60):  # each a record of its own
            sleep(torch.ones(size), 3)
    assert prof.report.by_operator()["timingtests.sleep"].time_ns == 3 * 59


def test_a_snapshot_inside_the_block_has_the_time_so_far() -> None:
    with dc.profile(time=True) as prof:
        sleep(torch.ones(3), 4)
        assert prof.report.total.time_ns == 4
        sleep(torch.ones(3), 5)
    assert prof.report.total.time_ns == 9


# On an accelerator: stand-ins for its events, which note what is asked of them.


class FakeEvent:
    """Runs through one operator for each event after it, and complains when asked for a time before that."""

    made = 0
    waits = 0

    def __init__(self) -> None:
        FakeEvent.made += 1

    def query(self) -> bool:
        return False

    def synchronize(self) -> None:
        FakeEvent.waits += 1

    def elapsed_time(self, end: FakeEvent) -> float:
        return (end.at - self.at) / 1e6  # milliseconds

    at = 0


class FakeMode:
    recording = SimpleNamespace(notes={})


@pytest.fixture
def events() -> Timing:
    FakeEvent.made = FakeEvent.waits = 0

    def mark(device: torch.device, used: FakeEvent | None) -> FakeEvent:
        event = used or FakeEvent()
        event.at = NOW[0]
        return event

    return Timing(accelerated=True, mark=mark, hold=lambda device: None)


def place() -> Place:
    return Table.at(None, "forward"), Signature(None, (), {}, None, "")  # type: ignore[arg-type]


def spent(where: Place) -> int:
    table, signature = where
    return (table.ns or {}).get(signature, 0)


def call(clock: Timing, ns: int, row: Place, device: str = "cuda") -> None:
    clock.before(FakeMode, None, (), {"device": device})
    NOW[0] += ns
    clock.after(FakeMode, None, (), {}, None)
    NOW[0] += 1000
    clock.recorded(row)


def test_events_are_read_when_the_block_ends_and_used_again(events: Timing) -> None:
    row, host = place(), place()
    for ns in (7, 8):
        call(events, ns, row)
    call(events, 100, host, "cpu")
    assert (spent(row), spent(host)) == (0, 100)
    assert FakeEvent.waits == 0
    events.settle()
    assert spent(row) == 15
    made = FakeEvent.made
    call(events, 9, row)
    events.settle()
    assert spent(row) == 24
    assert FakeEvent.made == made == 4


def test_the_device_is_kept_busy_before_the_first_event_of_each_operator() -> None:
    seen: list[str] = []

    def mark(device: torch.device, used: FakeEvent | None) -> FakeEvent:
        seen.append("event")
        return used or FakeEvent()

    clock = Timing(
        accelerated=True, mark=mark, hold=lambda device: seen.append(f"hold {device.type}")
    )
    for _ in range(2):
        call(clock, 1, place())
    call(clock, 1, place(), "cpu")
    assert seen == ["hold cuda", "event", "event"] * 2


def test_waiting_events_are_bounded(events: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "WAITING", 8)
    row = place()
    for _ in range(100):
        call(events, 1, row)
    assert FakeEvent.made <= 16
    events.settle()
    assert spent(row) == 100


def test_a_device_whose_events_take_no_time_is_noted() -> None:
    def mark(device: torch.device, used: Any) -> Any:
        raise RuntimeError("no timing here")

    clock, row = Timing(accelerated=True, mark=mark, hold=lambda device: None), place()
    call(clock, 5, row)
    clock.settle()
    assert spent(row) == 0
    assert list(FakeMode.recording.notes) == ["operators on cuda have no time: no timing here"]


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(2, device="meta")])
def test_the_host_needs_no_events(events: Timing, value: Tensor) -> None:
    row = place()
    events.before(FakeMode, None, ([value],), {})
    NOW[0] += 3
    events.after(FakeMode, None, ([value],), {}, value)
    events.recorded(row)
    assert (spent(row), FakeEvent.made) == (3, 0)
