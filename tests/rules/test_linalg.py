"""Dense linear algebra: LAPACK's counts by hand, and the operators that the functions run as."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules import lapack
from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total, whole

R = torch.randn


def lu_loop(m: int, n: int) -> int:
    """Multiplications and divisions of Gaussian elimination.

    LAPACK forms a reciprocal first and scales a column by it.
    """
    macs = 0
    for k in range(min(m, n)):
        macs += 1 + (m - k - 1) + (m - k - 1) * (n - k - 1)
    return macs


def cholesky_loop(n: int) -> int:
    macs = 0
    for j in range(n):
        macs += j  # the diagonal element's squares
        macs += 1  # its root
        for _i in range(j + 1, n):
            macs += j + 1  # a row product, and a division
    return macs


@given(st.integers(1, 12), st.integers(1, 12))
def test_lu_is_elimination(m: int, n: int) -> None:
    assert (
        0 <= lapack.getrf(m, n) - lu_loop(max(m, n), min(m, n)) <= 1
    )  # of the tall form, but for rounding


@given(st.integers(1, 20), st.integers(1, 4))
def test_triangular_counts_are_loops(n: int, columns: int) -> None:
    assert lapack.potrf(n) == cholesky_loop(n)
    assert lapack.trsm(n, columns) == columns * sum(i + 1 for i in range(n))
    assert lapack.getrs(n, columns) == columns * sum(n for _ in range(n))
    assert lapack.potrs(n, columns) == 2 * lapack.trsm(n, columns)


@given(st.integers(1, 60))
def test_leading_terms(n: int) -> None:
    """Twice the MACs is no less than the familiar flops: 2/3, 1/3, 4/3, 2, 4/3 n³."""
    for macs, flops in [
        (lapack.getrf(n, n), 2 / 3),
        (lapack.potrf(n), 1 / 3),
        (lapack.getri(n), 4 / 3),
        (lapack.potri(n), 2 / 3),
        (lapack.geqrf(n, n), 4 / 3),
        (lapack.orgqr(n, n, n), 4 / 3),
    ]:
        assert flops * n**3 - 2 * n <= 2 * macs <= flops * n**3 + 5 * n * n + 12 * n


def spd(*sizes: int) -> torch.Tensor:
    x = R(*sizes)
    return x @ x.mT + 10 * torch.eye(sizes[-1])


A, B = spd(2, 4, 4), R(2, 4, 3)
LU, INVERSE, SOLVE = 2 * lapack.getrf(4, 4), 2 * lapack.getri(4), 2 * 16 * 3
TRIANGLE = 2 * lapack.trsm(4, 3)


@pytest.mark.parametrize(
    ("run", "macs"),
    [
        (lambda: torch.linalg.lu_factor(A), LU),
        (lambda: torch.linalg.lu(A), LU),
        (lambda: torch.linalg.det(A), LU),
        (lambda: torch.linalg.slogdet(A), LU),
        (lambda: torch.logdet(A), LU),
        (lambda: torch.linalg.inv(A), LU + INVERSE),
        (lambda: torch.inverse(A), LU + INVERSE),
        (lambda: torch.linalg.solve(A, B), LU + SOLVE),
        (lambda: torch.linalg.solve(A, B[..., 0]), LU + 2 * 16),
        (lambda: torch.linalg.solve(A, B.mT, left=False), LU + SOLVE),
        (lambda: torch.linalg.solve(A[0], B), LU // 2 + SOLVE),
        (lambda: torch.linalg.cholesky(A), 2 * lapack.potrf(4)),
        (lambda: torch.cholesky_inverse(A), 2 * lapack.potri(4)),
        (lambda: torch.cholesky_solve(B, A), 2 * TRIANGLE),
        (lambda: torch.linalg.solve_triangular(A, B, upper=True), TRIANGLE),
        (lambda: torch.triangular_solve(B, A), TRIANGLE),
        (lambda: torch.linalg.ldl_factor(A), 2 * lapack.potrf(4)),
        (lambda: torch.geqrf(B), 2 * lapack.geqrf(4, 3)),
        (lambda: torch.linalg.qr(B), 2 * (lapack.geqrf(4, 3) + lapack.orgqr(4, 3, 3))),
        (lambda: torch.linalg.qr(B, mode="r"), 2 * lapack.geqrf(4, 3)),
        (
            lambda: torch.linalg.qr(B, mode="complete"),
            2 * (lapack.geqrf(4, 3) + lapack.orgqr(4, 4, 3)),
        ),
        (lambda: torch.linalg.householder_product(B, R(2, 3)), 2 * lapack.orgqr(4, 3, 3)),
        (lambda: torch.ormqr(B, R(2, 3), R(2, 4, 5)), 2 * lapack.ormqr(4, 5, 3, left=True)),
        (
            lambda: torch.ormqr(B, R(2, 3), R(2, 5, 4), left=False),
            2 * lapack.ormqr(5, 4, 3, left=False),
        ),
    ],
)
def test_exact(run: Any, macs: int) -> None:
    for measure in (total, whole):
        cost = measure(run)
        assert (cost.macs, cost.estimate) == (macs, False)


@pytest.mark.parametrize(
    ("run", "macs"),
    [
        (lambda: torch.linalg.eigh(A), 2 * 9 * 64 // 2),
        (lambda: torch.linalg.eig(A), 2 * 25 * 64 // 2),
        (lambda: torch.linalg.svd(B, full_matrices=False), 2 * (14 * 4 * 9 + 8 * 27) // 2),
        (
            lambda: torch.linalg.svd(B),
            2 * (4 * 16 * 3 + 8 * 4 * 9 + 9 * 27) // 2 + 1,
        ),  # each matrix rounded up
        (
            lambda: torch.linalg.lstsq(B, R(2, 4, 5)),
            2 * (lapack.geqrf(4, 3) + lapack.ormqr(4, 5, 3, left=True) + lapack.trsm(3, 5)),
        ),
        (lambda: torch.linalg.matrix_exp(A), 2 * 5 * 64),
    ],
)
def test_estimates_are_marked(run: Any, macs: int) -> None:
    for measure in (total, whole):
        cost = measure(run)
        assert (cost.macs, cost.estimate) == (macs, True)


@pytest.mark.parametrize(
    ("run", "macs"),
    [
        (lambda: torch.linalg.eigvals(A), 2 * 10 * 64 // 2),
        (lambda: torch.linalg.eigvalsh(A), 2 * 43),  # 2/3 of 64, rounded up
        (lambda: torch.linalg.svdvals(B), 2 * (4 * 4 * 9 - 4 * 27 // 3) // 2),
    ],
)
def test_values_without_vectors(run: Any, macs: int) -> None:
    """Outside inference mode torch forms the vectors too if it sees a mode; they count."""
    assert (whole(run).macs, whole(run).estimate) == (macs, True)
    assert total(run).macs >= macs


def test_pseudo_inverse() -> None:
    name = "aten::linalg_pinv.atol_rtol_tensor"
    assert ask(name, S(5, 3)).macs == (14 * 5 * 9 + 8 * 27) // 2 + 5 * 3 * 3
    assert ask(name, S(4, 4), hermitian=True).macs == 9 * 64 // 2 + 64
    assert (
        only(torch.linalg.pinv, R(5, 3), name="aten::linalg_pinv").macs == ask(name, S(5, 3)).macs
    )


def test_polar_and_root() -> None:
    assert (
        ask("aten::linalg_polar", S(5, 3), out=(S(5, 3), S(3, 3))).macs
        == (14 * 5 * 9 + 8 * 27) // 2 + 45 + 27
    )
    assert ask("aten::linalg_matrix_sqrth", S(4, 4), out=S(4, 4)).macs == 9 * 64 // 2 + 64


def test_leaves_that_older_versions_call() -> None:
    assert ask("aten::lu_solve", S(4, 3), S(4, 4), S(4, dtype="int32"), out=S(4, 3)) == Cost(
        macs=48
    )
    assert ask("aten::linalg_lu_solve", S(4, 4), S(4, dtype="int32"), S(4, 3), out=S(4, 3)) == Cost(
        macs=48
    )
    assert ask(
        "aten::linalg_ldl_solve", S(4, 4), S(4, dtype="int32"), S(4, 3), out=S(4, 3)
    ) == Cost(macs=60)
    assert ask("aten::_cholesky_solve_helper", S(4, 3), S(4, 4), False, out=S(4, 3)) == Cost(
        macs=60
    )
    assert ask("aten::cholesky", S(4, 4)) == ask("aten::linalg_cholesky_ex", S(4, 4))
    assert ask("aten::qr", S(5, 3), False) == ask("aten::linalg_qr", S(5, 3), "complete")


def test_complex_is_four_times_real() -> None:
    real, complex_ = S(4, 4), S(4, 4, dtype="complex64")
    for name in ("linalg_inv_ex", "linalg_qr", "_linalg_svd", "linalg_cholesky_ex"):
        assert ask(f"aten::{name}", complex_).macs == 4 * ask(f"aten::{name}", real).macs
    sides = S(4, 3, dtype="complex64")
    assert ask("aten::_linalg_solve_ex", complex_, sides, out=(sides,)).macs == 4 * (
        lapack.getrf(4, 4) + 48
    )


def test_no_matrices_cost_nothing() -> None:
    assert total(torch.linalg.inv, R(0, 4, 4)).macs == 0
    assert total(torch.linalg.solve, R(0, 0), R(0, 2)).macs == 0
    assert total(torch.linalg.qr, R(3, 0)).macs == 0
    assert total(torch.linalg.lstsq, R(0, 4, 3), R(0, 4, 2)).macs == 0
