"""Labels of reports: those given on the command line, and the commit that git knows."""

from __future__ import annotations

import argparse
import subprocess


def add_label_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--label``, which may be given several times."""
    parser.add_argument(
        "--label",
        type=_label,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="remember this in the report, beside what is filled in by itself (model, input, "
        "device, dtype, mode, commit); repeat for more",
    )


def commit() -> dict[str, str]:
    """The label ``commit`` of the folder that the command runs in; none outside of git.

    A tree with changes that are not committed is marked with a ``+``.
    """
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return {}
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": f"{head}+" if changed else head}


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""  # There is no git here, or it does not answer: the label is left out.
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no label; give a key and a value: --label run=baseline"
        )
    return key.strip(), value
