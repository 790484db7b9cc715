"""What can be made of a law: sums, views, packed sequences, balanced groups, text."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import cache
from itertools import product as combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import dispatchcount as dc
from dispatchcount.laws.balance import differencing
from tests.laws.code import meta, of, product

B_S = ("b", "s")


class Block(nn.Module):
    """Attention with four heads of 16 and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(64), nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, 4, 16)).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).flatten(2))


@cache
def block() -> dc.Law:
    with torch.device("meta"):
        model = nn.Sequential(Block(), Block()).eval()
    with torch.no_grad():
        return dc.law(model, lambda b, s: model(meta(b, s, 64)), b=2, s=16)


def test_parts_add_up() -> None:
    law = block()
    rows = law.by_module()
    for metric in ("flops", "macs", "arithmetic", "bytes_read", "activations"):
        whole = law.total.polynomial(metric)
        parts = sum((row.self_.polynomial(metric) for row in rows.values()), dc.Polynomial(B_S))
        assert parts == whole, metric
        for by in (law.by_operator(), law.by_phase()):
            assert sum((r.polynomial(metric) for r in by.values()), dc.Polynomial(B_S)) == whole
        assert rows[""].polynomial(metric) == whole
        both = rows["0"].polynomial(metric) + rows["1"].polynomial(metric)
        assert both + rows[""].self_.polynomial(metric) == whole
    assert str(rows["0.qkv"].calls) == "1"
    assert rows["0"].params == dc.Polynomial(B_S, {(0, 0): 2 * 64 + 64 * 192 + 192 + 64 * 64 + 64})
    operators = law.by_module_and_operator()
    assert operators["0"]["aten.bmm"].macs == operators["1"]["aten.bmm"].macs
    assert str(operators["0.out"]["aten.addmm"].macs) == "4,096·b·s"


def test_a_row_at_given_sizes() -> None:
    law = block()
    row = law.by_module()["0"](b=3, s=10)
    assert row.macs == 3 * 10 * 16_384 + 3 * 100 * 128
    assert row.flops == row.macs + 5 * 64 * 30
    assert row.calls == 1
    assert isinstance(row, dc.Stats)
    assert row == law.by_module()["1"](b=3, s=10)
    assert pickle.loads(pickle.dumps(row)) == row
    assert "macs=" in repr(row)
    with pytest.raises(TypeError, match="the law is in the sizes b, s; got b"):
        law(b=1)
    with pytest.raises(TypeError, match="s = 1.5: a size is an integer"):
        law(b=1, s=1.5)  # type: ignore[arg-type]
    with pytest.raises(dc.LawError, match="s = 0: this law holds for s ≥ 1"):
        law(b=1, s=0)


def test_conventions_are_views() -> None:
    law = block()
    norms = dc.Polynomial(B_S, {(1, 1): 2 * 5 * 64})
    assert law.flops == law.macs + norms
    assert law.with_convention("macs").flops == law.macs
    assert law.with_convention("torch").flops == 2 * law.macs
    full = law.with_convention("full")
    assert full.flops == 2 * law.macs + law.arithmetic + law.transcendentals
    assert full.with_convention("fvcore") == law
    with pytest.raises(ValueError, match="convention 'x' is not known"):
        law.with_convention("x")


