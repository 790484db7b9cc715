"""From the JSON object that `schema.json` describes to a law. Every value is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from keyword import iskeyword
from typing import TypeVar

from dispatchcount.laws import values
from dispatchcount.laws.domain import Domain, Range
from dispatchcount.laws.law import Formulas, LawData, LawMeta, RowNote
from dispatchcount.laws.observed import COLUMNS, Key, ModuleRow
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.report.conventions import CONVENTIONS
from dispatchcount.report.json.value import JsonValue

L = TypeVar("L", bound=LawData)

_COEFFICIENT = re.compile(r"-?[0-9]{1,100}(/[0-9]{1,100})?", re.ASCII)

MOST_SIZES = 16
HIGHEST_EXPONENT = 16
LARGEST_SIZE = 2**63 - 1


def from_object(top: JsonValue, make: Callable[..., L]) -> L:
    """The law of the class `make` in a JSON object.

    Raises:
        ReportError: a value is missing or is not what the schema asks for; the message says which.
    """
    sizes = _sizes(top["sizes"])
    modules = _modules(top["modules"])
    polynomials = tuple(_polynomial(node, sizes) for node in top["polynomials"].items())
    names = [module.name for module in modules]
    meta = top["meta"]
    return make(
        sizes,
        _point(top["start"], sizes),
        values.one_of(top["convention"], tuple(CONVENTIONS)),
        modules,
        polynomials,
        tuple(_row(node, names, len(polynomials)) for node in top["rows"].items()),
        _domains(top["domains"], sizes),
        _domains(top["operator_domains"], sizes),
        _notes(top["refused"], names),
        _notes(top["estimated"], names),
        tuple(_point(node, sizes) for node in top["checked"].items()),
        values.count(top["runs"]),
        LawMeta(
            values.text(meta["model"]),
            values.optional(meta["training"], values.flag),
            values.text(meta["torch"]),
            values.text(meta["dispatchcount"]),
            values.texts(meta["devices"]),
        ),
        values.texts(top["altered"]),
    )


def _sizes(node: JsonValue) -> tuple[str, ...]:
    sizes = values.texts(node)
    if not 1 <= len(sizes) <= MOST_SIZES or len(set(sizes)) != len(sizes):
        node.fail(f"1 to {MOST_SIZES} different names of sizes")
    for place, size in enumerate(sizes):
        if not size.isidentifier() or iskeyword(size):
            node.at(place).fail("a name that Python takes for an argument")
    return sizes


def _point(node: JsonValue, sizes: tuple[str, ...]) -> dict[str, int]:
    point = [values.count(item, LARGEST_SIZE) for item in node.items()]
    if len(point) != len(sizes):
        node.fail(f"{len(sizes)} integers, one for each size")
    return dict(zip(sizes, point, strict=True))


def _modules(table: JsonValue) -> tuple[ModuleRow, ...]:
    modules: list[ModuleRow] = []
    names: set[str] = set()
    for place, node in enumerate(table.items()):
        name = values.text(node["name"])
        if name in names:
            node["name"].fail("a name that no module before it has")
        names.add(name)
        parent = values.optional(node["parent"], _earlier(place))
        modules.append(
            ModuleRow(
                name,
                values.text(node["type"]),
                None if parent is None else modules[parent].name,
                values.count(node["params"]),
            )
        )
    return tuple(modules)


def _earlier(place: int) -> Callable[[JsonValue], int]:
    return lambda node: values.index(node, place, "earlier modules")


def _polynomial(node: JsonValue, sizes: tuple[str, ...]) -> Polynomial:
    terms: dict[tuple[int, ...], Fraction] = {}
    for item in node.items():
        pair = item.items()
        if len(pair) != 2:
            item.fail("a pair of exponents and a coefficient")
        exponents = tuple(values.count(e, HIGHEST_EXPONENT) for e in pair[0].items())
        if len(exponents) != len(sizes) or exponents in terms:
            pair[0].fail(f"{len(sizes)} exponents that no term before has")
        text = values.text(pair[1])
        if not _COEFFICIENT.fullmatch(text) or text.endswith(("/0", "/00")):
            pair[1].fail('a whole number or a fraction as text, "18432" or "9/32"')
        try:
            terms[exponents] = Fraction(text)
        except ZeroDivisionError:
            pair[1].fail('a fraction with a denominator that is not 0, "9/32"')
    return Polynomial(sizes, terms)


def _key(node: JsonValue, names: list[str]) -> Key:
    module = values.index(node["module"], len(names), "modules")
    callers: tuple[str, ...] = ()
    if "callers" in node:
        callers = tuple(
            names[values.index(caller, len(names), "modules")] for caller in node["callers"].items()
        )
    return Key(names[module], values.text(node["op"]), values.text(node["phase"]), callers)


def _row(node: JsonValue, names: list[str], polynomials: int) -> Formulas:
    columns = node["columns"]
    if type(columns.value) is not dict:
        columns.fail("an object")
    for column in columns.value:
        if column not in COLUMNS:
            columns.fail(f"columns out of {', '.join(COLUMNS)}")
    return Formulas(
        _key(node, names),
        {
            column: values.index(columns[column], polynomials, "polynomials")
            for column in columns.value
        },
    )


def _notes(table: JsonValue, names: list[str]) -> tuple[RowNote, ...]:
    return tuple(
        RowNote(
            _key(node, names), values.one_of(node["column"], COLUMNS), values.text(node["reason"])
        )
        for node in table.items()
    )


def _domains(node: JsonValue, sizes: tuple[str, ...]) -> dict[str, Domain]:
    if type(node.value) is not dict:
        node.fail("an object")
    if not set(node.value) <= set(COLUMNS):
        node.fail(f"columns out of {', '.join(COLUMNS)}")
    return {column: _domain(node[column], sizes) for column in node.value}


def _domain(node: JsonValue, sizes: tuple[str, ...]) -> Domain:
    ranges = []
    for item in node["ranges"].items():
        least, step = (
            values.count(item["least"], LARGEST_SIZE),
            values.count(item["step"], LARGEST_SIZE),
        )
        if not least or not step:
            item.fail("a least value and a step from 1 up")
        most = values.optional(item["most"], lambda value: values.count(value, LARGEST_SIZE))
        ranges.append(
            Range(values.one_of(item["size"], sizes), least, step, most, values.text(item["end"]))
        )
    holes = []
    for item in node["holes"].items():
        if type(item.value) is not dict or not item.value:
            item.fail("an object of sizes")
        if not set(item.value) <= set(sizes):
            item.fail(f"sizes out of {', '.join(sizes)}")
        holes.append(tuple((size, values.count(item[size], LARGEST_SIZE)) for size in item.value))
    return Domain(tuple(ranges), tuple(holes))
