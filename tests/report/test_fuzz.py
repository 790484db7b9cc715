"""A sample of what `benchmarks/fuzz.py` does.

Files that were changed are refused, or can be written and shown in every form.
"""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from dispatchcount.errors import ReportError
from dispatchcount.report_api import Report
from tests.report.make import cnn, routed, training

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
GOOD = orjson.loads(training().to_json())


@pytest.mark.filterwarnings("error")
def test_changed_files_are_refused_or_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    outcomes: Counter[str] = importlib.import_module("fuzz").fuzz(250, seed=20_000)
    assert set(outcomes) == {"refused", "loaded"}
    assert min(outcomes.values()) > 50  # mutations of either kind, or they would prove nothing


def refused(data: object) -> str:
    with pytest.raises(ReportError) as caught:
        Report.from_json(orjson.dumps(data))
    return str(caught.value).removeprefix("the report: ")


def test_two_modules_of_one_name_are_refused() -> None:
    modules = [*GOOD["modules"], GOOD["modules"][4]]
    assert refused(GOOD | {"modules": modules}) == (
        "modules[8].name: expected a name that no module before it has, got 'features.1'"
    )


@pytest.mark.parametrize("modules", [[], GOOD["modules"][1:2]])
def test_the_row_of_work_outside_every_module_is_needed(modules: list[object]) -> None:
    assert refused(GOOD | {"modules": modules}).startswith(
        "modules: expected rows of modules, the first with the name (no module), got "
    )


def test_no_module_is_below_the_row_of_work_outside() -> None:
    modules = [*GOOD["modules"][:2], GOOD["modules"][2] | {"parent": 0}, *GOOD["modules"][3:]]
    assert refused(GOOD | {"modules": modules}) == (
        "modules[2].parent: expected null or an index from 1 up: the first row is that of work "
        "outside every module, which holds none, got 0"
    )


def test_the_first_path_is_outside_every_module() -> None:
    paths = GOOD["record"]["paths"]
    record = GOOD["record"] | {"paths": paths | {"module": [1, *paths["module"][1:]]}}
    assert refused(GOOD | {"record": record}).startswith(
        "record.paths.module: expected 0 at first, for the first path is"
    )
    nothing = {key: [] for key in paths}
    text = refused(GOOD | {"record": GOOD["record"] | {"paths": nothing}})
    assert text.startswith(
        "record.paths.parent: expected at least one path, that of work outside every module"
    )


def test_a_time_that_no_calendar_has_is_refused() -> None:
    meta = GOOD["meta"] | {"created": "92233720368547758080"}
    assert refused(GOOD | {"meta": meta}) == (
        "meta.created: expected an integer up to 8640000000000, got '92233720368547758080'"
    )


def test_sizes_beyond_64_bits_are_written_as_digits() -> None:
    report = cnn()
    conv = report.modules[3]
    weight = replace(conv.parameters[0], shape=(2**63, 2**70), numel=2**133)
    report = replace(
        report,
        modules=(*report.modules[:3], replace(conv, parameters=(weight,)), *report.modules[4:]),
    )
    assert Report.from_json(report.to_json()) == report
    shape = orjson.loads(report.to_json())["modules"][3]["parameters"][0]["shape"]
    assert shape == ["9223372036854775808", "1180591620717411303424"]


def test_a_file_without_the_newer_field_of_modules_loads() -> None:
    modules = [
        {key: value for key, value in module.items() if key != "fused"}
        for module in GOOD["modules"]
    ]
    assert Report.from_json(orjson.dumps(GOOD | {"modules": modules})) == training()


def test_what_outside_is_called_is_no_second_outside() -> None:
    report = cnn()
    odd = replace(report, paths=(replace(report.paths[0], signature="odd"), *report.paths[1:]))
    merged = training() + odd
    assert [path.parent for path in merged.paths].count(-1) == 1
    merged.self_check()


def test_rows_of_one_module_add_up() -> None:
    report = training()
    assert report.memory is not None
    twice = replace(report, memory=replace(report.memory, modules=report.memory.modules * 2))
    # 2 · (896 + 896 + 1792 + 2048) of the convolution and 2 · (360 + 360 + 720 + 32) of the head
    assert "14,208" in str(twice.memory_table(exact=True))
    profile = routed().profiles[0]
    doubled = replace(routed(), profiles=(profile * 2, routed().profiles[1]))
    # twice 16 MACs of `left` and 20 flops of `norm`, in three samples; 1,600 and 20 in the other
    assert doubled.sample_flops() == [72, 72, 1620, 72]
    assert doubled.by_module_over_samples()[""].flops.min == 72
