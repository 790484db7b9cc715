import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from dispatchcount.render.traces.chrome import to_chrome_trace
from dispatchcount.render.traces.speedscope import to_speedscope
from dispatchcount.report.metrics import SPENT
from dispatchcount.report_api import Report
from tests.report import make

pytestmark = pytest.mark.torch_alone

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "data" / "speedscope.schema.json").read_text(encoding="utf-8")
)
REPORTS = {name: getattr(make, name) for name in ("cnn", "training", "routed", "troubled", "huge")}


HOUR = 3_600_000_000
"""In microseconds, the unit of a trace's times."""


def named(slices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slices of the thread in which modules have their names."""
    return [event for event in slices if event["tid"] == 1]


def check_chrome(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """What the "Trace Event Format" document asks of the JSON object format; the complete events, in order."""
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    assert all(type(value) is str for value in trace["otherData"].values())
    slices, counters = [], {}
    for event in trace["traceEvents"]:
        assert {"name", "ph", "pid", "tid"} <= set(event)
        assert (type(event["name"]), type(event["pid"]), type(event["tid"])) == (str, int, int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert list(event["args"]) == ["name"]
        elif event["ph"] == "C":
            assert event["ts"] >= counters.get(event["name"], (0,))[0]
            assert all(type(value) is int for value in event["args"].values())
            counters[event["name"]] = (event["ts"],)
        else:
            assert event["ph"] == "X"
            assert set(event) == {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"}
            assert type(event["ts"]) is type(event["dur"]) is int
            assert min(event["ts"], event["dur"]) >= 0
            slices.append(event)
    # Slices of one thread nest: none ends after the one that it began in.
    for thread in {event["tid"] for event in slices}:
        ends: list[int] = []
        for event in slices:
            if event["tid"] != thread:
                continue
            while ends and ends[-1] <= event["ts"]:
                ends.pop()
            assert not ends or event["ts"] + event["dur"] <= ends[-1]
            ends.append(event["ts"] + event["dur"])
    # No more counters than slices of the first thread.
    assert sum(event["ph"] == "C" for event in trace["traceEvents"]) <= len(named(slices))
    return slices


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("metric", SPENT)
def test_chrome_slices_are_as_wide_as_what_they_cost(name: str, metric: str) -> None:
    report = REPORTS[name]()
    slices = check_chrome(json.loads(to_chrome_trace(report, metric=metric)))
    exact = SPENT[metric].value(report.total)
    for thread in (1, 2):
        operators = [
            event for event in slices if (event["tid"], event["cat"]) == (thread, "operator")
        ]
        assert sum(event["args"][metric] for event in operators) == exact
        if exact <= HOUR:
            assert sum(event["dur"] for event in operators) == exact
    assert max((event["ts"] + event["dur"] for event in slices), default=0) <= HOUR


def test_chrome_sums_by_type_are_on_a_thread_of_their_own() -> None:
    report = make.training()
    slices = check_chrome(json.loads(report.to_chrome_trace(metric="macs")))
    width: dict[str, int] = {}
    for event in slices:
        if event["tid"] == 2 and event["cat"] == "module":
            width[event["name"]] = width.get(event["name"], 0) + event["dur"]
    rows = report.by_module()
    assert width == {
        "SmallNet": rows[""].macs,
        "Sequential": rows["features"].macs,
        "Conv2d": rows["features.0"].macs,
        "Linear": rows["head"].macs,
    }


def test_chrome_modules_nest_in_the_order_of_the_run() -> None:
    slices = named(check_chrome(json.loads(make.training().to_chrome_trace(metric="bytes"))))
    assert [event["name"] for event in slices if event["cat"] == "module"] == [
        "(no module)",
        "(root) SmallNet",
        "features Sequential",
        "features.0 Conv2d",
        "features.1 BatchNorm2d",
        "features.2 ReLU",
        "head Linear",
    ]
    by_name = {event["name"]: event for event in slices}
    rows = make.training().by_module()
    for module, row in (("features Sequential", rows["features"]), ("head Linear", rows["head"])):
        assert by_name[module]["dur"] == row.bytes_read + row.bytes_written
    assert (
        by_name["(no module)"]["dur"] == 348 * 12
    )  # the optimizer's step, beside the modules and not around them
    assert by_name["(root) SmallNet"]["ts"] == 348 * 12
    assert by_name["features.0 Conv2d"]["args"] == {
        "bytes": 3712 + 5800,
        "calls": 1,
        "inputs": "(1, 3, 8, 8)",
    }


def test_chrome_counters_end_at_the_totals() -> None:
    report = make.cnn()
    events = json.loads(report.to_chrome_trace())["traceEvents"]
    last = {event["name"]: event["args"] for event in events if event["ph"] == "C"}
    assert last == {
        "macs so far": {"macs": report.macs},
        "activations so far": {"activations": report.activations},
        "bytes so far": {"bytes": report.bytes_read + report.bytes_written},
    }


def test_chrome_counts_of_more_than_an_hour_are_drawn_in_powers_of_ten() -> None:
    trace = json.loads(make.huge().to_chrome_trace())
    slices = check_chrome(trace)
    # 14,928 · 10^25 flops are 14,928 s at 10^19 of them a microsecond, and 1,492.8 s at 10^20.
    assert max(event["ts"] + event["dur"] for event in slices) == 1_492_800_000
    assert trace["otherData"]["unit"] == "1 µs = 100,000,000,000,000,000,000 flops"
    assert slices[0]["args"]["flops"] == 14_928 * 10**25


def test_a_width_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(
        ValueError, match="metric 'params' cannot be the width of a trace; it is one of flops, macs"
    ):
        make.cnn().to_chrome_trace(metric="params")


def stacks(data: dict[str, Any], profile: dict[str, Any]) -> list[tuple[list[str], int]]:
    """What an evented profile says: the stack of frames on top of which something was spent, and how much."""
    names = [frame["name"] for frame in data["shared"]["frames"]]
    found, stack, at = [], [], 0
    for event in profile["events"]:
        assert event["at"] >= at
        if event["at"] > at:
            found.append(([names[frame] for frame in stack], event["at"] - at))
        at = event["at"]
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert stack.pop() == event["frame"]
    assert not stack
    assert at == profile["endValue"]
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_speedscope_follows_its_schema_with_exact_weights(name: str) -> None:
    report = REPORTS[name]()
    data = json.loads(report.to_speedscope())
    jsonschema.validate(data, SCHEMA)
    names = [profile["name"].split()[0] for profile in data["profiles"]]
    sums = {key: metric.value(report.total) for key, metric in SPENT.items()}
    assert names == [m for m in SPENT if sums[m] or m == "flops" for _ in range(2)]
    assert [" by type of module" in profile["name"] for profile in data["profiles"]] == [
        False,
        True,
    ] * (len(names) // 2)
    for metric, profile in zip(names, data["profiles"], strict=True):
        spent = stacks(data, profile)
        assert all(type(weight) is int for _, weight in spent)
        assert sum(weight for _, weight in spent) == profile["endValue"] == sums[metric]


def test_speedscope_stacks_are_those_of_the_run() -> None:
    data = json.loads(make.training().to_speedscope())
    profile = next(profile for profile in data["profiles"] if profile["name"] == "bytes")
    root, features = "(root) SmallNet", "features Sequential"
    assert stacks(data, profile) == [
        (["(no module)", "aten._foreach_add_"], 348 * 12),
        ([root, "aten.mean"], 512 * 4 + 8 * 4),
        ([root, features, "features.0 Conv2d", "aten.convolution"], 416 * 4 + 512 * 4),
        ([root, features, "features.0 Conv2d", "aten.convolution_backward"], 4000 + 1800),
        (
            [root, features, "features.1 BatchNorm2d", "aten.native_batch_norm"],
            (512 + 32) * 4 + 512 * 4,
        ),
        ([root, features, "features.2 ReLU", "aten.relu_"], 512 * 4 + 512 * 4),
        ([root, "head Linear", "aten.addmm"], (8 + 80 + 10) * 4 + 10 * 4),
        ([root, "head Linear", "aten.mm"], 700 + 360),
    ]
    assert profile["unit"] == "bytes"


def test_speedscope_has_equal_layers_in_one_frame() -> None:
    data = json.loads(make.training().to_speedscope())
    profile = next(one for one in data["profiles"] if one["name"] == "bytes by type of module")
    assert (["SmallNet", "Sequential", "ReLU", "aten.relu_"], 512 * 4 + 512 * 4) in stacks(
        data, profile
    )
    assert len(stacks(data, profile)) == 8
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert len([name for name in names if name == "Sequential"]) == 1


@settings(max_examples=40, deadline=None)
@given(make.reports())
def test_any_report_is_a_valid_trace(report: Report) -> None:
    check_chrome(json.loads(to_chrome_trace(report)))
    jsonschema.validate(json.loads(to_speedscope(report)), SCHEMA)


def test_modules_nested_deeper_than_calls_may_be(tmp_path: Path) -> None:
    from dispatchcount.report.rows import NO_MODULE, Module
    from dispatchcount.report.rows import Path as Stack

    deep = 3000
    modules = (
        Module(NO_MODULE, ""),
        *(Module(".".join("a" * i), "Block", i - 1 if i > 1 else -1) for i in range(1, deep)),
    )
    paths = tuple(Stack(i - 1, i, "", int(i > 0)) for i in range(deep))
    report = Report(
        make.META, "macs", modules, paths, (make.entry(deep - 1, "aten.mm", make.cost(5)),)
    )
    slices = check_chrome(json.loads(report.to_chrome_trace(tmp_path / "trace.json")))
    assert len(named(slices)) == deep
    assert (tmp_path / "trace.json").read_bytes() == report.to_chrome_trace()
    report.to_speedscope(tmp_path / "speedscope.json")
    assert (tmp_path / "speedscope.json").read_bytes() == report.to_speedscope()
