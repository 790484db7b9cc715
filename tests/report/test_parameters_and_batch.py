"""Trainable parameters, bytes of parameters, and figures of one item of a batch."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from dispatchcount.render.comparison import Compared, Comparison
from dispatchcount.report.json.write import module_objects
from dispatchcount.report.parameter_totals import parameter_totals
from dispatchcount.report.rows import NO_MODULE, Module, Parameter, Path
from dispatchcount.report.shapes import batch_of
from dispatchcount.report_api import Report
from dispatchcount.rules.core.shape import itemsize
from tests.report.make import META, cnn, reports, stack, training

pytestmark = pytest.mark.torch_alone


def frozen() -> Report:
    """A network of a frozen float16 part of 6 elements and a trainable float32 part of 5."""
    modules = (
        Module(NO_MODULE, ""),
        Module("", "Net"),
        Module("body", "Linear", 1, "", (), (Parameter("body.w", (2, 3), 6, "float16", False),)),
        Module("head", "Linear", 1, "", (), (Parameter("head.w", (5,), 5),)),
        Module("tied", "Linear", 1, "", (), (Parameter("tied.w", (5,), 5, tied_to="head.w"),)),
    )
    return Report(META, "fvcore", modules, (Path(-1, 0), Path(0, 1, "(2, 3)", 1)), ())


def line(report: Report, about: str, **options: object) -> str | None:
    text = str(report.table(**options)).split("\n")  # type: ignore[arg-type]
    return next((t.split(maxsplit=1)[1] for t in text if t.startswith(f"{about} ")), None)


def cells(report: Report, name: str, **options: object) -> list[str]:
    """The cells of a row behind its name."""
    text = str(report.table(exact=True, **options)).split("\n")  # type: ignore[arg-type]
    return next(t.split()[1:] for t in text if t.split()[:1] == [name])


def test_bytes_of_parameters_are_those_of_their_dtype() -> None:
    dtypes = {d for d in vars(torch).values() if isinstance(d, torch.dtype)}
    for dtype in dtypes:
        assert itemsize(str(dtype).removeprefix("torch.")) == dtype.itemsize, dtype


def test_totals_are_those_of_the_parameters_once() -> None:
    report = frozen()
    assert (report.params, report.trainable) == (11, 5)
    assert report.param_bytes == 6 * 2 + 5 * 4
    columns = ("trainable", "param_bytes", "params_share")
    assert cells(report, "(root)", columns=columns) == ["5", "32", "100.0", "%"]
    assert cells(report, "body", columns=columns) == ["0", "12", "54.5", "%"]
    assert cells(report, "head", columns=columns) == ["5", "20", "45.5", "%"]
    assert cells(report, "tied", columns=columns) == ["0", "0", "0.0", "%"]


def test_the_lines_below_say_what_is_trainable() -> None:
    assert line(frozen(), "params") == "11 (32 B), 5 trainable and 6 frozen"
    # 348 floats of 4 bytes
    assert line(cnn(), "params") == "348 (1.39 kB), all trainable"
    assert line(cnn(), "params", exact=True) == "348 (1,392 bytes), all trainable"
    rows = tuple(
        replace(m, parameters=tuple(replace(p, trainable=False) for p in m.parameters))
        for m in cnn().modules
    )
    assert line(replace(cnn(), modules=rows), "params") == "348 (1.39 kB), all frozen"
    assert line(replace(cnn(), modules=cnn().modules[:2], entries=(), paths=()), "params") is None


@settings(deadline=None, max_examples=60)
@given(reports())
def test_totals_of_any_report_add_up(report: Report) -> None:
    totals = parameter_totals(report)
    tops = [total for total, m in zip(totals, report.modules, strict=True) if m.parent < 0]
    assert sum(one.params for one in tops) == report.params
    assert sum(one.trainable for one in tops) == report.trainable <= report.params
    assert sum(one.param_bytes for one in tops) == report.param_bytes
    rows = module_objects(report)
    assert [int(row["trainable"]) for row in rows] == [one.trainable for one in totals]


def test_folded_rows_add_up() -> None:
    report = stack(3)
    # 3 blocks of 3 matrices of 8 · 8 floats
    found = cells(report, "layers.0–2", columns=("trainable", "param_bytes", "input"))
    assert found[1:] == ["576", "2,304", "(1,", "8)", "×3"]


def test_files_have_them_too() -> None:
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(cnn().to_csv()))}
    assert rows["features.0"]["trainable"] == "224"
    assert rows["features.0"]["param_bytes"] == "896"
    assert rows["features.0"]["input"] == "(1, 3, 8, 8)"
    first = module_objects(cnn())[3]
    assert (first["trainable"], first["param_bytes"]) == (224, 896)
    assert first["inputs"] == {"(1, 3, 8, 8)": 1}
    assert first["outputs"] == []


@pytest.mark.parametrize(
    ("calls", "size"),
    [
        ([("(8, 3, 4, 4)", 1)], 8),
        ([("(8, 3)", 2), ("(2, 3)", 3)], 2 * 8 + 3 * 2),
        ([("input_ids=(4, 128), attention_mask=(4, 128)", 1)], 4),
        ([("-, (5, 2)", 1)], 5),
        ([("(8, 3)", 1), ("…", 1)], None),
        ([("()", 1)], None),
        ([("", 1)], None),
        ([], None),
    ],
)
def test_the_batch_is_read_off_the_inputs(calls: list[tuple[str, int]], size: int | None) -> None:
    paths = (Path(-1, 0), *(Path(0, 1, shapes, number) for shapes, number in calls))
    report = Report(META, "fvcore", (Module(NO_MODULE, ""), Module("", "Net")), paths, ())
    assert report.batch == size
    found = batch_of(report)
    assert (None if found is None else found.size) == size


def test_figures_of_one_item_say_what_they_were_divided_by() -> None:
    report = cnn()
    columns = ("flops", "flops_per_sample")
    assert cells(report, "(root)", columns=columns) == ["14,928", "14,928"]
    assert line(report, "sample", columns=columns) == (
        "figures of one sample are those of all divided by 1, "
        "the first size of the input (1, 3, 8, 8)"
    )
    assert cells(report, "(root)", columns=columns, batch=8) == ["14,928", "1,866"]
    assert line(report, "sample", columns=columns, batch=8) == (
        "figures of one sample are those of all divided by 8, as given"
    )
    assert line(report, "sample") is None
    assert "flops/sample" in report.to_markdown(columns=columns)
    assert "14.9 & 1.87" in report.to_latex(columns=columns, batch=8)
    # 32.5 µs in all operators of modules, for each of 2 items
    assert cells(training(), "(root)", columns=("time_ns_per_sample",), batch=2) == ["16,250", "ns"]


def test_figures_that_do_not_divide_keep_three_digits() -> None:
    # 14,928 / 7 = 2,132.57…
    assert cells(cnn(), "(root)", columns=("flops_per_sample",), batch=7) == ["2.13", "k"]


def test_an_unknown_batch_is_asked_for() -> None:
    report = replace(cnn(), paths=tuple(replace(p, signature="") for p in cnn().paths))
    columns = ("flops_per_sample",)
    assert cells(report, "(root)", columns=columns) == ["–"]
    assert "say it: batch=8" in str(line(report, "sample", columns=columns))
    for wrong in (0, -1, 2.5, True, "8"):
        with pytest.raises(ValueError, match=r"batch=.* whole number from 1 up"):
            report.table(columns=columns, batch=wrong)  # type: ignore[arg-type]


def test_comparisons_have_them() -> None:
    names = ["trainable", "param_bytes", "batch", "flops_per_sample"]
    text = Comparison([Compared("a", cnn()), Compared("b", frozen())], names).csv()
    assert text.split("\n")[1:3] == ["a,348,1392,1,14928", "b,5,32,2,0"]
