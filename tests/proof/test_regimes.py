"""A call has the same operators, calls and figures under grad, no_grad and inference mode, wherever torch runs the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import islice
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import jacrev, vmap
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._pytree import tree_map_only

import dispatchcount as dc
from tests.capture.test_subclasses import Wrapper
from tests.proof.same import PIECES, REGIMES, difference, outcome, seed
from tests.proof.test_module_db import built
from tests.proof.test_op_db import VALUES_ONLY

pytestmark = pytest.mark.usefixtures("quiet")

Call = Callable[[], Any]
Figures = dict[str, tuple[int, ...]]
Enter = Callable[[], AbstractContextManager[Any]]

FIGURES = (
    "calls",
    "macs",
    "flops",
    "arithmetic",
    "transcendentals",
    "activations",
    "bytes_read",
    "bytes_written",
)
SAMPLES = 3

BOOKKEEPING = {"aten.detach"}
"""A view that autograd makes for itself: of results that it keeps, and of parts of a sparse tensor that no gradient goes through.
It costs nothing; how often it is made says whether autograd is there."""

COPIED_AHEAD = {"aten.clone", "aten._conj", "aten._neg_view"}
"""Under inference mode torch copies conjugate and negative views before it runs a composite operator; outside of it, the composite
gets the view."""

SAVED = {"aten.clone"}
"""Autograd copies an operand that an in-place step is about to overwrite, if a gradient needs it."""

MORE_RESULTS = {"aten._sparse_mm_reduce_impl", "aten.mkldnn_rnn_layer"}
"""Write one more result if gradients are wanted: which elements were the largest; a workspace."""

CAST_AGAIN = {"aten._to_copy"}
"""Autocast keeps weights that it has cast for the next operator that wants them, but not under inference mode."""

FOLDED = {"aten.mm", "aten.bmm", "aten.expand", "aten.view", "aten._unsafe_view", "aten.clone"}
"""`matmul` folds a batch into one product if the smaller operand requires a gradient, as the weights do that autocast keeps."""

AHEAD = {"nn.functional.linear_cross_entropy.chunked", "nn.LinearCrossEntropyLoss"}
"""Under grad, forward computes the gradients too."""

FUSED = ("nn.Transformer", "nn.MultiheadAttention")
"""Without gradients, eval mode takes kernels that are fused from whole layers."""


def figures(call: Call) -> tuple[str, Figures]:
    """What became of a call, and every figure of every operator that ran."""
    with dc.profile() as prof:
        what, result = outcome(call)
    rows = prof.report.by_operator()
    return what if what == "returned" else result[0], {
        name: tuple(getattr(stats, field) for field in FIGURES)
        for name, stats in rows.items()
        if name not in BOOKKEEPING
    }


def differing(
    calls: Callable[[], list[Call]], *, limit: int = SAMPLES, context: Enter = nullcontext
) -> Iterator[tuple[str, str]]:
    """The regimes and the operators in which one of the first calls differs from the regime before."""
    ran: dict[str, list[tuple[str, Figures]]] = {}
    for regime, enter in REGIMES.items():
        ran[regime] = []
        for call in islice(calls(), limit):
            with enter(), context():
                ran[regime].append(figures(call))
    for before, regime in (("grad", "no_grad"), ("no_grad", "inference")):
        for (did, mine), (also, theirs) in zip(ran[before], ran[regime], strict=True):
            if did == also:  # views of sparse tensors, for one, cannot be made under inference mode
                yield from (
                    (regime, name)
                    for name in mine.keys() | theirs.keys()
                    if mine.get(name) != theirs.get(name)
                )


def fresh(info: Any, dtype: torch.dtype, gradients: bool = False) -> list[Any]:
    seed()
    return list(info.sample_inputs_func(info, "cpu", dtype, gradients))


def called(
    info: Any, samples: list[Any], change: Callable[[Any], Any] = lambda value: value
) -> list[Call]:
    return [lambda s=s: info(change(s.input), *change(s.args), **change(s.kwargs)) for s in samples]  # type: ignore[misc]


def each(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], Any]:
    return lambda value: tree_map_only(torch.Tensor, change, value)


def viewed(view: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], Any]:
    return each(
        lambda t: (
            view(t)
            if t.layout is torch.strided and (t.is_complex() or t.is_floating_point())
            else t
        )
    )


def into(info: Any) -> list[Call]:
    """With `out=`, filled with what the call returned."""
    calls = []
    for sample, call in zip(
        fresh(info, torch.float32), called(info, fresh(info, torch.float32)), strict=True
    ):
        what, result = outcome(call)
        if what == "returned":
            out = tree_map_only(torch.Tensor, torch.empty_like, result[0])
            calls.append(lambda s=sample, o=out: info(s.input, *s.args, **s.kwargs, out=o))
    return calls


def other(variant: Any, info: Any) -> list[Call]:
    """The method or in-place form."""
    if variant is None:
        return []
    return [
        lambda s=s: variant(s.input.clone(), *s.args, **s.kwargs)
        for s in fresh(info, torch.float32)
    ]  # type: ignore[misc]


def sparse(info: Any) -> list[Call]:
    calls = []
    for layout in ("coo", "csr", "csc", "bsr", "bsc"):
        seed()
        with suppress(NotImplementedError):  # most have no samples of most layouts
            function = getattr(info, f"sample_inputs_sparse_{layout}_func")
            calls += called(info, list(function(info, "cpu", torch.float32, False))[:SAMPLES])
    return calls


def quantized(tensor: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 3, torch.quint8)


FORMS: dict[str, Callable[[Any], list[Call]]] = {
    "plain": lambda info: called(info, fresh(info, torch.float32, info.supports_autograd)),
    "method": lambda info: other(info.method_variant, info),
    "in place": lambda info: other(info.inplace_variant, info),
    "out": lambda info: into(info) if info.supports_out else [],
    "sparse": sparse,
    "quantized": lambda info: called(info, fresh(info, torch.float32), viewed(quantized)),
    "meta": lambda info: called(info, fresh(info, torch.float32), each(lambda t: t.to("meta"))),
    "int64": lambda info: called(info, fresh(info, torch.int64)),
    "bfloat16": lambda info: called(info, fresh(info, torch.bfloat16)),
    "complex64": lambda info: called(info, fresh(info, torch.complex64)),
    "conjugate": lambda info: called(info, fresh(info, torch.complex64), viewed(torch.conj)),
    "negative": lambda info: called(info, fresh(info, torch.float32), viewed(torch._neg_view)),
}
IN = {
    "int64": torch.int64,
    "bfloat16": torch.bfloat16,
    "complex64": torch.complex64,
    "conjugate": torch.complex64,
}
"""The dtype of the samples, where it is not float32."""

LIMITS = {"sparse": 15, "meta": 2, "negative": 2, "quantized": 2}

VIEWS = {"complex64", "conjugate", "negative"}
"""Those that have conjugate or negative views: operators in complex numbers make some for themselves."""


@pytest.mark.proof(every=PIECES - 1)  # at least a piece of each form, and another one of each
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("form", FORMS)
def test_every_operator_of_torch(form: str, piece: int) -> None:
    dtype, ways = IN.get(form, torch.float32), FORMS[form]
    known = [info for info in op_db if dtype in info.supported_dtypes("cpu")][piece::PIECES]
    found = {
        (info.full_name, *row)
        for info in known
        for row in differing(lambda info=info: ways(info), limit=LIMITS.get(form, SAMPLES))
    }  # type: ignore[misc]
    assert len(known) > 200 // PIECES
    allowed = {
        "no_grad": SAVED | MORE_RESULTS,
        "inference": COPIED_AHEAD if form in VIEWS else set(),
    }
    assert {
        (name, regime, operator)
        for name, regime, operator in found
        if operator not in allowed[regime]
        and name not in (VALUES_ONLY if regime == "inference" else AHEAD)
    } == set()


@pytest.mark.proof(every=PIECES - 1)
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("cast", [False, True])
def test_every_module_of_torch(cast: bool, piece: int) -> None:
    context = (lambda: torch.autocast("cpu")) if cast else nullcontext
    found = {
        (info.name, *row)
        for info in module_db[piece::PIECES]
        for training in ((True,) if cast else (True, False))
        for row in differing(
            lambda i=info, t=training: [call for _, call, _ in built(i, t)], context=context
        )  # type: ignore[misc]
    }
    allowed = {"no_grad": SAVED | MORE_RESULTS, "inference": CAST_AGAIN | FOLDED if cast else set()}
    assert {
        (name, regime, operator)
        for name, regime, operator in found
        if operator not in allowed[regime]
        and not (regime == "no_grad" and (name in AHEAD or name.startswith(FUSED)))
    } == set()


class Custom:
    """A library of one's own, with an operator that runs as others."""

    library = torch.library.Library("regimes", "DEF")
    library.define("both(Tensor a, Tensor b) -> Tensor")
    library.impl(
        "both", lambda a, b: F.rms_norm(F.linear(a, b), (len(b),)), "CompositeImplicitAutograd"
    )


