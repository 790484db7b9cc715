"""The description of the file: whole, the same for every way of reading it, and easy to add to."""

from dataclasses import dataclass, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.errors import ReportError
from dispatchcount.report.json.format import REPORT, TABLES
from dispatchcount.report.json.indices import STRINGS, Index, Parent, TextIndex
from dispatchcount.report.json.schema import schema
from dispatchcount.report.json.table import ColumnTable, Derived, RowTable, Stored
from dispatchcount.report.json.types import (
    COUNT,
    FLAG,
    FLOAT,
    TEXT,
    ByName,
    Integer,
    ListOf,
    Nullable,
    OneOf,
    Strings,
)
from dispatchcount.report.json.value import JsonValue

pytestmark = pytest.mark.torch_alone

KNOWN = {STRINGS: ("a", "b"), "rows": (1, 2, 3)}


def read(type, value, known=KNOWN):
    return type.read(JsonValue(value, "file", "top"), known)


def names(row, prefix=""):
    return {prefix + field.name for field in fields(row)}


@pytest.mark.parametrize("table", [t for t in TABLES if hasattr(t, "make")], ids=lambda t: t.name)
def test_every_attribute_of_a_row_is_stored(table):
    attributes = names(table.make)
    for part, make in getattr(table, "parts", {}).items():
        attributes = attributes - {part} | names(make, f"{part}.")
    assert {field.attribute for field in table.stored} == attributes


def test_every_table_that_the_schema_refers_to_is_in_it():
    whole = schema()
    references = set()

    def collect(value):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key == "$ref":
                references.add(item.removeprefix("#/$defs/"))
            if isinstance(item, dict | list):
                collect(item)

    collect(whole)
    assert references == set(whole["$defs"])


def test_every_field_says_what_it_is():
    for table in (REPORT, *TABLES):
        for field in table.fields:
            assert field.help.endswith("."), f"{table.name}.{field.key}"


@dataclass(frozen=True)
class Leaf:
    name: str
    size: int | None


@dataclass(frozen=True)
class Branch:
    label: str
    leaves: tuple[Leaf, ...]
    up: int


LEAF = RowTable(
    "leaf",
    "",
    (Stored("name", TEXT, ""), Stored("size", Nullable(COUNT), "", absent=7)),
    make=Leaf,
)
BRANCH = RowTable(
    "branch",
    "",
    (
        Stored("label", TextIndex(("a", "b")), ""),
        Stored("leaves", ListOf(LEAF), ""),
        Stored("up", Parent("branches", "branches"), ""),
        Derived("weight", FLOAT, ""),
    ),
    make=Branch,
)
TYPES = {
    "text": TEXT,
    "flag": FLAG,
    "count": COUNT,
    "nullable count": Nullable(COUNT),
    "integer": Integer(1, 5),
    "one of": OneOf(("a", "b")),
    "list": ListOf(ListOf(COUNT)),
    "by name": ByName(TEXT),
    "index": Index("rows"),
    "index of a text": TextIndex(),
    "index of one of some texts": TextIndex(("a",)),
    "parent": Parent("rows", "rows"),
    "parent with one root": Parent("rows", "rows", one_root=True),
    "row": LEAF,
    "row of rows": BRANCH,
}

_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from(["a", "x", "3", "9" * 30, "-1", 2**70, 0.5, -1.0])
)
_LEAF = st.fixed_dictionaries(
    {"name": st.just("n")}, optional={"size": st.none() | st.integers(0, 3) | _SCALAR}
)
_BRANCH = st.fixed_dictionaries(
    {"label": st.integers(0, 2), "leaves": st.lists(_LEAF, max_size=2)},
    optional={"up": st.none() | st.integers(-1, 2)},
)
_ITEM = _SCALAR | _LEAF | _BRANCH | st.lists(_SCALAR | st.lists(st.integers(-1, 2)), max_size=3)
_COLUMN = st.one_of(
    st.lists(_ITEM, max_size=4),
    *(
        st.lists(kind, max_size=4)
        for kind in (st.integers(-1, 3), st.none() | st.integers(0, 2), _LEAF, _BRANCH)
    ),
)


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
@given(column=_COLUMN)
@settings(deadline=None, max_examples=300)
def test_all_at_once_is_the_same_as_one_by_one(type, column):
    """What `read_fast` takes, `read` takes as well, and both make the same of it."""
    fast = type.read_fast(column, KNOWN)
    if fast is not None:
        assert fast == [type.read(item, KNOWN) for item in JsonValue(column, "file").items()]


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
@given(column=_COLUMN)
@settings(deadline=None)
def test_what_is_read_is_written_and_read_again_as_the_same(type, column):
    value = JsonValue(column, "file")
    try:
        values = type.read_column(value, KNOWN)
    except ReportError:
        return
    if type is BRANCH:
        return  # it has a derived field, which reading leaves out
    strings = Strings()
    again = type.write_column(values, strings)
    known = {**KNOWN, STRINGS: tuple(strings)}
    assert type.read_column(JsonValue(again, "file"), known) == values


def test_what_is_derived_is_not_read():
    with pytest.raises(TypeError, match="Float is a type for derived values"):
        read(FLOAT, 0.5)


@dataclass(frozen=True)
class Call:
    op: str
    calls: int
    group: str


def test_a_column_that_is_added_is_one_line_and_older_files_load():
    columns = (Stored("op", TextIndex(), "The operator."), Stored("calls", COUNT, "How often."))
    before = {"op": [1, 0], "calls": [3, 4]}
    added = (*columns, Stored("group", TextIndex(), "The process group.", absent=""))
    table = ColumnTable("calls", "", added, make=Call)

    assert read(table, before) == (Call("b", 3, ""), Call("a", 4, ""))
    now = {**before, "group": [1, 1]}
    assert read(table, now) == (Call("b", 3, "b"), Call("a", 4, "b"))
    strings = Strings()
    assert table.write((Call("b", 3, "b"), Call("a", 4, "b")), strings) == {
        "op": [0, 1],
        "calls": [3, 4],
        "group": [0, 0],
    }
    assert tuple(strings) == ("b", "a")
    definition = table.definition()
    assert definition["required"] == ["op", "calls"]
    assert definition["properties"]["group"] == {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "x-index-of": STRINGS},
        "description": 'The process group. Older files lack it, which means `""`.',
    }
    with pytest.raises(ReportError, match=r"file: top.group: expected 2 values, as many as in top"):
        read(table, {**before, "group": [1]})
    with pytest.raises(ReportError, match="file: top.calls is missing"):
        read(table, {"op": [0]})


def test_a_figure_that_came_later_is_not_required_of_a_file():
    assert Derived("payload", COUNT, "Bytes.", later=True).required is False
    assert Derived("macs", COUNT, "MACs.").required is True


def test_a_place_is_named_only_when_it_is_asked_for():
    top = JsonValue({"a": [{"b": [1, 2]}]}, "file")
    value = top["a"].at(0)["b"].at(1)
    assert (value.place, value.row) == ("a[0].b[1]", 1)
    assert (top["a"].at(0)["b"].place, top["a"].at(0)["b"].row) == ("a[0].b", 0)
    assert (top.place, top.row) == ("", 0)
