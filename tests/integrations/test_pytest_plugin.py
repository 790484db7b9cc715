import subprocess
import sys
from pathlib import Path

import pytest

# The tests below run pytest in this process, and torch can be loaded only once: it is loaded here.
import dispatchcount.profiler  # noqa: F401
from dispatchcount.pytest_plugin import baseline_path
from dispatchcount.report_api import Report

pytest_plugins = ["pytester"]

# 2 rows through 8→16→4: 2·8·16 + 2·16·4 = 384 MACs, 8·16 + 16 + 16·4 + 4 = 212 parameters
MODEL = """
    import torch
    from torch import nn

    def net(width=16):
        return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4))

    x = torch.ones(2, 8)
"""


@pytest.fixture(autouse=True)
def _this_plugin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others cost seconds a run


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test_cost=MODEL + tests)
    return pytester.runpytest_inprocess(
        "-p", "dispatchcount.pytest_plugin", "-p", "no:cacheprovider", *arguments
    )


BUDGET = """
    def test_net(complexity):
        complexity(net({width}), x).assert_below(flops="{flops}", params=212, unknown_ops=0)
"""


def test_within_the_budget_passes_and_stores_nothing(pytester: pytest.Pytester) -> None:
    run(pytester, BUDGET.format(width=16, flops="384")).assert_outcomes(passed=1)
    assert not (pytester.path / "complexity").exists()


def test_over_the_budget_shows_the_biggest_modules(pytester: pytest.Pytester) -> None:
    result = run(pytester, BUDGET.format(width=16, flops="0.3K"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*BudgetError: flops is 384, over the budget of 0.3K by 84",
            "E*Biggest modules by flops:",
            "E*module*type*own flops*share",
            "E*0 *Linear*256*66.7 %",
            "E*2 *Linear*128*33.3 %",
            "E*There is no baseline to compare with; store one with: pytest --complexity-update",
        ]
    )
    assert "pytest_plugin.py" not in result.stdout.str()  # the failure points at the test


def test_the_failure_shows_what_grew_since_the_baseline(pytester: pytest.Pytester) -> None:
    run(pytester, BUDGET.format(width=16, flops="384"), "--complexity-update").assert_outcomes(
        passed=1
    )
    assert [path.name for path in (pytester.path / "complexity").iterdir()] == [
        "test_cost.test_net.json"
    ]
    result = run(pytester, BUDGET.format(width=32, flops="384"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*flops is 768, over the budget of 384 by 384",
            "E*params is 420, over the budget of 212 by 208",  # 8·32 + 32 + 32·4 + 4
            "E*Biggest modules by params:",
            "E*Since the baseline complexity/test_cost.test_net.json:",
            "E*flops*384*768*+384*+100.0 %",
            "E*changed*0*Linear*+256*",
        ]
    )


GROWTH = """
    def test_net(complexity):
        complexity(net({width}), x).assert_growth_below(flops="1%", params=0)
"""


def test_growth_is_held_against_the_baseline(pytester: pytest.Pytester) -> None:
    missing = run(pytester, GROWTH.format(width=16))
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(
        [
            "E*there is no baseline *test_cost.test_net.json; store one with: pytest --complexity-update"
        ]
    )
    run(pytester, GROWTH.format(width=16), "--complexity-update").assert_outcomes(passed=1)
    run(pytester, GROWTH.format(width=16)).assert_outcomes(passed=1)
    grown = run(pytester, GROWTH.format(width=17))
    grown.assert_outcomes(failed=1)
    # 2·8·17 + 2·17·4 = 408
    grown.stdout.fnmatch_lines(
        [
            "E*flops grew from 384 to 408, by 24 (+6.25%); 1% is allowed",
            "E*params grew from 212 to 225*",
        ]
    )


def test_an_update_leaves_what_did_not_change(pytester: pytest.Pytester) -> None:
    run(pytester, GROWTH.format(width=16), "--complexity-update")
    stored = pytester.path / "complexity" / "test_cost.test_net.json"
    before = stored.read_bytes()
    assert Report.from_json(stored).meta.labels == (("test", "test_cost.py::test_net"),)
    run(pytester, GROWTH.format(width=16), "--complexity-update")
    assert stored.read_bytes() == before
    run(pytester, GROWTH.format(width=17), "--complexity-update").assert_outcomes(passed=1)
    assert stored.read_bytes() != before


