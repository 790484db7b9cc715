"""How laws are found: residues, breaks, ends, state, data, raises, refusals. The code under each law has a known cost."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import dispatchcount as dc
from tests.laws.code import Nothing, agree, meta, of, product

coefficients = st.integers(0, 9)


@settings(max_examples=25, deadline=None)
@given(coefficients, coefficients, coefficients, coefficients, coefficients)
def test_any_polynomial_is_found(a: int, b: int, c: int, d: int, e: int) -> None:
    """MACs a·x²y² + b·x²y + c·xy² + d·xy + e, each term a product of matrices of these sizes."""

    def run(x: int, y: int) -> None:
        product(a * x, x * y, y)
        product(b * x, x, y)
        product(c * x, y, y)
        product(d * x, 1, y)
        product(e, 1, 1)

    law = of(run, x=3, y=5)
    terms = {(2, 2): a, (2, 1): b, (1, 2): c, (1, 1): d, (0, 0): e}
    assert law.macs == dc.Polynomial(("x", "y"), terms)
    assert law.holds == {"x": "x ≥ 1", "y": "y ≥ 1"}


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([2, 3, 4, 5, 6, 7, 8, 12, 14, 16, 30, 32, 60, 64, 224, 256]),
    st.integers(2, 70),
    st.booleans(),
)
def test_strides_are_found(stride: int, start: int, up: bool) -> None:
    """⌊x/m⌋ or ⌈x/m⌉: the law holds for the start's residue class, and m is found."""

    def run(b: int, x: int) -> None:
        steps = -(-x // stride) if up else x // stride
        product(3 * b, steps, 5)
        product(7, b, x)

    law = of(run, b=2, x=start)
    residue = start % stride
    assert f"x ≡ {residue} mod {stride}" in law.holds["x"]
    for x in (start, start + stride, start + 999 * stride):
        steps = -(-x // stride) if up else x // stride
        assert law(b=4, x=x).macs == 3 * 4 * 5 * steps + 7 * 4 * x
    with pytest.raises(
        dc.LawError, match=rf"x = {start + 1}: this law holds for x ≡ {residue} mod"
    ):
        law(b=4, x=start + 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 5000))
def test_windows_are_found(window: int) -> None:
    """min(x, W)·x: a square below W, linear from W on. The law is that of large sizes, and says exactly where it begins."""

    def run(x: int) -> None:
        product(x, min(x, window), 1)

    law = of(run, x=2)
    assert str(law.macs) == f"{window:,}·x"
    assert law.holds == {"x": f"x ≥ {window}"}
    assert law(x=window).macs == window**2
    with pytest.raises(dc.LawError, match=rf"x = {window - 1}: this law holds for x ≥ {window}"):
        law(x=window - 1)


def test_a_break_in_a_sum_shows_only_at_joint_points() -> None:
    def run(s: int, n: int) -> None:
        product(min(s + n, 5000), s + n, 1)

    law = of(run, s=16, n=8, far={"s": 4000, "n": 4000})
    for s, n in ((1, 4999), (2500, 2500), (4999, 1), (60, 7000)):
        try:
            figures = law(s=s, n=n)
        except dc.LawError:
            continue
        assert figures.macs == min(s + n, 5000) * (s + n)
    assert str(law.macs) == "5,000·s + 5,000·n"


def test_columns_may_hold_for_different_sizes() -> None:
    """The MACs hold everywhere, the arithmetic only from 100 on: that is said, and only the arithmetic is withheld."""

    def run(x: int) -> None:
        product(x, 3, 2)
        if x < 100:
            meta(x, 7) + 1

    law = of(run, x=4)
    assert law.holds == {"x": "x ≥ 1"}
    assert law(x=5).macs == 30
    assert law.special["x < 100"] == ("arithmetic", "bytes_read", "bytes_written", "calls")
    with pytest.raises(dc.LawError, match="arithmetic: x = 5: this law holds for x ≥ 100"):
        _ = law(x=5).arithmetic
    assert law(x=100).arithmetic == 0


def test_a_native_size_is_left_out() -> None:
    """A vision transformer resamples its positions except at its own size. The law says so, though it was made elsewhere."""

    class Vit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image_size = 224

        def forward(self, h: int) -> None:
            product(h // 16, h // 16, 5)
            if h != self.image_size:
                product(h // 16, h // 16, 2)

    model = Vit()
    law = dc.law(model, lambda h: model(h), h=64)
    assert law(h=208).macs == 7 * 13 * 13
    with pytest.raises(
        dc.LawError, match="h = 224: the model does something else at exactly this size"
    ):
        law(h=224)
    assert "flops" in law.special["h = 224"]
    assert dc.law(model, lambda h: model(h), h=224).holds == {"h": "h ≡ 0 mod 16"}


def test_a_size_that_another_operator_serves_keeps_the_totals() -> None:
    """With a batch of 1 the same product runs as another operator: modules hold there, single operators do not."""
    model = nn.Linear(8, 4, device="meta")

    def run(b: int) -> None:
        if b == 1:
            meta(1, 1, 8) @ meta(1, 8, 4)
        else:
            meta(b, 8) @ meta(8, 4)

    law = dc.law(model, run, b=2)
    assert law(b=1).macs == 32
    assert law.by_operator()["aten.mm"](b=2).macs == 64
    with pytest.raises(dc.LawError, match="b = 1: this law holds for b ≥ 2"):
        _ = law.by_operator()["aten.mm"](b=1).macs


def test_the_end_of_the_sizes_is_found() -> None:
    def run(b: int, s: int) -> None:
        if s > 512:
            raise IndexError("no position for it")
        product(b, s, s)

    law = of(run, b=2, s=16)
    assert law.holds == {"b": "b ≥ 1", "s": "s ≥ 1, s ≤ 512"}
    assert law(b=3, s=512).macs == 3 * 512**2
    with pytest.raises(dc.LawError, match=r"s = 513: .*513 raised IndexError: no position for it"):
        law(b=3, s=513)


def test_sizes_that_raise_are_skipped() -> None:
    """A net with two poolings and skip connections raises off multiples of 4."""

    def run(h: int) -> None:
        if h % 4:
            raise RuntimeError("sizes do not match")
        product(h, h, 1)

    law = of(run, h=64)
    assert law.holds == {"h": "h ≡ 0 mod 4"}
    assert str(law.macs) == "h²"


def test_a_size_that_cannot_vary() -> None:
    def run(h: int) -> None:
        assert h == 224, "wrong image height"
        product(h, h, 1)

    with pytest.raises(
        dc.LawError, match=r"h cannot vary.*AssertionError: wrong image height.*fix it inside"
    ):
        of(run, h=224)


def test_the_first_point_must_run() -> None:
    def run(s: int) -> None:
        raise KeyError("nothing works")

    with pytest.raises(
        dc.LawError, match=r"the run at s=16 raised KeyError: 'nothing works'"
    ) as caught:
        of(run, s=16)
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_interrupt_goes_through() -> None:
    runs = count()

    def run(s: int) -> None:
        if next(runs) == 3:
            raise KeyboardInterrupt
        product(s, s, 1)

    with pytest.raises(KeyboardInterrupt):
        of(run, s=16)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_first_run_that_is_not_like_the_others(sign: int) -> None:
    """Gradients and state are made in the first run; some models rescale weights. The law is that of later runs."""
    runs = count()

    def run(b: int, s: int) -> None:
        product(b, s, s)
        if (next(runs) == 0) == (sign > 0):
            product(4, 5, 6)

    law = of(run, b=2, s=16)
    assert str(law.macs) == ("b·s²" if sign > 0 else "b·s² + 120")


def test_what_depends_on_data_is_refused_by_name() -> None:
    """A router sends each token where its numbers say. The experts have no law, and neither has the total."""

    class Routed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(2))
            self.head = nn.Linear(4, 8, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            chosen = x[:, 0] > 0
            for expert, rows in zip(self.experts, (chosen, ~chosen), strict=True):
                if rows.any():
                    expert(x[rows])
            return self.head(x)

    model = Routed().eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        law = dc.law(model, lambda s: model(torch.randn(s, 4)), s=40)
    assert ("experts.0", "macs") in law.refused
    assert ("experts.1", "macs") in law.refused
    assert "depends on data" in law.refused["experts.0", "macs"]
    assert str(law.by_module()["head"].macs) == "32·s"
    with pytest.raises(dc.LawError, match=r"macs has no formula: .*experts"):
        _ = law.macs
    with pytest.raises(dc.LawError, match="macs has no formula"):
        _ = law.by_module()["experts"].macs
    with pytest.raises(dc.LawError, match="macs has no formula"):
        _ = law(s=50).macs


def test_an_early_exit_is_refused_unless_every_run_agrees() -> None:
    random = Random(0)

    def run(s: int, leaves: bool) -> None:
        product(s, 2, 2)
        if not (leaves and random.random() < 0.5):
            product(s, 3, 3)

    assert str(of(lambda s: run(s, False), s=16).macs) == "13·s"
    law = of(lambda s: run(s, True), s=16)
    with pytest.raises(dc.LawError, match="has no formula"):
        _ = law.macs


def test_what_is_no_polynomial_is_refused_and_the_rest_stands() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Identity()).to("meta")

    def run(s: int) -> None:
        model(meta(s, 8))
        product(s, s.bit_length(), 1)

    law = dc.law(model, run, s=16)
    assert str(law.by_module()["0"].macs) == "64·s"
    with pytest.raises(dc.LawError, match=r"not a polynomial in s: .*aten.mm.*differs at s="):
        _ = law.macs


def test_a_sort_is_an_estimate() -> None:
    """Its comparisons depend on data, so `arithmetic` has no formula. The MACs beside it have."""
    model = nn.Linear(16, 4, device="meta")

    def run(b: int, s: int) -> None:
        torch.sort(model(meta(b, s, 16)), dim=1)

    law = dc.law(model, run, b=2, s=16)
    assert str(law.macs) == "64·b·s"
    assert "aten.sort is an estimate" in law.refused.values()
    with pytest.raises(dc.LawError, match="arithmetic has no formula: aten.sort is an estimate"):
        _ = law.arithmetic
    with pytest.raises(dc.LawError, match="flops has no formula"):
        _ = law.with_convention("full").flops


def test_an_operator_without_a_rule_is_refused() -> None:
    def run(s: int) -> None:
        product(s, 2, 2)
        dc_unknown(meta(s, 2))

    library = torch.library.Library("dc_laws", "DEF")
    library.define("strange(Tensor x) -> Tensor")
    library.impl("strange", lambda x: x.clone(), "Meta")
    dc_unknown: Any = torch.ops.dc_laws.strange
    law = of(run, s=16)
    with pytest.raises(
        dc.LawError, match=r"macs has no formula: dc_laws.strange is not counted \(unknown\)"
    ):
        _ = law.macs
    library._destroy()


def test_runs_stay_small() -> None:
    """The work that finds a law is bounded: six samples and six checks for b·(s² + s). A law in one
    size is checked at more points of it, for no other size tries them.
    """
    law = of(lambda b, s: product(b, s, s + 1), b=2, s=16)
    assert law.runs <= 12
    assert of(lambda b: product(b, 2, 2), b=2).runs <= 24


def test_checks_are_far_and_were_not_used() -> None:
    law = of(lambda b, s: product(b, s, s + 1), b=2, s=16)
    assert any(point["b"] > 500 and point["s"] > 500 for point in law.checked)
    assert any(point["b"] > 10_000 and point["s"] > 10_000 for point in law.checked)
    assert {"b": 1, "s": 1} in law.checked


def test_far_bounds_the_runs() -> None:
    seen = []

    def run(n: int) -> None:
        seen.append(n)
        for _ in range(n):
            product(2, 2, 2)

    assert str(of(run, n=4, far={"n": 40}).macs) == "8·n"
    assert max(seen) <= 40


def test_a_loop_bounds_the_runs_by_itself() -> None:
    seen = []

    def run(n: int) -> None:
        seen.append(n)
        for _ in range(n):
            product(2, 2, 2)

    assert str(of(run, n=4).macs) == "8·n"
    assert 100 < max(seen) <= 10_000


def test_real_tensors_bound_the_runs_by_their_cost() -> None:
    model = nn.Linear(64, 64)
    seen = []

    def run(b: int, s: int) -> None:
        seen.append(b * s)
        model(torch.zeros(b, s, 64))

    law = dc.law(model, run, b=2, s=16)
    assert str(law.macs) == "4,096·b·s"
    assert max(seen) * 4096 <= 5 * 10**9


def test_progress_is_told_before_each_run() -> None:
    said: list[str] = []
    law = of(lambda s: product(s, 2, 2), s=16, progress=said.append)
    assert said[0] == "run 1: s=16"
    assert len(said) == law.runs


def test_nothing_of_the_model_changes() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in model.eval().state_dict().items()}
    law = dc.law(model, lambda b: model(torch.zeros(b, 4)), b=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    agree(law, model, lambda b: model(torch.zeros(b, 4)), b=37)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, TypeError, "there is no size; name at least one"),
        ({"s": 0}, ValueError, "size s = 0: expected an integer from 1 up"),
        ({"s": 2.5}, TypeError, "size s = 2.5: expected an integer"),
        ({"s": True}, TypeError, "size s = True: expected an integer"),
        ({"s": 16, "far": {"t": 60}}, ValueError, "far names 't', which is none of the sizes s"),
        ({"s": 16, "far": {"s": 17}}, ValueError, "far\\['s'\\] = 17 leaves no room"),
        ({"s": 16, "convention": "flops"}, ValueError, "convention 'flops' is not known"),
    ],
)
def test_wrong_use_is_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dc.law(Nothing(), lambda s: None, **options)
    with pytest.raises(TypeError, match="the second argument is code to run"):
        dc.law(Nothing(), 5, s=16)  # type: ignore[arg-type]
