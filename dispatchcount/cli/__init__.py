"""The command line: ``dispatchcount COMMAND``, also ``python -m dispatchcount COMMAND``.

Only the module of the command that is called is imported, so that looking at a report never waits for torch.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from dispatchcount.errors import DispatchcountError

COMMANDS = {
    "demo": "count a small model and show all there is to see",
    "profile": "run a script, module or model and count what it costs",
    "show": "show a report as a table, tree, CSV, trace …",
    "diff": "what changed from one report to another",
    "html": "one HTML page of a report, for any browser, offline",
    "check": "hold a report against a budget; exit 1 if it is over",
    "dashboard": "static pages of many reports: models, trends, links",
    "ops": "the operators that torch has, and what is counted for each",
}
"""Every command by the name of its module in this package, with its help. A module has `add_parser` and `run`."""

WRONG_USE, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 1 for a failed check, 2 for wrong use or a bad file.

    Args:
        argv: the arguments, those of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names may hold what the console's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    show_traceback = "--traceback" in arguments
    try:
        args = _parser(arguments).parse_args(arguments)
        show_traceback = args.traceback
        code: int = args.run(args)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BrokenPipeError:
        # The reader went away; nothing is left to say, and Python would say so on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (DispatchcountError, OSError) as error:
        if show_traceback:
            traceback.print_exc()
        print(f"dispatchcount: {_sentence(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, DispatchcountError) else WRONG_USE
    return code


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    from dispatchcount import __version__

    parser = argparse.ArgumentParser(
        prog="dispatchcount",
        description="Counts what any PyTorch forward call costs, per operator and per module.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dispatchcount {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where an error was raised, not only what it says")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    called = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, help_ in COMMANDS.items():
        if name == called:
            import_module(f"dispatchcount.cli.{name}").add_parser(commands)
            commands.choices[name].add_argument(
                "--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )
        else:
            commands.add_parser(name, help=help_)
    return parser


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
