"""Known names that are like a wrong one."""

from __future__ import annotations

from difflib import get_close_matches


def nearest(name: str, known: list[str]) -> str:
    """The end of a sentence that says there is no `name`: names that come close, or a few."""
    close = get_close_matches(name, known, 3)
    if close or not known:
        return f"; did you mean {', '.join(close)}?" if close else "; it has no public names at all"
    return f"; it has {len(known)}, for instance {', '.join(known[:3])}"
