"""Our integers are fvcore's, by module and operator, or the one table of disagreements has them."""

from __future__ import annotations

import pytest
import torch

from tests.compat.disagreements import LAYERS, MODELS, Disagreement
from tests.compat.layers import layers
from tests.compat.models import models
from tests.compat.oracle import differences

SMALL = layers()
LARGE = models()


def expected(entry: Disagreement | None) -> dict:
    return {} if entry is None else entry.numbers


@pytest.mark.parametrize("name", SMALL)
def test_layer(name: str) -> None:
    assert differences(*SMALL[name]) == expected(LAYERS.get(name))


@pytest.mark.parametrize("name", LARGE)
def test_model(name: str) -> None:
    torch.manual_seed(0)
    assert differences(*LARGE[name]()) == expected(MODELS.get(name))


def test_table_names_cases_that_exist() -> None:
    assert LAYERS.keys() <= SMALL.keys()
    assert MODELS.keys() <= LARGE.keys()
    assert len(LARGE) >= 30
