"""The `full` convention beside XLA's cost analysis: the same calls written in torch and in JAX, and
why the counts differ.

    python benchmarks/xla.py            prints the table
    python benchmarks/xla.py --write    writes docs/xla.md as well

Every difference has to be explained to the last operation, at three sizes of every call, and both
forms of a call have to give the same numbers; otherwise the script says so and exits with 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from operator import matmul
from pathlib import Path
from typing import Any, NamedTuple

import torch
from page import machine, table
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

import dispatchcount

try:
    import jax  # type: ignore[import-not-found, unused-ignore]
    import numpy as np
    from jax import lax, nn
    from jax import numpy as jnp
except ImportError as error:
    raise SystemExit(
        f"This script compares with JAX, which cannot be imported ({error}). Install it: pip "
        "install jax jaxlib"
    ) from None

PAGE = Path(__file__).resolve().parents[1] / "docs" / "xla.md"

REASONS = {
    "padding": "XLA leaves out the taps that fall on the padding; we count every tap of the kernel at every output position.",
    "cropping": "XLA leaves out the products that a transposed convolution's padding crops; we count every tap at every input.",
    "no sum": "With K = 1 there is nothing to add up, and XLA compiles the product to one multiplication per element; we count a "
    "MAC, two flops, whatever K is.",
    "joins": "XLA counts the n − 1 operations that join n elements, also in the product of two vectors, which it compiles to K "
    "multiplications and a sum; we count n, for each element is folded into an accumulator.",
    "windows": "XLA's CPU compiler splits a sum or maximum over a dimension longer than 32, in arrays of up to 4,096 elements, "
    "into windows of 32 padded with neutral elements, and counts the operations on those as well.",
    "sign": "XLA counts the negation in 1 / (1 + exp(−x)); we count the sign as part of the exponential.",
    "erfc": "JAX writes GELU with erfc, which XLA expands to 60 operations and an exponential per element; we count one erf.",
    "index": "JAX's argmax carries value and index along, with rules for NaN and for ties, and XLA counts nine compares, logical "
    "operations and selects for each of the n − 1 joins of a row; we count one compare per "
    "element.",
    "reciprocal": "XLA's softmax divides once per row and multiplies every element by the quotient; we count one division per "
    "element, so that its division per row comes on top.",
    "twice": "XLA fuses the mean's scaling by 1 / n, and its subtraction, into both kernels that need them, and counts all four; "
    "we count both subtractions too, but one scaling.",
    "key scale": "We scale query and key each, by the root of the factor, as torch's unfused attention does; the JAX block "
    "scales the query alone.",
    "one step": "XLA counts the body of a loop once, however often it runs, and the increment and test of its counter; we count "
    "every step that ran, and no Python.",
}
"""Why XLA counts more or less: a name for the table, and what it means."""


class Sizes(NamedTuple):
    """What every call is measured at: one of these for the table, the others to see that the
    explanations hold.
    """

    batch: int
    m: int
    k: int
    n: int
    rows: int
    width: int
    channels: int
    out: int
    side: int
    tokens: int
    heads: int
    head: int
    steps: int


SIZES = (
    Sizes(4, 64, 24, 48, 32, 24, 8, 16, 14, 16, 4, 8, 5),
    Sizes(3, 17, 31, 20, 7, 50, 12, 4, 9, 11, 2, 5, 2),
    Sizes(1, 33, 100, 9, 50, 100, 4, 8, 16, 40, 3, 4, 12),
)


@dataclass(frozen=True)
class Case:
    """A call.

    Attributes:
        name: for tables.
        shapes: of its operands.
        ours, theirs: the call on torch tensors and on JAX arrays.
        more: operations that XLA counts more, negative for fewer, by the name of the reason.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    ours: Callable[..., torch.Tensor]
    theirs: Callable[..., Any]
    more: dict[str, int] = field(default_factory=dict)


class Row(NamedTuple):
    """Both counts of a case. XLA's flops leave out its transcendentals."""

    case: Case
    report: dispatchcount.Report
    flops: int
    transcendentals: int

    @property
    def unexplained(self) -> tuple[int, int]:
        """Flops and transcendentals that XLA counts more, beyond the reasons."""
        ours = self.report.flops - self.report.transcendentals
        return self.flops - ours - sum(
            self.case.more.values()
        ), self.transcendentals - self.report.transcendentals

    def cells(self) -> list[str]:
        """For a table."""
        report = self.report
        counts = (
            report.macs,
            report.arithmetic,
            report.transcendentals,
            report.flops,
            self.flops,
            self.transcendentals,
        )
        ratio = report.flops / (self.flops + self.transcendentals)
        reasons = ", ".join(f"{name} {count:+,}" for name, count in self.case.more.items() if count)
        shapes = ", ".join("×".join(map(str, shape)) for shape in self.case.shapes)
        return [
            self.case.name,
            shapes,
            *(f"{count:,}" for count in counts),
            f"{ratio:.4f}",
            reasons.replace("-", "−"),
        ]