def fake(device: str) -> Any:
    with FakeTensorMode():
        return F.rms_norm(
            F.linear(torch.rand(4, 8, device=device), torch.rand(6, 8, device=device)), (6,)
        )


X, W = torch.rand(4, 8), torch.rand(6, 8)
CSR, COO = torch.eye(8).to_sparse_csr(), torch.eye(8).to_sparse()
PARTS = [torch.rand(3, 8), torch.rand(5, 8)]
STRIDED = torch.nested.nested_tensor(PARTS, layout=torch.strided)
JAGGED = torch.nested.nested_tensor(PARTS, layout=torch.jagged)

CALLS: dict[str, Call] = {
    "rms_norm": lambda: F.rms_norm(X, (8,)),
    "csr mm": lambda: torch.sparse.mm(CSR, W.t()),
    "coo mm": lambda: torch.sparse.mm(COO, W.t()),
    "csr matmul": lambda: CSR @ W.t(),
    "sparse mm, mean": lambda: torch.sparse.mm(CSR, W.t(), "mean"),
    "sparse addmm": lambda: torch.sparse.addmm(W.t(), COO, W.t()),
    "sparse linear": lambda: F.linear(X, torch.eye(8).to_sparse_csr()),
    "sparse softmax": lambda: torch.sparse.softmax(COO, 1),
    "sparse sum": lambda: torch.sparse.sum(COO),
    "to sparse and back": lambda: X.to_sparse().to_dense(),
    "a new tensor": lambda: torch.tensor([1.0, 2.0]) + torch.as_tensor(3.0),
    "mkldnn": lambda: F.linear(X.to_mkldnn(), W.to_mkldnn()).to_dense(),
    "nested linear": lambda: F.linear(STRIDED, W),
    "nested reshape": lambda: STRIDED.reshape(2, -1, 2, 4).transpose(1, 2),
    "nested like": lambda: torch.zeros_like(STRIDED),
    "jagged linear": lambda: F.linear(JAGGED, W),
    "jagged rms_norm": lambda: F.rms_norm(JAGGED, (8,)),
    "a wrapper": lambda: F.rms_norm(F.linear(Wrapper(X), W), (6,)),
    "two tensors": lambda: F.linear(TwoTensor(X, X), TwoTensor(W, W)),
    "a library's own": lambda: torch.ops.regimes.both(X, W),
    "fake": lambda: fake("cpu"),
    "fake on a GPU": lambda: fake("cuda"),
    "vmap": lambda: vmap(lambda x: F.linear(x, W))(X.view(2, 2, 8)),
    "vmap of vmap": lambda: vmap(vmap(lambda x: F.rms_norm(x, (8,))))(X.view(2, 2, 8)),
    "jacrev": lambda: jacrev(lambda x: F.linear(x, W).sum(0))(X),
    "stft": lambda: torch.stft(torch.rand(64), 16, return_complex=True),
    "lobpcg": lambda: torch.lobpcg(torch.eye(9), 1, niter=2),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_the_samples_leave_out(name: str) -> None:
    call = CALLS[name]
    assert set(differing(lambda: [call])) == set()
    with torch.inference_mode():
        what, _ = figures(call)
    assert what == "returned"


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN, nn.Linear, nn.MultiheadAttention])
def test_autocast_casts_the_parts(kind: Any) -> None:
    """GRU is a composite without a kernel for autocast: its parts are what is cast."""
    layer = kind(4, 4)
    inputs = [torch.rand(3, 2, 4)] * (3 if kind is nn.MultiheadAttention else 1)
    for enter in REGIMES.values():
        with enter():
            with torch.autocast("cpu"):
                expected = outcome(lambda: layer(*inputs))
            with torch.autocast("cpu"), dc.profile():
                found = outcome(lambda: layer(*inputs))
        assert difference(expected, found) == ""


def test_autocast_has_cast_what_has_a_kernel_for_it() -> None:
    """`linear` is cast ahead, and what it calls is not cast again: two operands to bfloat16, and no more."""
    for enter in REGIMES.values():
        with enter(), torch.autocast("cpu"), dc.profile() as prof:
            F.linear(X, W)
        assert prof.report.by_operator()["aten._to_copy"].calls == 2
        assert prof.report.by_operator()["aten.mm"].bytes_read == 2 * (4 + 6) * 8
