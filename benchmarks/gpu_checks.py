"""What only a GPU can show, and what the tests try with stand-ins: kernels of CUDA and ROCm,
events in a stream, the memory of an accelerator, backward in autograd's own threads.

    python benchmarks/gpu_checks.py            exit 0: all hold; 1: one does not; 2: there is no GPU
    python benchmarks/gpu_checks.py --device cpu    tries the checks themselves without a GPU
    python benchmarks/gpu_checks.py bits least      those whose name begins so, and no other

Each check prints what it compared. Nothing else should use the GPU meanwhile. Checks of whole
models need torchvision and transformers, the one of torch's own database of operators expecttest.
docs/limitations.md says what stays unproven.
"""

from __future__ import annotations

import argparse
import sys
import traceback

import torch
from gpu import clocks, counts, places, sweeps  # noqa: F401  (each adds its checks to the list)
from gpu.check import CHECKS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="where to run: cuda (ROCm too), or cpu")
    parser.add_argument("checks", nargs="*", help="run those whose name begins so; by default all")
    given = parser.parse_args()
    place = torch.device(given.device)
    if place.type == "cuda" and not torch.cuda.is_available():
        print(
            "these checks need a GPU that torch sees, and there is none; "
            "`--device cpu` tries the checks themselves",
            file=sys.stderr,
        )
        return 2
    chosen = [one for one in CHECKS if one.short.startswith(tuple(given.checks or [""]))]
    if not chosen:
        parser.error(f"no check's name begins so; there are {', '.join(c.short for c in CHECKS)}")
    failed = 0
    for one in chosen:
        if place.type == "cpu" and not one.on_host:
            print(f"left out: {one.title}")
            continue
        print(f"{one.title} ({one.short})")
        try:
            for text, holds in one.run(place):
                failed += not holds
                print(f"  {'holds' if holds else 'FAILS'}: {text}")
        except Exception:  # one check that raises must not hide what the others find
            failed += 1
            print(f"  FAILS: {traceback.format_exc()}")
    where = torch.cuda.get_device_name() if place.type == "cuda" else "the CPU"
    print(f"torch {torch.__version__} on {where}: {failed or 'none'} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
