"""Laws as JSON: they come back equal, follow the schema, and what is no law is refused with the place that is wrong."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import dispatchcount as dc
from tests.laws.code import image, of, product
from tests.laws.test_views import block

SCHEMA = json.loads(files("dispatchcount.laws").joinpath("schema.json").read_text())


def resnet() -> dc.Law:
    net = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(7))
    with torch.device("meta"), torch.no_grad():
        return dc.law(net.eval().to("meta"), lambda b, h: net(image(b, h, h)), b=2, h=64)


def with_refusals() -> dc.Law:
    def run(s: int) -> None:
        product(s, s.bit_length(), 1)
        if s > 900:
            raise ValueError("too long")

    return of(run, s=16)


@pytest.mark.parametrize("make", [block, resnet, with_refusals, lambda: block().causal(window=9)])
def test_a_law_comes_back_equal(make: Any, tmp_path: Path) -> None:
    law = make()
    path = tmp_path / "law.json"
    data = law.to_json(path)
    assert path.read_bytes() == data
    for source in (path, str(path), data, bytearray(data)):
        back = dc.Law.from_json(source)
        assert back == law
        assert back.to_json() == data
    jsonschema.validate(json.loads(data), SCHEMA)
    assert back.special == law.special
    assert str(back) == str(law)


def test_a_file_is_read_without_torch(tmp_path: Path) -> None:
    block().to_json(tmp_path / "law.json")
    code = (
        "import sys, dispatchcount as dc; law = dc.Law.from_json(sys.argv[1]); print(law(b=1, s=9).macs); "
        "print(law, law.table()); assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "law.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{256 * 81 + 32_768 * 9}\n")


OBJECT = json.loads(block().to_json())


def changed(*place: Any, to: Any) -> bytes:
    value = copy.deepcopy(OBJECT)
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to
    return orjson.dumps(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the law: it is empty"),
        (b"{", "it is not JSON, or was cut off"),
        (b"[1]", 'no law of dispatchcount .those begin with "schema"'),
        (b'{"schema": "dispatchcount.report"}', "no law of dispatchcount"),
        (b'{"schema": "dispatchcount.law"}', "version is missing"),
        (changed("version", to=2), "it is a law of schema version 2, this dispatchcount reads up to 1; upgrade it"),
        (changed("version", to=True), "version: expected an integer"),
        (changed("sizes", to=[]), "sizes: expected 1 to 16 different names"),
        (changed("sizes", to=["b", "b"]), "different names"),
        (changed("sizes", to=["b", "import"]), r"sizes\[1\]: expected a name that Python takes"),
        (changed("sizes", to=["b", "x; exit()"]), r"sizes\[1\]: expected a name that Python takes"),
        (changed("start", to=[1]), "start: expected 2 integers"),
        (changed("convention", to="x"), "convention: expected one of"),
        (changed("modules", 1, "parent", to=1), r"modules\[1\].parent: expected an index of earlier modules"),
        (changed("modules", 1, "name", to=OBJECT["modules"][0]["name"]), "a name that no module before"),
        (changed("modules", 1, "params", to=-1), r"modules\[1\].params: expected an integer from 0 up"),
        (changed("polynomials", 0, to=[[[1, 1], 5]]), r"polynomials\[0\]\[0\]\[1\]: expected a string"),
        (changed("polynomials", 0, to=[[[1, 1], "1e9"]]), "a whole number or a fraction as text"),
        (changed("polynomials", 0, to=[[[1, 1], "1/0"]]), "a whole number or a fraction|not 0"),
        (changed("polynomials", 0, to=[[[1, 1], "1/000"]]), "a fraction with a denominator that is not 0|whole"),
        (changed("polynomials", 0, to=[[[1, 1], "9" * 200]]), "a whole number or a fraction"),
        (changed("polynomials", 0, to=[[[10**9, 1], "1"]]), "expected an integer up to 16"),
        (changed("polynomials", 0, to=[[[1], "1"]]), "expected 2 exponents that no term before has"),
        (changed("polynomials", 0, to=[[[1, 1], "1"], [[1, 1], "2"]]), "that no term before has"),
        (changed("polynomials", 0, to=[[[1, 1]]]), "a pair of exponents and a coefficient"),
        (changed("rows", 0, "module", to=99), r"rows\[0\].module: expected an index of modules"),
        (changed("rows", 0, "columns", to={"x": 0}), "expected columns out of"),
        (changed("rows", 0, "columns", to={"macs": 999}), "expected an index of polynomials"),
        (changed("domains", "macs", "ranges", 0, "step", to=0), "a least value and a step from 1 up"),
        (changed("domains", "macs", "ranges", 0, "size", to="z"), "expected one of b, s"),
        (changed("domains", "macs", "holes", to=[{}]), "an object of sizes"),
        (changed("domains", "macs", "holes", to=[{"z": 1}]), "sizes out of b, s"),
        (changed("domains", to={"x": 1}), "domains: expected columns"),
        (changed("operator_domains", to={"x": 1}), "operator_domains: expected columns"),
        (changed("checked", 0, to=[1, "a"]), r"checked\[0\]\[1\]: expected an integer"),
        (changed("refused", to=[{"module": 0}]), r"refused\[0\].op is missing"),
    ],
)  # fmt: skip
def test_what_is_no_law_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(dc.LawError, match=message):
        dc.Law.from_json(data)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    """Any value of the file replaced by any other: a law, or `LawError`."""
    value = copy.deepcopy(OBJECT)
    inner: Any = value
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        child = inner[key]
        if not isinstance(child, dict | list) or not child or data.draw(st.booleans()):
            break
        inner = child
    junk = st.sampled_from(
        [None, -1, 0, 2**70 % 2**63, 1.5, "", "x", "9/0", [], {}, [[]], True, "b", 10**18]
    )
    inner[key] = data.draw(junk)
    try:
        law = dc.Law.from_json(orjson.dumps(value))
        str(law), str(law.table())
        law(b=3, s=16)
    except dc.LawError:
        pass


def test_a_file_without_a_column_of_today_is_read() -> None:
    """Columns may come to what a cost counts. What an older file lacks has no formula, and is never 0."""
    value = copy.deepcopy(OBJECT)
    del value["domains"]["arithmetic"]
    for row in value["rows"]:
        row["columns"].pop("arithmetic", None)
    law = dc.Law.from_json(orjson.dumps(value))
    assert law.macs == block().macs
    with pytest.raises(
        dc.LawError,
        match="arithmetic has no formula: the law is of a dispatchcount that did not count it",
    ):
        _ = law.arithmetic
    with pytest.raises(dc.LawError, match="did not count it"):
        _ = law(b=2, s=9).arithmetic


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(dc.LawError, match="cannot read .*nothing.json: No such file"):
        dc.Law.from_json(tmp_path / "nothing.json")
    with pytest.raises(dc.LawError, match="cannot read"):
        dc.Law.from_json("a\0b")
    with pytest.raises(TypeError, match="takes a path or bytes, got int"):
        dc.Law.from_json(5)  # type: ignore[arg-type]
