"""JSON values that know where in a file they stand, so that an error can name the place."""

from __future__ import annotations

from typing import Any, NoReturn

from dispatchcount.errors import ReportError


class JsonValue:
    """A JSON value that knows what holds it. Its place is put into words only when an error asks.

    Attributes:
        value: what orjson read: None, a bool, int, float, str, list or dict.
        source: the name of the file, for errors.
        key: the value's key in the object or its index in the array that holds it.
        holder: that object or array; None for the whole file, which has no key.
    """

    __slots__ = ("holder", "key", "source", "value")

    def __init__(
        self, value: Any, source: str, key: str | int = "", holder: JsonValue | None = None
    ) -> None:
        self.value, self.source, self.key, self.holder = value, source, key, holder

    @property
    def place(self) -> str:
        """The path to the value, ``"record.entries.macs[12]"``; empty for the whole file."""
        before = self.holder.place if self.holder is not None else ""
        if isinstance(self.key, int):
            return f"{before}[{self.key}]"
        return f"{before}.{self.key}" if before else self.key

    @property
    def row(self) -> int:
        """The index of the array item that the value is or lies in; of several, the innermost."""
        if isinstance(self.key, int):
            return self.key
        return self.holder.row if self.holder is not None else 0

    def fail(self, expected: str) -> NoReturn:
        """Raise the error that this value is not what was expected.

        Raises:
            ReportError: always.
        """
        place = self.place or "top level"
        raise ReportError(f"{self.source}: {place}: expected {expected}, got {shown(self.value)}")

    def __contains__(self, key: str) -> bool:
        return key in self.object()

    def __getitem__(self, key: str) -> JsonValue:
        """The member `key` of an object; a missing one is an error."""
        if type(self.value) is not dict:
            self.fail("an object")
        if key not in self.value:
            raise ReportError(f"{self.source}: {JsonValue(None, '', key, self).place} is missing")
        return JsonValue(self.value[key], self.source, key, self)

    def object(self) -> dict[str, Any]:
        """The members of an object, without their places."""
        if type(self.value) is not dict:
            self.fail("an object")
        return self.value

    def array(self) -> list[Any]:
        """The items of an array, without their places."""
        if type(self.value) is not list:
            self.fail("an array")
        return self.value

    def items(self) -> list[JsonValue]:
        """The items of an array."""
        return [
            JsonValue(item, self.source, index, self) for index, item in enumerate(self.array())
        ]

    def at(self, index: int) -> JsonValue:
        """One item of an array."""
        return JsonValue(self.array()[index], self.source, index, self)


def shown(value: Any) -> str:
    """A JSON value in a few words, for an error."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
