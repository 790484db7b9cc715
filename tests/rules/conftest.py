"""No deadline for properties: the first call of an operator may load a library."""

from __future__ import annotations

from importlib.util import find_spec

from hypothesis import settings

settings.register_profile("rules", deadline=None, max_examples=50)
settings.load_profile("rules")

# torch's own table of operator samples (op_db) imports these.
collect_ignore = [] if find_spec("numpy") and find_spec("expecttest") else ["test_sweep.py"]
