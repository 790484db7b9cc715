"""Whatever a file holds: a report, or a ReportError that names the file and the place in it."""

import copy
import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.errors import ReportError
from dispatchcount.report_api import Report
from dispatchcount.rules.core.group import Group
from tests.report.make import cnn, routed, training, troubled

pytestmark = pytest.mark.torch_alone

GOOD = orjson.loads(training().to_json())


def changed(path, value, base=GOOD):
    """`base` as bytes, with the value at a path of keys and indices replaced; `...` takes it out."""
    data = copy.deepcopy(base)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(data).encode()


def message(data):
    with pytest.raises(ReportError) as caught:
        Report.from_json(data)
    return str(caught.value)


def place(path):
    """A path of keys and indices as errors write it."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).removeprefix(".")


COUNT = ": expected an integer from 0 up, got "
MACS = ("record", "entries", "macs")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ((*MACS, 2), "x", f"{COUNT}'x'"),
        ((*MACS, 2), 1.5, f"{COUNT}1.5"),
        ((*MACS, 2), True, f"{COUNT}true"),
        ((*MACS, 2), -1, f"{COUNT}-1"),
        ((*MACS, 2), 10**30, f"{COUNT}1e+30"),
        (MACS, {}, ": expected an array, got an object"),
        (MACS, ..., " is missing"),
        (
            MACS,
            [1, 2],
            ": expected 9 values, as many as in record.entries.path, got an array of 2",
        ),
        (("record", "entries", "bytes_read", 0), "?", f"{COUNT}'?'"),
        (("record", "entries", "estimate", 1), 0, ": expected true or false, got 0"),
        (
            ("record", "entries", "path", 3),
            7,
            ": expected an index of record.paths, 0 to 6, got 7",
        ),
        (
            ("record", "entries", "path", 3),
            None,
            ": expected an index of record.paths, 0 to 6, got null",
        ),
        (("record", "entries", "op", 0), 99, ": expected an index of record.strings, 0 to "),
        (
            ("record", "paths", "parent", 2),
            2,
            ": expected an index of earlier paths, 0 to 1, got 2",
        ),
        (
            ("record", "paths", "parent", 2),
            None,
            ": expected an index of earlier paths, 0 to 1, got null",
        ),
        (
            ("record", "paths", "parent", 0),
            0,
            ": expected nothing, for there are no earlier paths, got 0",
        ),
        (("record", "strings", 1), 5, ": expected a string, got 5"),
        (("modules", 3, "parent"), 3, ": expected an index of earlier modules, 0 to 2, got 3"),
        (("modules", 3, "parent"), -1, ": expected an index of earlier modules, 0 to 2, got -1"),
        (("modules", 3, "parameters", 0, "shape", 1), None, f"{COUNT}null"),
        (("modules", 3, "parameters", 0, "numel"), ..., " is missing"),
        (("modules", 3, "fused"), 1, ": expected true or false, got 1"),
        (("modules", 3, "type"), ["a"], ": expected a string, got an array of 1"),
        (("modules", 3), "Conv2d", ": expected an object, got 'Conv2d'"),
        (("modules",), ..., " is missing"),
        (("convention", "name"), "ours", ": expected one of fvcore, macs, torch, full, got 'ours'"),
        (("meta", "labels"), [], ": expected an object, got an array of 0"),
        (("meta", "labels", "commit"), 1, ": expected a string, got 1"),
        (("meta", "training"), "yes", ": expected true or false, got 'yes'"),
        (("meta", "created"), "x" * 10_000, f"{COUNT}'{'x' * 59}…"),
        (("memory", "modules", 0, "module"), 8, ": expected an index of modules, 0 to 7, got 8"),
        (("version",), "1", ": expected an integer from 1 up, got '1'"),
        (("version",), 0, ": expected an integer from 1 up, got 0"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(path, value, text):
    assert message(changed(path, value)).startswith(f"the report: {place(path)}{text}")


def test_a_long_text_is_not_wrong():
    assert Report.from_json(changed(("meta", "model"), "x" * 10_000)).meta.model == "x" * 10_000


def test_a_newer_version_is_refused():
    text = message(changed(("version",), 2))
    assert text == (
        "the report: it is a report of schema version 2, this dispatchcount reads up to 1; upgrade it"
    )


def test_another_schema_is_refused():
    text = message(changed(("schema",), "other"))
    assert text.startswith("the report: it is JSON, but no report of dispatchcount")


def test_an_unknown_phase_is_named_with_its_place():
    index = GOOD["record"]["strings"].index("backward")
    text = message(changed(("record", "strings", index), "sideways"))
    assert text.startswith(
        f"the report: record.strings[{index}]: expected one of forward, backward, "
    )


def test_samples_must_fit_their_labels():
    base = orjson.loads(routed().to_json())
    text = message(changed(("record", "sample_profiles"), [0], base))
    assert text == (
        "the report: record.sample_profiles: expected 4 values, one for each of samples.labels, "
        "got an array of 1"
    )


def test_fields_that_are_not_known_are_let_be():
    assert Report.from_json(changed(("meta", "new_field"), 1)) == training()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "it is empty"),
        (b"\x00\xff\xfe", "it is not JSON, or was cut off"),
        (b"<html>", "it is not JSON, or was cut off"),
        (b"NaN", "it is not JSON, or was cut off"),
        (b"[" * 100_000, "it is not JSON, or was cut off"),
        (b"[" * 900 + b"]" * 900, "it is JSON, but no report of dispatchcount"),
        (b"3", "it is JSON, but no report of dispatchcount"),
        (
            b"{}",
            "it is JSON, but no report of dispatchcount "
            '(those begin with "schema": "dispatchcount.report")',
        ),
        (b'{"schema": "dispatchcount.report"}', "version is missing"),
    ],
)
def test_bytes_that_are_not_a_report_are_refused(data, text):
    assert message(data).startswith(f"the report: {text}")


def test_every_cut_is_noticed():
    data = cnn().to_json()
    for length in range(0, len(data), 97):
        assert "the report: it is " in message(data[:length])


def test_the_file_is_named(tmp_path):
    path = tmp_path / "broken.json"
    path.write_bytes(changed(("modules", 0, "name"), 1))
    assert message(path) == f"{path}: modules[0].name: expected a string, got 1"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "missing.json"
    assert message(missing) == f"cannot read {missing}: No such file or directory"
    assert message(tmp_path) == f"cannot read {tmp_path}: Is a directory"
    assert message("a\0b").startswith("cannot read a\0b: embedded null")


def test_json_given_as_str_is_answered_with_a_hint():
    text = message(cnn().to_json().decode())
    assert text.endswith("pass JSON as bytes, a str is a path")
    assert len(text) < 400


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
_BASES = [orjson.loads(make().to_json()) for make in (training, routed, troubled)]


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_any_change_loads_or_is_a_report_error(data):
    """One value anywhere in a file becomes another, or goes. What loads still renders."""
    value = copy.deepcopy(data.draw(st.sampled_from(_BASES)))
    inner = value
    while True:
        keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        key = data.draw(st.sampled_from(keys))
        if (
            not isinstance(inner[key], dict | list)
            or not inner[key]
            or data.draw(st.integers(0, 3)) == 0
        ):
            break
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[key] = data.draw(_JSON)
    else:
        del inner[key]
    try:
        report = Report.from_json(json.dumps(value).encode())
    except ReportError:
        return
    str(report)
    report.to_json()


@given(st.binary(max_size=50) | _JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_any_bytes_are_a_report_error(data):
    with pytest.raises(ReportError):
        Report.from_json(data)


@pytest.mark.parametrize(("group", "issuer"), [(0, None), (None, 0)])
def test_a_group_and_who_sent_stand_together(group, issuer):
    report = cnn()
    entries = (replace(report.entries[0], group=group, issuer=issuer), *report.entries[1:])
    data = replace(report, entries=entries, groups=(Group("0", (0, 1)),)).to_json()
    said = message(data)
    assert "expected null where the group is null, and nowhere else" in said
    assert "issuer" in said
