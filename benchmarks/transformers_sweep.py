"""Every architecture of transformers at its default size, on the meta device with plain inputs: no
operator may be unknown.

    python benchmarks/transformers_sweep.py                   prints the table
    python benchmarks/transformers_sweep.py bert mixtral      only these
    python benchmarks/transformers_sweep.py --write           writes docs/transformers.md as well

Exits with 1 if an operator was unknown or failed. Architectures that do not build from their
default configuration, or do not run on the meta device whoever counts, are listed with what they
said.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "transformers.md"
LIMIT = 120
"""Seconds for one architecture."""

MEMORY = 12 << 30
"""Bytes of address space that a process may take beyond what it has when torch is loaded."""

Row = dict[str, Any]


def shortened(error: BaseException) -> str:
    """An exception in a line."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    text = re.sub(r"(/[\w.-]+){3,}/", "", text)
    return f"{type(error).__name__}: {text[:150]}{'…' if len(text) > 150 else ''}"


def build(kind: str) -> Any:
    """The architecture's model from its default configuration, without memory for its weights."""
    import torch
    from transformers import AutoConfig, AutoModel
    from transformers.initialization import no_init_weights

    config = AutoConfig.for_model(kind)
    with torch.device("meta"), no_init_weights():
        model = AutoModel.from_config(config)
    return model.eval()


def routes(model: Any) -> Iterator[tuple[str, Any]]:
    """Ways to run a model, with the dtype of its images and sounds: as it is, and then so that it
    asks no tensor for values.

    Attention that is not fused does not look whether a mask is all ones, without a padding token
    nobody warns of a missing mask, and the grouped product of experts takes bfloat16. The products
    are the same.
    """
    import torch

    yield "", torch.float32
    with contextlib.suppress(Exception):
        model.set_attn_implementation("eager")
        yield "attention not fused", torch.float32
    with contextlib.suppress(Exception):  # some configurations must have one
        model.config.pad_token_id = None
    yield "no padding token, attention not fused", torch.float32
    model.to(torch.bfloat16)
    yield "bfloat16, no padding token, attention not fused", torch.bfloat16


def measure(kind: str) -> Row:
    """One architecture's row: its figures, or why there are none."""
    import torch
    from transformers_inputs import attempts

    import dispatchcount

    try:
        model = build(kind)
    except Exception as error:
        return {"kind": kind, "stage": "build", "error": shortened(error)}
    said: list[BaseException] = []
    for route, dtype in routes(model):
        said.clear()
        for given in attempts(model):
            inputs = {
                name: value.to(dtype) if floats(value) else value for name, value in given.items()
            }
            try:
                with torch.no_grad(), dispatchcount.profile(model) as prof:
                    model(**inputs)
            except Exception as error:
                said.append(error)
                continue
            report = prof.report
            report.self_check()
            return {
                "kind": kind,
                "model": type(model).__name__,
                "inputs": {
                    name: list(value.shape)
                    for name, value in inputs.items()
                    if hasattr(value, "shape")
                },
                "route": route,
                "macs": report.macs,
                "params": report.params,
                "unknown": {
                    name: f"{issue.calls} calls, {issue.message}"
                    for name, issue in report.unknown_ops.items()
                },
                "failed": {name: issue.message for name, issue in report.failed_ops.items()},
            }
    return {"kind": kind, "stage": "run", "error": shortened(said[0])}


def floats(value: Any) -> bool:
    """Whether it is a tensor of floating point numbers."""
    return hasattr(value, "is_floating_point") and value.is_floating_point()


def work(kinds: list[str]) -> None:
    """Measure these, one line of JSON each."""
    import resource

    import torch
    import transformers

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)
    with open("/proc/self/statm") as file, contextlib.suppress(OSError):
        taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # models print
    for kind in kinds:
        print(json.dumps(measure(kind)), file=out, flush=True)


