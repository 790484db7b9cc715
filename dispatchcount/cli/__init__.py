"""The command line: ``dispatchcount COMMAND``, also ``python -m dispatchcount COMMAND``.

Only the module of the command that is called is imported, so that a command which looks at a
report never waits for torch.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from dispatchcount.cli import streams
from dispatchcount.errors import DispatchcountError, described

COMMANDS = {
    "demo": "count a small model and show all there is to see",
    "profile": "build a model, run it once and show what it costs",
    "run": "run a script unchanged and count the models that it calls",
    "show": "show a report as a table, tree, CSV, trace …",
    "compare": "several models or reports in one table, a row each",
    "diff": "what changed from one report to another",
    "html": "one HTML page of a report, for any browser, offline",
    "check": "hold a report against a budget; exit 1 if it is over",
    "dashboard": "static pages of many reports: models, trends, links",
    "law": "the exact formula of what a model costs, in the sizes of its inputs",
    "roofline": "the least time a device needs for a report, and what limits it",
    "plan": "what a rank of a cluster does in a step, without the cluster",
    "devices": "peaks and bandwidths of known devices, with their sources",
    "ops": "the operators that torch has, and what is counted for each",
}
"""The help of every command, by the name of its module in this package.

Each of these modules has functions `add_parser` and `run`.
"""

WRONG_USE, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    It is 0, or 1 for a failed check, or 2 for wrong use, a bad file or a bad stream.

    Args:
        argv: the arguments, those of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with streams.ready():
        try:
            code = _run(arguments)
            streams.flush()  # A result that did not arrive is not a success.
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError as error:
            if error.filename == streams.OUTPUT:
                # The reader has read enough and is gone, so nothing is left to say.
                return BROKEN_PIPE
            return _failed(error, arguments)
        except BaseException as error:
            # SystemExit too: only the parser may end a command, and `_run` sees to that.
            return _failed(error, arguments)
    return code


def _run(arguments: list[str]) -> int:
    parser = _parser(arguments)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # The parser has said what is wrong, or shown the help.
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    code: int = args.run(args)
    return code


def _failed(error: BaseException, arguments: list[str]) -> int:
    """Say what an error says, in a sentence, and return the exit code for it."""
    if "--traceback" in arguments:
        with suppress(OSError, ValueError):
            traceback.print_exception(error)
    streams.complain(_sentence(error))
    return error.exit_code if isinstance(error, DispatchcountError) else WRONG_USE


def _sentence(error: BaseException) -> str:
    if isinstance(error, DispatchcountError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    return (
        f"{described(error)}; this is a fault of dispatchcount, please report it with what "
        "--traceback shows"
    )


class _Parser(argparse.ArgumentParser):
    """A parser with messages that are safe on a terminal, which notices if they are not shown."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, with control characters of the arguments escaped."""
        from dispatchcount.render.plain import clean

        super().error(clean(message))

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Before Python 3.13, "--option=--" gives the option an empty list instead of a string.
        if action.option_strings and "--" in arg_strings:
            self.error(f"argument {'/'.join(action.option_strings)}: expected a value, got '--'")
        return super()._get_values(action, arg_strings)

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own method hides that a stream cannot be written: the command would exit with 0
        # and have shown nothing.
        if message and file is sys.stderr:
            with suppress(OSError, ValueError):
                file.write(message)
        elif message:
            streams.put(message)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    from dispatchcount import __version__

    parser = _Parser(
        prog="dispatchcount",
        description="Counts what any PyTorch forward call costs, per operator and per module.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dispatchcount {__version__}")
    parser.add_argument(
        "--traceback",
        action="store_true",
        help="show where an error was raised, not only what it says",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    called = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, help_ in COMMANDS.items():
        if name == called:
            import_module(f"dispatchcount.cli.{name}").add_parser(commands)
            commands.choices[name].add_argument(
                "--traceback",
                action="store_true",
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )
        else:
            commands.add_parser(name, help=help_)
    return parser
