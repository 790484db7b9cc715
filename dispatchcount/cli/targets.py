"""Finds and builds the model that ``dispatchcount profile`` is given by its name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dispatchcount.cli.build import build, moved
from dispatchcount.cli.configs import Settings, config_file
from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.nearest import nearest
from dispatchcount.cli.zoos import ZOOS, find
from dispatchcount.errors import UsageError, kind_of

FORMS = (
    "package.module:callable, file.py:callable, "
    "torchvision:resnet50, timm:NAME, transformers:LlamaForCausalLM, transformers:LlamaConfig, "
    "or a config.json or the folder of one"
)


def split(target: str) -> tuple[str, str]:
    """The library that a target's model comes from, ``""`` if from none, and its name there."""
    if config_file(target) is not None:
        return "transformers", target
    library, _, name = target.partition(":")
    return (library, name) if library in ZOOS and name else ("", target)


def load_model(
    target: str, device: str, dtype: torch.dtype | None = None, settings: Settings | None = None
) -> tuple[nn.Module, str]:
    """The model that a target names, built on `device` with random weights.

    Args:
        target: the name, in one of `FORMS`.
        device: as ``torch.device`` takes it.
        dtype: of its floating parameters and buffers; by default what its configuration or its
            builder makes, but bfloat16 for fused experts, whose kernel takes nothing else.
        settings: what to set in a configuration of transformers.

    Returns:
        The model, and the library that it comes from, ``""`` if it comes from none.

    Raises:
        UsageError: the target has another form, or what it names is not there or does not build a
            module.
    """
    library, name = split(target)
    if library:
        make = find(library, name, settings)
        model = build(make, device, target, f"{target} could not be built:", estimated=True)
        dtype = dtype or _asked_for(model)
    elif settings:
        raise UsageError(f"--config is for models of transformers, and {target} is not one")
    elif not all(target.partition(":")):
        script = f"; a script is run by dispatchcount run {target}" if target[-3:] == ".py" else ""
        raise UsageError(f"target {target!r} is not understood; give {FORMS}{script}")
    else:
        model = attribute(target)
        if not _is_module(model) and callable(model):
            hint = "; it is called without arguments and returns the model"
            model = build(model, device, target, f"{target}() raised", hint)
    if not _is_module(model):
        raise UsageError(
            f"{target} gave {kind_of(model)}, not a torch.nn.Module; "
            "it must return the model to profile"
        )
    if dtype is not None:
        with foreign(f"{type(model).__name__} cannot be made {dtype}:"):
            model = model.to(dtype)
    return moved(model, device), library


def _asked_for(model: Any) -> torch.dtype | None:
    """The dtype that a model's configuration asks for; None if it asks for none."""
    config = getattr(model, "config", None)
    if isinstance(asked := getattr(config, "dtype", None), torch.dtype):
        return asked
    # The product of all experts at once is written for bfloat16 alone.
    fused = getattr(config, "_experts_implementation", None) == "grouped_mm"
    return torch.bfloat16 if fused else None


def attribute(target: str) -> Any:
    """The object that ``package.module:name`` or ``file.py:name`` stands for.

    The name may be dotted.

    Raises:
        UsageError: there is no such file, module or name, or importing it raised.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise UsageError(
            f"{target!r} is not understood; give package.module:callable or file.py:callable"
        )
    value = imported(place)
    for part in name.split("."):
        with foreign(f"{place} raised at {name!r}:"):
            there = hasattr(value, part)
            value, known = (
                (getattr(value, part), [])
                if there
                else (value, [n for n in dir(value) if not n.startswith("_")])
            )
        if not there:
            raise UsageError(f"{place} has no {name!r}{nearest(part, known)}")
    return value


def imported(place: str) -> Any:
    """The module in a Python file, or of a dotted name.

    Raises:
        UsageError: there is no such file or module, or importing it raised.
    """
    return _import_file(place) if place.endswith(".py") else _import_module(place)


def _import_file(place: str) -> Any:
    path = Path(place)
    if "\0" in place or not path.is_file():
        raise UsageError(f"there is no file {place}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles in the file look up their module by its name.
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))
    with foreign(f"{place} could not be imported:"):
        spec.loader.exec_module(module)
    return module


def _import_module(place: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")
    found = None
    if all(place.split(".")):
        # To find a module that lies in a package, Python imports the package.
        with foreign(f"{place} could not be imported:"):
            found = _spec(place)
    if found is None:
        raise UsageError(
            f"there is no module {place!r} here or among those installed; the target is {FORMS}"
        )
    with foreign(f"{place} could not be imported:"):
        return importlib.import_module(place)


def _spec(place: str) -> Any:
    try:
        return importlib.util.find_spec(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise  # The package is there, and something that it imports is not.
        return None


def _is_module(value: Any) -> bool:
    # Its type alone is asked: an object may have a `__class__` of its own that raises, or lies.
    return issubclass(type(value), nn.Module)