def test_one_test_measures_often_and_takes_reports_made_elsewhere(
    pytester: pytest.Pytester,
) -> None:
    tests = """
    import dispatchcount
    import pytest

    @pytest.mark.parametrize("name", ["a/b", "é"])
    def test_net(complexity, name):
        for width in (16, 32):
            complexity(net(width), x)
        with dispatchcount.profile(net()) as prof:
            net()(x)
        complexity.report(prof.report).assert_below(macs=384)
"""
    run(pytester, tests, "--complexity-update").assert_outcomes(passed=2)
    stored = sorted(path.name for path in (pytester.path / "complexity").iterdir())
    assert len(stored) == 6
    assert all(name.isascii() and name.endswith(".json") for name in stored)


def test_a_wrong_limit_and_a_bad_baseline_say_so(pytester: pytest.Pytester) -> None:
    result = run(pytester, BUDGET.format(width=16, flops="lots"))
    result.stdout.fnmatch_lines(
        ["E*UsageError: flops=lots is not an amount; write a number such as 4200000000, 4.2G or 1%"]
    )
    (pytester.path / "complexity").mkdir()
    (pytester.path / "complexity" / "test_cost.test_net.json").write_text("{")
    result = run(pytester, BUDGET.format(width=16, flops="1G"))
    result.stdout.fnmatch_lines(
        ["E*ReportError: *test_cost.test_net.json: it is not JSON, or was cut off*"]
    )


def test_a_bad_baseline_is_replaced_by_an_update(pytester: pytest.Pytester) -> None:
    stored = pytester.path / "complexity" / "test_cost.test_net.json"
    stored.parent.mkdir()
    for bad in (b"", b"{", b"[]", b'{"schema": "another"}', bytes(range(256))):
        stored.write_bytes(bad)
        refused = run(pytester, GROWTH.format(width=16))
        refused.assert_outcomes(failed=1)
        refused.stdout.fnmatch_lines(
            ["E*ReportError: *; replace this baseline with: pytest --complexity-update"]
        )
        assert stored.read_bytes() == bad
        run(pytester, GROWTH.format(width=16), "--complexity-update").assert_outcomes(passed=1)
        assert Report.from_json(stored).macs == 384


def test_a_baseline_of_another_test_is_no_baseline_of_this_one(pytester: pytest.Pytester) -> None:
    run(pytester, GROWTH.format(width=16), "--complexity-update")
    stored = pytester.path / "complexity" / "test_cost.test_net.json"
    Report.from_json(stored).with_labels(test="test_other.py::test_net").to_json(stored)
    refused = run(pytester, GROWTH.format(width=16))
    refused.assert_outcomes(failed=1)
    refused.stdout.fnmatch_lines(
        [
            "E*it is the baseline of test_other.py::test_net, not of test_cost.py::test_net; replace this baseline with*"
        ]
    )
    run(pytester, GROWTH.format(width=16), "--complexity-update").assert_outcomes(passed=1)
    assert Report.from_json(stored).meta.labels == (("test", "test_cost.py::test_net"),)


CLASSES = """
    import pytest

    WIDTHS = {widths}

    class TestSmall:
        def test_net(self, complexity):
            complexity(net(WIDTHS[0]), x).assert_growth_below(flops=0)

        class TestInside:
            def test_net(self, complexity):
                complexity(net(WIDTHS[1]), x).assert_growth_below(flops=0)

    class TestBig(TestSmall):
        @pytest.mark.parametrize("more", [0, "a::b", "a/b", "a_b", "[::]"])
        def test_net(self, complexity, more):
            complexity(net(WIDTHS[2] + len(str(more))), x).assert_growth_below(flops=0)

    def test_net(complexity):
        complexity(net(WIDTHS[3]), x).assert_growth_below(flops=0)

    def test_SMALL(complexity):
        complexity(net(WIDTHS[4]), x).assert_growth_below(flops=0)
"""


