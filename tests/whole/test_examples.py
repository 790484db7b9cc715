"""Every example runs as it stands, leaves the process as it was, and its key figures are these."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

import dispatchcount as dc
from tests.untouched import differences, process_state

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str) -> Any:
    """What the example's `main` returns."""
    main = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    before = process_state()
    result = main()
    assert list(differences(before, process_state())) == []
    report = result[0] if isinstance(result, tuple) else result
    report.self_check()
    assert not report.unknown_ops
    assert not report.failed_ops
    assert dc.Report.from_json(report.to_json()) == report
    return result


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "early_exit",
        "mixture_of_experts",
        "tree_recursive",
        "generate",
        "detector",
        "mfu",
        "plan_llama",
        "laws",
        "balanced_batches",
    }


def test_plan_llama() -> None:
    """Two layers of Llama 7B's shape on 128 × 8 ranks: an eighth of a step with 4,096 tokens."""
    report, planned = run("plan_llama")
    products = 4096 * (2 * (4 * 4096**2 + 3 * 4096 * 11008) + 4096 * 32000)
    scores = 2 * 2 * 4096**2 * 4096  # of each layer two products forward and five backward
    assert report.macs == (3 * products + scores * 7 // 2) // 8
    assert planned.mesh.ranks == 1024
    assert [row.calls for row in planned.by_collective() if row.op.startswith("c10d")] == [5, 3]


def test_laws() -> None:
    """Four layers of GPT-2: a direct run of 16,384 tokens costs what the law of a few says."""
    report, law = run("laws")
    layer = 768 * 2304 + 768**2 + 2 * 768 * 3072
    assert law.macs.terms == {(1, 2): 4 * 2 * 768, (1, 1): 4 * layer + 768 * 50257}
    assert report.macs == law(b=1, s=16_384).macs
    assert report.flops == law(b=1, s=16_384).flops


def test_balanced_batches() -> None:
    """The groups of sequences cost what the law says of them, and nearly the same."""
    report, costs = run("balanced_batches")
    lengths = [400, 40, 350, 90, 30, 510, 120, 60, 220, 45, 80, 300]
    weights = 2 * (4 * 64**2 + 3 * 64 * 128) + 200 * 64
    each = [3 * (weights * n + 2 * 2 * 64 * n**2) for n in lengths]
    assert report.macs == sum(costs)
    assert report.macs - report.recomputed_macs == sum(each)
    assert max(costs) < 1.02 * min(costs)


def test_mfu() -> None:
    """Six steps of four sequences, 32 and 48 tokens long: PaLM's flops, each product once."""
    report, total = run("mfu")
    width, inner, layers, vocabulary = 64, 128, 2, 200
    weights = layers * (4 * width**2 + 3 * width * inner) + vocabulary * width
    each = {
        length: (6 * weights + 12 * layers * width * length) * 4 * length for length in (32, 48)
    }
    assert total.flops == 3 * (each[32] + each[48])
    assert (total.steps, total.counted) == (6, 2)
    assert 0 < total.mfu <= total.hfu
    assert 2 * (report.macs - report.recomputed_macs) == each[32]


def test_early_exit(capsys: pytest.CaptureFixture[str]) -> None:
    report, left_at = run("early_exit")
    stages = [16 * 16 * 16 * 3 * 9, 8 * 8 * 32 * 16 * 9, 4 * 4 * 64 * 32 * 9]
    exits = [16 * 10, 32 * 10, 64 * 10]
    cost = [sum(stages[: n + 1]) + sum(exits[: n + 1]) for n in range(3)]
    assert set(left_at) == {0, 1, 2}
    assert report.sample_flops() == [cost[n] for n in left_at]
    assert report.distribution().mean == sum(cost[n] for n in left_at) / 50
    over = report.by_module_over_samples()
    for n in range(3):
        assert over[f"stages.{n}"].execution_rate == sum(left >= n for left in left_at) / 50
    assert (
        f"expected cost of an image: {report.distribution().mean:,.0f} flops"
        in capsys.readouterr().out
    )


def test_mixture_of_experts(capsys: pytest.CaptureFixture[str]) -> None:
    report = run("mixture_of_experts")
    tokens, expert, router = 5 + 9 + 3 + 16 + 7 + 12 + 4 + 8, 2 * 32 * 64, 32 * 8
    assert report.macs == tokens * (2 * expert + router)
    assert report.by_module()["experts"].macs == tokens * 2 * expert
    assert report.sample_flops()[3] == 16 * (2 * expert + router)
    out = capsys.readouterr().out
    assert "imbalance" in out
    assert all(f"experts.{number}" in out for number in range(8))


def test_tree_recursive(capsys: pytest.CaptureFixture[str]) -> None:
    report = run("tree_recursive")
    merge = 32 * 16
    assert report.sample_flops() == [
        3 * merge * merges for merges in (0, 1, 7, 7)
    ]  # forward, and backward for both factors
    assert {name: row.macs for name, row in report.by_phase("merge").items()} == {
        "forward": 15 * merge,
        "backward": 2 * 15 * merge,
    }
    assert [row[""].calls for _, row in report.by_sample()] == [1, 3, 15, 15]
    assert "deepest recursion: 8 calls" in capsys.readouterr().out


def test_generate(capsys: pytest.CaptureFixture[str]) -> None:
    report = run("generate")
    assert [sample.label for sample in report.samples] == [
        "prefill",
        *(f"decode {i}" for i in range(1, 6)),
    ]
    projections, mlp, head = 2 * 32 * 32 + 2 * 32 * 16, 3 * 32 * 64, 32 * 100
    for (_, modules), new, seen in zip(
        report.by_sample(), [12, 1, 1, 1, 1, 1], range(12, 18), strict=True
    ):
        assert modules["model.layers.1.self_attn"].macs == new * projections + 2 * new * seen * 32
        assert modules["model.layers.1.mlp"].macs == new * mlp
        assert modules["lm_head"].macs == head  # of the last position alone
        assert modules[""].calls == 1
    calls = report.by_call("model.layers.0.mlp")
    assert {shape: (row.calls, row.macs) for shape, row in calls.items()} == {
        "(1, 1, 32)": (5, 5 * mlp),
        "(1, 12, 32)": (1, 12 * mlp),
    }
    assert "tokens generated: 6" in capsys.readouterr().out


def test_detector(capsys: pytest.CaptureFixture[str]) -> None:
    report = run("detector")
    calls = report.by_call("roi_heads.box_head")
    proposals = [int(shape[1:].split(",")[0]) for shape in calls]
    assert len(set(proposals)) == 4
    head = 256 * 7 * 7 * 1024 + 1024 * 1024
    assert [row.flops for row in calls.values()] == [number * head for number in proposals]
    assert report.by_module()["roi_heads.box_predictor"].macs == sum(proposals) * 1024 * (5 + 4 * 5)
    assert len(set(report.sample_flops())) == 4
    assert "proposals" in capsys.readouterr().out
