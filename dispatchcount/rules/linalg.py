"""Dense linear algebra: factorizations, solvers, inverses, eigenvalues and singular values.

`lapack` has the counts of one matrix. A complex operation is four real ones. If a routine iterates,
or picks its steps by the data, the count is marked as an estimate. The ``linalg_*`` functions
without a rule here run as these operators. No result is a layer's output, so none counts as
activations.
"""

from __future__ import annotations

from math import prod

from dispatchcount.rules import lapack
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result


def per_matrix(A: Shape, macs: int, *, estimate: bool = False) -> Cost:
    """`macs` for each matrix of the batch `A`."""
    return Cost(macs=macs * prod(A[:-2]) * (4 if A.is_complex else 1), estimate=estimate)


def solve_cost(A: Shape, macs: int, X: Shape) -> Cost:
    """`macs` for each right-hand side.

    There are as many as `X` has elements, divided by the order of `A`.
    """
    sides = X.numel // A[-1] if A[-1] else 0
    return Cost(macs=macs * sides * (4 if A.is_complex else 1))


@RULES.rule(
    "aten::linalg_lu_factor_ex", "aten::linalg_lu_factor", "aten::_lu_with_info", "aten::linalg_lu"
)
def lu(A: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes an LU factorization."""
    return per_matrix(A, lapack.getrf(A[-2], A[-1]))


@RULES.rule("aten::_linalg_det", "aten::linalg_det", "aten::det")
def det(A: Shape, **_: Operand) -> Cost:
    """Takes an LU factorization and the product of its diagonal."""
    return lu(A) + Cost(arithmetic=prod(A[:-1]))


@RULES.rule("aten::_linalg_slogdet", "aten::linalg_slogdet", "aten::slogdet", "aten::logdet")
def slogdet(A: Shape, **_: Operand) -> Cost:
    """Takes an LU factorization, and the sum of the logarithms of its diagonal."""
    return lu(A) + Cost(arithmetic=prod(A[:-1]), transcendentals=prod(A[:-1]))


@RULES.rule("aten::_linalg_solve_ex", "aten::linalg_solve_ex", "aten::linalg_solve")
def solve(A: Shape, B: Shape, *, out: Operand, **_: Operand) -> Cost:
    """Takes an LU factorization, then two triangular solves for each right-hand side."""
    return lu(A) + solve_cost(A, lapack.getrs(A[-1], 1), result(out))


@RULES.rule("aten::linalg_lu_solve")
def lu_solve(LU: Shape, pivots: Shape, B: Shape, *, out: Shape, **_: Operand) -> Cost:
    """Takes two triangular solves for each right-hand side."""
    return solve_cost(LU, lapack.getrs(LU[-1], 1), out)


@RULES.rule("aten::lu_solve")
def lu_solve_old(self: Shape, LU_data: Shape, LU_pivots: Shape, *, out: Shape) -> Cost:
    """Takes two triangular solves for each right-hand side, which are `self`."""
    return solve_cost(LU_data, lapack.getrs(LU_data[-1], 1), out)


@RULES.rule("aten::linalg_inv_ex", "aten::linalg_inv", "aten::inverse")
def inverse(A: Shape, **_: Operand) -> Cost:
    """Takes an LU factorization, and the inverse from it."""
    return lu(A) + per_matrix(A, lapack.getri(A[-1]))


@RULES.rule(
    "aten::linalg_cholesky_ex",
    "aten::linalg_cholesky",
    "aten::cholesky",
    "aten::linalg_ldl_factor_ex",
    "aten::linalg_ldl_factor",
)
def cholesky(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a Cholesky factorization, or its indefinite form."""
    return per_matrix(self, lapack.potrf(self[-1]))


@RULES.rule("aten::cholesky_solve", "aten::_cholesky_solve_helper")
def cholesky_solve(self: Shape, input2: Shape, *_: Operand, out: Shape) -> Cost:
    """Takes two triangular solves for each right-hand side, which are `self`."""
    return solve_cost(input2, lapack.potrs(input2[-1], 1), out)


@RULES.rule("aten::linalg_ldl_solve")
def ldl_solve(LD: Shape, pivots: Shape, B: Shape, *, out: Shape, **_: Operand) -> Cost:
    """Takes two triangular solves for each right-hand side."""
    return solve_cost(LD, lapack.potrs(LD[-1], 1), out)


@RULES.rule("aten::cholesky_inverse")
def cholesky_inverse(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the inverse from a Cholesky factor."""
    return per_matrix(self, lapack.potri(self[-1]))


@RULES.rule("aten::linalg_solve_triangular")
def solve_triangular(self: Shape, B: Shape, *, out: Shape, **_: Operand) -> Cost:
    """Takes a triangular solve, n (n + 1) / 2 MACs for each right-hand side."""
    return solve_cost(self, lapack.trsm(self[-1], 1), out)


@RULES.rule("aten::triangular_solve")
def triangular_solve(self: Shape, A: Shape, *_: Operand, out: Operand, **__: Operand) -> Cost:
    """Takes a triangular solve for each right-hand side, which are `self`."""
    return solve_cost(A, lapack.trsm(A[-1], 1), result(out))


@RULES.rule("aten::geqrf")
def geqrf(self: Shape, **_: Operand) -> Cost:
    """Takes a QR factorization into Householder vectors."""
    return per_matrix(self, lapack.geqrf(self[-2], self[-1]))


@RULES.rule("aten::linalg_qr")
def qr(A: Shape, mode: str = "reduced", **_: Operand) -> Cost:
    """Takes a Householder QR, and the orthogonal matrix unless only R is wanted.

    The orthogonal matrix is m by min(m, n), or m by m.
    """
    m, n = A[-2], A[-1]
    k = min(m, n)
    columns = {"r": 0, "reduced": k, "complete": m}[mode]
    return per_matrix(A, lapack.geqrf(m, n) + (lapack.orgqr(m, columns, k) if columns else 0))


@RULES.rule("aten::qr")
def qr_old(self: Shape, some: bool = True, **_: Operand) -> Cost:
    """Costs what `qr` does."""
    return qr(self, "reduced" if some else "complete")


@RULES.rule("aten::linalg_householder_product", "aten::orgqr")
def householder_product(input: Shape, tau: Shape, **_: Operand) -> Cost:
    """Takes the orthogonal matrix from Householder vectors."""
    return per_matrix(input, lapack.orgqr(input[-2], input[-1], tau[-1]))


@RULES.rule("aten::ormqr")
def ormqr(
    self: Shape, input2: Shape, input3: Shape, left: bool = True, *_: Operand, out: Shape
) -> Cost:
    """Multiplies `input3` with the orthogonal matrix whose Householder vectors are `self`."""
    return per_matrix(out, lapack.ormqr(out[-2], out[-1], input2[-1], left=left))


@RULES.rule("aten::linalg_lstsq")
def lstsq(self: Shape, b: Shape, *_: Operand, out: Operand, **__: Operand) -> Cost:
    """Takes a QR, its transpose times `b`, and a triangular solve.

    It is an estimate, because the default driver also looks for the rank.
    """
    m, n = self[-2], self[-1]
    k = min(m, n)
    solution = result(out)
    columns = solution.numel // (prod(self[:-2]) * n) if solution.numel else 0
    macs = (
        lapack.geqrf(m, n)
        + lapack.ormqr(max(m, n), columns, k, left=True)
        + lapack.trsm(k, columns)
    )
    return per_matrix(self, macs, estimate=True)


@RULES.rule("aten::linalg_eig")
def eig(self: Shape, **_: Operand) -> Cost:
    """Takes eigenvalues and eigenvectors of a general matrix."""
    return per_matrix(self, lapack.geev(self[-1], vectors=True), estimate=True)


@RULES.rule("aten::_linalg_eigvals", "aten::linalg_eigvals")
def eigvals(self: Shape, **_: Operand) -> Cost:
    """Takes the eigenvalues of a general matrix."""
    return per_matrix(self, lapack.geev(self[-1], vectors=False), estimate=True)


@RULES.rule("aten::_linalg_eigh")
def eigh(A: Shape, UPLO: str = "L", compute_v: bool = True, **_: Operand) -> Cost:
    """Takes the eigenvalues of a symmetric matrix, and its eigenvectors if asked for."""
    return per_matrix(A, lapack.syev(A[-1], vectors=compute_v), estimate=True)


@RULES.rule("aten::_linalg_svd")
def svd(A: Shape, full_matrices: bool = False, compute_uv: bool = True, **_: Operand) -> Cost:
    """Takes the singular values, and the singular vectors if asked for."""
    return per_matrix(
        A, lapack.gesvd(A[-2], A[-1], vectors=compute_uv, full=full_matrices), estimate=True
    )


@RULES.rule("aten::linalg_eigvalsh")
def eigvalsh(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the eigenvalues of a symmetric matrix."""
    return eigh(self, compute_v=False)


@RULES.rule("aten::linalg_svdvals")
def svdvals(A: Shape, **_: Operand) -> Cost:
    """Takes the singular values."""
    return svd(A, compute_uv=False)


@RULES.rule("aten::linalg_pinv.atol_rtol_tensor", widths=widths.of(0, 0))
def pinv(self: Shape, *_: Operand, hermitian: bool = False, **__: Operand) -> Cost:
    """Takes eigenvectors, or reduced singular vectors, and puts the inverse together.

    It scales one side by the inverse values and multiplies both.
    """
    m, n = self[-2], self[-1]
    k = min(m, n)
    factors = eigh(self) if hermitian else svd(self)
    return factors + per_matrix(self, m * k * n) + Cost(arithmetic=prod(self[:-2]) * k * n)


@RULES.rule("aten::linalg_polar")
def polar(A: Shape, **_: Operand) -> Cost:
    """Takes the singular vectors, and both factors from them.

    U V' is m k n MACs; V S V' is n k n, and the scaling of V.
    """
    m, n = A[-2], A[-1]
    k = min(m, n)
    return svd(A) + per_matrix(A, m * k * n + n * k * n) + Cost(arithmetic=prod(A[:-2]) * k * n)


@RULES.rule("aten::linalg_matrix_sqrth")
def matrix_sqrth(self: Shape, **_: Operand) -> Cost:
    """Takes the eigenvectors, and the root from them.

    V S V' is a product and the scaling of V; each eigenvalue takes a root.
    """
    n = self[-1]
    return (
        eigh(self)
        + per_matrix(self, n**3)
        + Cost(arithmetic=prod(self), transcendentals=prod(self[:-1]))
    )


@RULES.rule("aten::linalg_matrix_exp", "aten::matrix_exp")
def matrix_exp(self: Shape, **_: Operand) -> Cost:
    """Takes five products, which is torch's Taylor polynomial of degree 18.

    It is an estimate: smaller norms take fewer products, larger ones take squarings too.
    """
    return per_matrix(self, 5 * self[-1] ** 3, estimate=True)


@RULES.move("aten::lu_unpack")
def lu_unpack(LU_data: Shape, *_: Operand, **__: Operand) -> Cost:
    """Copies the factors, each with zeros in the place of the other."""
    return Cost()


RULES.free("aten::_linalg_check_errors", family="linalg")
RULES.unknown(
    {
        "aten::_spsolve": (
            "how much a sparse direct solver fills in depends on the pattern of the matrix"
        )
    }
)
