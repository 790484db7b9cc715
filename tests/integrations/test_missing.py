"""Without a trainer's package, its callback says what to install."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("library", "wanted"), [("transformers", "transformers"), ("lightning.pytorch", "lightning")]
)
def test_a_missing_package_is_named(monkeypatch, library, wanted):
    name = f"dispatchcount.integrations.{wanted}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"pip install 'dispatchcount\[{wanted}\]'"):
        importlib.import_module(name)
