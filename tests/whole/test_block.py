"""The with-block: what is counted, in every regime, and what it leaves behind."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

REGIMES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "grad": nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


def einsum(x: torch.Tensor) -> torch.Tensor:
    return torch.einsum(
        "bi,ij,jk->bk", x, torch.ones(3, 4, device=x.device), torch.ones(4, 5, device=x.device)
    )


def attention(x: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(x, x, x)


CASES: dict[str, tuple[Callable[[], Any], tuple[int, ...], int]] = {
    "linear": (lambda: nn.Linear(8, 16), (4, 8), 4 * 8 * 16),
    "linear 3-d": (lambda: nn.Linear(8, 16), (2, 4, 8), 2 * 4 * 8 * 16),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3), (2, 3, 10), 2 * 4 * 8 * 3 * 3),
    "conv2d": (lambda: nn.Conv2d(3, 10, 3), (1, 3, 10, 10), 10 * 8 * 8 * 3 * 3 * 3),
    "conv2d same": (
        lambda: nn.Conv2d(3, 4, 3, padding="same"),
        (1, 3, 6, 6),
        4 * 6 * 6 * 3 * 3 * 3,
    ),
    "conv2d unbatched": (lambda: nn.Conv2d(3, 4, 3), (3, 6, 6), 4 * 4 * 4 * 3 * 3 * 3),
    "conv3d grouped": (
        lambda: nn.Conv3d(4, 8, 2, groups=2),
        (1, 4, 3, 3, 3),
        8 * 2 * 2 * 2 * 2 * 2 * 2 * 2,
    ),
    "conv transposed": (
        lambda: nn.ConvTranspose2d(4, 8, 3, stride=2),
        (1, 4, 5, 5),
        5 * 5 * 4 * 8 * 3 * 3,
    ),
    "lstm": (lambda: nn.LSTM(10, 20), (5, 3, 10), 5 * 3 * 4 * 20 * (10 + 20)),
    "lstm projected": (
        lambda: nn.LSTM(10, 20, proj_size=5),
        (5, 3, 10),
        5 * 3 * (4 * 20 * (10 + 5) + 20 * 5),
    ),
    "gru": (lambda: nn.GRU(128, 128), (10, 32, 128), 10 * 32 * 3 * 128 * (128 + 128)),
    "rnn": (lambda: nn.RNN(4, 6, bidirectional=True), (5, 2, 4), 2 * 5 * 2 * 6 * (4 + 6)),
    "attention": (lambda: attention, (1, 2, 6, 8), 2 * 2 * 6 * 6 * 8),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0),
        (2, 10, 32),
        176_640,
    ),
    "einsum": (lambda: einsum, (2, 3), 2 * 3 * 4 + 2 * 4 * 5),
    "layer norm": (lambda: nn.LayerNorm(8), (2, 8), 0),
}


def count(
    make: Callable[[], Any], shape: tuple[int, ...], device: str, training: bool
) -> dc.Report:
    with torch.device(device):
        model = make()
        x = torch.rand(shape)
    if isinstance(model, nn.Module):
        model.train(training)
    with dc.profile() as prof:
        model(x)
    prof.report.self_check()
    return prof.report


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("case", CASES)
def test_macs_do_not_depend_on_how_it_runs(
    case: str, regime: str, device: str, training: bool
) -> None:
    make, shape, macs = CASES[case]
    with REGIMES[regime]():
        report = count(make, shape, device, training)
    assert report.macs == macs
    assert not report.unknown_ops
    assert not report.failed_ops


@pytest.mark.parametrize("case", ["linear", "conv2d", "attention", "encoder layer"])
def test_autocast_and_fake_tensors_count_the_same(case: str) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    make, shape, macs = CASES[case]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert count(make, shape, "cpu", training=False).macs == macs
    with FakeTensorMode():
        assert count(make, shape, "cpu", training=False).macs == macs


@pytest.mark.parametrize("regime", REGIMES)
def test_every_metric_agrees_between_regimes(regime: str) -> None:
    def run() -> dc.Report:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding="same"),
            nn.GroupNorm(2, 4),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(144, 5),
        )
        x = torch.rand(2, 3, 6, 6)
        with dc.profile(model) as prof:
            model(x)
        return prof.report

    reference = run()
    with REGIMES[regime]():
        other = run()
    names = ("macs", "flops", "arithmetic", "transcendentals", "activations", "params")
    assert {n: getattr(other, n) for n in names} == {n: getattr(reference, n) for n in names}
    assert set(other.by_operator()) - {"aten.detach"} == set(reference.by_operator()) - {
        "aten.detach"
    }


def test_conventions_are_views_of_one_record() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    with dc.profile(model) as prof:
        model(torch.rand(1, 3, 6, 6))
    macs, norm = 4 * 4 * 4 * 27, 2 * 4 * 4 * 4
    report = prof.report
    assert report.flops == macs + norm  # fvcore: batch norm in eval mode is 2 per element
    assert report.with_convention("macs").flops == macs
    assert report.with_convention("torch").flops == 2 * macs
    assert (
        report.with_convention("full").flops
        == 2 * macs + report.arithmetic + report.transcendentals
    )
    with pytest.raises(ValueError, match="'fvcore', 'macs', 'torch', 'full'"):
        report.with_convention("flops")


def test_one_block_in_another_and_one_used_twice() -> None:
    model, x = nn.Linear(8, 16), torch.rand(4, 8)
    with dc.profile(model) as outer:
        model(x)
        with dc.profile(model) as inner:
            model(x)
        assert outer.report.macs == 2 * 512  # a snapshot
        with outer:  # entered again: goes on
            model(x)
    assert (outer.report.macs, inner.report.macs) == (3 * 512, 512)
    with outer:  # used again: begins anew
        model(x)
    assert outer.report.macs == 512


def test_report_before_the_block_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="with dispatchcount.profile"):
        _ = dc.profile(nn.Linear(1, 1)).report
    with pytest.raises(TypeError, match=r"the model is a list, not a torch\.nn\.Module"):
        dc.profile([nn.Linear(1, 1)])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two models are named 'net'"):
        dc.profile({"net": nn.ReLU()}, {"net": nn.ReLU()})
    with (
        pytest.raises(RuntimeError, match="inside the profile's with-block"),
        dc.profile().sample("x"),
    ):
        pass


def test_a_report_is_plain_data() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with dc.profile(model, labels={"commit": "1f3a"}) as prof:
        model(torch.rand(4, 8))
    report = prof.report
    assert pickle.loads(pickle.dumps(report)) == report
    assert dc.Report.from_json(report.to_json()) == report
    assert dict(report.meta.labels) == {"commit": "1f3a"}
    double = report + report
    assert (double.macs, double.params) == (2 * report.macs, report.params)
    double.self_check()


def test_an_operator_without_a_rule_is_named_and_strict_raises() -> None:
    @torch.library.custom_op("dispatchcount_core::opaque", mutates_args=())
    def opaque(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return x @ w

    x, w = torch.rand(4, 8), torch.rand(8, 16)
    with dc.profile() as prof:
        opaque(x, w)
    issue = prof.report.unknown_ops["dispatchcount_core.opaque"]
    assert (issue.calls, issue.modules) == (1, ("(no module)",))
    assert issue.shapes == ("float32[4, 8], float32[8, 16]",)
    assert "dispatchcount_core.opaque" in str(prof.report)
    with (
        pytest.raises(dc.UncountedError, match=r"dispatchcount_core\.opaque"),
        dc.profile(strict=True),
    ):
        opaque(x, w)
    with dc.profile(strict=True, rules={opaque: lambda x, w: x[0] * x[1] * w[1]}) as prof:
        opaque(x, w)
    assert (prof.report.macs, prof.report.activations) == (4 * 8 * 16, 4 * 16)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: 1.5, "a Cost or an int"),
        (lambda x: -1, "no negative"),
        (lambda x: None, "returned None"),
        (lambda: 0, "TypeError"),
    ],
)
def test_a_rule_that_fails_is_a_failed_op_and_the_run_goes_on(rule: Any, message: str) -> None:
    with dc.profile(rules={torch.ops.aten.relu: rule}) as prof:
        torch.relu(torch.rand(3)) @ torch.rand(3)
    assert message in prof.report.failed_ops["aten.relu"].message
    assert prof.report.macs == 3


def test_where_the_block_stopped() -> None:
    class Breaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    model = nn.Sequential(
        nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), Breaks()), nn.Linear(8, 8)
    )
    with pytest.raises(KeyboardInterrupt), dc.profile(model) as prof:
        model(torch.rand(4, 8))
    report = prof.report
    assert report.meta.stopped_in == "1.1"
    assert report.macs == 2 * 4 * 8 * 8
    assert report.uncalled_modules == ("2",)
    report.self_check()
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.utils._python_dispatch._get_current_dispatch_mode_stack()
