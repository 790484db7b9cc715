"""Plans a step of Llama 7B's shape on 10,000 ranks, and holds it to 60 seconds and 2 GB.

    python benchmarks/plan.py

32 layers, 1250 × 8 ranks: FSDP2 over tensor parallelism with sequences. Integers are compared with
those worked out by hand, so that a fast answer is a right one.
"""

from __future__ import annotations

import resource
import sys
import time

import dispatchcount as dc
from tests.distributed.spread import both, llama, step, step_macs

MOST_SECONDS, MOST_BYTES = 60, 2 * 10**9


def main() -> int:
    began = time.perf_counter()
    planned = dc.distributed.plan(llama(32), both, step(1, 4096), {"dp": 1250, "tp": 8})
    seconds = time.perf_counter() - began
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sent = {(row.op, row.group.dimension): row.payload_bytes for row in planned.by_collective()}
    assert planned.macs == step_macs(1, 4096, 4096, 11008, 32, 32000) // 8
    assert sent["c10d._allgather_base_", "dp"] == 5_879_050_000
    assert sent["c10d._reduce_scatter_base_", "dp"] == 2_980_490_000
    assert sent["_c10d_functional.all_reduce", "tp"] == 532_480
    assert sent["_c10d_functional.all_gather_into_tensor", "tp"] == 4_624_220_160
    assert sent["_c10d_functional.reduce_scatter_tensor", "tp"] == 4_362_076_160
    print(planned)
    print(
        f"\n{seconds:.1f} s (at most {MOST_SECONDS}), {resident / 1e9:.2f} GB resident (at most 2)"
    )
    return int(seconds > MOST_SECONDS or resident > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
