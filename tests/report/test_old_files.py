"""Files that older versions wrote load into the reports that they were written from."""

from pathlib import Path

import jsonschema
import orjson
import pytest

from dispatchcount.report.json.schema import schema
from dispatchcount.report_api import Report

pytestmark = pytest.mark.torch_alone

FILES = sorted((Path(__file__).parents[1] / "data" / "reports_version_1").glob("*.json"))


def test_they_are_all_there():
    names = {path.stem for path in FILES}
    assert names == {
        "before_fused",
        "beyond_64_bits",
        "cnn",
        "merged",
        "samples",
        "training",
        "troubled",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_is_written_as_it_was(path):
    """The totals, rows and distributions in the file are derived, so they are worked out anew."""
    old = orjson.loads(path.read_bytes())
    new = orjson.loads(Report.from_json(path).to_json())
    _has_all_of(new, old, "")


def _has_all_of(new, old, place):
    """`new` is `old`, except that its objects may have more members."""
    if isinstance(old, dict):
        assert new.keys() >= old.keys(), place
        for key, value in old.items():
            _has_all_of(new[key], value, f"{place}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old), place
        for index, value in enumerate(old):
            _has_all_of(new[index], value, f"{place}[{index}]")
    else:
        assert new == old, place
        assert type(new) is type(old), place


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_conform_to_the_schema(path):
    jsonschema.Draft202012Validator(schema()).validate(orjson.loads(path.read_bytes()))


def load(name):
    return Report.from_json(next(path for path in FILES if path.stem == name))


@pytest.mark.parametrize("name", ["cnn", "before_fused"])
def test_a_convolutional_net(name):
    report = load(name)
    # 2·8·8·8 outputs of 3·3·3 MACs, and 2·10 of 8
    assert report.macs == 1024 * 27 + 20 * 8
    # by fvcore's formulas batch norm in training is 5 an element of its 1024, and the pool is 1
    assert report.flops == report.macs + 5 * 1024 + 1024
    assert report.params == (8 * 27 + 8) + (8 + 8) + (8 * 10 + 10)
    assert dict(report.meta.labels) == {"model": "cnn", "commit": "1f3a"}
    assert report.by_module()["0"].macs == 1024 * 27
    assert not any(module.fused for module in report.modules)


def test_training_with_memory_and_time():
    report = load("training")
    assert set(report.by_phase()) == {"forward", "backward", "optimizer"}
    assert report.by_phase()["forward"].macs == 1024 * 27 + 20 * 8
    # no gradient of the image: the convolution's weights alone; of the head, weights and input
    assert report.by_phase()["backward"].macs == 1024 * 27 + 2 * 20 * 8
    assert report.total.time_ns > 0
    memory = report.memory
    params = 4 * 330
    assert (memory.parameters, memory.gradients) == (params, params)
    # AdamW keeps two averages of each parameter, and a step of 4 bytes for each of the 6
    assert memory.optimizer == 2 * params + 6 * 4


def test_samples_under_another_convention():
    report = load("samples")
    # every linear layer does 4·4 MACs, the stem once and `deep` 0, 1, 1 and 3 times
    assert report.convention == "torch"
    assert report.sample_flops() == [2 * 16 * calls for calls in (1, 2, 2, 4)]
    assert [sample.label for sample in report.samples] == [f"input-{i}" for i in range(4)]
    rates = {name: row.execution_rate for name, row in report.by_module_over_samples().items()}
    assert rates == {"": 1, "stem": 1, "deep": 0.75, "never": 0}
    assert report.uncalled_modules == ("never",)


def test_unknown_and_failed_operators_and_an_exception():
    report = load("troubled")
    assert list(report.unknown_ops) == ["odd.twice"]
    assert list(report.failed_ops) == ["odd.thrice"]
    assert "this rule fails" in report.failed_ops["odd.thrice"].message
    assert report.meta.error == "RuntimeError: caf\\udce9"
    assert report.total.estimate  # singular values


def test_merged_ranks_with_a_tied_weight():
    report = load("merged")
    # 3 and 4 tokens through a Linear 6→11 that has the embedding's weight
    assert report.macs == (3 + 4) * 6 * 11
    assert report.params == 11 * 6
    tied = [p.tied_to for module in report.modules for p in module.parameters]
    assert tied == [None, "embed.weight"]


def test_counts_beyond_64_bits():
    report = load("beyond_64_bits")
    assert report.macs == 2**30 * 2**28 * 2**30
