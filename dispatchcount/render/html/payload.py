"""How the data of a page stands in it: as JSON, which anybody can read, or deflated if it is large.

web/src/shared/payload.ts reads both.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

MOST_PLAIN = 2_000_000
"""Letters that the data may have as JSON. Longer data is deflated, to about a third of them."""

_LEVEL = 3
"""Of the deflation: higher ones take twice as long and more, and save a hundredth."""


def element(data: Any) -> str:
    """The script element of a page that holds its data.

    Its type says how: ``application/json``, or ``application/zlib`` for JSON that is deflated with
    zlib's header (RFC 1950) and written as base64. Either way it is ASCII, so that a page can hold
    it in any encoding.
    """
    text = json.dumps(data, separators=(",", ":"))
    if len(text) <= MOST_PLAIN:
        # Without any "<" no name of a module can end the element.
        return _script("application/json", text.replace("<", "\\u003c"))
    deflated = zlib.compress(text.encode("ascii"), _LEVEL)
    return _script("application/zlib", base64.b64encode(deflated).decode("ascii"))


def _script(kind: str, text: str) -> str:
    return f'<script type="{kind}" id="data">{text}</script>'
