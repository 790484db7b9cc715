"""GFLOPs and parameters of 43 image-text models beside the figures that open_clip publishes.

    python benchmarks/open_clip_table.py                  prints the summary
    python benchmarks/open_clip_table.py RN50 ViT-B       only models whose names start so
    python benchmarks/open_clip_table.py --write          writes docs/open_clip.md as well

The models are built on the meta device and run as open_clip did for its table: eval mode, a batch
of one, the whole, then the image and the text tower alone. torch's FlopCounterMode counts each run
too. Exits with 1 if less than 96 % of the figures agree, if one that does not has no reason below,
or if FlopCounterMode of today gives another number of flops than this profiler.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

DATA = Path(__file__).resolve().parent / "data" / "open_clip_profile.csv"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "open_clip.md"
SHARE = 0.96
"""Of the figures that must agree."""

PARTS = {"": "whole", "image_": "image tower", "text_": "text tower"}
"""The parts of a model, by the start of their columns in the table."""

FIGURES = {"gflops": "GFLOPs", "mparams": "parameters (M)"}
"""What is published of each part, by the end of the columns."""

REASONS = {
    ("coca_roberta-ViT-B-32", "gflops"): "open_clip 2.24 ran the text decoder on all 76 tokens of "
    "a caption; releases since 2.30 drop the last one, which has no label to predict. Called with "
    "`output_labels=False`, today's code keeps it, and 53.12 is the count.",
}
"""Why a figure differs, by its model and column."""


NLLB = {
    "facebook/nllb-200-distilled-600M": (12, 4096),
    "facebook/nllb-200-distilled-1.3B": (24, 8192),
}
"""Layers and inner width of the hub's NLLB models."""


class Row(NamedTuple):
    """A published row: its figures, by column."""

    model: str
    published: dict[str, float]


class Result(NamedTuple):
    """A published row beside ours, by column, and the flops of each part, ours and
    FlopCounterMode's.
    """

    row: Row
    ours: dict[str, float]
    flops: dict[str, int]
    counter: dict[str, int]
    issues: str = ""

    def agrees(self, column: str) -> bool:
        """True if our figure, rounded as the table is, is the published one."""
        return not self.issues and round(self.ours[column], 2) == self.row.published[column]

    def differing(self) -> list[str]:
        """The columns whose figures do not agree."""
        return [column for column in columns() if not self.agrees(column)]

    def reason(self, column: str) -> str:
        """Why it differs; empty if that is not known."""
        return REASONS.get((self.row.model, column), "")


def columns() -> list[str]:
    """The columns of the table with figures."""
    return [part + figure for part in PARTS for figure in FIGURES]


def published() -> list[Row]:
    """The table."""
    with DATA.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return [Row(line["model"], {name: float(line[name]) for name in columns()}) for line in lines]


def hub_config(name: str) -> Any:
    """The sizes of a text tower of the Hugging Face hub, so that the run needs no network."""
    from transformers import M2M100Config, RobertaConfig

    if name == "roberta-base":
        return RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    layers, inner = NLLB[name]
    return M2M100Config(
        vocab_size=256206,
        encoder_layers=layers,
        encoder_ffn_dim=inner,
        decoder_layers=layers,
        decoder_ffn_dim=inner,
    )


def build(name: str) -> nn.Module:
    """The model on the meta device."""
    import open_clip

    overrides = {}
    text = open_clip.get_model_config(name)["text_cfg"]
    with tempfile.TemporaryDirectory() as folder, torch.device("meta"):
        if "hf_model_name" in text:
            hub_config(text["hf_model_name"]).save_pretrained(folder)
            overrides["text_cfg"] = {**text, "hf_model_name": folder, "hf_model_pretrained": False}
        model: nn.Module = open_clip.create_model(
            name,
            force_custom_text=True,
            pretrained_hf=False,
            device="meta",
            **overrides,
        )
    return model.eval()


