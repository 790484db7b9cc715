"""Products with a sparse matrix of (6, 8), by how often each stored element is multiplied."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dispatchcount as dc
from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total, whole

R = torch.randn
DENSE = torch.zeros(6, 8)
DENSE[0, 1] = DENSE[2, 3] = DENSE[2, 7] = DENSE[5, 0] = 1.0
LAYOUTS = {
    "coo": DENSE.to_sparse(),
    "csr": DENSE.to_sparse_csr(),
    "csc": DENSE.to_sparse_csc(),
    "bsr": DENSE.to_sparse_bsr((2, 2)),
}
STORED = {"coo": 4, "csr": 4, "csc": 4, "bsr": 4 * 4}  # four blocks of 2 x 2


def walk(dense: torch.Tensor, columns: int) -> int:
    return sum(columns for row in dense.tolist() for value in row if value)


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_stored_elements_times_columns(layout: str) -> None:
    a, b = LAYOUTS[layout], R(8, 5)
    expected = Cost(macs=walk(DENSE, 5), activations=30)
    assert expected.macs == 20
    assert total(torch.mm, a, b) == whole(torch.matmul, a, b) == expected
    assert total(torch.addmm, R(6, 5), a, b) == expected + Cost(arithmetic=30)
    assert total(torch.mv, a, R(8)) == Cost(macs=4, activations=6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str) -> None:
    a = S(6, 8, layout=f"sparse_{layout}", nnz=STORED[layout])
    assert ask("aten::mm", a, S(8, 5), out=S(6, 5)).macs == STORED[layout] * 5
    assert ask("aten::mm", S(3, 6), a, out=S(3, 8)).macs == 3 * STORED[layout]
    assert ask("aten::linear", S(2, 3, 8), a, out=S(2, 3, 6)).macs == 6 * STORED[layout]
    assert total(lambda: LAYOUTS[layout] @ R(8, 5)).macs == STORED[layout] * 5


def test_batches() -> None:
    a = torch.stack([DENSE, DENSE]).to_sparse()
    assert total(torch.bmm, a, R(2, 8, 5)).macs == 2 * 20


def test_sparse_times_sparse_is_a_marked_estimate() -> None:
    a, b = LAYOUTS["coo"], R(8, 5).to_sparse()
    for cost in (total(torch.sparse.mm, a, b), whole(torch.sparse.mm, a, b)):
        assert cost.estimate
        assert cost.macs == 4 * 40 // 8


def test_sampled() -> None:
    a = LAYOUTS["csr"]
    cost = ask(
        "aten::sparse_sampled_addmm",
        S(6, 8, layout="sparse_csr", nnz=4),
        S(6, 3),
        S(3, 8),
        out=S(6, 8, layout="sparse_csr", nnz=4),
    )
    assert cost == Cost(macs=4 * 3, arithmetic=4, activations=4)
    if torch.backends.mkl.is_available():
        assert total(torch.sparse.sampled_addmm, a, R(6, 3), R(3, 8)) == cost


@pytest.mark.parametrize(("reduce", "divisions"), [("sum", 0), ("mean", 30), ("amax", 0)])
def test_reduced(reduce: str, divisions: int) -> None:
    expected = Cost(macs=20, arithmetic=divisions, activations=30)
    a = LAYOUTS["csr"]
    leaf = ask(
        "aten::_sparse_mm_reduce_impl",
        S(6, 8, layout="sparse_csr", nnz=4),
        S(8, 5),
        reduce,
        out=(S(6, 5), S(0)),
    )
    assert leaf == expected
    assert total(torch.sparse.mm, a, R(8, 5), reduce).macs == 20
    back = ask(
        "aten::_sparse_mm_reduce_impl_backward",
        S(6, 8, layout="sparse_csr", nnz=4),
        S(6, 5),
        S(8, 5),
        reduce,
        S(0),
        (True, True),
    )
    assert back == Cost(macs=2 * 20)


def test_backward_of_a_sparse_product() -> None:
    a, b = LAYOUTS["coo"], R(8, 5, requires_grad=True)
    y = torch.sparse.mm(a, b).sum()
    assert total(y.backward).macs == 20


def test_two_of_four() -> None:
    """Half of the elements are stored, and multiplied."""
    half, meta, b, out = (
        S(64, 32, dtype="float16"),
        S(64, 4, dtype="int16"),
        S(64, 16, dtype="float16"),
        S(64, 16, dtype="float16"),
    )
    expected = Cost(macs=64 * 64 * 16 // 2, activations=64 * 16)
    added = expected + Cost(arithmetic=64 * 16)
    assert ask("aten::_sparse_semi_structured_mm", half, meta, b, out=out) == expected
    assert ask("aten::_sparse_semi_structured_addmm", S(64), half, meta, b, out=out) == added
    x = S(16, 64, dtype="float16")
    assert (
        ask("aten::_sparse_semi_structured_linear", x, half, meta, bias=S(64), out=S(16, 64))
        == added
    )
    relu = ask(
        "aten::_sparse_semi_structured_linear", x, half, meta, activation="relu", out=S(16, 64)
    )
    assert relu == added
    assert ask("aten::_cslt_sparse_mm", S(64 * 36), b, out=out) == expected
    assert (
        ask("aten::_cslt_sparse_mm", S(64 * 36), b, S(64), None, None, True, out=S(16, 64)) == added
    )


def test_quantized_sparse_linear_is_an_upper_estimate() -> None:
    assert ask("sparse::qlinear_dynamic", S(3, 8), None, out=S(3, 4)) == Cost(
        macs=96, activations=12, estimate=True
    )


def test_semi_structured_kernel_agrees_with_torch_on_meta() -> None:
    weight: Any = torch.empty(64, 32, dtype=torch.float16, device="meta")
    x = torch.empty(64, 16, dtype=torch.float16, device="meta")
    meta = torch.empty(64, 4, dtype=torch.int16, device="meta")
    name = "aten::_sparse_semi_structured_mm"
    assert (
        only(torch.ops.aten._sparse_semi_structured_mm, weight, meta, x, name=name).macs
        == 64 * 32 * 16
    )


PRODUCTS: dict[str, tuple[Any, int]] = {
    "mm": (lambda a: torch.mm(a, R(8, 5)), 5),
    "sparse.mm": (lambda a: torch.sparse.mm(a, R(8, 5)), 5),
    "matmul": (lambda a: a @ R(8, 5), 5),
    "mv": (lambda a: torch.mv(a, R(8)), 1),
    "vector": (lambda a: a @ R(8), 1),
    "addmm": (lambda a: torch.addmm(R(6, 5), a, R(8, 5)), 5),
    "sparse.addmm": (lambda a: torch.sparse.addmm(R(6, 5), a, R(8, 5)), 5),
    "dense first": (lambda a: R(4, 6) @ a, 4),
    "linear": (lambda a: torch.nn.functional.linear(R(2, 3, 8), a), 6),
    "transposed": (lambda a: a.t() @ R(6, 5), 5),
    "sampled": (lambda a: torch.sparse.sampled_addmm(a, R(6, 7), R(7, 8)), 7),
    "reduce": (lambda a: torch.sparse.mm(a, R(8, 5), "sum"), 5),
}
"""Products with a sparse matrix of (6, 8), and how often each multiplies a stored element."""


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
def test_every_product_in_every_regime(layout: str, name: str) -> None:
    """Each stored element is multiplied as often as the other matrix has columns.

    A blocked layout stores all elements of its four blocks of 2 x 2.
    """
    a = LAYOUTS[layout] if layout in LAYOUTS else DENSE.to_sparse_bsc((2, 2))
    call, times = PRODUCTS[name]
    ran = 0
    for regime in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with regime(), dc.profile() as prof:
            try:
                call(a)
            except (
                RuntimeError,
                NotImplementedError,
            ):  # torch has not every product of every layout
                continue
        ran += 1
        assert not prof.report.unknown_ops
        assert not prof.report.estimate
        assert prof.report.macs == {"bsc": 16, **STORED}[layout] * times
    if layout in ("coo", "csr") and (layout, name) not in {("coo", "sampled"), ("coo", "reduce")}:
        assert ran >= 2  # no view of a sparse tensor can be made under inference mode


@pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
def test_backward_of_every_layout(layout: str) -> None:
    """The dense operand's gradient is a product with the transposed matrix.

    The gradient of the matrix is formed dense, then masked.
    """
    a, b = LAYOUTS[layout].detach().requires_grad_(), R(8, 5, requires_grad=True)
    y = torch.mm(a, b)
    with dc.profile() as prof:
        y.backward(torch.ones(6, 5))
    assert prof.report.macs == 4 * 5 + 6 * 5 * 8
    assert not prof.report.unknown_ops


def test_backward_that_samples() -> None:
    """`sparse.mm` of CSR forms the matrix's gradient at the stored elements alone."""
    a, b = LAYOUTS["csr"].detach().requires_grad_(), R(8, 5, requires_grad=True)
    y = torch.sparse.mm(a, b)
    with dc.profile() as prof:
        y.backward(torch.ones(6, 5))
    assert prof.report.macs == 2 * 4 * 5


def test_coalescing_sorts_the_indices_and_adds() -> None:
    """8 stored elements: 3 comparisons and an addition each."""
    index = torch.tensor([[0, 1, 1, 2, 2, 2, 3, 3]])
    x = torch.sparse_coo_tensor(index, torch.rand(8), (4,))
    assert only(x.coalesce, name="aten::_coalesce") == Cost(arithmetic=8 * (3 + 1), estimate=True)
