"""Profiles a cell of a notebook, or a statement at the prompt of IPython.

%load_ext dispatchcount

%%dispatchcount --model net --memory
net(x)

%dispatchcount --depth 2 net(x)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

try:
    from IPython.core.error import UsageError
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics, line_cell_magic, magics_class
    from IPython.display import display
except ImportError as error:
    raise ImportError("the magics need IPython: pip install 'dispatchcount[ipython]'") from error

from dispatchcount.errors import text_of
from dispatchcount.integrations.backward import to_run_backward_from
from dispatchcount.profiler import Profile, profile
from dispatchcount.report_api import Report

REPORT = "_report"
"""The variable that gets the report if none is named."""


def _number(text: str) -> int | None:
    if text == "all":
        return None
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(f"{text!r} is no number; give a whole number such as 3, or all")
    return number


_FLAGS = ("memory", "time", "nonzero", "backward", "strict", "operators", "exact", "flat", "unfold")
_TABLE: dict[str, Callable[[str], Any]] = {
    "depth": _number,
    "top": _number,
    "columns": lambda text: tuple(name.strip() for name in text.split(",")),
    "sort": str,
}
"""Options of the table, and what reads the value of each."""

_VALUES = ("model", "to", "convention", *_TABLE)
_OPTION = re.compile(r"--([\w-]+)")
_VALUE = re.compile(r"""(?:=|\s+)("[^"]*"|'[^']*'|\S+)""")


@magics_class
class DispatchcountMagics(Magics):  # type: ignore[misc, unused-ignore]
    """The magics; `load_ipython_extension` adds them to a shell."""

    @line_cell_magic  # type: ignore[untyped-decorator, unused-ignore]
    def dispatchcount(self, line: str, cell: str | None = None) -> Any:
        """Run a cell or a statement, and show what it costs.

        Usage, as the first line of a cell or before a statement:

            %%dispatchcount [options]
            %dispatchcount [options] statement

        The value of the last expression is shown as always. The report is in the variable
        `_report` afterwards, also if the code raised.

        Options:
            --model NAME: the module that names start from; by default modules are found as they
                are called.
            --to NAME: the variable that gets the report.
            --convention fvcore|macs|torch|full: what a flop is.
            --backward: also run backward from the sum of what the last expression returns.
            --memory, --time, --nonzero: also measure the bytes that are held, the time, or what
                zeros in weights are worth.
            --strict: raise if an operator could not be counted.
            --depth N|all, --columns A,B, --sort COLUMN, --top N|all, --flat, --unfold, --exact:
                the table, as in `Report.table`.
            --operators: show the operators as well.
        """
        options, statement = _options(line)
        if cell is None and not statement:
            raise UsageError(
                "there is nothing to run: %dispatchcount net(x) runs a statement, and "
                "%%dispatchcount as the first line of a cell runs the cell"
            )
        if cell is not None and statement:
            raise UsageError(
                f"{statement!r} is no option of %%dispatchcount; the code stands in the lines below"
            )
        to = options.get("to", REPORT)
        if not to.isidentifier():
            raise UsageError(f"--to {to}: that is no name of a variable")
        view = _view(options)
        prof = self._profile(options)
        source = statement if cell is None else cell
        try:
            with prof:
                value = self._run(source)
                if "backward" in options:
                    to_run_backward_from(value).backward()
        finally:
            # What ran before an exception stays of use, and the exception goes on.
            self._user_names()[to] = prof.report
            _show(prof.report, view, operators="operators" in options)
        return value

    def _profile(self, options: dict[str, str]) -> Profile:
        models = []
        if "model" in options:
            try:
                models.append(self._shell().ev(options["model"]))
            except Exception as error:  # It is the user's expression, and may raise anything.
                raise UsageError(
                    f"--model {options['model']}: {type(error).__name__}: {text_of(error)}"
                ) from error
        try:
            return profile(
                *models,
                convention=options.get("convention", "fvcore"),
                memory="memory" in options,
                time="time" in options,
                nonzero="nonzero" in options,
                strict="strict" in options,
            )
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error

    def _run(self, source: str) -> Any:
        """Run code among the user's names; the value of its last expression, None if it has none.

        The shell's own `run_cell` would print the traceback of an exception and keep it for
        itself, so that a notebook that is run as a whole would not stop.
        """
        shell = self._shell()
        code = shell.transform_cell(source)
        file = shell.compile.cache(code, shell.execution_count, raw_code=source)
        tree = shell.transform_ast(shell.compile.ast_parse(code, filename=file))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        names = self._user_names()
        exec(compile(tree, file, "exec"), names)
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), file, "eval"), names)

    def _shell(self) -> InteractiveShell:
        shell = self.shell
        if shell is None:
            raise UsageError("the magics run in a shell of IPython: %load_ext dispatchcount")
        return shell

    def _user_names(self) -> dict[str, Any]:
        names: dict[str, Any] = self._shell().user_ns
        return names


def _options(line: str) -> tuple[dict[str, str], str]:
    """The options that a line begins with, and the statement after them as it stands.

    `Magics.parse_options` takes a line apart into words, which loses the spaces of a statement.
    """
    options: dict[str, str] = {}
    rest = line.strip()
    while match := _OPTION.match(rest):
        name, rest = match[1], rest[match.end() :]
        if name in _FLAGS:
            options[name] = ""
        elif name in _VALUES:
            value = _VALUE.match(rest)
            if value is None:
                raise UsageError(f"--{name} needs a value: --{name} VALUE")
            options[name] = value[1].strip("'\"")
            rest = rest[value.end() :]
        else:
            known = " ".join(f"--{one}" for one in (*_VALUES, *_FLAGS))
            raise UsageError(f"there is no option --{name}; there are {known}")
        rest = rest.lstrip()
    return options, rest


def _view(options: dict[str, str]) -> dict[str, Any]:
    """The arguments of the table that were asked for."""
    view: dict[str, Any] = {}
    for name, read in _TABLE.items():
        if name in options:
            try:
                view[name] = read(options[name])
            except ValueError as error:
                raise UsageError(f"--{name}: {error}") from error
    if "exact" in options:
        view["exact"] = True
    if "unfold" in options:
        view["fold"] = False
    if "flat" in options:
        view["flat"] = True
    return view


def _show(report: Report, view: dict[str, Any], *, operators: bool) -> None:
    """Show the report: as HTML in a notebook, as the tables of `print(report)` elsewhere."""
    try:
        table: Any = report.table(**view) if "flat" in view else report.overview(**view)
    except ValueError as error:
        raise UsageError(f"{error}. The report is kept all the same") from error
    page = table._repr_html_() if view else report._repr_html_()
    display({"text/plain": str(table), "text/html": page}, raw=True)
    if operators:
        display(report.operators(exact="exact" in view, notes=False))


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics to a shell; ``%load_ext dispatchcount`` calls it."""
    shell.register_magics(DispatchcountMagics)