def test_a_baseline_belongs_to_one_test(pytester: pytest.Pytester) -> None:
    widths = [4, 8, 100, 12, 16]
    # TestBig inherits TestInside: 9 tests
    run(pytester, CLASSES.format(widths=widths), "--complexity-update").assert_outcomes(passed=10)
    stored = [Report.from_json(path) for path in (pytester.path / "complexity").iterdir()]
    assert len(stored) == len({dict(report.meta.labels)["test"] for report in stored}) == 10
    run(pytester, CLASSES.format(widths=widths)).assert_outcomes(passed=10)
    for i, failed in enumerate(
        (1, 2, 5, 1, 1)
    ):  # each grown model fails its own tests and no other
        grown = [width + 1 if i == j else width for j, width in enumerate(widths)]
        run(pytester, CLASSES.format(widths=grown)).assert_outcomes(
            passed=10 - failed, failed=failed
        )


def test_a_baseline_is_found_wherever_pytest_is_started(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pytester.mkdir("deeper")
    (folder / "test_there.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class TestNet:\n"
        "    def test_net(self, complexity):\n"
        "        complexity(nn.Linear(2, 2), torch.ones(1, 2)).assert_growth_below(flops=0)\n"
    )
    plugin = ("-p", "dispatchcount.pytest_plugin", "-p", "no:cacheprovider")
    assert pytester.runpytest_inprocess(*plugin, "--complexity-update", "--rootdir", ".").ret == 0
    (stored,) = (folder / "complexity").iterdir()
    assert (
        dict(Report.from_json(stored).meta.labels)["test"]
        == "deeper/test_there.py::TestNet::test_net"
    )
    monkeypatch.chdir(folder)
    pytester.runpytest_inprocess(*plugin, "--rootdir", ".").assert_outcomes(passed=1)
    assert list((folder / "complexity").iterdir()) == [stored]


def test_a_baseline_from_before_there_were_node_ids_is_still_one(pytester: pytest.Pytester) -> None:
    run(pytester, GROWTH.format(width=16), "--complexity-update")
    stored = pytester.path / "complexity" / "test_cost.test_net.json"
    Report.from_json(stored).with_labels(test="test_net").to_json(stored)
    run(pytester, GROWTH.format(width=16)).assert_outcomes(passed=1)
    run(pytester, GROWTH.format(width=17)).assert_outcomes(failed=1)


MANY = """
    import pytest

    class TestMany:
        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("width", range(1, 25))
        def test_net(self, complexity, width):
            for more in (0, 100):
                complexity(net(width + more), x).assert_growth_below(flops=0)
"""


@pytest.mark.parametrize("dist", ["load", "loadgroup"])  # the second adds the group to the node ids
def test_workers_store_all_that_one_process_would(dist: str, pytester: pytest.Pytester) -> None:
    run(
        pytester, MANY, "-p", "xdist", "-n", "2", "--dist", dist, "--complexity-update"
    ).assert_outcomes(passed=24)
    stored = {
        path.name: Report.from_json(path).macs for path in (pytester.path / "complexity").iterdir()
    }
    # 2·8·w + 2·w·4 = 24·w
    assert sorted(stored.values()) == sorted(
        24 * (width + more) for width in range(1, 25) for more in (0, 100)
    )
    run(pytester, MANY).assert_outcomes(passed=24)  # this process finds what the workers stored


def test_names_of_baselines_are_safe_and_differ() -> None:
    names = [
        "test_a",
        "test_a[x/y]",
        "test_a[x_y]",
        "test_a[../../x]",
        "test_a[" + "x" * 400 + "]",
        "test_a[\ud800]",
    ]
    names += [
        "TestA::test_a",
        "TestA::TestB::test_a",
        "test_a[TestA::x]",
        "test_a[::]",
        "test_a[.]",
        "TestA::test_a[]",
    ]
    paths = [
        baseline_path(Path("tests/test_m.py"), f"tests/test_m.py::{name}", number)
        for name in names
        for number in (1, 2)
    ]
    assert paths[0] == Path("tests/complexity/test_m.test_a.json")
    assert paths[1] == Path("tests/complexity/test_m.test_a.2.json")
    assert paths[2 * names.index("TestA::test_a")] == Path(
        "tests/complexity/test_m.TestA.test_a.json"
    )
    assert {path.parent for path in paths} == {Path("tests/complexity")}
    assert len(set(paths)) == len(paths)
    assert all(len(path.name) < 150 for path in paths)


def test_the_plugin_does_not_import_torch() -> None:
    code = "import sys, dispatchcount.pytest_plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
