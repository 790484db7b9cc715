"""GMACs, activations and parameters of 814 timm models beside the figures that timm publishes.

    python benchmarks/timm_table.py                 prints the summary
    python benchmarks/timm_table.py resnet50 deit   only models whose names start so
    python benchmarks/timm_table.py --write         writes docs/timm.md as well

The models are built on the meta device and run once, as timm did for its table: eval mode, a batch
    of one, attention not fused, branches merged for inference. Exits with 1 if less than 97 % of
    the rows agree, or if one that does not has no reason below.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

DATA = Path(__file__).resolve().parent / "data" / "timm_complexity.csv"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "timm.md"
COLUMNS = ("GMACs", "activations (M)", "parameters (M)")
SHARE = 0.97
"""Of the rows that must agree in every column."""

MERGES = ("fuse", "reparameterize", "switch_to_deploy")
"""Methods by which a module merges its branches; `reparameterize_model` looks for these."""

ROPE = (
    "timm has since written the angles of the mixed rotary embedding, two outer products a block, "
    "as multiplications instead of "
    "matrix products, whose outputs the published activations still have (2 · blocks · tokens · "
    "width / 2)."
)

REASONS = {
    "convmixer_": "fvcore has no rule for `aten::_convolution_mode`, by which a trace calls a convolution with `padding='same'`: "
    "the published figures leave the depthwise convolutions out.",
    "ecaresnext50t_32x4d": "The published row is that of the 26-layer model, which timm built under this name until it was "
    "corrected; the parameters differ too.",
    "sequencer2d_": "fvcore has no rule for `aten::lstm`: the published figures leave the recurrent layers out.",
    "vit_base_patch16_rope_mixed_224": ROPE,
    "vit_large_patch16_rope_mixed_ape_224": ROPE,
    "vit_small_patch16_rope_mixed_224": ROPE,
}
"""Why rows differ, by the start of their names."""


class Figures(NamedTuple):
    """GMACs in fvcore's convention, millions of activations and of parameters."""

    macs: float
    activations: float
    params: float


class Row(NamedTuple):
    """A published row."""

    model: str
    size: int
    published: Figures


class Result(NamedTuple):
    """A published row beside ours; `error` says why we have none."""

    row: Row
    ours: Figures | None
    issues: str
    error: str

    def holds(self, column: int) -> bool:
        """Whether we agree within the rounding of the table or 0.2 %."""
        theirs = self.row.published[column]
        return self.ours is not None and abs(self.ours[column] - theirs) <= max(
            0.0101, 0.002 * theirs
        )

    def agrees(self) -> bool:
        return not self.issues and all(self.holds(column) for column in range(len(COLUMNS)))

    def reason(self) -> str:
        """Why it differs; empty if that is not known."""
        return next(
            (text for start, text in REASONS.items() if self.row.model.startswith(start)), ""
        )


def published() -> list[Row]:
    """The table."""
    with DATA.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                line["model"],
                int(line["img_size"]),
                Figures(*(float(line[name]) for name in ("gmacs", "macts", "params_m"))),
            )
            for line in csv.DictReader(file)
        ]


def build(name: str, size: int) -> nn.Module:
    """The model on the meta device, its branches merged; those that merge do so by the values of
    their weights.
    """
    import timm
    from timm.utils.model import reparameterize_model

    def made(device: str) -> nn.Module:
        with torch.device(device):
            try:
                model: nn.Module = timm.create_model(name, img_size=size)
            except TypeError:  # a model that takes any size
                model = timm.create_model(name)
        return model.eval()

    timm.layers.set_fused_attn(False)
    model = made("meta")
    if any(hasattr(module, method) for module in model.modules() for method in MERGES):
        return reparameterize_model(made("cpu")).to("meta")  # type: ignore[no-any-return, unused-ignore]
    return model


