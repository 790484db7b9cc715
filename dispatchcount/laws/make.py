"""`law`: makes a law by running code at sizes that it chooses itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dispatchcount._version import __version__
from dispatchcount.errors import expect
from dispatchcount.laws.domain import Domain, Range
from dispatchcount.laws.law import Formulas, LawMeta, RowNote
from dispatchcount.laws.law_api import Law
from dispatchcount.laws.native import image_sizes, widths
from dispatchcount.laws.observed import COLUMNS, Key, ModuleRow, Observation
from dispatchcount.laws.part import Part
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.runs import Runs
from dispatchcount.laws.samples import Samples
from dispatchcount.laws.sheet import Cell
from dispatchcount.laws.solve import Solver
from dispatchcount.report.conventions import find_convention


def law(
    model: Any,
    run: Callable[..., Any],
    *,
    far: Mapping[str, int] | None = None,
    convention: str = "fvcore",
    progress: Callable[[str], None] | None = None,
    **sizes: int,
) -> Law:
    """The exact formula of what `run` costs, in named sizes.

        with torch.device("meta"):
            model = GPT2LMHeadModel(GPT2Config()).eval()
        law = dc.law(model, lambda b, s: model(torch.zeros(b, s, dtype=torch.long, device="meta")),
        b=2, s=16) law.macs                      # 18,432·b·s² + 123,532,032·b·s
        law(b=8, s=131072).flops      # exact

    The code runs a dozen times or more, at small sizes and at a few that are far away. On meta that
    takes no memory and next to no time. What the formulas say is compared with every run that they
    were not made from; a row that disagrees is refused, by name, and so is the total of its metric.

    Args:
        model: the module whose parts are to be told apart, or several by name, as
            `dispatchcount.profile` takes them.
        run: any code, called with the sizes by name: a forward call, a training step, a generation.
            It must be able to start over, and what it costs must follow from the sizes alone.
        far: for some sizes the largest value that may be run, ``{"n": 60}``: give it where runs are
            dear, such as a loop of n steps in Python. By default far runs are as far as the
            operator calls allow, and the MACs and bytes where tensors hold numbers.
        convention: what a flop is; see `Law.with_convention`.
        progress: told in a line what is being done, before each run.
        sizes: the names, and for each a small value to begin with.

    Raises:
        LawError: the code raises at the sizes given or cannot vary one of them, or no formula was
            found.
        TypeError: there are no sizes, or one is no integer; `model` is no module, or `run` cannot
            be called.
        ValueError: a size is below 1, its name cannot be used, or `far` names none of them or is
            below it.
    """
    known = find_convention(convention).name
    expect(far or {}, Mapping, "far", "the largest value of some sizes by name: far={'n': 60}")
    runs = Runs(model, run, tuple(sizes), progress)
    _check(sizes, far or {})
    # A batch or length of 1 is special in many models, so nothing is fitted through it.
    start = tuple(max(size, 2) for size in sizes.values())
    samples = Samples(runs, start)
    solver = Solver(samples, start, far or {}, image_sizes(model), widths(model))
    parts = solver.solve()
    return _law(samples, parts, dict(sizes), known)


def _check(sizes: Mapping[str, Any], far: Mapping[str, Any]) -> None:
    if not sizes:
        raise TypeError(
            "there is no size; name at least one with a small value: dc.law(model, run, b=2, s=16)"
        )
    for what, given in (("size", sizes), ("far", far)):
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{what} {name} = {value!r}: expected an integer from 1 up")
            if value < 1:
                raise ValueError(f"{what} {name} = {value}: expected an integer from 1 up")
    for name, most in far.items():
        if name not in sizes:
            raise ValueError(f"far names {name!r}, which is none of the sizes {', '.join(sizes)}")
        if most < sizes[name] + 4:
            raise ValueError(
                f"far[{name!r}] = {most} leaves no room above {name} = {sizes[name]}; "
                f"give at least {sizes[name] + 4}, or a smaller {name}"
            )


def _law(samples: Samples, parts: list[Part], start: dict[str, int], convention: str) -> Law:
    """The law as plain data."""
    sizes, sheet = samples.sizes, samples.sheet
    numbers: dict[Polynomial, int] = {}
    columns_of: dict[Key, dict[str, int]] = {}
    domains: dict[str, Domain] = {}
    operator_domains: dict[str, Domain] = {}
    for part in parts:
        for number in sheet.classes(part.columns):
            polynomial = part.fit.polynomial(sizes, sheet.values(number, part.fit.points))
            if not polynomial:
                continue
            index = numbers.setdefault(polynomial, len(numbers))
            for key, place in sheet.members[number]:
                columns_of.setdefault(key, {})[COLUMNS[place]] = index
        for column in part.columns:
            holes = part.holes.get(column, [])
            domains[column] = _domain(part, sizes, part.least[column], holes)
            holes = [*holes, *part.operator_holes.get(column, [])]
            narrower = _domain(part, sizes, part.of_operators[column], holes)
            if narrower != domains[column]:
                operator_domains[column] = narrower
    runs = samples.runs
    first = samples.observation(next(iter(sheet.places)))
    return Law(
        sizes,
        start,
        convention,
        _modules(runs),
        tuple(numbers),
        tuple(Formulas(key, columns) for key, columns in sorted(columns_of.items())),
        {column: domains[column] for column in COLUMNS},
        operator_domains,
        _notes(sheet.refused),
        _notes({c: reason for c, reason in sheet.estimated.items() if c not in sheet.refused}),
        tuple(runs.named(point) for part in parts[:1] for point in part.checked),
        runs.made,
        LawMeta(first.model, first.training, first.torch, __version__, first.devices),
    )


def _notes(cells: Mapping[Cell, str]) -> tuple[RowNote, ...]:
    return tuple(
        RowNote(key, COLUMNS[place], reason) for (key, place), reason in sorted(cells.items())
    )


def _domain(
    part: Part, sizes: tuple[str, ...], smallest: list[int], holes: list[dict[int, int]]
) -> Domain:
    ranges = []
    for axis, (size, least) in enumerate(zip(sizes, smallest, strict=True)):
        most, end = part.most.get(axis, (None, ""))
        ranges.append(Range(size, least, part.fit.lattice.step[axis], most, end))
    named = [tuple((sizes[axis], x) for axis, x in hole.items()) for hole in holes]
    return Domain(tuple(ranges), tuple(named))


def _modules(runs: Runs) -> tuple[ModuleRow, ...]:
    """The modules of all runs, each after the one that holds it."""
    modules: dict[str, ModuleRow] = {}
    for found in runs.points.values():
        if isinstance(found, Observation):
            for name, module in found.modules.items():
                modules.setdefault(name, module)
    return tuple(modules.values())
