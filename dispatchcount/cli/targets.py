"""What ``dispatchcount profile`` is given: a model to build, and inputs to make for it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dispatchcount.errors import UsageError

FORMS = "package.module:callable, file.py:callable, torchvision:resnet50, timm:NAME or transformers:ConfigClass"

DEFAULT_SIZES = {"torchvision": (1, 3, 224, 224), "timm": (1, 3, 224, 224)}
TOKENS = (1, 128)


def load_model(target: str, device: str) -> tuple[nn.Module, str]:
    """The model that a target names, built on `device` with random weights, and the library it comes from, ``""`` if none.

    Raises:
        UsageError: the target has another form, or what it names is not there or builds no module.
    """
    library, separator, name = target.partition(":")
    if not separator or not name:
        raise UsageError(f"target {target!r} is not understood; give {FORMS}")
    zoo = _ZOOS.get(library)
    make = _attribute(target) if zoo is None else None
    with torch.device(device):
        if zoo is not None:
            model = zoo(name)
        else:
            model = _built(target, make, "model") if callable(make) and not isinstance(make, nn.Module) else make
    if not isinstance(model, nn.Module):
        raise UsageError(f"{target} gave a {type(model).__name__}, not a torch.nn.Module; it must return the model to profile")
    return model.to(device), library if zoo is not None else ""


def _built(target: str, make: Callable[[], Any], what: str) -> Any:
    try:
        return make()
    except Exception as error:  # the user's function may raise anything
        raise UsageError(
            f"{target}() raised {type(error).__name__}: {error}; it is called without arguments and returns the {what}"
        ) from error


def _torchvision(name: str) -> Any:
    models = _library("torchvision").models
    return _from_zoo("torchvision", name, models.list_models, lambda: models.get_model(name, weights=None))


def _timm(name: str) -> Any:
    timm = _library("timm")
    return _from_zoo("timm", name, timm.list_models, lambda: timm.create_model(name, pretrained=False))


def _from_zoo(library: str, name: str, known: Callable[[], list[str]], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ValueError, RuntimeError) as error:
        if name in known():
            raise UsageError(f"{library}:{name} could not be built: {error}") from error
        raise UsageError(f"{library} has no model {name!r}{_nearest(name, known())}") from None


def _transformers(name: str) -> Any:
    transformers = _library("transformers")
    config = getattr(transformers, name, None)
    if not isinstance(config, type) or not issubclass(config, transformers.PretrainedConfig):
        known = [other for other in dir(transformers) if other.endswith("Config")]
        raise UsageError(f"transformers has no configuration {name!r}{_nearest(name, known)}")
    try:
        return transformers.AutoModel.from_config(config())
    except Exception as error:  # whatever a model's constructor says
        raise UsageError(f"transformers:{name} builds no model from its default configuration: {error}") from error


_ZOOS: dict[str, Callable[[str], Any]] = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers}


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed ({error}); pip install {name}") from None


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 3)
    return f"; did you mean {', '.join(close)}?" if close else f"; it has {len(known)}, for instance {', '.join(known[:3])}"


def _attribute(target: str) -> Any:
    """What ``package.module:name`` or ``file.py:name`` stands for; the name may be dotted."""
    place, _, name = target.rpartition(":")
    value: Any = _import_file(place) if place.endswith(".py") else _import_module(place)
    for part in name.split("."):
        if not hasattr(value, part):
            raise UsageError(f"{place} has no {name!r}{_nearest(part, [n for n in dir(value) if not n.startswith('_')])}")
        value = getattr(value, part)
    return value


def _import_file(place: str) -> Any:
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"there is no file {place}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses and pickles in the file look themselves up
    sys.path.insert(0, str(path.parent.resolve()))
    return _executed(place, lambda: spec.loader.exec_module(module), module)  # type: ignore[union-attr]


def _import_module(place: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise UsageError(f"there is no module {place!r} here or among those installed; the target is {FORMS}")
    return _executed(place, lambda: importlib.import_module(place), None)


def _executed(place: str, load: Callable[[], Any], module: Any) -> Any:
    try:
        loaded = load()
    except Exception as error:  # the user's file may raise anything
        raise UsageError(f"{place} could not be imported: {type(error).__name__}: {error}") from error
    return module if module is not None else loaded


def make_inputs(
    model: nn.Module, library: str, shapes: list[str], maker: str | None, device: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named inputs for `model`.

    Args:
        model: the model.
        library: where it comes from; decides on inputs if none are given.
        shapes: ``"1,3,224,224"`` or with a dtype ``"1,128:int64"``, one for each positional input.
        maker: ``file.py:make``, which returns a tensor, a tuple of inputs, or a dict of named ones.
        device: where tensors go.

    Raises:
        UsageError: a shape or the maker is wrong, or there is nothing to go by.
    """
    if maker is not None:
        if shapes:
            raise UsageError("--input and --inputs were both given; give shapes or a function that makes the inputs")
        make = _attribute(maker)
        if not callable(make):
            raise UsageError(f"{maker} is a {type(make).__name__}; --inputs needs a function that returns the inputs")
        return _arranged(_moved(_built(maker, make, "inputs"), device))
    if shapes:
        return tuple(tensor_of(text, device) for text in shapes), {}
    if library == "transformers":
        main = getattr(model, "main_input_name", "input_ids")
        size = getattr(model.config, "image_size", None)
        if main == "pixel_values" and isinstance(size, int):
            return (), {main: torch.rand((1, getattr(model.config, "num_channels", 3), size, size), device=device)}
        if main != "input_ids":
            raise UsageError(
                f"{type(model).__name__} takes {main}; give its shape with --input, or make it with --inputs file.py:make"
            )
        return (), {"input_ids": torch.zeros(TOKENS, dtype=torch.int64, device=device)}
    if library:
        size = getattr(model, "default_cfg", {}).get("input_size")
        return (torch.rand((1, *size) if size else DEFAULT_SIZES[library], device=device),), {}
    raise UsageError("the model needs an input; give its shape with --input 1,3,224,224, or make it with --inputs file.py:make")


def tensor_of(text: str, device: str) -> torch.Tensor:
    """A tensor of a shape written ``1,3,224,224`` or ``1,128:int64``: random for floating dtypes, zeros for others.

    Raises:
        UsageError: it is no shape, or there is no such dtype.
    """
    sizes, _, name = text.partition(":")
    dtype = getattr(torch, name or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise UsageError(f"--input {text}: torch has no dtype {name!r}; one such as float32, float16, bfloat16, int64 or bool")
    try:
        shape = [int(size) for size in sizes.split(",") if size.strip()] if sizes.strip() else []
    except ValueError:
        shape = [-1]
    if any(size < 0 for size in shape):
        raise UsageError(f"--input {text}: {sizes!r} is no shape; give sizes with commas, 1,3,224,224, and a dtype after a colon")
    if dtype.is_floating_point or dtype.is_complex:
        return torch.rand(shape, device=device).to(dtype)
    return torch.zeros(shape, dtype=dtype, device=device)


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(item, device) for item in value)
    return value


def _arranged(made: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(made, Mapping):
        return (), {str(key): value for key, value in made.items()}
    return (made if isinstance(made, tuple) else (made,)), {}