HEADER = [
    "call", "operands", "MACs", "arithmetic", "transc.", "full", "XLA flops", "XLA transc.", "full ÷ XLA", "XLA counts more",
]  # fmt: skip


def measure(case: Case) -> Row:
    """Count a case both ways.

    Raises:
        AssertionError: torch and JAX do not compute the same.
    """
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in case.shapes]
    tensors = [torch.from_numpy(array) for array in arrays]
    with torch.no_grad(), dispatchcount.profile(convention="full", strict=True) as prof:
        result = case.ours(*tensors)
    compiled = jax.jit(case.theirs).lower(*arrays).compile()
    np.testing.assert_allclose(
        result.numpy(), compiled(*arrays), rtol=1e-3, atol=1e-3, err_msg=case.name
    )
    counts = compiled.cost_analysis()
    return Row(
        case, prof.report, int(counts.get("flops", 0)), int(counts.get("transcendentals", 0))
    )


def joins(*dims: int) -> int:
    """Operations of a reduction over `dims` in padded windows of at most 32 each way, then over the
    windows, and so on.
    """
    if max(dims) <= 32:
        return prod(dims) - 1
    windows = [-(-d // 32) for d in dims]
    return prod(windows) * (prod(min(d, 32) for d in dims) - 1) + joins(*windows)


def folds(rows: int, *dims: int, times: int = 1) -> dict[str, int]:
    """What XLA counts more for so many reductions of `rows` over `dims`.

    Above 4,096 elements it has one that does not split.
    """
    split = joins(*dims) - (prod(dims) - 1) if rows * prod(dims) <= 4096 else 0
    return {"joins": -times * rows, "windows": times * rows * split}


def products(s: Sizes) -> list[Case]:
    a, b = (s.m, s.k), (s.k, s.n)
    return [
        Case("matmul, square", ((s.m, s.m), (s.m, s.m)), matmul, matmul),
        Case("matmul", (a, b), matmul, matmul),
        Case("matmul, batched", ((s.batch, *a), (s.batch, *b)), matmul, matmul),
        Case("matmul, bias", (a, (s.n, s.k), (s.n,)), F.linear, lambda x, w, c: x @ w.T + c),
        Case("matmul, K = 1", ((s.m, 1), (1, s.n)), matmul, matmul, {"no sum": -s.m * s.n}),
        Case("matmul, two vectors", ((s.k,), (s.k,)), matmul, matmul, folds(1, s.k)),
    ]


def convolutions(s: Sizes) -> list[Case]:
    def conv(
        name: str,
        kernel: int = 3,
        stride: int = 1,
        pad: int = 0,
        dilation: int = 1,
        groups: int = 1,
    ) -> Case:
        def theirs(x: Any, w: Any, c: Any) -> Any:
            numbers, pads = ("NCHW", "OIHW", "NCHW"), [(pad, pad)] * 2
            y = lax.conv_general_dilated(
                x, w, (stride, stride), pads, None, (dilation, dilation), numbers, groups
            )
            return y + c[:, None, None]

        out = s.channels if groups == s.channels else s.out
        length = (s.side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        taps = [o * stride - pad + t * dilation for o in range(length) for t in range(kernel)]
        missed = len(taps) ** 2 - sum(0 <= tap < s.side for tap in taps) ** 2
        channels = s.channels // groups
        return Case(
            f"conv2d {kernel}×{kernel}{name}",
            ((s.batch, s.channels, s.side, s.side), (out, channels, kernel, kernel), (out,)),
            lambda x, w, c: F.conv2d(x, w, c, stride, pad, dilation, groups),
            theirs,
            {"padding": -2 * s.batch * out * channels * missed},
        )

    def transposed(stride: int, pad: int) -> Case:
        def theirs(x: Any, w: Any) -> Any:
            pads = [(2 - pad, 2 - pad)] * 2
            numbers = ("NCHW", "IOHW", "NCHW")
            return lax.conv_general_dilated(
                x, w[:, :, ::-1, ::-1], (1, 1), pads, (stride, stride), None, numbers
            )

        length = (s.side - 1) * stride - 2 * pad + 3
        kept = sum(0 <= i * stride - pad + t < length for i in range(s.side) for t in range(3))
        return Case(
            f"conv_transpose2d 3×3, stride {stride}, padding {pad}",
            ((s.batch, s.channels, s.side, s.side), (s.channels, s.out, 3, 3)),
            lambda x, w: F.conv_transpose2d(x, w, stride=stride, padding=pad),
            theirs,
            {"cropping": -2 * s.batch * s.channels * s.out * ((3 * s.side) ** 2 - kept**2)},
        )

    return [
        conv("", 1),
        conv(""),
        conv(", stride 2", stride=2),
        conv(", padding 1", pad=1),
        conv(", stride 2, padding 1", stride=2, pad=1),
        conv(", stride 4, padding 3", 7, stride=4, pad=3),
        conv(", padding 2, dilation 2", pad=2, dilation=2),
        conv(", 4 groups", groups=4),
        conv(", 4 groups, padding 1", pad=1, groups=4),
        conv(", depthwise, padding 1", pad=1, groups=s.channels),
        transposed(2, 0),
        transposed(2, 1),
    ]


def pointwise(s: Sizes) -> list[Case]:
    x, n = (s.rows, s.width), s.rows * s.width
    return [
        Case("add", (x, x), torch.add, jnp.add),
        Case("mul", (x, x), torch.mul, jnp.multiply),
        Case("div", (x, x), torch.div, jnp.divide),
        Case(
            "compare, select",
            (x, x),
            lambda a, b: torch.where(a > b, a, b),
            lambda a, b: jnp.where(a > b, a, b),
        ),
        Case("relu", (x,), F.relu, nn.relu),
        Case("x ** 3", (x,), lambda a: a**3, lambda a: a**3),
        Case("exp", (x,), torch.exp, jnp.exp),
        Case("tanh", (x,), torch.tanh, jnp.tanh),
        Case("erf", (x,), torch.erf, lax.erf),
        Case(
            "rsqrt of x² + 1",
            (x,),
            lambda a: torch.rsqrt(a * a + 1),
            lambda a: lax.rsqrt(a * a + 1),
        ),
        Case("sigmoid", (x,), torch.sigmoid, nn.sigmoid, {"sign": n}),
        Case("silu", (x,), F.silu, nn.silu, {"sign": n}),
        Case("gelu", (x,), F.gelu, lambda a: nn.gelu(a, approximate=False), {"erfc": 60 * n}),
        Case("gelu, with erf in JAX", (x,), F.gelu, lambda a: a / 2 * (1 + lax.erf(a / 2**0.5))),
        Case("gelu, tanh form", (x,), lambda a: F.gelu(a, approximate="tanh"), nn.gelu),
    ]


def reductions(s: Sizes) -> list[Case]:
    x, rows, long = (s.rows, s.width), s.rows, (s.rows, s.width + 76)
    return [
        Case("sum", (x,), torch.sum, jnp.sum, folds(1, *x)),
        Case("sum of rows", (x,), lambda a: a.sum(-1), lambda a: a.sum(-1), folds(rows, s.width)),
        Case(
            "sum of longer rows",
            (long,),
            lambda a: a.sum(-1),
            lambda a: a.sum(-1),
            folds(rows, long[1]),
        ),
        Case(
            "mean of rows", (x,), lambda a: a.mean(-1), lambda a: a.mean(-1), folds(rows, s.width)
        ),
        Case("max of rows", (x,), lambda a: a.amax(-1), lambda a: a.max(-1), folds(rows, s.width)),
        Case(
            "var of rows",
            (x,),
            lambda a: a.var(-1),
            lambda a: a.var(-1, ddof=1),
            folds(rows, s.width, times=2),
        ),
        Case(
            "argmax of rows",
            (x,),
            lambda a: a.argmax(-1),
            lambda a: a.argmax(-1),
            {"index": rows * (9 * (s.width - 1) - s.width)},
        ),
    ]


def blocks(s: Sizes) -> list[Case]:
    x, width = (s.rows, s.width), s.heads * s.head
    queries = s.batch * s.heads * s.tokens

    def layer_norm(a: Any, g: Any, b: Any) -> Any:
        centred = a - a.mean(-1, keepdims=True)
        return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * g + b

    def attention(a: Any, w: Any, o: Any) -> Any:
        q, k, v = jnp.moveaxis((a @ w).reshape(s.batch, s.tokens, 3, s.heads, s.head), 2, 0)
        scores = nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q * s.head**-0.5, k), -1)
        return jnp.einsum("bhqk,bkhd->bqhd", scores, v).reshape(a.shape) @ o

    def attention_in_torch(a: torch.Tensor, w: torch.Tensor, o: torch.Tensor) -> torch.Tensor:
        q, k, v = (a @ w).unflatten(-1, (3, s.heads, s.head)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2) @ o

    def loop(a: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        for _ in range(s.steps):
            a = F.relu(a @ w)
        return a

    return [
        Case(
            "softmax of rows",
            (x,),
            lambda a: F.softmax(a, -1),
            nn.softmax,
            folds(s.rows, s.width, times=2) | {"reciprocal": s.rows},
        ),
        Case(
            "layer norm",
            (x, (s.width,), (s.width,)),
            lambda a, g, b: F.layer_norm(a, g.shape, g, b),
            layer_norm,
            folds(s.rows, s.width, times=2) | {"twice": s.rows},
        ),
        Case(
            "MLP with tanh-GELU",
            ((s.m, s.k), (s.n, s.k), (s.n,), (s.k, s.n), (s.k,)),
            lambda a, w, b, v, c: F.linear(F.gelu(F.linear(a, w, b), approximate="tanh"), v, c),
            lambda a, w, b, v, c: nn.gelu(a @ w.T + b) @ v.T + c,
        ),
        Case(
            "attention block",
            ((s.batch, s.tokens, width), (width, 3 * width), (width, width)),
            attention_in_torch,
            attention,
            folds(queries, s.tokens, times=2)
            | {"reciprocal": queries, "key scale": -queries * s.head},
        ),
        Case(
            f"loop of {s.steps}: matmul, relu",
            (x, (s.width, s.width)),
            loop,
            lambda a, w: lax.fori_loop(0, s.steps, lambda _, h: nn.relu(h @ w), a),
            {"one step": 2 - (s.steps - 1) * (2 * s.rows * s.width**2 + s.rows * s.width)},
        ),
    ]


TEXT = """# Beside XLA's cost analysis

The `full` convention (2 · MACs + arithmetic + transcendentals) and `jax.jit(f).lower(…).compile().cost_analysis()` on the CPU,
for the same calls written in torch and in JAX. XLA's flops leave out its transcendentals, so the ratio is that of `full` to the
sum of its two numbers. `python benchmarks/xla.py --write` writes this page.

{machine}

{table}

## Why they differ

The last column says what XLA counts more, or with a minus less, and why:

{reasons}

The transcendentals agree in every row; a loop's would be counted once, like all else in it.

## How that was checked

Each difference is a formula in the sizes, and the script fails if it leaves one operation unexplained, at the sizes above or at
{others} others: rows shorter and longer than 32, arrays of less and more than 4,096 elements, images that the stride divides and
others, other numbers of channels, heads and steps. It fails as well if torch and JAX compute different results.

XLA analyses the program that it compiled, so another version or device may fuse and expand otherwise. It adds up in 32-bit
floats: beyond 2²⁴ its numbers are rounded. Every number here is below.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    rows = [
        [
            measure(c)
            for part in (products, convolutions, pointwise, reductions, blocks)
            for c in part(s)
        ]
        for s in SIZES
    ]
    shown = Table(*HEADER[:2])
    for name in HEADER[2:-1]:
        shown.add_column(name, justify="right")
    shown.add_column(HEADER[-1])
    for row in rows[0]:
        shown.add_row(*row.cells())
    used = [name for name in REASONS if any(row.case.more.get(name) for row in rows[0])]
    console = Console()
    console = Console(width=max(console.width, 160))
    console.print(shown)
    for name in used:
        console.print(f"[bold]{name}[/bold]  {REASONS[name]}")
    if odd := [row for size in rows for row in size if row.unexplained != (0, 0)]:
        lines = "\n".join(
            f"{' '.join(r.cells()[:2])}: {r.unexplained[0]:+,} flops, {r.unexplained[1]:+,} transc."
            for r in odd
        )
        raise SystemExit(
            f"XLA counts these more, and no reason here says why; docs/{PAGE.name} is left as it "
            f"was:\n{lines}"
        )
    if options.write:
        packages = {"torch": torch.__version__} | {
            name: importlib.metadata.version(name) for name in ("jax", "jaxlib")
        }
        text = TEXT.format(
            machine=machine({"dispatchcount": dispatchcount.__version__} | packages),
            table=table(HEADER, [row.cells() for row in rows[0]]),
            reasons="\n".join(f"* **{name}**: {REASONS[name]}" for name in used),
            others=len(SIZES) - 1,
        )
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
