"""Generators, threads and memory: no block leaves anything behind or keeps anything alive."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

import dispatchcount as dc
from tests.nets import Boom, batch, everything
from tests.untouched import differences, process_state, state_of

pytestmark = pytest.mark.torch_alone

# Generators.


def test_a_generator_left_in_the_middle_with_the_block_inside() -> None:
    model = everything()
    before = state_of(model, values=False)

    def steps() -> Iterator[Tensor]:
        with dc.profile(model):
            while True:
                yield model(batch())

    generator = steps()
    next(generator)
    del generator
    gc.collect()
    assert list(differences(before, state_of(model, values=False))) == []


class Passing(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def test_a_generator_left_inside_the_block_that_holds_a_mode_open() -> None:
    before = process_state()
    model = nn.Linear(4, 3)

    def steps() -> Iterator[Tensor]:
        with Passing():
            while True:
                yield model(torch.ones(2, 4))

    with dc.profile(model) as prof:
        generator = steps()
        next(generator)
    assert prof.report.macs == 24
    assert [type(mode) for mode in _get_current_dispatch_mode_stack()] == [
        Passing
    ]  # the generator's, as without a block
    model(torch.ones(2, 4))
    generator.close()
    assert list(differences(before, process_state())) == []
    assert prof.report.macs == 24


def test_blocks_in_generators_that_end_in_any_order() -> None:
    before = process_state()
    models = [nn.Linear(4, 3), nn.Linear(4, 3)]
    profiles: list[Any] = []

    def steps(model: nn.Module) -> Iterator[None]:
        with dc.profile(model) as prof:
            profiles.append(prof)
            yield
            model(torch.ones(2, 4))
            yield

    first, second = steps(models[0]), steps(models[1])
    next(first), next(second), next(first), next(second)
    first.close()
    models[1](torch.ones(2, 4))
    second.close()
    assert [prof.report.macs for prof in profiles] == [48, 72]
    assert list(differences(before, process_state())) == []


def test_a_loop_over_samples_left_by_an_exception() -> None:
    before = process_state()
    model = nn.Linear(4, 3)
    with suppress(Boom), dc.profile(model) as prof:
        for item in prof.samples([torch.ones(2, 4)] * 3):
            model(item)
            raise Boom
    assert prof.report.sample_flops() == [24]
    assert list(differences(before, process_state())) == []


# Threads.


def in_threads(*jobs: Callable[[], Any]) -> list[Any]:
    results: list[Any] = [None] * len(jobs)
    barrier = threading.Barrier(len(jobs))

    def work(number: int, job: Callable[[], Any]) -> None:
        barrier.wait()
        results[number] = job()

    threads = [threading.Thread(target=work, args=job) for job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_blocks_in_two_threads_at_once() -> None:
    before = process_state()
    shared = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))

    def job(times: int) -> Callable[[], dc.Report]:
        def run() -> dc.Report:
            with dc.profile(shared) as prof:
                for _ in range(times):
                    shared(torch.ones(2, 4)).sum().backward()
            return prof.report

        return run

    reports = in_threads(job(40), job(25), job(30))
    for times, report in zip((40, 25, 30), reports, strict=True):
        report.self_check()
        rows = report.by_module()
        assert rows["0"].macs == times * (32 + 32)
        assert rows["1"].macs == times * (24 + 48)
        assert rows[""].calls == rows["0"].calls == times
    assert list(differences(before, process_state())) == []


def test_a_forward_in_another_thread_is_not_in_the_block_and_unharmed() -> None:
    model, other = nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with dc.profile() as prof:

        def profiled() -> None:
            pass

        result = in_threads(lambda: [other(torch.ones(2, 4)) for _ in range(50)][-1], profiled)[0]
        model(torch.ones(2, 4))
    assert torch.equal(result, other(torch.ones(2, 4)))
    assert prof.report.macs == 24
    assert [module.type for module in prof.report.modules[1:]] == ["Linear"]
    with dc.profile(other) as prof:
        in_threads(lambda: other(torch.ones(2, 4)))
    assert prof.report.by_module()["0"].calls == 0


def test_a_profile_is_one_thread_s() -> None:
    model = nn.Linear(4, 3)
    prof = dc.profile(model)
    errors: list[str] = []

    def intrude() -> None:
        try:
            prof.__enter__()
        except RuntimeError as error:
            errors.append(str(error))

    with prof:
        in_threads(intrude)
        model(torch.ones(2, 4))
    assert errors == ["this profile is open in another thread; make one profile() for each thread"]
    assert prof.report.macs == 24


class Numbers(torch.utils.data.Dataset[Tensor]):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((4,), float(index)) @ torch.eye(4)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_inside_the_block(workers: int) -> None:
    before = process_state()
    model = nn.Linear(4, 3)
    with dc.profile(model) as prof:
        for item in prof.samples(
            torch.utils.data.DataLoader(Numbers(), batch_size=2, num_workers=workers)
        ):
            model(item)
    assert prof.report.by_module()[""].macs == 6 * 12
    assert prof.report.macs == 6 * 12 + (
        0 if workers else 6 * 16
    )  # workers are processes of their own
    assert len(prof.report.samples) == 3
    assert not prof.report.unknown_ops
    assert list(differences(before, process_state())) == []


# Memory.


def blocks_grown(run: Callable[[], Any]) -> int:
    gc.collect()
    before = sys.getallocatedblocks()
    run()
    gc.collect()
    return sys.getallocatedblocks() - before


def test_a_million_operators_leave_no_more_than_a_few() -> None:
    x = torch.ones(1)
    with dc.profile(), torch.no_grad():

        def run() -> None:
            add = x.add_
            for _ in range(1_000_000):
                add(1)

        x.add_(1)
        assert blocks_grown(run) < 2_000


def test_modules_and_shapes_without_end_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from dispatchcount.capture import record

    monkeypatch.setattr(record, "MAX_RECORDS", 500)
    monkeypatch.setattr(record, "MAX_NODES", 200)
    model = nn.Linear(4, 4)

    def run(start: int, stop: int) -> None:
        for rows in range(start, stop):
            model(torch.ones(rows, 4)).sum().backward()
            _ = nn.Identity()(torch.ones(rows))

    with dc.profile(model) as prof:
        run(1, 500)
        assert (
            blocks_grown(lambda: run(500, 1500)) < 5_000
        )  # of 1,000 shapes, at some 10 records each
    assert prof.report.macs == 2 * 16 * sum(range(1, 1500))


def test_no_tensor_outlives_its_use() -> None:
    model = everything()
    alive: list[weakref.ref[Any]] = []

    def note(module: nn.Module, args: Any, out: Any) -> None:
        alive.extend(
            weakref.ref(t)
            for t in (*args, *(out if isinstance(out, tuple) else (out,)))
            if type(t) is Tensor
        )

    handles = [module.register_forward_hook(note) for module in model.modules()]
    with dc.profile(model) as prof:
        for _ in range(2):
            loss = model(batch()).sum()
            alive.append(weakref.ref(loss))
            loss.backward()
            del loss
            gc.collect()
            assert len(alive) > 10
            assert [ref() for ref in alive if ref() is not None] == []  # inside the block already
            alive.clear()
        for parameter in model.parameters():
            alive.append(weakref.ref(parameter.grad))
            parameter.grad = None
        gc.collect()
        assert [ref() for ref in alive if ref() is not None] == []
    for handle in handles:
        handle.remove()
    assert prof.report.macs > 0


def test_a_model_is_let_go_while_its_report_is_kept() -> None:
    model = everything()
    with dc.profile(model) as prof:
        model(batch()).sum().backward()
    report = prof.report
    gone = [weakref.ref(module) for module in model.modules()] + [
        weakref.ref(p) for p in model.parameters()
    ]
    del model, prof
    gc.collect()
    assert [ref() for ref in gone if ref() is not None] == []
    assert report.macs > 0


def test_a_model_made_and_dropped_inside_the_block() -> None:
    with dc.profile() as prof:
        gone = []
        for _ in range(3):
            model = nn.Sequential(nn.Linear(4, 4))
            model(torch.ones(2, 4)).sum().backward()
            gone.append(weakref.ref(model))
            del model
            gc.collect()
        assert [ref() for ref in gone] == [None] * 3
    assert prof.report.macs == 3 * 64
    prof.report.self_check()


# Copies.


def test_copies_and_files_made_inside_the_block() -> None:
    model = everything().eval()
    plain = pickle.dumps(model.state_dict())
    with dc.profile(model) as prof:
        twin = copy.deepcopy(model)
        layer = pickle.loads(pickle.dumps(model.lstm))
        file = io.BytesIO()
        torch.save(model.conv, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        assert len(pickle.dumps(model.state_dict())) == len(plain)
        result = twin(batch())
        model(batch())
    assert list(differences(state_of(model), state_of(twin))) == []
    assert (
        list(differences(list(model.lstm.state_dict().values()), list(layer.state_dict().values())))
        == []
    )
    assert (
        list(
            differences(list(model.conv.state_dict().values()), list(loaded.state_dict().values()))
        )
        == []
    )
    assert torch.equal(result, model(batch()))
    assert prof.report.by_module()["conv"].calls == 1
