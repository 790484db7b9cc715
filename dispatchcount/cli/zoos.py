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

from dispatchcount.cli.foreign import foreign
from dispatchcount.errors import UsageError

Make = Callable[[], Any]


def find(library: str, name: str) -> Make:
    """The builder of the model `name` of one of `ZOOS`.

    Raises:
        dispatchcount.errors.UsageError: the library is not installed, or has no such model.
    """
    with foreign(f"{library} cannot be imported:", f"; pip install {library}"):
        module = importlib.import_module(library)
    with foreign(f"{library} cannot say what models it has:"):
        make, known = ZOOS[library](module, name)
    if make is None:
        what = "configuration" if library == "transformers" else "model"
        raise UsageError(f"{library} has no {what} {name!r}{nearest(name, known)}")
    return partial(_offline, make)


def nearest(name: str, known: list[str]) -> str:
    """The end of a sentence that says there is no `name`: names that come close, or a few."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 3)
    if close or not known:
        return f"; did you mean {', '.join(close)}?" if close else "; it has no public names at all"
    return f"; it has {len(known)}, for instance {', '.join(known[:3])}"


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


def _transformers(transformers: Any, name: str) -> tuple[Make | None, list[str]]:
    config = getattr(transformers, name, None)
    if not isinstance(config, type) or not issubclass(config, transformers.PretrainedConfig):
        return None, [other for other in dir(transformers) if other.endswith("Config")]

    def make() -> Any:
        ready = config()
        _untrained(ready, transformers.PretrainedConfig)
        return transformers.AutoModel.from_config(ready)

    return make, []


def _untrained(config: Any, kind: type) -> None:
    """Set in a configuration, and in those inside it, that no backbone has trained weights."""
    for key, value in list(vars(config).items()):
        if key == "use_pretrained_backbone":
            setattr(config, key, False)
        elif isinstance(value, kind):
            _untrained(value, kind)


ZOOS: dict[str, Callable[[Any, str], tuple[Make | None, list[str]]]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
}
"""Looks up a model, for each library.

It takes the imported library and a name, and returns the builder of that model (None if there is
none) and the known names.
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
