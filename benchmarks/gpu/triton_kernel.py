"""A kernel that no dispatcher sees. Triton reads its source, so it stands in a file."""

import triton
import triton.language as tl


@triton.jit
def add(x, y, out, length, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < length
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)
