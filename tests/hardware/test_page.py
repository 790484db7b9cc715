"""What the page of a report is given of a device's roofline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispatchcount.errors import DeviceError
from dispatchcount.hardware.device import Device
from dispatchcount.hardware.page import roof_data
from tests.report import make

pytestmark = pytest.mark.torch_alone

DEVICE = Device(peak={"float32": 1e9}, bandwidth=1e8, name="slow")


def test_the_data_are_the_roofline_s() -> None:
    roof = make.cnn().roofline(DEVICE)
    data = roof_data(roof)
    assert (data["device"], data["roofs"]) == (
        "slow",
        [{"name": "float32", "peak": 1e9, "bandwidth": 1e8}],
    )
    assert data["least"] == roof.least_seconds * 1e9
    assert data["memory"] == roof.share("memory")
    assert [one["name"] for one in data["operators"]] == list(roof.by_operator())
    by_name = {one["name"]: one for one in data["operators"]}
    row = roof.by_operator()["aten.convolution"]
    assert (by_name["aten.convolution"]["flops"], by_name["aten.convolution"]["bytes"]) == (
        row.flops,
        row.nbytes,
    )


def test_without_a_bandwidth_there_is_no_roof_to_draw() -> None:
    data = roof_data(make.cnn().roofline(Device(peak={"float32": 1e9}, name="slow")))
    assert data["roofs"] == []
    assert any("bandwidth" in note for note in data["notes"])


def test_a_page_has_it_if_it_is_asked_for(tmp_path: Path) -> None:
    def given(page: str) -> object:
        start = page.index(">", page.index('id="data"')) + 1
        return json.loads(page[start : page.index("</script>", start)])["roof"]

    assert given(make.cnn().to_html()) is None
    page = make.cnn().to_html(tmp_path / "page.html", device=DEVICE)
    assert given(page) == json.loads(json.dumps(roof_data(make.cnn().roofline(DEVICE))))
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    with pytest.raises(DeviceError, match="neither a peak nor a bandwidth"):
        make.cnn().to_html(device=Device(peak={}))
