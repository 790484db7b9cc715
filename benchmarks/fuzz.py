"""Report files that are not as they were written raise `ReportError`, or load and can be shown.

    python benchmarks/fuzz.py                            20,000 mutations with seed 0
    python benchmarks/fuzz.py --mutations 500 --seed 7

Each mutation takes a valid file, changes a few values in it (or bytes of it), and reads it. What is
read is written again, read again, and rendered in every form. The same seed makes the same
mutations, so that a failure can be looked at alone: `--only 1234`.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

import dispatchcount as dc
from dispatchcount.render.columns import MODULE_COLUMNS
from dispatchcount.render.console.operators import OPERATOR_COLUMNS
from dispatchcount.render.html.page import page
from dispatchcount.report.budget import BUDGETED, check
from dispatchcount.report.metrics import KEYS as FIGURES
from dispatchcount.report.metrics import SPENT

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.report import make

TEXTS = (
    "",
    "(no module)",
    "a.b",
    ".",
    "..",
    "[bold red]x[/]",
    "[/]",
    "a|b`c",
    "ключ.🔑",
    "two\nlines\x1b[31m\x00",
    '=cmd("x")',
    "</script><!--",
    "a" * 5_000,
    "\u202eabc\u200b",
    "%%data%%",
    "🏳️‍🌈" * 20,
)
NUMBERS = (
    -1,
    0,
    1,
    2,
    7,
    255,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    10**30,
    -(10**30),
    10**400,
)
WRITTEN = ("0", "1", "007", "9" * 30, "9" * 100, "9" * 101, "-1", "1e3", "١٢", " 1")
OTHERS = (
    None,
    True,
    False,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"a": 1},
    [None],
    "x",
)


def files() -> list[bytes]:
    """The files that mutations begin with, which together hold all that a report can."""
    tied = make.stack(2)
    weight = make.weights("encoder.layers.1.part0", (8, 8))[0]
    other = replace(
        weight,
        name="encoder.layers.1.part1.weight",
        tied_to=weight.name,
        trainable=False,
        dtype="bfloat16",
    )
    modules = [
        replace(m, parameters=(other,)) if m.name == "encoder.layers.1.part1" else m
        for m in tied.modules
    ]
    tied = replace(tied, modules=tuple(modules), convention="full")
    return [
        report.to_json()
        for report in (make.training(), make.routed(), make.troubled(), make.huge(), tied)
    ]


def mutated(source: bytes, random: Random) -> bytes:
    """`source` with a few changes: of values in the JSON, or of bytes."""
    if random.random() < 0.15:
        return _bytes_changed(source, random)
    value = json.loads(source)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        places = _places(value, random)
        if places:
            random.choice(_CHANGES)(*random.choice(places), random)
    return json.dumps(value).encode("utf-8", "surrogatepass")


DERIVED = {
    "total",
    "phases",
    "dtypes",
    "operators",
    "unknown_ops",
    "failed_ops",
    "uncalled_modules",
    "self",
    *FIGURES,
}
"""What a file has for its readers; a report is not made of it."""


def _places(value: Any, random: Random) -> list[tuple[Any, Any]]:
    """Values inside, as what holds each and its key there.

    It gives only a few values of long arrays and of derived fields, or these would be most of all.
    """
    found: list[tuple[Any, Any]] = []
    stack = [(value, False)]
    while stack:
        holder, is_record = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))[:12]
        for key in keys:
            if key in DERIVED and not is_record and random.random() < 0.9:
                continue
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                stack.append((holder[key], is_record or key == "record"))
    return found


def _set_number(holder: Any, key: Any, random: Random) -> None:
    holder[key] = random.choice(NUMBERS)


def _set_written(holder: Any, key: Any, random: Random) -> None:
    holder[key] = random.choice(WRITTEN)


def _set_text(holder: Any, key: Any, random: Random) -> None:
    holder[key] = random.choice((*TEXTS, "\ud800", "a\udfffb"))


def _set_other(holder: Any, key: Any, random: Random) -> None:
    holder[key] = copy.deepcopy(random.choice(OTHERS))


def _step(holder: Any, key: Any, random: Random) -> None:
    """A number beside the right one: another parent, one row too many."""
    if type(holder[key]) is int:
        holder[key] += random.choice((-2, -1, 1, 2))


def _take_out(holder: Any, key: Any, random: Random) -> None:
    del holder[key]


def _neighbour(holder: Any, key: Any, random: Random) -> None:
    """The value of another place in the same object or array: a name twice, a later parent."""
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    holder[key] = copy.deepcopy(holder[random.choice(keys)])


def _longer_or_shorter(holder: Any, key: Any, random: Random) -> None:
    inside = holder[key]
    if isinstance(inside, list) and inside:
        if random.random() < 0.5:
            inside.append(copy.deepcopy(random.choice(inside)))
        else:
            del inside[random.randrange(len(inside))]


def _shuffle(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder[key], list):
        random.shuffle(holder[key])


def _empty(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder[key], dict | list | str):
        holder[key] = type(holder[key])()


def _add_key(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, dict):
        holder[random.choice(TEXTS)] = copy.deepcopy(random.choice((*OTHERS, *TEXTS)))


def _nest(holder: Any, key: Any, random: Random) -> None:
    for _ in range(random.choice((1, 3, 200))):
        holder[key] = [holder[key]] if random.random() < 0.5 else {"a": holder[key]}


_CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (
    _set_number,
    _set_written,
    _set_text,
    _set_text,
    _set_other,
    _step,
    _step,
    _take_out,
    _neighbour,
    _neighbour,
    _longer_or_shorter,
    _shuffle,
    _empty,
    _add_key,
    _nest,
)


def _bytes_changed(source: bytes, random: Random) -> bytes:
    kind = random.randrange(6)
    if kind == 0:
        return source[: random.randrange(len(source))]
    if kind == 1:
        return source.decode().encode(random.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")))
    if kind == 2:
        return b"[" * random.choice((1, 500, 100_000)) + source
    data = bytearray(source)
    for _ in range(random.choice((1, 1, 3, 20))):
        place = random.randrange(len(data))
        if kind == 3:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 4:
            data[place : place + random.randrange(5)] = random.randbytes(random.randrange(5))
        else:  # a number made longer
            data[place:place] = b"9" * random.choice((1, 20, 400))
    return bytes(data)


class _Writer:
    """What `to_tensorboard` writes to."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        float(value)


