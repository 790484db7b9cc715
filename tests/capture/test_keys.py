"""What tells two calls apart is all that a rule is shown of a call, so no call is ever costed as another."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db

import dispatchcount as dc
from dispatchcount import session
from dispatchcount.capture import plan
from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.facts import Facts
from dispatchcount.capture.key import Named, describe, part_of, shown
from dispatchcount.rules.core.shape import Shape

Figures = tuple[int, ...]

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "dense": lambda x: x,
    "coo": lambda x: x.to_sparse_coo(),
    "csr": lambda x: x.to_sparse_csr(),
    "csc": lambda x: x.to_sparse_csc(),
    "bsr": lambda x: x.to_sparse_bsr((2, 2)),
    "bsr4": lambda x: x.to_sparse_bsr((4, 4)),
    "bsc": lambda x: x.to_sparse_bsc((2, 2)),
    "mkldnn": lambda x: x.to_mkldnn(),
}


def figures(call: Callable[[], Any]) -> Figures:
    with dc.profile() as prof:
        call()
    r = prof.report
    return r.macs, r.arithmetic, r.transcendentals, r.activations, r.bytes_read, r.bytes_written


def forget() -> None:
    """What this process knows of earlier calls."""
    session._SHARED.version = -1


def banded(stored: int, size: int = 8) -> Tensor:
    x = torch.zeros(size, size)
    x.view(-1)[torch.arange(stored) * 3 % (size * size)] = 1.0
    return x


def calls() -> dict[str, Callable[[], Any]]:
    """Calls that are alike but for what this test is about, in groups of one operator and the same sizes."""
    made: dict[str, Callable[[], Any]] = {}
    y = torch.rand(8, 4)
    for stored, (layout, make) in itertools.product((9, 20), LAYOUTS.items()):
        x = make(banded(stored))
        for name, call in {
            "mm": lambda x: x @ y,
            "sum": torch.sum,
            "add": lambda x: x + x,
            "dense": lambda x: x.to_dense(),
        }.items():
            made[f"{name} {layout} {stored}"] = lambda call=call, x=x: call(x)
    for device in ("cpu", "meta"):
        norm = nn.BatchNorm2d(4, device=device).eval()
        made[f"norm {device}"] = lambda norm=norm, device=device: norm(
            torch.empty(2, 4, 3, 3, device=device)
        )
        bag = nn.EmbeddingBag(5, 3, device=device)
        index = torch.zeros(4, 2, dtype=torch.long, device=device)
        made[f"bag {device}"] = lambda bag=bag, index=index: bag(index)
    for lengths in ((3, 5), (1, 7), (4, 4)):
        nested = torch.nested.nested_tensor(
            [torch.rand(n, 4) for n in lengths], layout=torch.jagged
        )
        made[f"jagged {lengths}"] = lambda nested=nested: F.linear(nested, torch.ones(2, 4))
        padded = torch.nested.nested_tensor([torch.rand(n, 4) for n in lengths])
        made[f"nested {lengths}"] = lambda padded=padded: F.linear(padded, torch.ones(2, 4))
    for end in (5.0, 50.0):
        made[f"arange {end}"] = lambda end=end: torch.arange(end)
    for scale in (2.0, 3.0):
        made[f"upsample {scale}"] = lambda scale=scale: F.interpolate(
            torch.ones(1, 1, 4, 4), scale_factor=scale
        )
    whole = torch.ones(6, dtype=torch.int32)
    made["divide whole"], made["times whole"], made["times half"] = (
        (lambda: whole / 2),
        (lambda: whole * 2),
        (lambda: whole * 2.5),
    )
    return {name: call for name, call in made.items() if runs(call)}


def runs(call: Callable[[], Any]) -> bool:
    """Whether torch has the operator for these operands at all."""
    try:
        call()
    except (RuntimeError, NotImplementedError):
        return False
    return True


@pytest.mark.filterwarnings("ignore")
def test_a_count_does_not_depend_on_what_ran_before() -> None:
    made = calls()
    alone = {}
    for name, call in made.items():
        forget()
        alone[name] = figures(call)
    assert len(set(alone.values())) > 30
    for order in (list(made), list(made)[::-1]):
        forget()
        assert {name: figures(made[name]) for name in order} == alone


def test_the_default_dtype_tells_calls_apart() -> None:
    x = torch.ones(6, dtype=torch.int32)
    before = torch.get_default_dtype()
    try:
        written = []
        for dtype in (torch.float32, torch.float64):
            torch.set_default_dtype(dtype)
            with dc.profile() as prof:
                x / 2
            written.append(prof.report.bytes_written)
    finally:
        torch.set_default_dtype(before)
    assert written == [6 * 4, 6 * 8]


def test_stored_elements_times_columns() -> None:
    y = torch.rand(8, 4)
    blocks = {"bsr": (2, 2), "bsr4": (4, 4), "bsc": (2, 2)}
    for stored, (layout, make) in itertools.product((9, 20), LAYOUTS.items()):
        dense = banded(stored)
        if layout in blocks:
            height, width = blocks[layout]
            tiles = dense.reshape(8 // height, height, 8 // width, width).abs().sum((1, 3))
            elements = int(tiles.count_nonzero()) * height * width
        else:
            elements = 64 if layout in ("dense", "mkldnn") else stored
        x = make(dense)
        with suppress(RuntimeError), dc.profile() as prof:  # torch has no product for some layouts
            torch.mm(x, y)
            assert prof.report.macs == elements * 4, layout


class Watching(CountingMode):
    """Notes, of each key, what its signature was made of the first time, and what each later call shows."""

    faults: ClassVar[list[str]] = []
    compared: ClassVar[list[str]] = []

    def count(self, plan: Any, args: Any, kwargs: Any, out: Any) -> Any:
        signature = self.counter.find(plan, args, kwargs, out)
        if not plan.keyless and not plan.values:
            self.compared.append(plan.name)
            named = {name: value for name, value in kwargs.items() if name not in plan.outs}
            now = _shapes((describe(args), describe(named), describe(out)))
            if _shapes((signature.args, signature.kwargs, signature.out)) != now:
                self.faults.append(f"{plan.name}: {signature.text} for {describe(args)}")
        return super().count(plan, args, kwargs, out)


def _shapes(value: Any) -> Any:
    if isinstance(value, Shape):
        return tuple(value), value.dtype, value.layout, value.numel, value.lengths
    if isinstance(value, dict):
        return {name: _shapes(item) for name, item in value.items()}
    return tuple(_shapes(item) for item in value) if isinstance(value, tuple) else None


def watch(info: Any, device: str, *, backward: bool) -> None:
    """Run torch's own samples of an operator under `Watching`."""
    for sample in itertools.islice(
        info.sample_inputs_func(info, device, torch.float32, backward), 4
    ):
        with suppress(Exception), torch.set_grad_enabled(backward), dc.profile() as prof:
            prof._session._mode._short = {}  # type: ignore[union-attr]  # every operator comes to `count`
            out = info(sample.input, *sample.args, **sample.kwargs)
            if backward:
                first = out[0] if isinstance(out, tuple) else out
                first.sum().backward()


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> type[Watching]:
    monkeypatch.setattr(session, "CountingMode", Watching)
    Watching.faults.clear()
    Watching.compared.clear()
    return Watching


