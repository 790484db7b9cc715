"""thop's names: ``from dispatchcount.compat.thop import profile, clever_format``."""

from __future__ import annotations

from dispatchcount.compat.thop import utils, vision
from dispatchcount.compat.thop.profile import profile, profile_origin
from dispatchcount.compat.thop.utils import clever_format

__all__ = ["clever_format", "profile", "profile_origin", "utils", "vision"]
