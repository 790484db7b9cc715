"""Follows a guide of docs/guides/ from top to bottom, as a reader would who pastes every block.

    python -m tests.whole.guide docs/guides/tour.md            # what differs, if anything
    python -m tests.whole.guide docs/guides/tour.md --write    # put what was printed into the page

A guide takes nothing as given. All of its blocks run in one new folder, in the order in which they
stand:

* ```` ```python ```` runs, all in one process. An expression with a figure behind it as a comment
  must have that value. A block ```` ```text ```` right below it is all that it prints, and stands
  there if it prints anything. With the title "Times differ from run to run" its words must agree
  and its figures need not.
* ```` ```python title="net.py" ```` (any language) is a file, and is saved under that name.
* ```` ```console ```` has commands behind a ``$``; each must print what stands below it, standard
  error included. A command goes on below a line that ends with a backslash. ``echo $?`` is the exit
  status of the command before it.

A ``…`` in the output stands for whatever is left out there; alone on a line, for any lines.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import io
import os
import re
import subprocess
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```\n', re.MULTILINE | re.DOTALL)
VARIES = "Times differ from run to run"
SHOWN_BELOW = re.compile(
    rf'\n*^```text(?: title="({VARIES})")?\n(.*?)^```\n', re.MULTILINE | re.DOTALL
)
FIGURE = re.compile(r"\d[\d.,]*(?: ?(?:[kMGTP]?B|[kMGTP]|ms|µs|ns|s)\b)?")
HERE = Path(__file__).parents[2]
TERMINAL = {"COLUMNS", "FORCE_COLOR", "CLICOLOR_FORCE", "CI", "GITHUB_ACTIONS", "PYTEST_ADDOPTS"}
"""What a terminal or a service of CI says of itself, which would change what programs print."""


@dataclass
class Follower:
    """One reader: a folder to work in, Python's names so far, and the last command's status."""

    folder: Path
    status: int = 0

    def __post_init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.programs = self.folder / ".bin"
        self.programs.mkdir()
        for name, arguments in {
            "dispatchcount": "-m dispatchcount",
            "python": "",
            "pytest": "-m pytest -p no:cacheprovider",
        }.items():
            program = self.programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            program.chmod(0o755)

    def python(self, code: str) -> str:
        """Run a block, and return what it prints."""
        printed = io.StringIO()
        with redirect_stdout(printed):
            run(code, self.names)
        return printed.getvalue()

    def console(self, block: str) -> str:
        """Run the commands of a block, and return the block as it should be."""
        commands = re.findall(r"^\$ ((?:.*\\\n)*.*)", block, re.MULTILINE)
        return "".join(f"$ {command}\n{tidy(self.command(command))}" for command in commands)

    def command(self, command: str) -> str:
        """Run a command, and return what it prints."""
        environment = {name: value for name, value in os.environ.items() if name not in TERMINAL}
        for name, first in {"PATH": self.programs, "PYTHONPATH": HERE}.items():
            others = filter(None, [environment.get(name)])
            environment[name] = os.pathsep.join([str(first), *others])
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.status}); {command}"],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.status = done.returncode
        return done.stdout

    def save(self, name: str, text: str) -> None:
        """Save a file of the page."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # A module of that name that was imported from elsewhere would be found before the file.
        sys.modules.pop(path.stem, None)


def run(code: str, names: dict[str, Any]) -> None:
    """Run a block of Python; an expression with a figure behind it must have that value."""
    lines = code.splitlines()
    for node in ast.parse(code).body:
        if not isinstance(node, ast.Expr):
            exec(compile(ast.Module([node], []), "<block>", "exec"), names)
            continue
        value = eval(compile(ast.Expression(node.value), "<block>", "eval"), names)
        said = lines[node.end_lineno - 1].partition("  # ")[2]  # type: ignore[operator]
        shown = said.rpartition(": ")[2] if not said.startswith("{") else said
        if shown[:1].isdigit():
            assert str(value) == shown, (str(value), shown)
        elif shown.startswith("{"):
            assert value == ast.literal_eval(shown), (value, shown)


def tidy(text: str) -> str:
    """The text without blanks at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def agrees(shown: str, printed: str, *, figures: bool = True) -> bool:
    """True if the page shows what was printed; a ``…`` stands for whatever is left out.

    Without `figures`, any figure agrees with any other, and so do the widths of columns.
    """
    shown, printed = tidy(shown), tidy(printed)
    if not figures:
        shown, printed = (re.sub(r"[ ─]+", " ", FIGURE.sub("#", text)) for text in (shown, printed))
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def follow(text: str, folder: Path) -> str:
    """Run every block of a page in the folder; return the page with what was really printed."""
    assert not re.search(r"^ +```", text, re.MULTILINE), "a block in a list would not be run"
    follower = Follower(folder)
    before = os.getcwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # Files of the page can be imported.
    parts, at = [], 0
    try:
        for fence in FENCE.finditer(text):
            language, title, code = fence.groups()
            if fence.start() < at:  # Output that stands below a block of Python.
                continue
            if title:
                follower.save(title, code)
            elif language == "console":
                begin, end = fence.span(3)
                printed = follower.console(code)
                parts += [text[at:begin], code if agrees(code, printed) else printed]
                at = end
            elif language == "python":
                printed = follower.python(code)
                below = SHOWN_BELOW.match(text, fence.end())
                if below:
                    begin, end = below.span(2)
                    agree = agrees(below[2], printed, figures=below[1] is None)
                    parts += [text[at:begin], below[2] if agree else tidy(printed)]
                    at = end
                elif printed.strip():
                    parts += [text[at : fence.end()], f"\n```text\n{tidy(printed)}```\n"]
                    at = fence.end()
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
    return "".join([*parts, text[at:]])


def main() -> int:
    """Follow the page that is named; the exit status is 1 if it shows something else."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--write", action="store_true", help="put what was printed into the page")
    parser.add_argument("--folder", help="work in this empty folder, and leave there what is made")
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    with nullcontext(options.folder) if options.folder else TemporaryDirectory() as folder:
        real = follow(page, Path(folder).resolve())
    if options.write:
        options.page.write_text(real, encoding="utf-8")
        return 0
    changes = difflib.unified_diff(
        page.splitlines(), real.splitlines(), "the page", "what was printed", lineterm=""
    )
    print(*changes, sep="\n")
    return int(real != page)


if __name__ == "__main__":
    sys.exit(main())
