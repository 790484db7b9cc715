"""What a block is given to name modules from, blocks in blocks, and models of unusual size and shape."""

from __future__ import annotations

import copy
import gc
import sys
import threading
import weakref
from typing import Any

import pytest
from torch import Tensor, nn

import dispatchcount as dc
from tests.nets import LAYER, LEVELS, Net, macs, profiled, square, x

pytestmark = pytest.mark.torch_alone


def test_two_roots_of_one_class_are_two_rows() -> None:
    first, second = square(), square()
    report = profiled(lambda: second(first(x())), first, second)
    assert macs(report) == {"": 2 * LAYER, "Linear": LAYER, "Linear#2": LAYER}
    assert report.params == 40


def test_roots_by_name() -> None:
    encoder, decoder = nn.Sequential(square()), square()
    report = profiled(lambda: decoder(encoder(x())), {"enc": encoder, "dec": decoder})
    assert macs(report) == {"": 2 * LAYER, "enc": LAYER, "enc.0": LAYER, "dec": LAYER}


def test_roots_are_found_as_they_are_called() -> None:
    first, second = nn.Sequential(square()), nn.Sequential(square(), square())
    report = profiled(lambda: second(first(x())))
    assert macs(report) == {"": 3 * LAYER, "Sequential": LAYER, "Sequential.0": LAYER} | {
        "Sequential#2": 2 * LAYER,
        "Sequential#2.0": LAYER,
        "Sequential#2.1": LAYER,
    }
    one = profiled(lambda: first(x()))
    assert macs(one) == {"": LAYER, "0": LAYER}


def test_a_part_called_before_its_whole_is_no_root_of_its_own() -> None:
    model = nn.Sequential(square(), square())
    report = profiled(lambda: [model[0](x()), model(x())])
    assert macs(report) == {"": 3 * LAYER, "0": 2 * LAYER, "1": LAYER}


def test_one_root_inside_another() -> None:
    model = nn.Sequential(square(), square())
    report = profiled(lambda: model(x()), model, model[1])
    assert macs(report)["1"] == LAYER
    assert report.macs == 2 * LAYER


def test_the_same_model_twice_is_one_root() -> None:
    model = square()
    assert macs(profiled(lambda: model(x()), model, model)) == {"": LAYER}


@pytest.mark.parametrize("wrong", [3, "model", lambda y: y, {"enc": 3}, None])
def test_what_is_no_module_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"not a torch.nn.Module; .* profile\(\)"):
        dc.profile(wrong)


def test_blocks_in_blocks_each_count_what_runs_in_them() -> None:
    model = square()
    with dc.profile(model) as outer:
        model(x())
        with dc.profile(model) as inner:
            model(x())
        model(x())
    assert outer.report.macs == 3 * LAYER
    assert inner.report.macs == LAYER
    assert macs(outer.report) == {"": 3 * LAYER}


def test_a_block_entered_twice_goes_on_and_used_again_starts_anew() -> None:
    model = square()
    prof = dc.profile(model)
    with pytest.raises(RuntimeError, match="nothing was profiled yet"):
        _ = prof.report
    with prof:
        model(x())
        with prof:
            model(x())
        model(x())
    assert prof.report.macs == 3 * LAYER
    with prof:
        model(x())
    assert prof.report.macs == LAYER


def test_a_block_inside_a_module_call() -> None:
    model = Net(lambda m, y: m.layer(y), layer=square())
    reports = []

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, y: Tensor) -> Tensor:
            with dc.profile(self.model) as prof:
                y = self.model(y)
            reports.append(prof.report)
            return y

    outer = Outer()
    report = profiled(lambda: outer(x()), outer)
    assert macs(report) == {"": LAYER, "model": LAYER, "model.layer": LAYER}
    assert macs(reports[0]) == {"": LAYER, "layer": LAYER}


def test_a_block_opened_in_one_module_and_closed_after_it() -> None:
    model = Net(lambda m, y: (prof.__enter__(), m.layer(y))[1], layer=square())
    prof = dc.profile(model)
    model(x())
    model.layer(x())
    prof.__exit__(None, None, None)
    prof.report.self_check()
    assert macs(prof.report) == {"": 2 * LAYER, "layer": 2 * LAYER}


