"""What the commands that run a model share: the device, and a line on what is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dispatchcount.cli.foreign import foreign


def device_of(text: str) -> str:
    """The device of that name as torch writes it.

    Raises:
        dispatchcount.errors.UsageError: there is none here.
    """
    import torch

    with foreign(
        f"--device {text}: torch has no such device here (", "); cpu and meta are always there"
    ):
        device = torch.device(text)
        if device.type != "meta":
            torch.empty(0, device=device)
    return str(device)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, if that is a terminal.

    Yields:
        What takes the text of the next step.
    """
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from dispatchcount.render.plain import clean

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("starting", total=None)
        # The text is not markup, though a name in it may look like it.
        yield lambda text: shown.update(task, description=escape(clean(text)))
