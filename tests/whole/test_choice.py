"""Which tests a run takes: a sample of each proof, the same each time, and all where they are named."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.torch_alone

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

TESTS = """
    import pytest

    @pytest.mark.proof(every=3)
    @pytest.mark.parametrize("n", range(7))
    def test_long(n): ...

    @pytest.mark.proof(every=3)
    @pytest.mark.parametrize("n", range(2))
    def test_short(n): ...

    def test_plain(): ...
"""
SAMPLE = ["test_long[0]", "test_long[3]", "test_long[6]", "test_short[0]"]
PROOFS = [f"test_long[{n}]" for n in range(7)] + ["test_short[0]", "test_short[1]"]


def taken(pytester: pytest.Pytester, *arguments: str, **files: str) -> list[str]:
    """The tests that a run takes."""
    pytester.makeini("[pytest]\nmarkers =\n    proof(every)\n    torch_alone")
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile(**files)
    run = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    assert not any("error" in line.lower() for line in run.outlines), run.outlines
    return [line.split("::")[1] for line in run.outlines if "::" in line]


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they cost seconds a run


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        ([], [*SAMPLE, "test_plain"]),
        (["test_a.py"], [*SAMPLE, "test_plain"]),
        (["-m", "not torch_alone"], [*SAMPLE, "test_plain"]),
        (["-m", "proof"], PROOFS),
        (["-m", "not proof"], ["test_plain"]),
        (["-k", "test_long"], PROOFS[:7]),
        (["test_a.py::test_long"], PROOFS[:7]),
        (["test_a.py::test_long[4]"], ["test_long[4]"]),
    ],
)
def test_a_run_takes_a_sample_of_each_proof_or_what_it_names(
    pytester: pytest.Pytester, arguments: list[str], tests: list[str]
) -> None:
    assert taken(pytester, *arguments, test_a=TESTS) == tests


@pytest.mark.parametrize(
    ("expression", "tests"),
    [
        ("torch_alone", [*SAMPLE, "test_plain"]),
        ("torch_alone and proof", PROOFS),
    ],
)
def test_files_that_torch_alone_cannot_import_are_left_out(
    pytester: pytest.Pytester, expression: str, tests: list[str]
) -> None:
    marked = "import pytest\npytestmark = pytest.mark.torch_alone\n" + dedent(TESTS)
    files = {"test_a": marked, "test_b": "import a_package_that_is_not_there"}
    assert taken(pytester, "-m", expression, **files) == tests
