"""What to do about an error that a model raised on the inputs and the device it was given."""

from __future__ import annotations

import inspect
import re
from typing import Any

from dispatchcount.errors import text_of

_RANK = re.compile(r"[Ee]xpected .{0,40}\d(-dimensional|D\b)")
_ARGUMENT = re.compile(
    r"missing \d+ required (positional|keyword-only) argument|unexpected keyword"
)
_DTYPES = re.compile(
    r"same dtype|[Ee]xpected .{0,60}(dtype|scalar type|BFloat16|Half|Float)\b|should be the same"
)

_ABSENT = re.compile(
    r"'NoneType' object|[Yy]ou (have to|must|should) (specify|provide|pass)|is None\b"
)


def advice(error: BaseException, model: Any, device: str, shapes: list[str]) -> str:
    """The end of a sentence that says what `error` is: what to do next, ``""`` if nothing is known.

    Args:
        error: what the model raised.
        model: the model.
        device: the device that it ran on.
        shapes: the shapes of the inputs that were given on the command line.
    """
    text = text_of(error)
    if isinstance(error, TypeError) and _ARGUMENT.search(text):
        return f"; its forward takes {_signature(model)}: {_GIVE}"
    if _ABSENT.search(text):
        return f"; an input may be missing, its forward takes {_signature(model)}: {_GIVE}"
    if device == "meta" and (isinstance(error, NotImplementedError) or "meta" in text.lower()):
        return (
            "; its work depends on numbers, and tensors on meta hold none: run it with --device cpu"
        )
    if shapes and _RANK.search(text):
        return (
            "; is the batch missing? It is the first size of an input: "
            f"--input 1,{shapes[0]} is one of it"
        )
    if _DTYPES.search(text):
        return "; --dtype bfloat16 gives parameters and inputs one dtype, --input 1,8:int64 another"
    return ""


_GIVE = "give shapes in that order with --input, or named inputs with --inputs file.py:make"


def _signature(model: Any) -> str:
    try:
        return str(
            inspect.signature(model.forward).replace(return_annotation=inspect.Signature.empty)
        )
    except Exception:  # A user's forward may be any object, with a signature that raises.
        return "other inputs"