def supervised(kinds: list[str]) -> list[Row]:
    """Rows of these, from a process that is replaced when one takes too long or ends it."""
    rows: list[Row] = []
    while len(rows) < len(kinds):
        left = kinds[len(rows) :]
        with subprocess.Popen(
            [sys.executable, __file__, "--worker", *left],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            why = follow(process, rows, len(kinds))
            process.kill()
        if len(rows) < len(kinds):
            rows.append({"kind": kinds[len(rows)], "stage": "run", "error": why})
    return rows


def follow(process: subprocess.Popen[str], rows: list[Row], number: int) -> str:
    """Add the process's rows as they come; what ended it, if it left some."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(rows) < number:
            if not selector.select(LIMIT):
                return f"took longer than {LIMIT} s"
            line = process.stdout.readline()
            if not line:
                return f"ended the process ({process.wait()})"
            rows.append(json.loads(line))
            print(rows[-1]["kind"], rows[-1].get("error", "ran"), file=sys.stderr)
    return ""


def sweep(kinds: list[str], workers: int) -> list[Row]:
    """All rows."""
    size = 40
    groups = [kinds[start : start + size] for start in range(0, len(kinds), size)]
    with ThreadPoolExecutor(workers) as pool:
        return [row for rows in pool.map(supervised, groups) for row in rows]


def page(rows: list[Row]) -> str:
    """docs/transformers.md."""
    import importlib.metadata

    from page import machine, table

    ran = [row for row in rows if "macs" in row]
    built = [row for row in rows if row.get("stage") == "run"]
    broken = [row for row in rows if row.get("stage") == "build"]
    uncounted = [row for row in ran if row["unknown"] or row["failed"]]
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers")}
    figures = [
        [f"{row['kind']} (`{row['model']}`)", given(row), f"{row['macs']:,}", f"{row['params']:,}"]
        for row in ran
    ]
    issues = [[str(row["kind"]), issue(row)] for row in uncounted]
    return "\n".join(
        [
            "# The architectures of transformers",
            "",
            "Every architecture of transformers' `MODEL_MAPPING`, built from its default "
            "configuration and run once at full size",
            "on the meta device, with the plainest inputs that it takes (64 tokens, one image, a "
            "second of sound).",
            "`python benchmarks/transformers_sweep.py --write` writes this page.",
            "",
            machine(versions),
            "",
            f"Of {len(rows)} architectures, {len(ran)} run; an operator is unknown or failed in "
            f"{len(uncounted)} of these.",
            f"{len(built)} build, but do not run on the meta device with plain inputs; "
            f"{len(broken)} do not build from their",
            "default configuration. Both are listed below with what they say.",
            "",
            *(
                ["## Not fully counted", "", table(["architecture", "operators"], issues), ""]
                if issues
                else []
            ),
            "## Those that run",
            "",
            table(["architecture", "inputs", "MACs", "parameters"], figures),
            "",
            "## Those that do not run",
            "",
            table(
                ["architecture", "says"],
                [[str(row["kind"]), escaped(row["error"])] for row in built],
            ),
            "",
            "## Those that do not build",
            "",
            table(
                ["architecture", "says"],
                [[str(row["kind"]), escaped(row["error"])] for row in broken],
            ),
            "",
        ]
    )


def given(row: Row) -> str:
    shapes = ", ".join(
        f"{name} {'×'.join(map(str, shape))}" for name, shape in row["inputs"].items()
    )
    return f"{shapes}; {row['route']}" if row["route"] else shapes


def issue(row: Row) -> str:
    return escaped(
        "; ".join(
            f"`{name}` ({reason})" for name, reason in (row["unknown"] | row["failed"]).items()
        )
    )


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="model types; all by default")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    parser.add_argument(
        "--json", type=Path, help="keep the rows in this file, and do not run again what ran in it"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.kinds)
        return 0
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    kinds = options.kinds or list(MODEL_MAPPING_NAMES)
    kept = (
        json.loads(options.json.read_text(encoding="utf-8"))
        if options.json and options.json.exists()
        else []
    )
    kept = [row for row in kept if "macs" in row and row["kind"] in kinds]
    rows = sweep(
        [kind for kind in kinds if kind not in {row["kind"] for row in kept}], options.workers
    )
    rows = sorted(kept + rows, key=lambda row: str(row["kind"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    text = page(rows)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(Counter("ran" if "macs" in row else row["stage"] for row in rows), file=sys.stderr)
    return int(any(row.get("unknown") or row.get("failed") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
