"""The notebook of the tour runs from top to bottom and puts out what is stored in it."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

import nbformat
import pytest

from tests.whole.notebook import executed, texts

PATH = Path(__file__).parents[2] / "docs" / "guides" / "tour.ipynb"
STORED = nbformat.read(PATH, as_version=4)

PATCHES, WIDTH, LAYERS = 64, 64, 2
PRODUCTS = PATCHES * 192 * WIDTH + LAYERS * PATCHES * 4 * WIDTH**2 + WIDTH * 10
SCORES = LAYERS * 2 * PATCHES**2 * WIDTH
NORMS = LAYERS * 5 * PATCHES * WIDTH
PARAMS = 193 * WIDTH + LAYERS * (2 * WIDTH + 4 * (WIDTH**2 + WIDTH)) + 10 * (WIDTH + 1)


@pytest.fixture(scope="module")
def cells():
    return [cell for cell in executed(PATH).cells if cell.cell_type == "code"]


def value_of(cells, source: str):
    """The value of the one cell in which this stands."""
    (cell,) = [cell for cell in cells if source in cell.source]
    return literal_eval(texts(cell)[-1])


def test_the_figures_are_those_by_hand(cells) -> None:
    macs = PRODUCTS + SCORES
    patches = PATCHES * 192 * WIDTH
    figures = value_of(cells, "_report.params")
    assert figures == (macs + NORMS, macs, PARAMS, patches, patches)
    views = value_of(cells, "with_convention")
    assert (views["fvcore"], views["macs"], views["torch"]) == (macs + NORMS, macs, 2 * macs)
    large = 16_384  # patches of 1024 · 1024 pixels
    large_macs = large * (192 * WIDTH + LAYERS * 4 * WIDTH**2) + WIDTH * 10
    large_macs += LAYERS * 2 * large**2 * WIDTH
    assert value_of(cells, "law(b=1, h=64, w=64)") == (macs, large_macs)


def test_what_is_stored_is_what_comes_out(cells) -> None:
    stored = [cell for cell in STORED.cells if cell.cell_type == "code"]
    assert [cell.source for cell in stored] == [cell.source for cell in cells]
    for before, now in zip(stored, cells, strict=True):
        assert [output.output_type for output in before.outputs] == [
            output.output_type for output in now.outputs
        ]
        pairs = zip(texts(before), texts(now), strict=True)
        assert all(old == new for old, new in pairs if "tensor(" not in new), before.source


def test_tables_and_pictures_are_shown_and_nothing_else(cells) -> None:
    kinds = {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}
    assert kinds == {"text/plain", "text/html", "image/png"}
    assert all(output.get("name") != "stderr" for cell in cells for output in cell.outputs)


def test_the_notebook_names_no_place_of_the_machine_that_ran_it() -> None:
    text = PATH.read_text("utf-8")
    for place in (str(Path.home()), "/tmp", str(PATH.parents[2]), "site-packages"):
        assert f"{place}/" not in text