def test_a_snapshot_inside_the_block() -> None:
    model = nn.Sequential(square())
    with dc.profile(model) as prof:
        model(x())
        first = prof.report
        model(x())
        assert prof.report.macs == 2 * LAYER
    assert first.macs == LAYER
    assert prof.report is prof.report
    first.self_check()


def test_a_copy_of_the_model_made_inside_the_block() -> None:
    model = nn.Sequential(square())
    with dc.profile(model) as prof:
        twin = copy.deepcopy(model)
        twin(x())
        model(x())
    report = prof.report
    report.self_check()
    assert macs(report)["0"] == LAYER
    assert report.macs == 2 * LAYER
    assert report.params == 20
    with dc.profile() as prof:
        model(x())
        twin = copy.deepcopy(model)
        twin(x())
    assert macs(prof.report) == {"": 2 * LAYER} | dict.fromkeys(
        ("Sequential", "Sequential.0", "Sequential#2", "Sequential#2.0"), LAYER
    )


def test_the_module_in_which_the_block_stopped() -> None:
    def fail(m: Any, y: Tensor) -> Tensor:
        raise ValueError("shapes differ")

    model = nn.Sequential(square(), Net(fail))
    prof = dc.profile(model)
    with pytest.raises(ValueError, match="shapes differ"), prof:
        model(x())
    assert prof.report.meta.stopped_in == "1"
    assert prof.report.meta.error == "ValueError: shapes differ"
    assert macs(prof.report) == {"": LAYER, "0": LAYER, "1": 0}
    with pytest.raises(ZeroDivisionError), prof:
        _ = 1 // 0
    assert prof.report.meta.stopped_in == "(no module)"


def test_modules_that_hold_themselves_or_each_other() -> None:
    model = Net(lambda m, y: m.layer(y), layer=square())
    model.again = model
    model.layer.parent = model
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": LAYER, "layer": LAYER}
    assert report.params == 20


def test_many_levels() -> None:
    model: nn.Module = square()
    for _ in range(LEVELS):
        model = nn.Sequential(model)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        done: list[dc.Report] = []
        threading.stack_size(512 * 1024 * 1024)
        thread = threading.Thread(target=lambda: done.append(profiled(lambda: model(x()), model)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
        sys.setrecursionlimit(limit)
    (report,) = done
    rows = {name: row for name, row in report.by_module().items() if name != "(no module)"}
    assert len(rows) == LEVELS + 1
    assert {row.macs for row in rows.values()} == {LAYER}
    report.by_module("caller")


def test_ten_thousand_modules_take_ten_times_the_work_of_a_thousand() -> None:
    def work(width: int) -> int:
        model = nn.Sequential(*(nn.Identity() for _ in range(width)))
        steps = 0

        def see(frame: Any, event: str, arg: Any) -> None:
            nonlocal steps
            steps += 1

        sys.setprofile(see)
        try:
            report = profiled(lambda: model(x()), model)
            assert len(report.by_module()) == width + 2
        finally:
            sys.setprofile(None)
        return steps

    work(10)
    assert work(10_000) < 11 * work(1_000)


def test_modules_are_let_go() -> None:
    model = nn.Sequential(square())
    gone = weakref.ref(model[0])
    with dc.profile(model) as prof:
        model(x()).sum().backward()
    report = prof.report
    del model
    gc.collect()
    assert gone() is not None  # the profile may be used again
    del prof
    gc.collect()
    assert gone() is None
    assert report.by_module()["0"].macs == 2 * LAYER


def test_names_are_what_they_are() -> None:
    model = nn.Sequential()
    model.add_module("müller 层", square())
    model.add_module("[red]", square())
    report = profiled(lambda: model(x()), model)
    assert macs(report) == {"": 2 * LAYER, "müller 层": LAYER, "[red]": LAYER}


def test_a_module_without_parameters_and_one_without_a_call() -> None:
    report = profiled(lambda: None, nn.ReLU())
    assert (report.flops, report.params, report.by_module()[""].calls) == (0, 0, 0)
    assert profiled(lambda: nn.ReLU()(x())).by_module()[""].calls == 1
    assert profiled(lambda: None).modules[0].name == "(no module)"