@pytest.mark.filterwarnings("ignore")
def test_over_torchs_own_samples_equal_keys_show_equal_calls(watching: type[Watching]) -> None:
    for info in op_db:
        if torch.float32 in info.supported_dtypes("cpu"):
            watch(info, "cpu", backward=False)
    assert len(watching.compared) > 3_000
    assert not watching.faults, watching.faults[:5]


LAYERS = (
    "nn.functional.batch_norm",
    "nn.functional.layer_norm",
    "nn.functional.group_norm",
    "native_batch_norm",
    "_native_batch_norm_legit",
    "nn.functional.conv1d",
    "nn.functional.conv2d",
    "nn.functional.conv_transpose2d",
    "nn.functional.max_pool2d",
    "nn.functional.scaled_dot_product_attention",
)


@pytest.mark.filterwarnings("ignore")
def test_results_that_follow_from_the_device_are_what_the_first_call_showed(
    watching: type[Watching],
) -> None:
    """Both devices, forth and back, in eval and in training: `plan._SETTLED_BY_DEVICE` says their results follow."""
    by_device = {name.replace("::", ".") for name in plan._SETTLED_BY_DEVICE}
    for device in ("cpu", "meta", "cpu"):
        for info in op_db:
            if info.name in LAYERS:
                watch(info, device, backward=True)
    image = torch.ones(2, 4, 5, 5)
    for norm in (nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.GroupNorm(2, 4)):
        for train, layout in itertools.product(
            (True, False), (torch.contiguous_format, torch.channels_last)
        ):
            given = image.clone(memory_format=layout).requires_grad_()
            with dc.profile() as prof:
                prof._session._mode._short = {}  # type: ignore[union-attr]
                norm.train(train)(given).sum().backward()
    assert not watching.faults, watching.faults[:5]
    assert len(by_device & set(watching.compared)) >= 9


