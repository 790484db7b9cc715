"""Builds models of transformers from the name of a class or from a ``config.json``.

Nothing is downloaded: a configuration is the default one of its class, or the one in a file, with
the settings of ``--config``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dispatchcount.cli.nearest import nearest
from dispatchcount.cli.paths import STANDARD
from dispatchcount.errors import UsageError

Make = Callable[[], Any]
Settings = Mapping[str, Any]

_HEADS = (
    "MASKED_LM",
    "SPEECH_SEQ_2_SEQ",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "CAUSAL_LM",
    "IMAGE_TEXT_TO_TEXT",
    "OBJECT_DETECTION",
    "ZERO_SHOT_IMAGE_CLASSIFICATION",
    "IMAGE_CLASSIFICATION",
)
"""Tasks by whose class a configuration is built; the first that the architecture has.

Causal language models come after those that they are a part or another use of: an encoder, or the
decoder behind one.
"""


def config_file(target: str) -> Path | None:
    """The ``config.json`` that a target names by itself or by its folder; None if it is none."""
    path = Path(target)
    if "\0" in target or len(target) > 4096:
        return None
    try:
        if path.is_dir():
            path = path / "config.json"
        return path if path.suffix == ".json" and path.is_file() else None
    except OSError:
        return None


def is_saved(name: str) -> bool:
    """True if a name is that of a file to read, a report or a law, and not a target to run."""
    if name == STANDARD:
        return True
    config = config_file(name)
    if config is not None:
        # A configuration of transformers is a target; it always names its architecture.
        return b'"model_type"' not in config.read_bytes()
    return name.endswith(".json") or ":" not in name


def look_up(
    transformers: Any, name: str, settings: Settings | None = None
) -> tuple[Make | None, list[str]]:
    """The builder of a model, for `dispatchcount.cli.zoos.ZOOS`.

    Args:
        transformers: the library.
        name: a class of models or of configurations, a ``config.json``, or a folder with one.
        settings: what to set in the configuration; a dict for a configuration inside it.

    Raises:
        UsageError: a file is not a configuration, or it has no such setting.
    """
    path = config_file(name)
    if path is not None:
        return partial(_build, transformers, *_read(transformers, path, settings or {})), []
    if "/" in name:
        raise UsageError(
            f"there is no configuration at {name}, and nothing is downloaded from the hub: "
            "give the config.json of the model, or the folder that it lies in"
        )
    found = getattr(transformers, name, None) if name.isidentifier() else None
    if not isinstance(found, type):
        return None, _known(transformers)
    if issubclass(found, transformers.PretrainedConfig):
        return partial(_build, transformers, _default(found, settings or {}), ()), []
    kind = getattr(found, "config_class", None)
    if kind is None or not issubclass(found, transformers.PreTrainedModel):
        return None, _known(transformers)
    return partial(_build, transformers, _default(kind, settings or {}), (name,)), []


def untrained(config: Any, kind: type) -> None:
    """Set in a configuration, and in those inside it, that no backbone has trained weights."""
    for key, value in list(vars(config).items()):
        if key == "use_pretrained_backbone":
            setattr(config, key, False)
        elif isinstance(value, kind):
            untrained(value, kind)


def setting(text: str) -> dict[str, Any]:
    """What ``num_hidden_layers=4`` or ``text_config.num_hidden_layers=4`` sets.

    The value is read as JSON, and is a text if it is none.

    Raises:
        ValueError: there is no key.
    """
    key, separator, written = text.partition("=")
    names = key.split(".")
    if not separator or not all(name.isidentifier() for name in names):
        raise ValueError(f"{text!r} sets nothing; give --config num_hidden_layers=4")
    try:
        value: Any = json.loads(written)
    except (ValueError, RecursionError):
        value = written
    for name in reversed(names):
        value = {name: value}
    return dict(value)


def merged(one: Settings, other: Settings) -> dict[str, Any]:
    """The settings of both; those of `other` win."""
    both = dict(one)
    for key, value in other.items():
        inner = both.get(key)
        both[key] = (
            merged(inner, value)
            if isinstance(inner, Mapping) and isinstance(value, Mapping)
            else value
        )
    return both


def _known(transformers: Any) -> list[str]:
    return [
        name for name in dir(transformers) if name.endswith(("Config", "Model")) or "For" in name
    ]


def _default(kind: Any, settings: Settings) -> Any:
    """The default configuration of a class, with `settings`."""
    if settings:
        _check(settings, vars(kind()), kind.__name__)
    return kind(**settings)


def _read(transformers: Any, path: Path, settings: Settings) -> tuple[Any, tuple[str, ...]]:
    """The configuration in a file, with `settings`, and the classes that the file names."""
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no configuration: it is not JSON ({error})") from error
    kind = values.get("model_type") if isinstance(values, dict) else None
    if not isinstance(kind, str):
        raise UsageError(f"{path} is no configuration of transformers: it has no model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise UsageError(
            f"{path}: transformers {transformers.__version__} has no model_type {kind!r}; "
            "a newer one may, or the model brings code of its own: give file.py:build instead"
        )
    _check(settings, values, str(path), also=vars(transformers.CONFIG_MAPPING[kind]()))
    config = transformers.CONFIG_MAPPING[kind].from_dict(_fitted(values, settings))
    return config, tuple(
        name for name in values.get("architectures") or () if isinstance(name, str)
    )


def _fitted(values: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of a file with `settings`, and lists with an entry a layer as long as needed."""
    both = merged(values, settings)
    before, after = values.get("num_hidden_layers"), both.get("num_hidden_layers")
    if isinstance(before, int) and isinstance(after, int) and 0 < before != after:
        for key, value in both.items():
            if isinstance(value, list) and len(value) == before and key not in settings:
                both[key] = [value[layer % before] for layer in range(after)]
    return both


def _check(settings: Settings, known: Settings, where: str, also: Settings | None = None) -> None:
    for key in settings:
        names = sorted(name for name in {*known, *(also or {})} if not name.startswith("_"))
        if key not in names:
            raise UsageError(f"--config {key}: {where} has no such setting{nearest(key, names)}")


def _build(transformers: Any, config: Any, named: tuple[str, ...]) -> Any:
    untrained(config, transformers.PretrainedConfig)
    for cls in _classes(transformers, config, named):
        return cls(config)
    return transformers.AutoModel.from_config(config)


def _classes(transformers: Any, config: Any, named: tuple[str, ...]) -> Iterator[Any]:
    """The classes to build, the best first: those that are named, then those with a head."""
    for name in named:
        found = getattr(transformers, name, None) if name.isidentifier() else None
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            yield found
    for task in _HEADS:
        mapping = getattr(transformers, f"MODEL_FOR_{task}_MAPPING", {})
        if type(config) in mapping:
            found = mapping[type(config)]
            yield found[0] if isinstance(found, tuple) else found
