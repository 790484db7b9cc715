"""However Python spells an operator, its handle is called as often as TorchScript traces it.

No name is made up.
"""

from __future__ import annotations

import operator
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing._internal.common_methods_invocations import op_db

from dispatchcount.compat import fvcore as ours
from dispatchcount.compat._jit.trace import run
from dispatchcount.compat.fvcore.jit_analysis import JitModelAnalysis as Ours
from tests.compat.layers import Call
from tests.compat.oracle import fvcore, quiet

X = torch.arange(16.0).reshape(4, 4) - 5


def put(index: Any, value: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Assignment to an index of a copy."""

    def assign(x: torch.Tensor) -> torch.Tensor:
        copy = x.clone()
        copy[index] = value
        return copy

    return assign


def in_place(apply: Callable[[Any, Any], Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: apply(x.clone(), x + 20)


ALL = slice(None)
ROWS = torch.tensor([0, 1])
SPELLINGS: dict[str, Callable[[torch.Tensor], Any]] = {
    "x[0]": lambda x: x[0],
    "x[-1]": lambda x: x[-1],
    "x[:, 0]": lambda x: x[:, 0],
    "x[1, 2]": lambda x: x[1, 2],
    "x[1:]": lambda x: x[1:],
    "x[:, 1:]": lambda x: x[:, 1:],
    "x[::2, ::2]": lambda x: x[::2, ::2],
    "x[:]": lambda x: x[:] + 1,
    "x[:4, :9]": lambda x: x[:4, :9] + 1,
    "x[..., :]": lambda x: x[..., :] + 1,
    "x[...]": lambda x: x[...] + 1,
    "x[..., 0]": lambda x: x[..., 0],
    "x[..., 1:, :]": lambda x: x[..., 1:, :],
    "x[None]": lambda x: x[None],
    "x[:, :, None]": lambda x: x[:, :, None],
    "x[:, None, 1:, None]": lambda x: x[:, None, 1:, None],
    "x[True]": lambda x: x[True],
    "x[mask]": lambda x: x[x > 0],
    "x[list]": lambda x: x[[0, 1]],
    "x[list, :, list]": lambda x: x[None][[0, 0], :, [0, 1]],
    "x[tensor]": lambda x: x[ROWS],
    "x[:, tensor]": lambda x: x[:, ROWS],
    "x[0, tensor]": lambda x: x[0, ROWS],
    "x[:, 0] = 1": put((ALL, 0), 1.0),
    "x[1:] = 0": put(slice(1, None), 0.0),
    "x[0] = tensor": put(0, torch.ones(4)),
    "x[0, 1] = 5": put((0, 1), 5.0),
    "x[:] = tensor": put(ALL, torch.ones(4, 4)),
    "x[...] = 0": put(..., 0.0),
    "x[None] = 1": put(None, 1.0),
    "x[tensor] = tensor": put(ROWS, torch.ones(2, 4)),
    "x[:, tensor] = 1": put((ALL, ROWS), 1.0),
    "x[mask] = 0": lambda x: put(x > 0, 0.0)(x),
    "iterate": lambda x: sum(row for row in x),
    "unpack": lambda x: operator.add(*x.chunk(2)),
    "x == x": lambda x: x == x,
    "x == 1": lambda x: x == 1,
    "x != x": lambda x: x != x,
    "x < 1": lambda x: x < 1,
    "x >= x": lambda x: x >= x,
    "1 + x": lambda x: 1 + x,
    "1 - x": lambda x: 1 - x,
    "x.__rsub__(x)": lambda x: x.__rsub__(x),
    "2 * x": lambda x: 2 * x,
    "1 / x": lambda x: 1 / x,
    "x // 2": lambda x: x // 2,
    "2 % x": lambda x: 2 % (x + 20),
    "2 ** x": lambda x: 2**x,
    "x @ x": lambda x: x @ x,
    "-x": lambda x: -x,
    "+x": lambda x: +x + 1,
    "abs(x)": abs,
    "~mask": lambda x: ~(x > 0),
    "mask & mask": lambda x: (x > 0) & (x < 1),
    "mask | mask": lambda x: (x > 0) | (x < 1),
    "mask ^ mask": lambda x: (x > 0) ^ (x < 1),
    "x << 1": lambda x: x.int() << 1,
    "1 << x": lambda x: 1 << x.int().abs(),
    "x += y": in_place(operator.iadd),
    "x -= y": in_place(operator.isub),
    "x *= y": in_place(operator.imul),
    "x /= y": in_place(operator.itruediv),
    "x //= y": in_place(operator.ifloordiv),
    "x %= y": in_place(operator.imod),
    "x **= 2": lambda x: operator.ipow(x.clone(), 2),
    "mask &= mask": lambda x: operator.iand(x > 0, x < 1),
    "x.T": lambda x: x.T,
    "x.mT": lambda x: x.mT,
    "x.H": lambda x: x.H,
    "x.mH": lambda x: x.mH,
    "x.real": lambda x: x.real + 1,
    "x.data": lambda x: x.data + 1,
    "len(x)": lambda x: x * len(x),
    "x.ndim": lambda x: x * x.ndim,
    "x[0, 0].item()": lambda x: x * x[0, 0].item(),
    "float(x[0, 0])": lambda x: x * float(x[0, 0]),
    "x.float()": lambda x: x.double().float(),
    "x.int()": lambda x: x.int(),
    "x.type()": lambda x: x.type(torch.float64),
    "x.type_as()": lambda x: x.type_as(x.double()),
    "x.cpu()": lambda x: x.cpu() + 1,
    "torch.tensor": lambda x: x + torch.tensor([1.0, 2, 3, 4]),
    "torch.as_tensor": lambda x: x + torch.as_tensor([1.0, 2, 3, 4]),
    "x.new_tensor": lambda x: x + x.new_tensor([1.0, 2, 3, 4]),
    "torch.divide": lambda x: torch.divide(x, x),
    "x.multiply_": lambda x: x.clone().multiply_(2),
    "torch.concat": lambda x: torch.concat([x, x]),
    "torch.clip": lambda x: torch.clip(x, 0, 1),
    "x.swapaxes": lambda x: x.swapaxes(0, 1),
    "torch.special.expit": torch.special.expit,
    "F.relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "x.conj()": lambda x: x.conj() + 1,
}


def traced(model: nn.Module, *inputs: torch.Tensor) -> Counter[str]:
    """What TorchScript's tracer has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = torch.jit._get_trace_graph(model, inputs)
    return Counter(node.kind() for node in graph.nodes() if node.kind().startswith("aten::"))


@pytest.mark.parametrize("name", SPELLINGS)
def test_handles_are_called_as_often_as_fvcore_calls_them(name: str) -> None:
    model = Call(SPELLINGS[name])
    for kind in traced(model, X):
        counts = [
            quiet(analysis(model, X)).set_op_handle(kind, lambda i, o: 42).total()
            for analysis in (fvcore.nn.jit_analysis.JitModelAnalysis, Ours)
        ]
        assert counts[0] == counts[1] > 0, kind


@pytest.mark.parametrize("name", SPELLINGS)
def test_unsupported_operators_are_fvcores(name: str) -> None:
    answers = []
    for analysis in (fvcore.nn.FlopCountAnalysis, ours.FlopCountAnalysis):
        made = quiet(analysis(Call(SPELLINGS[name]), X))
        made.total()
        answers.append(made.unsupported_ops())
    assert answers[0] == answers[1]


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_in_every_grad_mode(mode: Any) -> None:
    with mode():
        analysis = Ours(Call(lambda x: x[:, 0] == x.T[0]), X)
        analysis.set_op_handle(
            "aten::select",
            lambda i, o: 1,
            "aten::eq",
            lambda i, o: 10,
            "aten::numpy_T",
            lambda i, o: 100,
        )
        assert analysis.by_operator() == Counter(select=2, eq=10, numpy_T=100)


def test_sizes_are_asked_one_by_one() -> None:
    seen: list[int] = []
    analysis = Ours(Call(lambda x: x * x.size(0) * x.numel()), X)
    analysis.set_op_handle("aten::size", lambda i, o: seen.append(i[1].toIValue()) or 1)
    analysis.set_op_handle("aten::numel", lambda i, o: o[0].toIValue())
    assert analysis.by_operator() == Counter(size=1, numel=16)
    assert seen == [0]
    assert set(analysis.unsupported_ops()) == {"aten::mul"}


def test_handles_of_indexing_know_their_operands() -> None:
    seen: list[Any] = []
    analysis = Ours(Call(lambda x: x[:, 1:, None, 0]), torch.ones(2, 3, 4))
    for kind in ("slice", "unsqueeze", "select"):
        analysis.set_op_handle(
            f"aten::{kind}",
            lambda i, o, kind=kind: (
                seen.append((kind, i[0].type().sizes(), i[1].toIValue(), o[0].type().sizes())) or 0
            ),
        )
    analysis.total()
    assert seen == [
        ("slice", [2, 3, 4], 0, [2, 3, 4]),
        ("slice", [2, 3, 4], 1, [2, 2, 4]),
        ("unsqueeze", [2, 2, 4], 2, [2, 2, 1, 4]),
        ("select", [2, 2, 1, 4], 3, [2, 2, 1]),
    ]


# What TorchScript traces otherwise: sizes that are tensors while it traces, a branch on a tensor, a
# layout that the operator itself arranges (`conv2d` of an image without a batch), and functions
# whose inner part does not announce itself.
OTHERWISE = {
    "nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv3d", "nn.functional.conv_transpose1d",
    "nn.functional.conv_transpose2d", "nn.functional.conv_transpose3d", "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d", "nn.functional.gaussian_nll_loss", "nn.functional.interpolate",
    "nn.functional.linear_cross_entropy", "nn.functional.multi_head_attention_forward", "lu", "unique",
}  # fmt: skip
HIDDEN = {f"aten::{name}" for name in (
    "size", "Int", "numel", "ScalarImplicit", "Float", "Bool", "FloatImplicit", "IntImplicit", "Complex",
)}  # fmt: skip


def spellings() -> Iterator[tuple[str, Callable[..., Any], Any]]:
    """Every operator that torch tests, in all its spellings.

    These are a function, a method, one in place, Python's operators, and its aliases.
    """
    for info in op_db:
        dtypes = info.supported_dtypes("cpu")
        if info.name in OTHERWISE or torch.float32 not in dtypes:
            continue
        sample = next(iter(info.sample_inputs("cpu", torch.float32)), None)
        variants = [info.op, info.method_variant, info.inplace_variant, info.operator_variant]
        variants += [
            way
            for alias in info.aliases
            for way in (alias.op, alias.method_variant, alias.inplace_variant)
        ]
        for index, variant in enumerate(variants):
            if (
                sample is not None
                and variant is not None
                and isinstance(sample.input, torch.Tensor)
            ):
                yield f"{info.name} {index}", variant, sample


def test_every_operator_of_torch_goes_by_the_name_that_it_is_traced_under() -> None:
    """Property: the operators of a run are those of its trace, whatever they were called by."""
    compared, wrong = 0, {}
    for name, variant, sample in spellings():
        model = Call(
            lambda x, variant=variant, sample=sample: variant(
                x.clone(), *sample.args, **sample.kwargs
            )
        )
        try:
            theirs = traced(model, sample.input)
        except Exception:  # what cannot be traced has no name to compare
            continue
        mine = Counter(
            call.kind
            for (_, call), times in run(model, (sample.input,)).calls.items()
            for _ in range(times)
        )
        pair = [
            {kind: n for kind, n in counts.items() if kind not in HIDDEN}
            for counts in (theirs, mine)
        ]
        compared += 1
        if pair[0] != pair[1]:
            wrong[name] = pair
    assert not wrong
    assert compared > 700
