"""No deadline for properties: the first call of an operator may load a library."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("rules", deadline=None, max_examples=50)
settings.load_profile("rules")
