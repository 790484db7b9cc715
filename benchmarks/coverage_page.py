"""The page of the lines and branches of the package that no test reaches, each with its reason.

    .ci/run coverage                            runs all tests under coverage.py, and then this with --write
    python benchmarks/coverage_page.py          prints what no test reaches, from the data of the last run
    python benchmarks/coverage_page.py --write  writes docs/coverage.md as well

What no test reaches and has no reason below is dead code, or lacks a test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import coverage
from page import machine, table

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "dispatchcount"
PAGE = ROOT / "docs" / "coverage.md"

ACCELERATOR = (
    "Runs on an accelerator only; `benchmarks/gpu_checks.py` takes most of it where there is one"
)
TORCH = "Runs on another version or build of torch only; the lanes with torch alone take some of it"
PLATFORM = "Runs on another system than Linux only, or where a file is missing that Linux has"

REASONS: dict[str, tuple[str, ...]] = {
    ACCELERATOR: (
        "capture/higher_order.py: _record_triton",
        "capture/observers/timing.py: Timing._event",
        "capture/observers/timing.py: Timing._relieve",
        "capture/observers/timing.py: Timing.before",
        "capture/observers/timing.py: _accelerator",
        "capture/observers/timing.py: keep_busy",
        "capture/observers/timing.py: record_event",
        "capture/torch_private.py: triton_kernel",
        "capture/zeros.py: nonzeros",
        "compat/_jit/state.py: _accelerators",
        "compat/_jit/state.py: untouched",
        "hardware/measure.py: _place",
        "hardware/measure.py: _rounding",
        "hardware/measure.py: _timed",
        "integrations/clocks.py: EventClock.__init__",
        "integrations/clocks.py: EventClock.mark",
    ),
    TORCH: (
        "capture/torch_private.py: _handler",
        "capture/torch_private.py: _handler.handle",
        "capture/torch_private.py: register_with_higher_order_operators",
        "distributed/cluster/dtensor.py: all_to_all",
        "distributed/cluster/dtensor.py: forget_layouts",
        "distributed/cluster/fsdp.py: fsdp_parameters",
        "distributed/cluster/kernels.py: has_kernels",
        "distributed/cluster/requirements.py: check",
        "distributed/cluster/requirements.py: missing",
        "hardware/tf32.py: _matmul_precision",
        "hardware/tf32.py: _set_matmul_precision",
    ),
    PLATFORM: (
        "cli/memory.py: _reclaimable",
        "cli/memory.py: at_most",
        "distributed/notices.py: _runs",
    ),
}
"""Why no test reaches them: the files and functions of which a reason holds."""

NO_REASON = "A test is missing"

INTRODUCTION = """# Coverage

All tests, and a sample of the proofs, run under coverage.py, which notes each line that ran and
each branch that was taken. Here is what no test reaches, and why where there is a reason; all else
is to get a test, or to be deleted. `.ci/run coverage` measures it and writes this page.
"""

UNSEEN = """## What coverage.py does not see

It notes what Python runs in threads that Python started. It does not see threads that C++ started,
in which autograd runs a backward pass on an accelerator, nor a process that is killed. Blocks under
`TYPE_CHECKING`, overloads and bodies that are `...` are for type checkers, and are left out.
"""


class Gap(NamedTuple):
    """Neighbouring lines of one function that no test reaches, or one branch that none takes."""

    file: str
    """Its path in the package."""
    function: str
    """Its name with those around it, `Table.add`; empty for what stands outside of functions."""
    line: int
    text: str

    @property
    def place(self) -> str:
        """The file and the function, as `REASONS` has them."""
        return f"{self.file}: {self.function or 'outside of functions'}"

    @property
    def reason(self) -> str:
        """Why no test reaches it."""
        found = [why for why, places in REASONS.items() if self.place in places]
        return found[0] if found else NO_REASON


def measured() -> dict[str, Any]:
    """The files of the package and what ran of each, as coverage.py writes them into JSON."""
    data = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        data.json_report(outfile=str(path))
        files: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["files"]
    return {name.partition(f"{PACKAGE}/")[2]: found for name, found in files.items()}


def gaps(file: str, lines: list[str], functions: dict[str, Any]) -> Iterator[Gap]:
    """What no test reaches of a file, function by function.

    Args:
        file: its path in the package.
        lines: its text.
        functions: what coverage.py says of each function: its lines that ran and that did not, and
            its branches that none took, as pairs of lines. The end of a function is below 0.
    """

    def code(line: int) -> str:
        if line < 1:
            return "the end"
        text = lines[line - 1].strip()
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    for function, found in functions.items():
        reached = set(found["executed_lines"])
        missing = set(found["missing_lines"])
        # Lines with none between them that ran are one gap.
        run: list[int] = []
        for line in sorted(reached | missing):
            if line in missing:
                run.append(line)
            if run and (line not in missing or line == max(missing)):
                more = f" and {len(run) - 1} more" if len(run) > 1 else ""
                yield Gap(file, function, run[0], f"{code(run[0])}{more}")
                run = []
        # A branch into lines that never ran is told by those lines.
        for start, end in found["missing_branches"]:
            if start not in missing and end not in missing:
                yield Gap(file, function, start, f"{code(start)} never goes on to {code(end)}")


def by_folder(files: dict[str, Any]) -> str:
    """A table of statements and branches, and how many of them no test reaches."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for file, found in files.items():
        summary = found["summary"]
        figures = [
            summary[key]
            for key in ("num_statements", "missing_lines", "num_branches", "missing_branches")
        ]
        folder = f"`{file.partition('/')[0]}/`" if "/" in file else "files beside the folders"
        for name in (folder, "**all**"):
            sums[name] = [a + b for a, b in zip(sums[name], figures, strict=True)]
    rows = [[name, *(f"{n:,}" for n in figures)] for name, figures in sorted(sums.items())]
    rows.sort(key=lambda row: row[0] == "**all**")
    return table(["part", "statements", "not reached", "branches", "not taken"], rows)


def listed(found: list[Gap]) -> Iterator[str]:
    """The gaps of each reason, as tables in Markdown."""
    for reason in (*REASONS, NO_REASON):
        mine = [gap for gap in found if gap.reason == reason]
        if mine:
            yield f"## {reason}\n"
            yield "| file | function | what |\n| --- | --- | --- |"
            for gap in mine:
                text = gap.text.replace("|", "\\|")
                yield f"| `{gap.file}` | {f'`{gap.function}`' if gap.function else ''} | {text} |"
            yield ""


def commit() -> str:
    """The commit that was measured, in a line; empty outside of a clone."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return f"The commit was {asked.stdout.strip()}." if asked.returncode == 0 else ""


def main() -> None:
    """Print what no test reaches, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md")
    options = parser.parse_args()
    files = measured()
    found: list[Gap] = []
    for file, data in sorted(files.items()):
        lines = (ROOT / PACKAGE / file).read_text(encoding="utf-8").splitlines()
        found += gaps(file, lines, data["functions"])
    for gap in found:
        print(f"{gap.file}:{gap.line}: {gap.function}: {gap.text}  [{gap.reason}]")
    print(by_folder(files))
    if options.write:
        where = machine({name: version(name) for name in ("torch", "coverage")})
        parts = [INTRODUCTION, where, commit(), "", by_folder(files), "", *listed(found), UNSEEN]
        PAGE.write_text("\n".join(parts), encoding="utf-8")
    gone = {place for places in REASONS.values() for place in places} - {gap.place for gap in found}
    for place in sorted(gone):
        print(f"tests reach all of this now, or it is gone; take its reason out: {place}")


if __name__ == "__main__":
    main()
