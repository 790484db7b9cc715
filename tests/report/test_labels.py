"""What the user says of a run is read as it was said, and cannot be changed by who reads it."""

from __future__ import annotations

import pickle

import pytest

from dispatchcount.report_api import Report
from tests.report.make import cnn


def test_labels_are_read_by_name_in_their_order() -> None:
    report = cnn().with_labels(commit="1f3a", model="small", rank=0)  # type: ignore[arg-type]
    assert dict(report.labels) == {**cnn().labels, "commit": "1f3a", "model": "small", "rank": "0"}
    assert list(report.labels) == [key for key, _ in report.meta.labels]
    assert report.with_labels(commit="2b4c").labels["commit"] == "2b4c"
    assert report.labels["commit"] == "1f3a"
    with pytest.raises(TypeError, match="does not support item assignment"):
        report.labels["commit"] = "x"  # type: ignore[index]
    for copy in (Report.from_json(report.to_json()), pickle.loads(pickle.dumps(report))):
        assert copy.labels == report.labels