def measure(row: Row) -> Result:
    """Run one model."""
    import dispatchcount

    try:
        model = build(row.model, row.size)
        channels = model.pretrained_cfg.get("input_size", (3,))[0]
        with dispatchcount.profile(model, convention="fvcore") as prof, torch.no_grad():
            model(torch.empty(1, channels, row.size, row.size, device="meta"))
    except Exception as error:
        return Result(row, None, "", f"{type(error).__name__}: {error}"[:300])
    report = prof.report
    report.self_check()
    issues = ", ".join([*report.unknown_ops, *report.failed_ops])
    return Result(
        row, Figures(report.flops / 1e9, report.activations / 1e6, report.params / 1e6), issues, ""
    )


def quiet() -> None:
    """What each process does first."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def run(rows: list[Row], workers: int) -> Iterable[Result]:
    """The results as they come, in order."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=quiet) as pool:
        yield from pool.map(measure, rows, chunksize=4)


def share(results: list[Result], column: int) -> str:
    held = sum(result.holds(column) for result in results)
    return f"{held:,} of {len(results):,} ({held / len(results):.1%})"


def worst(results: list[Result], column: int) -> str:
    """The largest difference among the rows that agree, beyond what rounding to 0.01 explains, as a
    share of the figure.
    """
    gaps = [
        (
            max(0.0, abs(result.ours[column] - result.row.published[column]) - 0.005)
            / result.row.published[column],
            result,
        )
        for result in results
        if result.ours is not None and result.agrees() and result.row.published[column]
    ]
    gap, result = max(gaps, key=lambda pair: pair[0])
    return f"{gap:.3%} ({result.row.model})" if gap else "none"


def summary(results: list[Result]) -> str:
    from page import table

    rows = [
        [name, share(results, column), worst(results, column)]
        for column, name in enumerate(COLUMNS)
    ]
    together = sum(result.agrees() for result in results)
    rows.append(
        ["all three", f"{together:,} of {len(results):,} ({together / len(results):.1%})", ""]
    )
    return table(
        ["figure", "rows that agree", "largest difference among rows that agree, beyond rounding"],
        rows,
    )


def differing(results: list[Result]) -> str:
    from page import table

    def pair(result: Result, column: int) -> str:
        ours = f"{result.ours[column]:.2f}" if result.ours else "–"
        return f"{ours} / {result.row.published[column]:.2f}"

    rows = [
        [
            result.row.model,
            *(pair(result, column) for column in range(3)),
            result.issues or result.reason() or result.error,
        ]
        for result in results
        if not result.agrees()
    ]
    return (
        table(["model", *(f"{name}, ours / theirs" for name in COLUMNS), "why"], rows)
        if rows
        else "None."
    )


def page(results: list[Result], seconds: float) -> str:
    """docs/timm.md."""
    import importlib.metadata

    from page import machine

    versions = {name: importlib.metadata.version(name) for name in ("torch", "timm")}
    return f"""# Beside timm's table

{len(results):,} image models at the input sizes of timm's published benchmark (every second row of it;
[source](../benchmarks/data/README.md)), on the meta device: flops in the `fvcore` convention, activations and parameters.
Attention is not fused, branches are merged for inference, in eval mode with a batch of one, as in the published run. A row agrees
within 0.0101, as the figures are rounded to 0.01, or 0.2 %. `python benchmarks/timm_table.py --write` writes this page.

{machine(versions)} It took {seconds / 60:.0f} minutes.

{summary(results)}

## Rows that differ

{differing(results)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Beside timm's published table.")
    parser.add_argument("names", nargs="*", help="starts of model names; all by default")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    rows = [
        row
        for row in published()
        if not options.names or row.model.startswith(tuple(options.names))
    ]
    if not rows:
        parser.error(f"no row of the table starts with {' or '.join(options.names)}")
    start = time.monotonic()
    results = []
    for result in run(rows, options.workers):
        results.append(result)
        if not result.agrees():
            print(json.dumps(result, ensure_ascii=False), file=sys.stderr)
    text = page(results, time.monotonic() - start)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    unexplained = [
        result.row.model for result in results if not result.agrees() and not result.reason()
    ]
    if unexplained:
        print(f"no reason is known for {', '.join(unexplained)}", file=sys.stderr)
    return int(
        bool(unexplained) or sum(result.agrees() for result in results) < SHARE * len(results)
    )


if __name__ == "__main__":
    sys.exit(main())