@contextmanager
def shapes_only() -> Iterator[None]:
    """Run code that asks for the values of tensors without any, as the text towers of the hub do.

    They ask if a mask is all true, and pick tokens by a mask. A plain meta tensor refuses both; a
    fake one takes the general way for the first, and gives a size with a name for the second.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    env = ShapeEnv(allow_dynamic_output_shape_ops=True)
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=env):
        yield


def inputs(model: Any) -> dict[str, tuple[torch.Tensor, ...]]:
    """What each part takes, as the publishers made it."""
    size = model.visual.image_size
    image = torch.empty(1, 3, *(size if isinstance(size, tuple) else (size, size)), device="meta")
    text = torch.empty(1, model.context_length, dtype=torch.int64, device="meta")
    return {"": (image, text), "image_": (image,), "text_": (text,)}


def measure(row: Row) -> Result:
    """Run the parts of one model, each once with the profiler and once with FlopCounterMode."""
    import dispatchcount

    model: Any = build(row.model)
    result = Result(row, {}, {}, {})
    issues: set[str] = set()
    with shapes_only():
        for part, tensors in inputs(model).items():
            module = {"": model, "image_": model.visual, "text_": model.text}[part]
            with dispatchcount.profile(module, convention="torch") as prof:
                module(*tensors)
            with FlopCounterMode(display=False) as counter:
                module(*tensors)
            report = prof.report
            report.self_check()
            issues.update(report.unknown_ops, report.failed_ops)
            result.flops[part], result.counter[part] = report.flops, counter.get_total_flops()
            result.ours[part + "gflops"] = report.flops / 1e9
            result.ours[part + "mparams"] = report.params / 1e6
    return result._replace(issues=", ".join(sorted(issues)))


def summary(results: list[Result]) -> str:
    from page import table

    def share(names: list[str]) -> str:
        held = sum(result.agrees(name) for result in results for name in names)
        return f"{held:,} of {len(results) * len(names):,} ({held / len(results) / len(names):.1%})"

    rows = [[PARTS[part], *(share([part + figure]) for figure in FIGURES)] for part in PARTS]
    rows.append(["all", *(share([part + figure for part in PARTS]) for figure in FIGURES)])
    return table(["figures that agree", *FIGURES.values()], rows)


def differing(results: list[Result]) -> str:
    from page import table

    rows = []
    for result in results:
        for column in result.differing():
            part = column[: column.rindex("_") + 1] if "_" in column else ""
            figure = column.removeprefix(part)
            ours, theirs = f"{result.ours[column]:.2f}", f"{result.row.published[column]:.2f}"
            counter = f"{result.counter[part] / 1e9:.2f}" if figure == "gflops" else "–"
            why = result.issues or result.reason(column)
            name = f"{result.row.model}, {PARTS[part]}, {FIGURES[figure]}"
            rows.append([name, ours, theirs, counter, why])
    header = ["figure", "ours", "published", "FlopCounterMode today", "why"]
    return table(header, rows) if rows else "None."


def equal_to_counter(results: list[Result]) -> int:
    """How many runs FlopCounterMode gives the very same number of flops."""
    return sum(result.flops[part] == result.counter[part] for result in results for part in PARTS)


def page(results: list[Result], seconds: float) -> str:
    """docs/open_clip.md."""
    import importlib.metadata

    from page import machine

    packages = ("torch", "open_clip_torch", "timm", "transformers")
    versions = {name: importlib.metadata.version(name) for name in packages}
    runs = len(results) * len(PARTS)
    return f"""# Beside open_clip's table

{len(results)} image-text models of open_clip's published profile (every second row of it;
[source](../benchmarks/data/README.md)), on the meta device: flops in the `torch` convention and
parameters, of the whole, of the image tower and of the text tower, in eval mode with a batch of
one, as in the published run. A figure agrees if it is the published one when rounded to 0.01, as
the table is. `python benchmarks/open_clip_table.py --write` writes this page.

The text towers that open_clip takes from a hub (RoBERTa, NLLB) are built from their sizes, written
down in the script. They look at the values of their masks, so all models run under torch's
`FakeTensorMode`.

{machine(versions)}
It took {seconds:.0f} seconds.

{summary(results)}

torch's FlopCounterMode counts exactly the same flops in {equal_to_counter(results)} of {runs} runs.

## Figures that differ

{differing(results)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Beside open_clip's published table.")
    parser.add_argument("names", nargs="*", help="starts of model names; all by default")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    rows = [row for row in published() if row.model.startswith(tuple(options.names) or "")]
    if not rows:
        parser.error(f"no row of the table starts with {' or '.join(options.names)}")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    start = time.monotonic()
    results = []
    for row in rows:
        result = measure(row)
        results.append(result)
        if result.differing():
            print(json.dumps(result, ensure_ascii=False), file=sys.stderr)
    text = page(results, time.monotonic() - start)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    differ = [(result, column) for result in results for column in result.differing()]
    unexplained = [f"{one.row.model} {name}" for one, name in differ if not one.reason(name)]
    if unexplained:
        print(f"no reason is known for {', '.join(unexplained)}", file=sys.stderr)
    enough = len(differ) <= (1 - SHARE) * len(results) * len(columns())
    same = equal_to_counter(results) == len(results) * len(PARTS)
    return int(bool(unexplained) or not enough or not same)


if __name__ == "__main__":
    sys.exit(main())
