"""Operation counts of dense linear algebra, as LAPACK publishes them.

The counts are those of multiplications and divisions in Blackford and Dongarra, "Installation Guide
for LAPACK", LAPACK Working Note 41, 1999, appendix C. Every count of additions there is below that
of multiplications, so the latter is taken as the number of MACs.

The iterative ones at the end are from Golub and Van Loan, "Matrix Computations", 4th edition,
sections 5.4.8, 7.5.6, 8.3 and 8.6. Half of the floating point operations given there are taken as
MACs.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

THIRD, SIXTH, HALF = Fraction(1, 3), Fraction(1, 6), Fraction(1, 2)


def getrf(m: int, n: int) -> int:
    """LU factorization with partial pivoting of an m by n matrix."""
    m, n = max(m, n), min(m, n)
    return ceil(HALF * n * (n * (m - THIRD * n - 1) + m) + 2 * THIRD * n)


def getrs(n: int, columns: int) -> int:
    """Solution from an LU factorization: two triangular solves."""
    return n * n * columns


def getri(n: int) -> int:
    """Inverse from an LU factorization."""
    return ceil(n * (5 * SIXTH + n * (2 * THIRD * n + HALF)))


def potrf(n: int) -> int:
    """Cholesky factorization; also the count of the symmetric indefinite one."""
    return ceil(n * ((SIXTH * n + HALF) * n + THIRD))


def potrs(n: int, columns: int) -> int:
    """Solution from a Cholesky factorization."""
    return n * (n + 1) * columns


def potri(n: int) -> int:
    """Inverse from a Cholesky factorization."""
    return ceil(n * (2 * THIRD + n * (THIRD * n + 1)))


def trsm(n: int, columns: int) -> int:
    """Triangular solve with an n by n matrix."""
    return columns * n * (n + 1) // 2


def geqrf(m: int, n: int) -> int:
    """QR factorization of an m by n matrix into Householder vectors."""
    if m > n:
        return ceil(n * (n * (HALF - THIRD * n + m) + m + 23 * SIXTH))
    return ceil(m * (m * (-HALF - THIRD * m + n) + 2 * n + 23 * SIXTH))


def orgqr(m: int, n: int, k: int) -> int:
    """The m by n orthogonal matrix from k Householder vectors."""
    return ceil(k * (2 * m * n + 2 * n - 5 * THIRD + k * (2 * THIRD * k - (m + n) - 1)))


def ormqr(m: int, n: int, k: int, *, left: bool) -> int:
    """The product of an m by n matrix with the orthogonal matrix of k Householder vectors."""
    if left:
        return 2 * n * m * k - n * k * k + 2 * n * k
    return ceil(2 * n * m * k - m * k * k + m * k + n * k - HALF * k * k + HALF * k)


def geev(n: int, *, vectors: bool) -> int:
    """Eigenvalues of a general matrix: 10 n³ flops, 25 n³ with the eigenvectors."""
    return ceil(HALF * (25 if vectors else 10) * n**3)


def syev(n: int, *, vectors: bool) -> int:
    """Eigenvalues of a symmetric matrix: 4/3 n³ flops, 9 n³ with the eigenvectors."""
    return ceil(HALF * (9 if vectors else 4 * THIRD) * n**3)


def gesvd(m: int, n: int, *, vectors: bool, full: bool) -> int:
    """Singular values of an m by n matrix, m ≥ n: 4 m n² - 4/3 n³ flops.

    With n left and right vectors 14 m n² + 8 n³, with all of them 4 m² n + 8 m n² + 9 n³.
    """
    m, n = max(m, n), min(m, n)
    if not vectors:
        return ceil(HALF * (4 * m * n**2 - 4 * THIRD * n**3))
    return ceil(
        HALF * (4 * m**2 * n + 8 * m * n**2 + 9 * n**3 if full else 14 * m * n**2 + 8 * n**3)
    )
