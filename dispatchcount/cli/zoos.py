"""Builds models of torchvision, timm and transformers by name, with random weights.

Nothing is ever downloaded.
"""

from __future__ import annotations

import importlib
import inspect
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from dispatchcount.cli import configs
from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.nearest import nearest
from dispatchcount.errors import UsageError

Make = Callable[[], Any]


def find(library: str, name: str, settings: configs.Settings | None = None) -> Make:
    """The builder of the model `name` of one of `ZOOS`.

    Args:
        library: its name.
        name: the model, or its configuration.
        settings: what to set in a configuration of transformers.

    Raises:
        dispatchcount.errors.UsageError: the library is not installed, or has no such model.
    """
    if settings and library != "transformers":
        raise UsageError(
            f"--config sets what a configuration of transformers has; {library} has none"
        )
    with foreign(f"{library} cannot be imported:", f"; pip install {library}"):
        module = importlib.import_module(library)
    wrong: UsageError | None = None
    with foreign(f"{library} cannot say what models it has:"):
        try:
            make, known = ZOOS[library](module, name, *([settings] if settings else []))
        except UsageError as error:
            wrong = error
            make, known = None, []
    if wrong is not None:
        raise wrong
    if make is None:
        what = "model or configuration" if library == "transformers" else "model"
        raise UsageError(f"{library} has no {what} {name!r}{nearest(name, known)}")
    return partial(_offline, make)


def _torchvision(torchvision: Any, name: str) -> tuple[Make | None, list[str]]:
    known = torchvision.models.list_models()
    if name not in known:
        return None, known
    build = torchvision.models.get_model_builder(name)
    # A detector also takes weights of its backbone, which are not None by default.
    untrained = dict.fromkeys(
        taken for taken in inspect.signature(build).parameters if taken.startswith("weights")
    )
    return partial(build, **untrained), known


def _timm(timm: Any, name: str) -> tuple[Make | None, list[str]]:
    # Only names of the registry are taken: "hf-hub:" and "local-dir:" would fetch a configuration
    # from elsewhere.
    known = timm.list_models()
    return (
        partial(timm.create_model, name, pretrained=False)
        if timm.is_model(name) and ":" not in name
        else None
    ), known


ZOOS: dict[str, Callable[..., tuple[Make | None, list[str]]]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": configs.look_up,
}
"""Looks up a model, for each library.

It takes the imported library and a name, and that of transformers also settings; and returns the
builder of that model (None if there is none) and the known names.
"""


def _offline(make: Make) -> Any:
    with _no_network():
        return make()


@contextmanager
def _no_network() -> Iterator[None]:
    """Let no host be found inside.

    Some builder may know a way to trained weights that is not switched off above. It fails at its
    first step.
    """

    def refuse(host: Any, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(
            f"the builder asks for {host!r}, but models are built with random weights and "
            "without a download"
        )

    find_host = socket.getaddrinfo
    socket.getaddrinfo = refuse
    try:
        yield
    finally:
        socket.getaddrinfo = find_host
