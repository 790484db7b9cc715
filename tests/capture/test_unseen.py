"""What no dispatcher sees, what the user says of it, and rules of the user's own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.errors import UncountedError
from dispatchcount.rules.core.registry import RULES

pytestmark = pytest.mark.torch_alone


def counted(run: Callable[[], Any], **options: Any) -> dc.Report:
    with dc.profile(**options) as prof:
        run()
    prof.report.self_check()
    return prof.report


def by_hand(tensor: Tensor) -> Tensor:
    """Fills memory as a foreign kernel does."""
    ctypes.memset(tensor.data_ptr(), 0, tensor.numel() * tensor.element_size())
    return tensor


# Memory that nothing seen has written.


def through_numpy(tensor: Tensor) -> Tensor:
    return torch.from_numpy(pytest.importorskip("numpy").asarray(tensor))


@pytest.mark.parametrize(
    "alias",
    [
        torch.from_dlpack,
        lambda tensor: torch.from_dlpack(tensor[1:]),
        through_numpy,
        lambda tensor: through_numpy(tensor)[2:],
        lambda tensor: torch.from_dlpack(torch.from_dlpack(tensor)),
    ],
)
@pytest.mark.parametrize("write", [lambda t: t.fill_(1.0), lambda t: torch.ones(1).expand_as(t)])
def test_memory_written_through_another_storage_was_written(
    alias: Callable[[Tensor], Tensor], write: Callable[[Tensor], Any]
) -> None:
    """numpy and DLPack give a tensor a storage of its own over the same bytes."""

    def run() -> None:
        memory = torch.empty(4, 4)
        other = alias(memory)
        other.copy_(write(other))
        _ = memory @ memory

    report = counted(run)
    assert not report.unknown_ops
    assert report.macs == 64


def test_a_write_beside_memory_that_something_unseen_filled_does_not_hide_it() -> None:
    def run() -> None:
        beside = torch.ones(4, 4)
        filled = by_hand(torch.empty(4, 4))
        torch.from_dlpack(beside).fill_(2.0)
        _ = filled @ filled

    assert [issue.status for issue in counted(run).unknown_ops.values()] == ["unseen"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(4, 4),
        lambda: torch.empty_like(torch.ones(4, 4)),
        lambda: torch.ones(1).new_empty(4, 4),
        lambda: torch.empty_strided((4, 4), (4, 1)),
    ],
)
def test_memory_filled_by_something_unseen_is_reported_once(make: Callable[[], Tensor]) -> None:
    def run() -> None:
        filled = by_hand(make())
        _ = filled @ filled
        _ = filled + 1  # a second reader of the same kernel's work

    report = counted(run)
    (issue,) = report.unknown_ops.values()
    assert issue.status == "unseen"
    assert issue.calls == 1
    assert "test_unseen.py" in issue.op
    assert "read by aten.mm at" in issue.message
    assert "dispatchcount.kernel" in issue.message
    assert report.macs == 64


def test_the_reader_s_module_is_named() -> None:
    class Extension(nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            return by_hand(torch.empty_like(y)).relu()

    model = nn.Sequential(nn.Linear(4, 4), Extension())
    with dc.profile(model) as prof:
        model(torch.ones(2, 4))
    (issue,) = prof.report.unknown_ops.values()
    assert issue.modules == ("1",)
    assert issue.shapes == ("float32[2, 4]",)


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t.fill_(1) + 1,
        lambda t: t.zero_().sum(),
        lambda t: t.normal_().sum(),
        lambda t: t.copy_(torch.ones(4, 4)) + 1,
        lambda t: (t.view(16).fill_(0), t + 1),
        lambda t: (
            t[0].fill_(0),
            t + 1,
        ),  # who writes a part of it is taken to write the rest by and by
        lambda t: (t.t().zero_(), t.sum()),
        lambda t: (torch.mm(torch.ones(4, 4), torch.ones(4, 4), out=t), t + 1),
        lambda t: (torch.add(t.new_ones(4, 4), 1, out=t), t.sum()),
        lambda t: (t.index_fill_(0, torch.tensor([0]), 1.0), t + 1),
        lambda t: (t.__setitem__(0, 1.0), t + 1),
        lambda t: (t.set_(torch.ones(4, 4)), t + 1),
        lambda t: (t.shape, t.stride(), t.view(2, 8), t.data_ptr()),
        lambda t: (
            torch.zeros_like(t),
            torch.ones_like(t),
            torch.rand_like(t),
            torch.empty_like(t),
        ),
        lambda t: nn.init.xavier_uniform_(t).sum(),
        lambda t: torch._foreach_zero_([t, torch.ones(2)]),
    ],
)
def test_memory_written_by_an_operator_raises_no_alarm(use: Callable[[Tensor], Any]) -> None:
    assert not counted(lambda: use(torch.empty(4, 4))).unknown_ops


def test_memory_from_before_the_block_and_without_any_raises_no_alarm() -> None:
    before = torch.empty(4)

    def run() -> None:
        _ = before + 1
        _ = torch.cat([torch.empty(0), torch.ones(3)])
        _ = torch.empty(3, device="meta") + 1
        _ = torch.tensor([1.0, 2.0]) + torch.as_tensor([1.0, 2.0])
        _ = torch.zeros(3) + torch.arange(3) + torch.full((3,), 2)

    assert not counted(run).unknown_ops


def test_many_allocations_are_not_held_on_to() -> None:
    with dc.profile() as prof:
        for _ in range(2000):
            torch.empty(4)
        assert len(prof._session._mode.watch.storages) <= 257  # type: ignore[union-attr]


# Kernels that the user names.


def test_a_kernel_named_where_it_is_launched() -> None:
    def run() -> None:
        out = torch.empty(8)
        with dc.kernel("scan", cost=100):
            by_hand(out)
        _ = out + 1

    report = counted(run)
    assert not report.unknown_ops
    assert report.macs == 100
    assert report.by_operator()["scan"].calls == 1


def test_a_kernel_s_function_with_a_rule() -> None:
    @dc.kernel("scan", cost=lambda u, delta, *, length, out: 9 * u.numel * length + out.numel)
    def scan(u: Tensor, delta: float, *, length: int) -> Tensor:
        """Scans."""
        return by_hand(torch.empty_like(u))

    model = nn.Sequential(nn.Linear(4, 4))
    with dc.profile(model) as prof:
        for _ in range(3):
            _ = scan(model(torch.ones(2, 4)), 0.5, length=3) + 1
    assert prof.report.by_operator()["scan"].macs == 3 * (9 * 8 * 3 + 8)
    assert prof.report.by_operator()["scan"].calls == 3
    assert not prof.report.unknown_ops
    assert scan.__name__ == "scan"
    assert scan.__doc__ == "Scans."
    assert scan(torch.ones(2), 0.5, length=1).shape == (2,)  # outside of a profile it does nothing


def test_a_kernel_s_cost_in_full() -> None:
    cost = dc.Cost(macs=5, arithmetic=7, transcendentals=2, activations=3)

    def run() -> None:
        with dc.kernel("k", cost=cost):
            pass

    report = counted(run, convention="full")
    assert (report.flops, report.macs, report.activations) == (2 * 5 + 7 + 2, 5, 3)


def test_kernels_go_to_the_module_that_launches_them_and_to_every_open_block() -> None:
    class Extension(nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            with dc.kernel("k", cost=11):
                return y

    model = nn.Sequential(Extension())
    with dc.profile(model) as outer, dc.profile(model) as inner:
        model(torch.ones(1))
    for prof in (outer, inner):
        assert prof.report.by_module()["0"].macs == prof.report.macs == 11


def test_kernels_that_raise_or_have_a_bad_cost() -> None:
    def run() -> None:
        with pytest.raises(ValueError, match="no"), dc.kernel("k", cost=5):
            raise ValueError("no")
        with (
            pytest.raises(TypeError, match="a rule needs the decorator form"),
            dc.kernel("k", cost=lambda: 5),
        ):
            pass
        with dc.kernel("nonsense", cost=-5):
            pass

    report = counted(run)
    assert report.macs == 0
    assert set(report.failed_ops) == {"nonsense"}
    assert "no negative" in report.failed_ops["nonsense"].message


def test_strict_makes_an_error_of_what_is_not_counted() -> None:
    def run() -> None:
        _ = by_hand(torch.empty(3)) + 1

    with pytest.raises(UncountedError, match=r"^1 operator is not counted: .*unseen.*"):
        counted(run, strict=True)
    counted(lambda: torch.ones(3) + 1, strict=True)
    prof = dc.profile(strict=True)
    with pytest.raises(ValueError, match="mine"), prof:
        run()
        raise ValueError("mine")  # the user's own error is the one that counts
    assert prof.report.unknown_ops


@torch.library.custom_op("dispatchcount_tests::advised", mutates_args=())
def advised(x: Tensor) -> Tensor:
    return x.clone()


REGISTER, NAME = "@dispatchcount.register", "dispatchcount.kernel"


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (lambda: by_hand(torch.empty(3)) + 1, {NAME}),
        (lambda: advised(torch.ones(3)), {REGISTER}),
        (lambda: advised(by_hand(torch.empty(3)) + 1), {NAME, REGISTER}),
    ],
)
def test_strict_says_what_to_do_about_each(run: Callable[[], Any], advice: set[str]) -> None:
    """A kernel that nothing saw has no name that a rule could be registered for."""
    with pytest.raises(UncountedError) as error:
        counted(run, strict=True)
    assert {way for way in (REGISTER, NAME) if way in str(error.value)} == advice


# No false alarm.


def test_training_raises_no_alarm() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.LazyLinear(2),
    )
    with dc.profile(model, strict=True):
        optimizer = None
        for _ in range(2):
            loss = nn.functional.cross_entropy(model(torch.rand(2, 3, 6, 6)), torch.tensor([0, 1]))
            optimizer = optimizer or torch.optim.AdamW(model.parameters())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()


# The user's rules.


@torch.library.custom_op("dispatchcount_tests::pair", mutates_args=())
def pair(x: Tensor, y: Tensor, n: int) -> Tensor:
    return x @ y * n


@pair.register_fake
def _(x: Tensor, y: Tensor, n: int) -> Tensor:
    return x.new_empty(x.shape[0], y.shape[1])


@pytest.fixture
def registry() -> Iterator[None]:
    """Leaves the global rules as they were."""
    before = set(RULES.names())
    yield
    for name in set(RULES.names()) - before:
        RULES.remove(name)


def call_pair(n: int = 1) -> Tensor:
    return pair(torch.ones(2, 3), torch.ones(3, 4), n)


def test_a_custom_operator_without_a_rule_is_unknown() -> None:
    report = counted(call_pair)
    assert set(report.unknown_ops) == {"dispatchcount_tests.pair"}
    issue = report.unknown_ops["dispatchcount_tests.pair"]
    assert issue.shapes == ("float32[2, 3], float32[3, 4], 1",)
    assert issue.nbytes == 4 * (6 + 12 + 8)


@pytest.mark.parametrize(
    "target",
    [
        pair,
        torch.ops.dispatchcount_tests.pair,
        torch.ops.dispatchcount_tests.pair.default,
        "dispatchcount_tests::pair",
        "dispatchcount_tests.pair",
    ],
)
def test_rules_for_one_block_by_any_name(target: Any) -> None:
    rule = lambda x, y, n: x[0] * x[1] * y[1] * n  # noqa: E731
    report = counted(lambda: [call_pair(2), call_pair(3)], rules={target: rule})
    assert report.by_operator()["dispatchcount_tests.pair"].macs == 24 * (2 + 3)
    assert counted(call_pair).unknown_ops  # the next block does not know it


def test_rules_see_the_result_and_may_be_a_full_cost() -> None:
    def rule(x: Any, y: Any, n: int, *, out: Any) -> dc.Cost:
        assert (x.dtype, tuple(out)) == ("float32", (2, 4))
        return dc.Cost(macs=1, transcendentals=out.numel)

    report = counted(call_pair, rules={pair: rule}, convention="full")
    assert (report.macs, report.transcendentals) == (1, 8)


def test_a_rule_for_good(registry: None) -> None:
    @dc.register(pair)
    def rule(x: Any, y: Any, n: int) -> int:
        return 7

    assert counted(call_pair).macs == 7
    with pytest.raises(ValueError, match="dispatchcount_tests::pair"):
        dc.register(pair)(rule)
    dc.register(pair, replace=True)(lambda x, y, n: 9)
    assert counted(call_pair).macs == 9
    assert (
        counted(call_pair, rules={pair: lambda x, y, n: 11}).macs == 11
    )  # the block's own rule goes before


def test_a_rule_given_after_the_run_costs_it(registry: None) -> None:
    with dc.profile() as prof:
        call_pair()
    before = prof.report
    assert before.unknown_ops
    dc.register(pair)(lambda x, y, n: 5)
    assert prof.report.macs == 5
    assert not prof.report.unknown_ops
    assert before.unknown_ops  # a report that was handed out stays what it was


def test_a_rule_of_the_user_s_replaces_a_built_in_one() -> None:
    report = counted(
        lambda: torch.ones(2, 3) @ torch.ones(3, 4), rules={torch.ops.aten.mm: lambda a, b: 1}
    )
    assert report.macs == 1


@pytest.mark.parametrize("regime", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_rule_for_a_composite_counts_it_and_not_its_parts(regime: Any) -> None:
    def run() -> None:
        with regime():
            torch.ops.dispatchcount_tests.pair(torch.ones(2, 3), torch.ones(3, 4), 1)

    assert counted(run, rules={pair: lambda x, y, n: 3}).macs == 3


def boom(*args: Any) -> int:
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (boom, "ZeroDivisionError: oops"),
        (lambda x, y, n: 1.5, "returned 1.5"),
        (lambda x, y, n: None, "returned None"),
        (lambda x, y, n: True, "returned True"),
        (lambda x, y, n: -1, "macs is -1"),
        (lambda x, y, n: dc.Cost(arithmetic=-3), "arithmetic is -3"),
        (lambda x, y, n: dc.Cost(macs=0.5), "macs is 0.5"),  # type: ignore[arg-type]
        (lambda x: 1, "TypeError"),
        (lambda x, y, n: x[7], "IndexError"),
    ],
)
def test_a_rule_that_fails_is_named_and_the_run_goes_on(rule: Any, says: str) -> None:
    def run() -> None:
        out = call_pair()
        assert torch.equal(out, torch.full((2, 4), 3.0))
        _ = out @ torch.ones(4, 5)

    report = counted(run, rules={pair: rule})
    assert report.macs == 2 * 4 * 5
    assert says in report.failed_ops["dispatchcount_tests.pair"].message
    assert not report.unknown_ops
    with pytest.raises(UncountedError, match="dispatchcount_tests.pair"):
        counted(run, rules={pair: rule}, strict=True)


@pytest.mark.parametrize("target", [3, torch.nn.Linear, torch.matmul, None])
def test_what_is_no_operator_has_no_rule(target: Any) -> None:
    with pytest.raises(TypeError, match="a rule's target is an operator"):
        dc.profile(rules={target: lambda: 1})
    with pytest.raises(TypeError, match="needs the operator"):
        dc.register()
    with pytest.raises(TypeError, match="must be a function of shapes"):
        dc.profile(rules={pair: 5})  # type: ignore[dict-item]


def test_a_higher_order_operator_may_have_a_rule() -> None:
    def run() -> None:
        with torch.no_grad():
            torch.cond(torch.tensor(True), lambda y: y @ y, lambda y: y + 1, (torch.ones(4, 4),))

    assert counted(run).macs == 64
    report = counted(run, rules={torch.ops.higher_order.cond: lambda *args: 5})
    assert report.macs == 5
    assert report.by_operator()["higher_order.cond"].calls == 1


def test_an_autograd_function_is_counted_by_what_it_does() -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x @ x + by_hand(torch.empty_like(x))

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad @ grad

    report = counted(lambda: Twice.apply(torch.ones(4, 4, requires_grad=True)).sum().backward())
    assert {name: row.macs for name, row in report.by_phase().items()} == {
        "forward": 64,
        "backward": 64,
    }
    assert len(report.unknown_ops) == 1
