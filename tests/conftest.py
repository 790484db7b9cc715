"""Tests of whole models need the libraries that hold them."""

from __future__ import annotations

from importlib.util import find_spec

complete = find_spec("torchvision") and find_spec("transformers")
collect_ignore = [] if complete else ["test_examples.py", "test_large_models.py", "test_no_false_alarm.py"]
