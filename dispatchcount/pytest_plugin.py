"""The pytest plugin: a fixture that holds a model to a budget, and baselines beside the tests.

    def test_cost(complexity):
        complexity(model, x).assert_below(flops="4.2G", params="26M", unknown_ops=0)

``pytest --complexity-update`` stores what was measured in the folder ``complexity`` beside the test
file. torch is imported only once a test measures something.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dispatchcount.report.budget import Breach
    from dispatchcount.report_api import Report

FOLDER = "complexity"
UPDATE = "--complexity-update"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--complexity-update``."""
    group = parser.getgroup("dispatchcount")
    group.addoption(
        UPDATE,
        action="store_true",
        help=f"store what the fixture `complexity` measures as baselines in {FOLDER}/",
    )


@pytest.fixture
def complexity(request: pytest.FixtureRequest) -> Complexity:
    """Call it with a model and the model's inputs; then hold the result to a budget."""
    # The node id is put together anew: pytest-xdist adds a test's group to it, and a run without
    # xdist would not find the baseline.
    test = f"{request.node.parent.nodeid}::{request.node.name}"
    return Complexity(request.path, test, bool(request.config.getoption(UPDATE)))


class Complexity:
    """Measures models in one test.

    Args:
        path: the test's file.
        test: the test's node id.
        update: True to store what is measured as the baseline.
    """

    def __init__(self, path: Path, test: str, update: bool) -> None:
        self._path = path
        self._test = test
        self._update = update
        self._measured = 0

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> Measured:
        """Run ``model(*args, **kwargs)`` and count what it costs."""
        import dispatchcount

        with dispatchcount.profile(model) as prof:
            model(*args, **kwargs)
        return self.report(prof.report)

    def report(self, report: Report) -> Measured:
        """Take a report that the test made itself, of a training step or of `model.generate()`.

        Raises:
            dispatchcount.ReportError: the baseline cannot be read, or belongs to another test.
        """
        from dispatchcount.errors import ReportError

        self._measured += 1
        path = baseline_path(self._path, self._test, self._measured)
        try:
            baseline = _stored(path, self._test)
        except ReportError as error:
            if not self._update:
                raise ReportError(
                    f"{error}; replace this baseline with: pytest {UPDATE}"
                ) from error
            baseline = None
        if self._update and (baseline is None or baseline.diff(report)):
            path.parent.mkdir(exist_ok=True)
            report.with_labels(test=self._test).to_json(path)
            baseline = report
        return Measured(report, baseline, path)


def baseline_path(path: Path, test: str, number: int) -> Path:
    """The path of the baseline of a test's `number`-th measurement.

    Every file system can hold the name.

    Args:
        path: the test's file. The baseline's folder is beside it, so that a test has the same
            baseline in whatever folder pytest is started.
        test: the test's node id, ``tests/test_a.py::TestNet::test_cost[cpu]``.
        number: counts from 1.
    """
    parts = _within(test)
    name = ".".join([path.stem, *parts]) + (f".{number}" if number > 1 else "")
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    if safe != name or len(safe) > 120:
        digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
        safe = f"{safe[:120]}-{digest[:8]}"
    return path.parent / FOLDER / f"{safe}.json"


def _within(test: str) -> list[str]:
    """The classes and the test in a node id, without the file.

    Parameters in brackets may contain ``::``, which does not divide.
    """
    inside, bracket, parameters = test.partition("::")[2].partition("[")
    parts = inside.split("::")
    return [*parts[:-1], parts[-1] + bracket + parameters]


def _stored(path: Path, test: str) -> Report | None:
    """The baseline of a test; None if there is none.

    Raises:
        dispatchcount.ReportError: the file does not hold a report, or holds another test's.
    """
    from dispatchcount.errors import ReportError
    from dispatchcount.report_api import Report

    if not os.path.lexists(path):
        return None
    baseline = Report.from_json(path)
    owner = baseline.labels.get("test", test)
    # Older baselines have only the test's name, without the file. That is enough for a test outside
    # of a class.
    if _from_file(owner) != _from_file(test) and [owner] != _within(test):
        raise ReportError(f"{path}: it is the baseline of {owner}, not of {test}")
    return baseline


