"""Plain inputs for any architecture of transformers, made from its configuration and the signature
of its forward.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

TOKENS = 64
"""Of a text; fewer where the configuration allows fewer positions."""

PARTS = (
    "text_config",
    "vision_config",
    "audio_config",
    "encoder",
    "decoder",
    "backbone_config",
    "encoder_config",
)
"""Configurations within a configuration, in the order that they are asked."""

TOGETHER = ("bbox", "decoder_input_ids", "actions", "rewards", "returns_to_go", "timesteps")
"""Arguments that models say are optional, and need."""

Inputs = dict[str, Any]


def entry(config: Any, *names: str, default: Any = None, first: str | None = None) -> Any:
    """The first of `names` that the configuration or a part of it has; the part `first` is asked
    before the others.
    """
    parts = [config, *(getattr(config, part, None) for part in PARTS)]
    if first:
        parts.insert(0, getattr(config, first, None))
    for part in parts:
        for name in names:
            value = part.get(name) if isinstance(part, dict) else getattr(part, name, None)
            if value is not None:
                return value
    return default


def sides(config: Any) -> tuple[int, int]:
    """Height and width of an image."""
    size = entry(config, "image_size", "img_size", "input_size", first="vision_config", default=224)
    if isinstance(size, dict):
        return int(size.get("height", 224)), int(size.get("width", 224))
    if isinstance(size, list | tuple):
        return (int(size[0]), int(size[1])) if len(size) > 1 else (int(size[0]), int(size[0]))
    return int(size), int(size)


def number(config: Any, *names: str, default: int, first: str | None = None) -> int:
    """The same, where it is a number; some configurations have a list for each stage under such a
    name.
    """
    value = entry(config, *names, default=default, first=first)
    return int(value) if isinstance(value, int | float) else default


def ones(*size: int) -> Tensor:
    return torch.ones(size, dtype=torch.long, device="meta")


def rand(*size: int) -> Tensor:
    return torch.rand(size, device="meta")


def images(config: Any) -> list[Tensor]:
    """An image and a clip, the likelier one first."""
    channels = number(
        config, "num_channels", "in_channels", "in_chans", first="vision_config", default=3
    )
    height, width = sides(config)
    frames = number(config, "num_frames", "frames_per_clip", first="vision_config", default=0)
    still = rand(1, channels, height, width)
    clip = rand(1, frames or 2, channels, height, width)
    return [clip, still] if frames else [still, clip]


def features(config: Any) -> list[Tensor]:
    """Spectrograms, bands first or last, in the lengths that audio models ask for."""
    bands = number(
        config,
        "num_mel_bins",
        "input_feat_per_channel",
        "feature_size",
        "input_dim",
        "n_mels",
        first="audio_config",
        default=80,
    )
    positions = number(config, "max_source_positions", first="audio_config", default=512)
    lengths = [
        number(config, "max_length", "spec_size", first="audio_config", default=0) or 1024,
        2 * int(positions),
        3000,
    ]
    found = [rand(1, bands, 2 * int(positions)), rand(1, bands, 3000)]
    found += [rand(1, length, bands) for length in lengths[:1]]
    found += [rand(1, 1, length, bands) for length in lengths[:1]]
    found += [
        rand(1, 512, width) for width in (80, 128, 160, number(config, "hidden_size", default=512))
    ]
    return found


def waves(config: Any) -> list[Tensor]:
    """Sound as samples, with and without a channel, or a spectrogram."""
    bands = number(config, "num_mel_bins", default=128)
    length = number(config, "max_length", default=1024)
    channels = number(config, "audio_channels", "in_channels", default=1)
    return [
        rand(1, 16000),
        rand(1, channels, 24000),
        rand(1, length, bands),
        rand(1, bands, length),
        rand(1, 512, 160),
    ]


def series(config: Any) -> list[Tensor]:
    """A time series by length and channels."""
    length = number(config, "context_length", "seq_length", default=512)
    channels = number(config, "num_input_channels", "input_size", default=1)
    return [rand(1, length, channels), rand(1, length)]


def named(name: str, model: nn.Module, tokens: int) -> list[Any]:
    """Values for an argument of that name, the likeliest first; none where it is not known."""
    config = model.config
    width = number(config, "hidden_size", "d_model", "n_embd", default=768)
    past = number(config, "context_length", default=24) + max(
        [0, *(entry(config, "lags_sequence") or [])]
    )
    known: dict[str, list[Any]] = {
        "input_ids": [ones(1, tokens)],
        "decoder_input_ids": [ones(1, tokens)],
        "bbox": [ones(1, tokens, 4)],
        "inputs_embeds": [rand(1, tokens, width)],
        "xpath_tags_seq": [ones(1, tokens, number(config, "max_depth", default=50))],
        "xpath_subs_seq": [ones(1, tokens, number(config, "max_depth", default=50))],
        "past_time_features": [rand(1, past, number(config, "num_time_features", default=0) or 1)],
        "past_observed_mask": [ones(1, past)],
        "future_values": [rand(1, number(config, "prediction_length", default=24) or 24)],
        "future_time_features": [rand(1, number(config, "prediction_length", default=24) or 24, 1)],
        "query_embeds": [rand(1, 32, width)],
        "encoder_hidden_states": [
            rand(1, tokens, number(config, "encoder_hidden_size", default=width))
        ],
        "history_values": [rand(1, 512, number(config, "num_input_channels", default=1))],
        "states": [rand(1, 20, number(config, "state_dim", default=17))],
        "actions": [rand(1, 20, number(config, "act_dim", default=4))],
        "rewards": [rand(1, 20, 1)],
        "returns_to_go": [rand(1, 20, 1)],
        "timesteps": [ones(1, 20)],
        "visual_feats": [rand(1, 36, number(config, "visual_feat_dim", default=2048))],
        "visual_pos": [rand(1, 36, 4)],
        "image": [rand(1, 3, *sides(config))],
        "input_points": [rand(1, 1, 1, 2)],
        "task_inputs": [ones(1, number(config, "task_seq_len", default=77))],
        "audio_codes": [ones(1, 32, number(config, "num_codebooks", "num_quantizers", default=8))],
    }
    known["past_values"] = [rand(1, past), *series(config)]
    for each in (
        "pixel_values",
        "pixel_values_videos",
        "spatial_pixel_values",
        "query_pixel_values",
        "pixel_values1",
    ):
        known[each] = images(config)
    for each in ("input_features", "audio_features", "audio_values", "spectrogram"):
        known[each] = features(config)
    for each in ("input_values", "audio", "waveform"):
        known[each] = waves(config)
    known["inputs"] = [
        rand(1, tokens, number(config, "d_model", default=768)),
        *images(config),
        ones(1, tokens),
    ]
    return known.get(name, [])


def attempts(model: nn.Module) -> Iterator[Inputs]:
    """Inputs to try in turn: the main one, what forward requires and a decoder's; then other forms,
    and other modalities.
    """
    parameters = inspect.signature(model.forward).parameters
    limit = entry(model.config, "max_position_embeddings", "n_positions", default=TOKENS)
    tokens = min(TOKENS, limit if isinstance(limit, int) and limit > 8 else TOKENS)
    main = str(getattr(model, "main_input_name", "input_ids"))
    needed = [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    first = (
        list(dict.fromkeys([main, *needed] if main in parameters else needed))
        or list(parameters)[:1]
    )
    values = {name: named(name, model, tokens) for name in first}
    bare: Inputs = {name: found[0] for name, found in values.items() if found}
    bare |= {name: named(name, model, tokens)[0] for name in TOGETHER if name in parameters}
    yield bare
    if "attention_mask" in parameters and "input_ids" in bare:
        yield bare | {"attention_mask": ones(1, tokens)}
    if "use_cache" in parameters:
        yield bare | {"use_cache": False}
    for name, found in values.items():
        for other in found[1:]:
            yield bare | {name: other}
    for name in ("pixel_values", "input_features", "input_values", "encoder_hidden_states"):
        if name in parameters and name not in bare:
            for value in named(name, model, tokens):
                yield bare | {name: value}
    if "input_ids" in parameters and "input_ids" not in bare:
        text = {"input_ids": ones(1, tokens)}
        for name, found in values.items():
            for other in found:
                yield bare | text | {name: other}
        yield text
