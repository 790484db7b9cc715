"""What analyses answer, mmengine's and fvcore's: names, ancestors, handles, warnings, copies."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import nn

from dispatchcount.compat import fvcore, mmengine
from dispatchcount.compat.fvcore.jit_analysis import JitModelAnalysis
from dispatchcount.compat.fvcore.jit_handles import conv_flop_jit, linear_flop_jit
from tests.compat.layers import Call
from tests.compat.nets import Chain, Custom, Shared, TestNet

X = torch.ones(1, 10)


@pytest.fixture(params=[fvcore.FlopCountAnalysis, mmengine.FlopAnalyzer])
def flops(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_counts_by_module_and_operator(flops: Any) -> None:
    analysis = flops(TestNet(), X)
    one = Counter(linear=100)  # 10 * 10
    assert analysis.by_module_and_operator() == {
        "": Counter(linear=400), "fc1": one, "fc2": one, "inner": Counter(linear=200), "inner.fc1": one, "inner.fc2": one,
    }  # fmt: skip
    assert analysis.by_module() == {
        "": 400,
        "fc1": 100,
        "fc2": 100,
        "inner": 200,
        "inner.fc1": 100,
        "inner.fc2": 100,
    }
    assert (analysis.total(), analysis.total("inner"), analysis.by_operator("fc1")) == (
        400,
        200,
        one,
    )


def test_unknown_name_is_a_key_error(flops: Any) -> None:
    analysis = flops(TestNet(), X)
    with pytest.raises(KeyError, match="not among the descendants"):
        analysis.total("fc3")
    with pytest.raises(AssertionError, match="must be a string"):
        analysis.total(analysis._model.fc1)


def test_shared_module_goes_by_its_first_name(flops: Any) -> None:
    analysis = flops(Shared(), torch.ones(2, 4))  # 2 * 4 * 4 a call
    assert analysis.by_module() == {"": 64, "a": 64, "a.0": 64, "b": 0}
    assert analysis.canonical_module_name("b.0") == analysis.canonical_module_name("c") == "a.0"
    assert analysis.total("c") == 64
    assert analysis.ancestor_mode("caller").by_module() == {"": 64, "a": 32, "b": 32, "a.0": 64}


def test_recursion_counts_once(flops: Any) -> None:
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(10, 1)

        def forward(self, x: torch.Tensor, more: int = 3) -> torch.Tensor:
            return self(x, more - 1) if more else self.fc(x)

    analysis = flops(Again(), X)
    assert analysis.by_module() == {"": 10, "fc": 10}
    assert analysis.uncalled_modules() == set()


def test_forward_called_directly_belongs_to_the_caller(flops: Any) -> None:
    analysis = flops(Chain(), X).ancestor_mode("caller")
    assert analysis.total("direct") == 0
    assert analysis.uncalled_modules() == {"direct"}
    assert analysis.ancestor_mode("owner").total("direct") == 100
    assert analysis.uncalled_modules() == set()


@pytest.mark.parametrize("mode", ["caller", "owner"])
def test_data_parallel_is_looked_into(flops: Any, mode: str) -> None:
    analysis = flops(nn.DataParallel(TestNet()).cpu(), X).ancestor_mode(mode)
    assert analysis.by_module() == {
        "": 400, "module": 400, "module.fc1": 100, "module.fc2": 100,
        "module.inner": 200, "module.inner.fc1": 100, "module.inner.fc2": 100,
    }  # fmt: skip
    assert analysis.uncalled_modules() == set()


def test_only_what_ran_counts(flops: Any) -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = nn.Linear(10, 1), nn.Linear(10, 50)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.large(x) if x.sum() > 100 else self.small(x)

    analysis = flops(Branch(), X)
    assert analysis.total() == 10
    assert analysis.uncalled_modules() == {"large"}
    assert flops(Branch(), 11 * X).total() == 500


def test_none_keeps_out_what_has_no_handle(flops: Any) -> None:
    """An operator that has a handle goes on counting, as in the libraries.

    detectron2 relies on that for `batch_norm`.
    """
    heads = torch.ones(1, 2, 3, 4)
    attention = nn.functional.scaled_dot_product_attention
    model = Call(
        lambda x, q: (nn.functional.batch_norm(x, torch.ones(4), torch.ones(4)), attention(q, q, q))
    )
    analysis = flops(model, (torch.ones(1, 4), heads))
    assert analysis.by_operator() == Counter(
        batch_norm=4, scaled_dot_product_attention=144
    )  # 2 products of 2 heads * 3*3 * 4
    analysis.set_op_handle("aten::batch_norm", None, "aten::scaled_dot_product_attention", None)
    assert analysis.by_operator() == Counter(batch_norm=4)
    assert "aten::scaled_dot_product_attention" not in analysis.unsupported_ops()
    assert analysis.set_op_handle("aten::batch_norm", lambda i, o: 7).by_operator() == Counter(
        batch_norm=7
    )
    with pytest.raises(TypeError, match="pairs of names and handles"):
        analysis.set_op_handle("aten::batch_norm")


def test_base_class_counts_what_it_has_handles_for() -> None:
    model = nn.Sequential(nn.Conv1d(10, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    analysis = JitModelAnalysis(model, torch.ones(1, 10, 1)).set_op_handle(
        "aten::linear", linear_flop_jit
    )
    assert analysis.by_operator() == Counter(linear=8)
    assert analysis.unsupported_ops() == Counter({"aten::_convolution": 1})
    assert analysis.set_op_handle(**{"aten::_convolution": conv_flop_jit}).by_operator() == Counter(
        linear=8, conv=40
    )
    assert analysis.clear_op_handles().by_module_and_operator() == {
        name: Counter() for name in ("", "0", "1", "2")
    }


def test_unsupported_operators(flops: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(10, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (3 * self.fc(x).relu() + 1) ** 2

    analysis = flops(Net(), X)
    with pytest.raises(RuntimeError, match="should be computed before"):
        analysis.unsupported_ops()
    analysis.total()
    assert analysis.unsupported_ops() == Counter({"aten::mul": 1, "aten::add": 1, "aten::pow": 1})
    assert analysis.unsupported_ops("fc") == Counter()


def test_operators_without_a_handle_are_not_zero(flops: Any) -> None:
    heads = torch.ones(1, 2, 3, 4)
    analysis = flops(Call(nn.functional.scaled_dot_product_attention), (heads, heads, heads))
    assert analysis.by_operator() == Counter(
        scaled_dot_product_attention=144
    )  # 2 products of 2 heads * 3*3 * 4
    assert analysis.unsupported_ops() == Counter()


def test_warnings_name_operators_and_modules(caplog: pytest.LogCaptureFixture) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.list = (
                nn.Linear(10, 10),
                nn.Linear(10, 10),
                nn.ModuleList(),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x) + 2

    fvcore.FlopCountAnalysis(Net(), X).total()
    assert [record.name for record in caplog.records] == ["fvcore.nn.jit_analysis"] * 2
    first, second = (record.message for record in caplog.records)
    assert first == "Unsupported operator aten::add encountered 1 time(s)"
    assert second.startswith("The following submodules of the model were never called")
    assert second.endswith("\nunused")
    caplog.clear()
    fvcore.FlopCountAnalysis(Net(), X).unsupported_ops_warnings(False).uncalled_modules_warnings(
        False
    ).total()
    assert not caplog.records


def test_mmengine_warns_on_its_current_logger() -> None:
    from mmengine.logging import MMLogger

    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        mmengine.FlopAnalyzer(nn.Sigmoid(), X).total()
    finally:
        logger.removeHandler(handler)
    assert seen == ["Unsupported operator aten::sigmoid encountered 1 time(s)"]


def test_tracer_warning_where_contents_are_read(flops: Any) -> None:
    model = Call(lambda x: x + 1 if x.sum().item() > 0 else x)
    with pytest.warns(torch.jit.TracerWarning, match="those of this input"):
        flops(model, X).tracer_warnings("all").total()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flops(model, X).total()
    with pytest.raises(ValueError, match="Unrecognized tracer warning mode"):
        flops(model, X).tracer_warnings("some")
    with pytest.raises(ValueError, match="Unrecognized ancestor mode"):
        flops(model, X).ancestor_mode("parent")


def test_copy_keeps_every_setting(flops: Any) -> None:
    analysis = (
        flops(TestNet(), X)
        .ancestor_mode("caller")
        .set_op_handle("aten::relu", None, "aten::linear", lambda i, o: 3)
    )
    other = (
        analysis.unsupported_ops_warnings(False)
        .tracer_warnings("none")
        .copy(new_model=nn.Sequential(nn.Linear(10, 2), nn.ReLU()))
    )
    assert type(other) is flops
    assert other.by_operator() == Counter(linear=3)
    assert (other._ancestor_mode, other._warn_trace, other._enable_warn_unsupported_ops) == (
        "caller",
        "none",
        False,
    )
    assert analysis.copy(new_inputs=torch.ones(5, 10)).total() == 12
    other.set_op_handle("aten::linear", lambda i, o: 5)
    assert analysis.total() == 12


def test_scripted_code_is_counted_and_listed(flops: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(_square)
    analysis = flops(Call(lambda x: scripted(x)), torch.ones(5, 5))
    assert analysis.by_operator() == Counter(mm=125)
    assert "prim::CallFunction" in analysis.unsupported_ops()
    analysis.set_op_handle("aten::mm", lambda i, o: i[0].type().sizes()[0])
    assert analysis.by_operator() == Counter(mm=5)


def _square(x: torch.Tensor) -> torch.Tensor:
    return x @ x


def test_custom_autograd_function_counts_as_a_whole_if_it_has_a_handle(flops: Any) -> None:
    analysis = flops(Custom(), torch.ones(3, 3))
    assert analysis.by_operator() == Counter(matmul=54)  # 2 * 3*3*3
    assert analysis.unsupported_ops() == Counter()
    seen: list[Any] = []

    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        seen.append((inputs[0].type().sizes(), outputs[0].type().sizes()))
        return 42

    analysis.set_op_handle("prim::PythonOp.Double", handle)
    assert analysis.by_operator() == Counter({"PythonOp.Double": 84})
    assert seen == [([3, 3], [3, 3])]


def test_handles_that_cannot_be_reached_say_so_once(
    flops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatchcount.compat._jit.analysis._WARNED", set())
    analysis = flops(TestNet(), X)
    with pytest.warns(
        UserWarning, match="prim::CallFunction is never called.*dispatchcount.register"
    ):
        analysis.set_op_handle("prim::CallFunction", lambda i, o: 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis.set_op_handle("prim::CallFunction", lambda i, o: 1)


def test_counts_are_numbers(flops: Any) -> None:
    with pytest.raises(ValueError, match="Invalid type <class 'str'>"):
        flops(TestNet(), X).set_op_handle("aten::linear", lambda i, o: "many").total()


@pytest.mark.parametrize(("count", "unit"), [("flop_count", 1e9), ("activation_count", 1e6)])
def test_counts_in_units(count: str, unit: float) -> None:
    model = nn.Sequential(nn.Linear(10, 4), nn.Sigmoid(), nn.GELU())
    value = {"flop_count": 40, "activation_count": 4}[count]
    for module in (fvcore, mmengine):
        counts, unsupported = getattr(module, count)(
            model, (X,), {"aten::gelu": None, "aten::sigmoid": lambda i, o: Counter(s=9)}
        )
        assert counts == {"linear": value / unit, "s": 9 / unit}
        assert counts["none"] == 0.0
        assert unsupported == Counter()


def test_gradients_taken_in_forward_count_by_their_kernels(flops: Any) -> None:
    class Force(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.energy(x).sum(), x)[0]

    analysis = flops(Force(), torch.ones(2, 4))
    assert analysis.by_operator() == Counter(linear=8, mm=8)
    assert "aten::grad" not in analysis.unsupported_ops()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_parts_count(flops: Any, reentrant: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.utils.checkpoint.checkpoint(self.fc, x, use_reentrant=reentrant)

    analysis = flops(Net(), torch.ones(2, 4, requires_grad=True))
    assert analysis.by_module_and_operator() == {"": Counter(linear=32), "fc": Counter(linear=32)}


def test_lazy_modules(flops: Any) -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    assert flops(model, torch.ones(2, 4)).by_operator() == Counter(linear=24, batch_norm=30)