def test_parts_say_all_that_is_shown() -> None:
    values: list[Any] = [
        torch.ones(2, 3),
        torch.ones(2, 3).double(),
        [torch.ones(2), torch.ones(3)],
        [2, 3],
        torch.eye(3).to_sparse_csr(),
        3,
        True,
        "mean",
        None,
        2.5,
        torch.float32,
        {"a": torch.ones(1)},
    ]
    parts = [part_of(value) for value in values]
    assert all(hash(part) is not None for part in parts)
    for (one, first), (two, second) in itertools.combinations(zip(values, parts, strict=True), 2):
        if repr(describe(one)) != repr(describe(two)):
            assert (type(first), first) != (type(second), second)
    assert shown(Facts((2, 3), torch.float64)) == Shape((2, 3), "float64")
    assert shown(Named([("a", 3)])) == {"a": 3}


def test_kernels_of_one_name_and_other_costs() -> None:
    with dc.profile() as prof:
        for cost in (5, 7, 5):
            with dc.kernel("scan", cost=cost):
                pass
        for times in (2, 3):
            dc.kernel("rule", cost=lambda x, *, out, times=times: times * x.numel)(lambda x: x)(
                torch.ones(4)
            )
    by_operator = prof.report.by_operator()
    assert (by_operator["scan"].macs, by_operator["rule"].macs) == (5 + 7 + 5, (2 + 3) * 4)


@pytest.mark.parametrize("cost", [2.5, "9", None, [1]])
def test_a_kernel_costs_an_int_a_cost_or_a_rule(cost: Any) -> None:
    with pytest.raises(TypeError, match="the cost is an int of MACs"):
        dc.kernel("scan", cost=cost)


def test_a_size_that_depends_on_data_is_unknown() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    fake = FakeTensorMode(shape_env=ShapeEnv(allow_dynamic_output_shape_ops=True))
    x, w = fake.from_tensor(torch.rand(6, 8)), fake.from_tensor(torch.rand(8, 4))
    with fake, dc.profile() as prof:
        x[x[:, 0] > 0] @ w
    issue = prof.report.unknown_ops["aten.mm"]
    assert issue.shapes == ("float32[?, 8], float32[8, 4]",)
    assert "depends on data" in issue.message


def test_packed_layers_made_in_each_call_are_bounded() -> None:
    from dispatchcount.capture import key

    q = torch.quantize_per_tensor(torch.rand(1, 2, 5, 5), 0.1, 0, torch.quint8)
    layers = [torch.ao.nn.quantized.Conv2d(2, 3, kernel, padding=kernel // 2) for kernel in (1, 3)]
    with dc.profile() as prof:
        for _ in range(key.MAX_PACKED):
            torch.ao.nn.quantized.Conv2d(2, 3, 1)(q)
            assert len(key._PACKED) <= key.MAX_PACKED
        for layer in layers:
            layer(q)
    assert prof.report.macs == (key.MAX_PACKED + 1 + 9) * 3 * 5 * 5 * 2