def forms(
    report: dc.Report, other: dc.Report, random: Random
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every form that a report has, by name; `other` is what it is compared and merged with."""
    widths = random.sample(range(20, 201), 2)

    def show(renderable: Any) -> Callable[[], object]:
        def run() -> None:
            str(renderable())
            for width in widths:
                Console(
                    file=StringIO(), width=width, force_terminal=True, color_system="standard"
                ).print(renderable())

        return run

    yield "to_json", lambda: _same(dc.Report.from_json(report.to_json()), report)
    yield "table", show(report.table)
    yield "table, every column", show(lambda: report.table(None, tuple(MODULE_COLUMNS), exact=True))
    sort = random.choice(tuple(MODULE_COLUMNS))
    yield f"table by {sort}", show(lambda: report.table(1, sort=sort, min_share=0.1))
    yield "tree", show(report.tree)
    operators = random.choice(tuple(OPERATOR_COLUMNS))
    yield f"operators by {operators}", show(lambda: report.operators(None, sort=operators))
    yield "arch", show(report.arch)
    if report.memory:
        yield "memory_table", show(report.memory_table)
    if report.samples:
        yield "samples_table", show(report.samples_table)
        yield "side_by_side", show(report.side_by_side)
        yield "histogram", show(report.histogram)
        yield "by_sample", report.by_sample
    yield (
        "repr",
        lambda: _short(
            report, report.total, *report.modules, *report.issues, report.meta, report.memory
        ),
    )
    yield "notebook", report._repr_html_
    yield "html", lambda: page(report, "report.js")
    yield "csv", report.to_csv
    yield "jsonl", report.to_jsonl
    yield "markdown", report.to_markdown
    yield "openmetrics", report.to_openmetrics
    yield "tensorboard", lambda: report.to_tensorboard(_Writer())
    yield "frame", report.to_frame
    for metric in SPENT:
        yield f"chrome trace, {metric}", partial(report.to_chrome_trace, metric=metric)
    yield "speedscope", report.to_speedscope
    for ancestors in ("owner", "caller"):
        yield f"by_module, {ancestors}", partial(report.by_module, ancestors)
        by_both = partial(report.by_module_and_operator, ancestors)
        yield f"by_module_and_operator, {ancestors}", by_both
    yield "by_call", lambda: [report.by_call(module.name) for module in report.modules]
    yield "by_phase of modules", lambda: [report.by_phase(module.name) for module in report.modules]
    yield "by_function", report.by_function
    yield "self_check", report.self_check
    for convention in ("fvcore", "macs", "torch", "full"):
        yield f"under {convention}", show(report.with_convention(convention).table)
    for name, old, new in (
        ("itself", report, report),
        ("another", report, other),
        ("as the new one", other, report),
    ):
        diff = old.diff(new)
        yield f"diff with {name}", show(diff.table)
        yield (
            f"diff with {name} in words",
            lambda diff=diff: (_short(diff, *diff.rows), diff.to_markdown(None)),
        )  # type: ignore[misc]
        yield (
            f"diff with {name} held to limits",
            lambda diff=diff: list(map(str, diff.over("flops=1%,params=0"))),
        )  # type: ignore[misc]
    yield "merge", lambda: _merged(report, other)
    yield "budget", lambda: list(map(str, _budget(report)))
    yield "expert_load", lambda: _loads(report)


def _same(again: dc.Report, report: dc.Report) -> None:
    assert again == report, "it reads otherwise once it is written"


def _short(*values: object) -> None:
    for value in values:
        text = repr(value)
        assert len(text) < 3_000, text[:200]
        assert "\n" not in text, text[:200]


def _merged(report: dc.Report, other: dc.Report) -> None:
    for merged in (
        dc.Report.merge([report, report]),
        report + other.with_convention(report.convention),
        other.with_convention(report.convention) + report,
    ):
        merged.self_check()
        str(merged.table())
        merged.to_json()


def _budget(report: dc.Report) -> tuple[Any, ...]:
    metrics = [metric for metric in BUDGETED if metric != "peak_memory" or report.memory]
    return check(report, dict.fromkeys(metrics, 1))


def _loads(report: dc.Report) -> None:
    for module in report.modules:
        with suppress(ValueError):
            repr(dc.expert_load(report, module.name))


def try_one(source: bytes, other: dc.Report, random: Random) -> str:
    """What became of one file: ``"refused"``, ``"loaded"``, or what went wrong and where.

    A wrong outcome is returned, not raised, so that a run says all of them.
    """
    where = "from_json"
    try:
        try:
            report = dc.Report.from_json(source)
        except dc.ReportError as error:
            return (
                "refused" if len(str(error)) < 2_000 else f"refused in {len(str(error))} characters"
            )
        for name, form in forms(report, other, random):
            where = name
            form()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        return f"{where}: {type(error).__name__}: {str(error)[:200]} ({place})"
    return "loaded"


def fuzz(mutations: int, seed: int, only: int | None = None) -> Counter[str]:
    """How many of the mutations came to what."""
    sources = files()
    others = [dc.Report.from_json(source) for source in sources]
    outcomes: Counter[str] = Counter()
    for number in range(mutations) if only is None else [only]:
        random = Random(f"{seed} {number}")
        source = mutated(random.choice(sources), random)
        outcome = try_one(source, random.choice(others), random)
        if outcome not in ("refused", "loaded") and outcome not in outcomes:
            print(f"mutation {number}: {outcome}", file=sys.stderr, flush=True)
        outcomes[outcome] += 1
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one mutation alone, by its number")
    options = parser.parse_args()
    warnings.simplefilter("error")
    start = time.perf_counter()
    outcomes = fuzz(options.mutations, options.seed, options.only)
    for outcome, number in outcomes.most_common():
        print(f"{number:6,}  {outcome}")
    wrong = sum(
        number for outcome, number in outcomes.items() if outcome not in ("refused", "loaded")
    )
    seconds = time.perf_counter() - start
    print(
        f"{outcomes.total():,} mutations with seed {options.seed} in {seconds:.0f} s, {wrong} wrong"
    )
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
