"""A report to JSON and back: the same report, whatever is in it."""

from dataclasses import replace

import jsonschema
import orjson
import pytest
from hypothesis import given, settings

from dispatchcount.errors import ReportError
from dispatchcount.report.json import serialize
from dispatchcount.report.json.format import REPORT
from dispatchcount.report.json.record_format import RECORD
from dispatchcount.report.json.schema import schema
from dispatchcount.report_api import Report
from tests.report.make import cnn, huge, reports, routed, training, troubled

pytestmark = pytest.mark.torch_alone

SCHEMA = schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)
MADE = [cnn, training, routed, troubled, huge]


@pytest.mark.parametrize("make", MADE)
def test_round_trip(make):
    report = make()
    assert Report.from_json(report.to_json()) == report


@given(reports())
@settings(deadline=None)
def test_round_trip_of_any_report(report):
    again = Report.from_json(report.to_json())
    assert again == report
    assert again.by_module() == report.by_module()


@pytest.mark.parametrize("convention", ["fvcore", "macs", "torch", "full"])
def test_the_convention_is_kept_and_can_be_changed_after_loading(convention):
    report = cnn().with_convention(convention)
    again = Report.from_json(report.to_json())
    assert again.convention == convention
    assert again.with_convention("fvcore") == cnn()


def test_files_are_read_by_str_and_by_path(tmp_path):
    data = cnn().to_json(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_bytes() == data
    assert Report.from_json(tmp_path / "report.json") == cnn()
    assert Report.from_json(str(tmp_path / "report.json")) == cnn()
    assert Report.from_json(bytearray(data)) == cnn()


def test_no_value_of_another_type_is_taken_for_a_file():
    with pytest.raises(TypeError, match="a path or bytes, got int"):
        Report.from_json(3)  # type: ignore[arg-type]


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_file_has_its_fields_in_the_order_of_the_format():
    data = orjson.loads(training().to_json())
    assert list(data) == [field.key for field in REPORT.fields]
    assert list(data["record"]) == [field.key for field in RECORD.fields]


@pytest.mark.parametrize("make", MADE)
def test_output_conforms_to_the_schema(make):
    CHECK.validate(orjson.loads(make().to_json()))


@given(reports())
@settings(deadline=None, max_examples=50)
def test_any_output_conforms_to_the_schema(report):
    CHECK.validate(orjson.loads(report.to_json()))


@pytest.mark.parametrize("make", MADE)
def test_every_field_is_in_the_schema(make):
    _every_field_known(orjson.loads(make().to_json()), SCHEMA, "")


def _every_field_known(value, schema, place):
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = next(
            s
            for s in schema["anyOf"]
            if CHECK.evolve(schema=s | {"$defs": SCHEMA["$defs"]}).is_valid(value)
        )
        return _every_field_known(value, schema, place)
    if isinstance(value, list):
        for item in value:
            _every_field_known(item, schema["items"], f"{place}[]")
    if isinstance(value, dict) and "additionalProperties" not in schema:
        known = dict(schema["properties"])
        for part in schema.get("allOf", ()):
            known |= SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]["properties"]
        for key, item in value.items():
            assert key in known, f"{place}.{key}"
            _every_field_known(item, known[key], f"{place}.{key}")
    return None


def test_what_a_dashboard_reads():
    data = orjson.loads(training().to_json())
    assert data["total"]["flops"] == training().flops
    assert {name: row["flops"] for name, row in data["phases"].items()} == {
        "forward": 14928,
        "backward": 27808,
        "optimizer": 0,
    }
    assert data["uncalled_modules"] == ["aux"]
    rows = {row["name"]: row for row in data["modules"]}
    for name, stats in training().by_module().items():
        assert rows[name]["flops"] == stats.flops
        assert rows[name]["calls"] == stats.calls
        assert rows[name]["self"]["flops"] == stats.self_.flops


def test_samples_come_with_their_distribution():
    samples = orjson.loads(routed().to_json())["samples"]
    # three images of 16 + 20 flops, one of 1600 + 20
    assert samples["sample_flops"] == [36, 36, 1620, 36]
    assert samples["flops"] == {
        "mean": 432.0,
        "std": samples["flops"]["std"],
        "min": 36,
        "median": 36,
        "p95": 1620,
        "max": 1620,
    }
    assert {row["name"]: row["execution_rate"] for row in samples["modules"]} == {
        "": 1,
        "left": 0.75,
        "right": 0.25,
        "norm": 1,
    }


def test_integers_beyond_63_bits_are_strings_of_digits():
    data = orjson.loads(huge().to_json())
    assert data["total"]["flops"] == str(14928 * 10**25)
    assert data["total"]["params"] == 348
    assert data["record"]["entries"]["macs"][0] == str(13824 * 10**25)


def test_characters_that_are_no_unicode_are_escaped():
    report = cnn().with_labels(file="caf\udce9")
    again = Report.from_json(report.to_json())
    assert dict(again.meta.labels) == {"file": "caf\\udce9"}
    assert again.entries == report.entries


def test_an_older_version_is_brought_up_by_its_migration(monkeypatch):
    old = cnn().to_json()

    def rename(top):
        labels = dict(top.value["meta"]["labels"], migrated=top["version"].value)
        return top.value | {
            "meta": top.value["meta"] | {"labels": {k: str(v) for k, v in labels.items()}}
        }

    monkeypatch.setattr(serialize, "FORMAT", replace(serialize.FORMAT, version=2))
    monkeypatch.setitem(serialize.MIGRATIONS, 1, rename)
    assert Report.from_json(old) == cnn().with_labels(migrated="1")


def test_there_is_a_migration_for_every_older_version():
    assert sorted(serialize.MIGRATIONS) == list(range(1, serialize.VERSION))


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    cnn().to_json(path)
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OSError, match="No space left on device"):
        training().to_json(path)
    assert Report.from_json(path) == cnn()
    assert list(tmp_path.iterdir()) == [path]


def test_report_error_is_a_value_error():
    assert issubclass(ReportError, ValueError)
