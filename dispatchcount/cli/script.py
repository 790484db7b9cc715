"""Runs a script or module as Python would, inside this process: what ``dispatchcount run`` needs.

The program gets the ``__main__``, the ``sys.argv`` and the ``sys.path[0]`` that it would have under
``python script.py`` or ``python -m module``, so that it need not be changed to be profiled.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.nearest import nearest
from dispatchcount.errors import UsageError

INTERRUPTED = 130


@dataclass(frozen=True)
class Program:
    """A program that is ready to run.

    Attributes:
        code: what runs.
        file: the file that it comes from, which is its ``sys.argv[0]``.
        folder: its ``sys.path[0]``.
        spec: how the import system found it; None for a script.
        main: its ``__main__``. What the program leaves there lives as long as this does, so that
            its models can be looked at after it has ended.
    """

    code: CodeType
    file: str
    folder: str
    spec: ModuleSpec | None = None
    main: ModuleType = field(default_factory=lambda: ModuleType("__main__"))


def script(place: str) -> Program:
    """The program in a file.

    Raises:
        UsageError: there is no such file, or it holds no Python.
    """
    path = Path(place)
    if "\0" in place or not path.is_file():
        folder = "\0" not in place and path.is_dir()
        what = "is a folder" if folder else "is not there"
        raise UsageError(f"the script {place!r} {what}{_nearest_file(path, folder)}")
    with foreign(f"{place} is not a Python script:"), io.open_code(str(path.resolve())) as stream:
        code = compile(stream.read(), place, "exec", dont_inherit=True)
    return Program(code, place, str(path.resolve().parent))


def module(name: str) -> Program:
    """The program that ``python -m name`` runs: a module, or the ``__main__`` of a package.

    Raises:
        UsageError: there is no such module, or it has no code that can be run.
    """
    if name.endswith(".py"):  # Python would import the file to look for a module py inside it.
        raise UsageError(f"{name} is a file; leave -m out, which takes a module: package.train")
    here = os.getcwd()
    sys.path.insert(0, here)  # Where Python looks for a module that is run by its name.
    try:
        spec = _found(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = _found(f"{name}.__main__")
            if spec is None:
                raise UsageError(
                    f"{name} is a package without a module __main__; give a module inside it"
                )
    finally:
        sys.path.remove(here)
    if spec is None:
        raise UsageError(
            f"there is no module {name!r} here or among those installed; "
            "-m takes a name such as package.train"
        )
    with foreign(f"{name} cannot be run:"):
        get_code = getattr(spec.loader, "get_code", None)
        code = None if get_code is None else get_code(spec.name)
    if code is None:
        raise UsageError(f"{name} has no Python code that could be run")
    return Program(code, spec.origin or name, here, spec)


def execute(program: Program, arguments: list[str]) -> int:
    """Run a program to its end and return the exit status that Python would have ended with.

    Whatever it raises is printed as Python prints it, from the program's own first line on.
    """
    try:
        with _as_main(program, arguments) as names:
            exec(program.code, names)
    except SystemExit as stop:
        return _status(stop)
    except BaseException as error:
        traceback.print_exception(type(error), error, _from(program, error.__traceback__))
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


@contextmanager
def _as_main(program: Program, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Let the program be ``__main__`` inside; yields the names that it runs among."""
    main = program.main
    vars(main).update(
        __builtins__=builtins,
        __file__=os.path.abspath(program.file),
        __spec__=program.spec,
        __loader__=program.spec and program.spec.loader,
        __package__=program.spec.parent if program.spec else None,
        __cached__=None,
    )
    before = sys.modules["__main__"], sys.argv, sys.path[:]
    sys.modules["__main__"] = main  # Pickles and dataclasses look up their module by its name.
    sys.argv = [program.file, *arguments]
    sys.path.insert(0, program.folder)
    try:
        yield vars(main)
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = before


def _status(stop: SystemExit) -> int:
    """The exit status that Python makes of a `SystemExit`; a text is printed, as Python does."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)
    return 1


def _from(program: Program, trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames before the program's first one, which are ours."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code is not program.code:
        inner = inner.tb_next
    return inner or trace


def _found(name: str) -> ModuleSpec | None:
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    # To find a module that lies in a package, Python imports the package.
    with foreign(f"{name} could not be imported:"):
        try:
            return importlib.util.find_spec(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # The package is there, and something that it imports is not.
            return None


def _nearest_file(path: Path, folder: bool) -> str:
    """The end of a sentence that says there is no such script: those that come close."""
    try:
        place = path if folder else path.parent
        scripts = sorted(str(other) for other in place.iterdir() if other.suffix == ".py")
    except (OSError, ValueError):
        scripts = []
    if not scripts:
        return "; give the file of a Python script, or a module behind -m"
    return nearest(str(path), scripts)