def _from_file(test: str) -> str:
    """A node id without folders, which depend on where pytest was started."""
    file, colons, inside = test.partition("::")
    return file.rpartition("/")[2] + colons + inside


@dataclass(frozen=True)
class Measured:
    """What a model cost in a test.

    Attributes:
        report: the report.
        baseline: the report that was stored before; None if there is none.
        path: where the baseline is, or would be.
    """

    report: Report
    baseline: Report | None
    path: Path

    def assert_below(self, **limits: str | int) -> Measured:
        """Fail if a figure is over its limit.

        ``assert_below(flops="4.2G", params="26M", unknown_ops=0)`` limits three.

        Raises:
            dispatchcount.errors.BudgetError: a figure is over its limit; the message shows the
                biggest modules, and what grew since the baseline.
            dispatchcount.errors.UsageError: a limit cannot be read.
        """
        __tracebackhide__ = True
        from dispatchcount.report.budget import check

        return self._judge(check(self.report, limits))

    def assert_growth_below(self, **limits: str | int) -> Measured:
        """Fail if a figure grew by more than its limit since the baseline.

        ``assert_growth_below(flops="1%", params=0)`` limits two.

        Raises:
            dispatchcount.errors.BudgetError: a figure grew by more, or there is no baseline.
            dispatchcount.errors.UsageError: a limit cannot be read.
        """
        __tracebackhide__ = True
        from dispatchcount.errors import BudgetError
        from dispatchcount.report.budget import growth

        if self.baseline is None:
            raise BudgetError(f"there is no baseline {self.path}; store one with: pytest {UPDATE}")
        return self._judge(
            growth(self.baseline, self.report.with_convention(self.baseline.convention), limits)
        )

    def _judge(self, breaches: tuple[Breach, ...]) -> Measured:
        __tracebackhide__ = True
        from dispatchcount.errors import BudgetError

        if breaches:
            raise BudgetError(self._story(breaches))
        return self

    def _story(self, breaches: tuple[Breach, ...]) -> str:
        from dispatchcount.report.metrics import KEYS

        parts = ["\n".join(str(breach) for breach in breaches)]
        over = dict.fromkeys(breach.limit.metric for breach in breaches)
        parts += [_biggest(self.report, metric) for metric in over if metric in KEYS]
        if {"unknown_ops", "failed_ops"} & set(over):
            issues = (
                f"  {issue.op} in {', '.join(issue.modules)}: {issue.message}"
                for issue in self.report.issues
            )
            parts.append("\n".join(["Not counted:", *issues]))
        if self.baseline is None:
            parts.append(f"There is no baseline to compare with; store one with: pytest {UPDATE}")
        else:
            changed = self.baseline.diff(self.report).table(10)
            parts.append(f"Since the baseline {FOLDER}/{self.path.name}:\n{changed}")
        return "\n\n".join(parts)


def _biggest(report: Report, metric: str) -> str:
    from dispatchcount.render.console.grid import Cells, Grid
    from dispatchcount.render.numbers import in_unit, percent
    from dispatchcount.render.plain import Printable, clean
    from dispatchcount.report.metrics import BY_KEY

    own = {name: getattr(row.self_, metric) for name, row in report.by_module().items()}
    whole = getattr(report.total, metric)
    names = [name for name in sorted(own, key=lambda name: -own[name]) if own[name]][:5]
    types = {module.name: module.type for module in report.modules}
    show = in_unit(BY_KEY[metric].unit)
    columns = (
        Cells("module", [clean(name) or "(root)" for name in names], True),
        Cells("type", [clean(types[name]) for name in names], True),
        Cells(f"own {metric}", [show(own[name], False) for name in names]),
        Cells("share", [percent(own[name] / whole) for name in names]),
    )
    return f"Biggest modules by {metric}:\n{Printable(Grid(columns))}"