def test_a_plot_shows_each_power(tmp_path: Path) -> None:
    """The whole is the sum of its powers at every length, and lengths outside are not drawn."""
    pytest.importorskip("matplotlib")
    law = block()
    figure = law.plot("s", tmp_path / "cost.png", b=3, metric="macs", most=5000)
    assert (tmp_path / "cost.png").stat().st_size > 1000
    whole, square, linear = figure.axes[0].get_lines()
    assert [line.get_label() for line in (square, linear)] == ["768·s²", "98,304·s"]
    lengths = list(whole.get_xdata())
    assert (lengths[0], lengths[-1]) == (1, 5000)
    assert len(lengths) > 100
    for place in (0, 50, -1):
        s = int(lengths[place])
        assert whole.get_ydata()[place] == law(b=3, s=s).macs == 768 * s**2 + 98_304 * s
    strided = of(lambda h: product(h // 8, 3, 5), h=16)
    assert {x % 8 for x in strided.plot("h").axes[0].get_lines()[0].get_xdata()} == {0}
    with pytest.raises(ValueError, match="'t' is no size of the law"):
        law.plot("t")
    with pytest.raises(ValueError, match="most = 1: s begins at 1, so there is nothing to draw"):
        law.plot("s", most=1)
    with pytest.raises(dc.LawError, match="b = 0: this law holds for b ≥ 1"):
        law.plot("s", b=0)


def test_marginal() -> None:
    law = block()
    assert law.marginal("s", "macs") == dc.Polynomial(
        B_S, {(1, 1): 2 * 2 * 128, (1, 0): 2 * (16_384 + 128)}
    )
    strided = of(lambda h: product(h // 8, 3, 5), h=16)
    assert str(strided.marginal("h", "macs")) == "15"
    with pytest.raises(ValueError, match="'t' is no size of the law"):
        law.marginal("t")


def brute(n: int, window: int | None) -> int:
    """Pairs of query and key under a causal mask, one by one."""
    return sum(min(i + 1, window or n) for i in range(n))


@pytest.mark.parametrize("window", [None, 1, 7, 50])
def test_causal_counts_the_pairs_under_the_mask(window: int | None) -> None:
    law = block()
    view = law.causal(window=window)
    for s in (50, 51, 333):
        assert view(b=3, s=s).macs == 3 * 2 * (16_384 * s + 128 * brute(s, window))
        assert view(b=3, s=s).arithmetic == law(b=3, s=s).arithmetic
    if window == 50:
        with pytest.raises(dc.LawError, match="s = 49: this law holds for s ≥ 50"):
            view(b=3, s=49)
    assert "attention counts the pairs in s" in str(view)
    assert law.macs != view.macs
    assert "attention counts" not in str(law)


def test_causal_is_the_same_for_a_fused_kernel() -> None:
    model = nn.Sequential(Block()).eval()
    with torch.no_grad():
        law = dc.law(
            model, lambda b, s: model(torch.zeros(b, s, 64)), b=2, s=16, far={"b": 9, "s": 90}
        )
    assert any("attention" in op for op in law.by_operator())
    assert 2 * law.causal().macs == block().causal().macs


def test_causal_only_where_it_means_something() -> None:
    with pytest.raises(dc.LawError, match="no attention is known by its operators"):
        of(lambda s: product(s, s, 3), s=16).causal()
    with pytest.raises(ValueError, match="window = 0"):
        block().causal(window=0)
    with pytest.raises(ValueError, match="'t' is no size"):
        block().causal(sizes=["t"])

    def with_prefix(s: int) -> None:
        q = meta(1, 1, s + 5, 16)
        nn.functional.scaled_dot_product_attention(q, q, q)

    with pytest.raises(dc.LawError, match=r"has the term 320·s, so its pairs are not those of s"):
        of(with_prefix, s=16).causal()

    def cross(e: int, d: int) -> None:
        q, k = meta(1, 1, d, 16), meta(1, 1, e, 16)
        nn.functional.scaled_dot_product_attention(q, k, k)

    with pytest.raises(dc.LawError, match="with the square of no size"):
        of(cross, e=16, d=8).causal()


def test_packed() -> None:
    law = block()
    lengths = [5, 9, 3, 30]
    packed = law.packed(s=lengths)
    assert packed.macs == sum(law(b=1, s=n).macs for n in lengths)
    assert packed.flops == sum(law(b=1, s=n).flops for n in lengths)
    assert law.packed(s=[12] * 7).flops == law(b=7, s=12).flops
    assert law.packed(s=[1, 1]).macs == 2 * law(b=1, s=1).macs
    assert packed.params == law(b=1, s=1).params
    with pytest.raises(dc.LawError, match="is not linear in b"):
        _ = packed.bytes_read
    with pytest.raises(dc.LawError, match="s = 0: this law holds for s ≥ 1"):
        law.packed(s=[3, 0])
    for wrong, message in (
        ({}, "only one size can be the batch"),
        ({"s": []}, "give a list of lengths"),
        ({"s": 5}, "give a list of lengths"),
        ({"s": "abc"}, "expected a list of lengths"),
        ({"t": [1]}, "'t' is no size"),
        ({"s": [1.5]}, "a length is an integer"),
        ({"s": [1, 2], "b": [1]}, "several lists have the same length"),
    ):
        with pytest.raises(TypeError, match=message):
            law.packed(**wrong)  # type: ignore[arg-type]


def test_packed_pairs_of_lengths() -> None:
    law = of(lambda b, e, d: product(b * e, d, 2), b=2, e=16, d=8)
    assert law.packed(e=[3, 5], d=[7, 11]).macs == 2 * (3 * 7 + 5 * 11)
    assert law.packed(e=[3, 5], d=10).macs == 2 * 10 * 8
    lone = of(lambda s: (product(s, s, 3), product(4, 5, 6)), s=16)
    with pytest.raises(dc.LawError, match="the term 120 does not depend on s"):
        _ = lone.packed(s=[3, 4]).macs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 1000), max_size=7), st.integers(1, 3))
def test_differencing_is_near_the_best(costs: list[int], bins: int) -> None:
    groups = differencing(costs, bins)
    assert sorted(i for group in groups for i in group) == list(range(len(costs)))
    assert len(groups) == bins
    largest = max(sum(costs[i] for i in group) for group in groups)
    best = min(
        max(sum(c for c, g in zip(costs, choice, strict=True) if g == k) for k in range(bins))
        for choice in combinations(range(bins), repeat=len(costs))
    )
    assert best <= largest <= best * 4 / 3 + 1


def test_balance() -> None:
    law = block()
    lengths = [4000, 100, 100, 2000, 2000, 50, 3000, 900]
    groups = law.balance(lengths, 3)
    costs = [law.packed(s=[lengths[i] for i in group]).flops if group else 0 for group in groups]
    assert costs == sorted(costs, reverse=True)
    assert groups[0] == [0]  # the longest alone: its square is more than all others together
    assert law.balance([], 2) == [[], []]
    with pytest.raises(ValueError, match="bins = 0"):
        law.balance(lengths, 0)
    with pytest.raises(dc.LawError, match="not clear which of them the lengths are of"):
        of(lambda b, e, d: product(b * e, d, d), b=2, e=16, d=8).balance([1, 2], 2)
    two = of(lambda b, e, d: product(b * e, 1, d), b=2, e=16, d=8)
    with pytest.raises(dc.LawError, match=r"give size=…"):
        two.balance([1, 2], 2)


def test_diff() -> None:
    law = block()
    assert not law.diff(law)
    assert str(law.diff(law)) == "no formula changed"
    with torch.device("meta"):
        wider = nn.Sequential(Block(), nn.Linear(64, 10)).eval()
    with torch.no_grad():
        other = dc.law(wider, lambda b, s: wider(meta(b, s, 64)), b=2, s=16)
    diff = law.diff(other)
    change = next(c for c in diff.total if c.metric == "macs")
    assert change.difference == dc.Polynomial(B_S, {(1, 1): 640 - 16_384, (1, 2): -128})
    assert {c.module for c in diff.changes} >= {None, "", "1", "1.qkv"}
    assert "1.qkv" in str(diff)
    with pytest.raises(dc.LawError, match="cannot be compared"):
        law.diff(of(lambda s: product(s, 2, 2), s=16))
    with pytest.raises(TypeError, match=r"takes a law, got str; dispatchcount\.law makes one"):
        law.diff("law.json")


def test_text() -> None:
    law = block()
    text = str(law)
    assert text.startswith("flops = 256·b·s² + 33,408·b·s\nmacs = 256·b·s² + 32,768·b·s\n")
    assert "holds for b ≥ 1; s ≥ 1" in text
    table = str(law.table(depth=1))
    assert "0–1 ×2  Block       256·b·s² + 33,408·b·s" in table
    assert "qkv" not in table
    assert "qkv" in str(law.table(depth=None, metric="macs"))
    assert "0     Block       128·b·s² + 16,704·b·s" in str(law.table(depth=1, fold=False))
    assert "| `0–1 ×2` | Block | 256·b·s² + 33,408·b·s |" in law.to_markdown(1)
    assert "| `0` | Block | 128·b·s² + 16,704·b·s |" in law.to_markdown(1, fold=False)
    assert law.to_latex(["flops", "bytes_read"]).startswith(
        "\\begin{align*}\n\\mathrm{flops}(b, s) &= 256\\,b\\,s^{2} + 33408\\,b\\,s \\\\\n\\mathrm{bytes\\_read}"
    )
    assert repr(law) == "<Law of Sequential in b, s: flops = 256·b·s² + 33,408·b·s>"
    with pytest.raises(ValueError, match="depth = -1"):
        law.table(depth=-1)
    with pytest.raises(ValueError, match="'x' is no metric of a law"):
        law.table(metric="x")


def test_the_python_function_says_the_same() -> None:
    scope: dict[str, Any] = {}
    law = of(lambda b, h: product(b, h // 8, 3), b=2, h=64)
    exec(law.python(), scope)
    assert scope["flops"](b=3, h=800) == law(b=3, h=800).flops == 900
    with pytest.raises(ValueError, match="h = 801: only for h ≡ 0 mod 8"):
        scope["flops"](b=3, h=801)
    # In an interpreter that has nothing but itself.
    text = block().python("macs") + "print(macs(b=2, s=777))"
    bare = [sys.executable, "-I", "-S", "-c", text]
    printed = subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    assert int(printed) == block()(b=2, s=777).macs


def test_a_law_is_frozen() -> None:
    with pytest.raises(AttributeError):
        block().runs = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        block().macs.terms[1, 1] = 3  # type: ignore[index]


class Shared(nn.Module):
    """An encoder and a decoder that call one embedding, which neither of them holds."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(16, 16, bias=False), nn.ReLU())
        self.encoder, self.decoder = Side(self.shared), Side(self.shared)

    def forward(self, e: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            e = self.encoder(e)
        return self.shared(e).sum() + self.decoder(d).sum()


class Side(nn.Module):
    def __init__(self, shared: nn.Module) -> None:
        super().__init__()
        self.calls = [shared]  # a list holds no modules

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.calls[0](x)


def test_formulas_by_call_tell_callers_apart() -> None:
    """256 MACs a row of the input, for each of three calls by the encoder, one by the decoder and one by the root."""
    model = Shared().to("meta").eval()
    law = dc.law(model, lambda e, d: model(meta(e, 16), meta(d, 16)), e=5, d=7)
    calls = law.by_call("shared")
    assert {caller: str(row.macs) for caller, row in calls.items()} == {
        "(root)": "256·e",
        "(root) > encoder": "768·e",
        "(root) > decoder": "256·d",
    }
    assert [int(row.calls(e=9, d=9)) for row in calls.values()] == [1, 1, 3]
    assert calls["(root) > encoder"](e=100, d=9).macs == 76_800
    assert all(str(row.params) == "256" for row in calls.values())
    whole = law.by_module()["shared"]
    for metric in ("macs", "arithmetic", "bytes_read", "calls"):
        parts = sum((row.polynomial(metric) for row in calls.values()), dc.Polynomial(("e", "d")))
        assert parts == whole.polynomial(metric), metric
    # The Linear inside was called by the same stacks, one module longer.
    assert set(law.by_call("shared.0")) == {
        "(root) > shared",
        "(root) > encoder > shared",
        "(root) > decoder > shared",
    }
    assert dc.Law.from_json(law.to_json()).by_call("shared")["(root)"].macs == calls["(root)"].macs
    assert dc.Law.from_json(law.to_json()) == law
    assert list(block().by_call("0.qkv")) == ["(root) > 0"]
    with pytest.raises(KeyError, match="the law has no module 'x'"):
        law.by_call("x")


def test_a_module_that_calls_itself_has_one_stack() -> None:
    class Tree(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.leaf = nn.Linear(4, 4, bias=False)

        def forward(self, n: int) -> None:
            self.leaf(meta(1, 4))
            if n > 1:
                self(n - 1)

    model = Tree().to("meta").eval()
    law = dc.law(model, model, n=3, far={"n": 60})
    assert str(law.macs) == "16·n"
    assert {caller: str(row.calls) for caller, row in law.by_call("leaf").items()} == {
        "(root)": "n"
    }
