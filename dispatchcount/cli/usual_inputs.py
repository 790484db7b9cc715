"""The inputs that models of torchvision, timm and transformers are run on if none are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

Inputs = tuple[tuple[Any, ...], dict[str, Any]]
Image = Callable[..., torch.Tensor]
"""Makes a floating tensor of these sizes, with the batch before them."""

LENGTH = 128
"""Tokens of a sequence where nobody said how many."""

IMAGE = (3, 224, 224)
CLIP = (3, 16, 224, 224)
SAMPLES = 16_000
"""Samples of sound: a second, as most models of speech take it."""

_DATA = ("input_ids", "pixel_values", "input_values", "input_features")
"""Arguments of models of transformers that hold what they work on."""


def usual_inputs(
    model: Any,
    library: str,
    device: str,
    batch: int,
    length: int | None,
    dtype: torch.dtype | None,
) -> Inputs:
    """Inputs for a model of a library.

    Args:
        model: the model.
        library: where it comes from.
        device: where tensors go.
        batch: the first size of each.
        length: tokens of each sequence; by default `LENGTH`, or as many as the model takes.
        dtype: of floating tensors; by default that of the parameters.

    Raises:
        ValueError: the model takes something whose shape its configuration does not say.
    """
    if dtype is None:
        dtype = next((p.dtype for p in model.parameters() if p.dtype.is_floating_point), None)

    def image(*sizes: int) -> torch.Tensor:
        return torch.rand((batch, *sizes), device=device).to(dtype)

    if library == "transformers":
        most = _setting(model.config, "max_position_embeddings")
        length = length or (min(LENGTH, most) if isinstance(most, int) and most > 0 else LENGTH)
        tokens = torch.zeros((batch, length), dtype=torch.int64, device=device)
        return (), _of_transformers(model, image, tokens)
    family = type(model).__module__
    if ".video" in family:
        return (image(*CLIP),), {}
    if ".optical_flow" in family:  # Its inputs are two images, one after the other.
        return (image(*IMAGE), image(*IMAGE)), {}
    return (image(*(getattr(model, "default_cfg", {}).get("input_size") or IMAGE)),), {}


def _of_transformers(model: Any, image: Image, tokens: torch.Tensor) -> dict[str, Any]:
    """The inputs of a model of transformers by name."""
    main, config = getattr(model, "main_input_name", "input_ids"), model.config
    taken = inspect.signature(model.forward).parameters
    # Models that compare one kind of data with another need both.
    both = "return_loss" in taken or ("pixel_values" in taken and main == "pixel_values")
    names = [name for name in _DATA if name == main or (both and name in taken)]
    inputs = {name: _one(name, config, image, tokens) for name in names or [main]}
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
        inputs["decoder_input_ids"] = tokens
    return inputs


def _one(name: str, config: Any, image: Image, tokens: torch.Tensor) -> torch.Tensor:
    """One input, of the sizes that the configuration says."""
    if name == "input_ids":
        return tokens
    if name == "pixel_values":
        height, width = _sides(config)
        channels = _setting(config, "num_channels") or IMAGE[0]
        frames = _setting(config, "num_frames")
        return image(*([frames] if frames else []), channels, height, width)
    bins = _setting(config, "num_mel_bins")
    if name == "input_values":
        # A spectrum, or the sound itself.
        frames = _setting(config, "max_length")
        return image(frames, bins) if bins and frames else image(SAMPLES)
    if name == "input_features" and hasattr(config, "max_source_positions"):
        # Whisper's encoder takes every other frame of the spectrum.
        return image(bins, 2 * config.max_source_positions)
    raise ValueError(f"it takes {name}, whose shape is not known")


def _sides(config: Any) -> tuple[int, int]:
    size = _setting(config, "image_size")
    if isinstance(size, (list, tuple)) and len(size) >= 2:
        return int(size[0]), int(size[1])
    return (size, size) if isinstance(size, int) else (IMAGE[1], IMAGE[2])


def _setting(config: Any, name: str) -> Any:
    """A setting of a configuration, or of the one inside it for this kind of data."""
    kinds = ("text", "vision", "audio", "backbone")
    inner = (getattr(config, f"{kind}_config", None) for kind in kinds)
    found = (getattr(one, name, None) for one in (config, *inner) if one is not None)
    return next((value for value in found if value is not None), None)
