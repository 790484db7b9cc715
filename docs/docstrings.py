"""An extension of griffe, which reads the docstrings for the site, for two habits of this package.

A metric is a field of `Stats` and has its sentence in the table of metrics, where every output
finds it: the reference finds it there too. And attributes or arguments that are alike share a line
of a docstring, ``old, new: the figures``, where Google's style has a line for each.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Attribute, Docstring, ExprCall, Extension, Object

_SHARED = re.compile(r"^( +)(\w+(?:, \w+)+)(: .*(?:\n\1 +.*)*)", re.MULTILINE)


class Docstrings(Extension):
    """Gives each metric, attribute and argument a docstring of its own."""

    def on_attribute(self, *, attr: Attribute, **kwargs: Any) -> None:
        """Take the sentence of a metric from the call of `_metric` that makes it."""
        made = attr.value
        if isinstance(made, ExprCall) and str(made.function) == "_metric":
            _label, _unit, sentence, *_ = made.arguments
            attr.docstring = Docstring(f"{str(sentence)[1:-1]}.", parent=attr)
            attr.value = None

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Repeat a line that several names share for each of them."""
        if obj.docstring is not None:
            obj.docstring.value = _SHARED.sub(_each, obj.docstring.value)


def _each(line: re.Match[str]) -> str:
    indent, names, rest = line.groups()
    return "\n".join(f"{indent}{name}{rest}" for name in names.split(", "))
