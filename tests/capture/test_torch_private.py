"""Each private part of torch is there, and does what `torch_private` says of it.

A test here that fails with a new torch says which part torch has moved or changed.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dispatchcount.capture import torch_private as private

pytestmark = pytest.mark.torch_alone

VERSION = tuple(map(int, torch.__version__.split(".")[:2]))


def test_a_part_that_cannot_be_replaced_is_named_where_torch_lacks_it() -> None:
    with pytest.raises(ImportError, match=r"dispatchcount needs torch\._C\._no_such_thing, which"):
        private._needed(torch._C, "_no_such_thing")


@pytest.mark.parametrize("name", ["graph_task", "current_node", "keeps_graph", "next_sequence"])
def test_no_stand_in_is_in_use(name: str) -> None:
    assert getattr(private, name).__module__ != private.__name__


# Autograd


def test_a_backward_pass_has_an_id_and_a_node() -> None:
    seen: list[Any] = []
    x = torch.ones(2, requires_grad=True)
    before = private.next_sequence()
    y = x * 2
    assert y.grad_fn is not None
    assert private.sequence_of(y.grad_fn) == before
    assert private.next_sequence() == before + 1
    y.register_hook(
        lambda _: seen.append(
            (
                private.graph_task(),
                private.sequence_of(private.current_node()),
                private.keeps_graph(),
            )
        )
    )
    assert (private.graph_task(), private.current_node()) == (-1, None)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    (first, node, kept), (second, again, kept_again) = seen
    assert -1 < first < second
    assert node == again == before
    assert (kept, kept_again) == (True, False)


def test_nodes_that_accumulate_have_no_number() -> None:
    x = torch.ones(2, requires_grad=True)
    accumulates = (x * 2).grad_fn.next_functions[0][0]
    assert private.sequence_of(accumulates) is None


def test_the_end_of_a_backward_pass() -> None:
    seen: list[str] = []
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda _: private.at_end_of_backward(lambda: seen.append("end")))
    (x * 2).sum().backward()
    assert seen == ["end"]


class Keeps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return grad * y, grad * x


def test_what_this_torch_shows_of_saved_tensors() -> None:
    assert (VERSION >= (2, 13)) <= private.READABLE <= (VERSION > (2, 9))


def test_what_nodes_have_saved() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    for result in (x * y, Keeps.apply(x, y)):
        node = result.grad_fn
        saved = {tensor.data_ptr() for tensor in private.saved_by(node)}
        assert saved == ({x.data_ptr(), y.data_ptr()} if private.READABLE else set())
        result.sum().backward()
        assert set(private.saved_by(node)) <= {None}  # let go of


# Tensors and guards


def test_views_and_addresses() -> None:
    x = torch.ones(4)
    assert not private.is_view(x)
    assert private.is_view(x[:2])
    address = private.address_of(x.untyped_storage())
    assert address == private.address_of(x[2:].untyped_storage())
    assert address != private.address_of(x.clone().untyped_storage())


def test_keys_of_tensors_with_a_dispatch_of_their_own() -> None:
    class Wraps(Tensor):
        @classmethod
        def __torch_dispatch__(cls, *_: Any) -> Any:
            raise AssertionError

    own = Tensor._make_wrapper_subclass(Wraps, (2,))
    assert private.keys_of(own).has(private.DispatchKey.Python)
    assert not private.keys_of(torch.ones(2)).has(private.DispatchKey.Python)


def test_classes_that_switch_overrides_off() -> None:
    assert nn.Parameter.__torch_function__ is private.no_torch_function
    assert private.no_torch_dispatch(torch.add, (), (1, 2)) is not None


def test_the_fake_mode_that_is_on() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert private.fake_mode() is None
    with FakeTensorMode() as mode:
        assert private.fake_mode() is mode


class Seen(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.ops: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.ops.append(str(func))
        return func(*args, **(kwargs or {}))


class Functions(TorchFunctionMode):
    pass


def test_modes_that_are_on() -> None:
    assert (private.dispatch_modes(), private.function_modes()) == ([], [])
    with Seen() as outer, Seen() as inner, Functions() as functions:
        assert private.dispatch_modes() == [outer, inner]
        assert private.function_modes() == [functions]
        assert private.count_function_modes() == 1
    assert private.count_function_modes() == 0


def test_guards() -> None:
    x = torch.ones(2)
    with Seen() as seen:
        with private.DispatchOff():
            x.add(1)
        assert seen.ops == []
        x.add(1)
        assert seen.ops == ["aten.add.Tensor"]

    class Overrides(Tensor):
        @classmethod
        def __torch_function__(cls, *_: Any) -> str:
            return "overridden"

    y = x.as_subclass(Overrides)
    assert y.add(1) == "overridden"
    state = private.torch_function_state()
    with private.FunctionsOff():
        assert y.shape == (2,)
        assert private.torch_function_state() != state
        private.set_torch_function_state(state)
        assert y.add(1) == "overridden"
    assert private.torch_function_state() == state


# The dispatcher


def test_kernels_and_keys_by_name() -> None:
    assert private.has_kernel("aten::mm")
    assert not private.has_kernel("prim::NumToTensor")
    assert private.has_kernel_at("aten::mm", "CPU")
    assert not private.has_kernel_at("aten::matmul", "CPU")
    assert private.has_kernel_at("aten::matmul", "CompositeImplicitAutograd")
    assert private.key_named("CPU") == private.DispatchKey.CPU
    assert private.key_named("MkldnnCUDA") is None
    assert [private.backend_named(device) for device in ("cpu", "cuda", "meta")] == [
        "CPU",
        "CUDA",
        "Meta",
    ]
    served = private.backends_of(private.DispatchKey.AutogradCPU)
    assert served.has(private.DispatchKey.CPU)
    assert private.has_kernel_at_any("aten::mm", served)
    assert not private.has_kernel_at_any("aten::matmul", served)


def test_the_tracer() -> None:
    seen: list[tuple[bool, bool]] = []

    def traced(x: Tensor) -> Tensor:
        state = private.tracing_state()
        on = private.is_tracing()
        private.set_tracing_state(None)
        seen.append((on, private.is_tracing()))
        private.set_tracing_state(state)
        return x + 1

    torch.jit.trace(traced, torch.ones(2), check_trace=False)
    assert seen == [(True, False)]
    assert not private.is_tracing()


# The compiler


def test_importing_dispatchcount_does_not_load_the_compiler() -> None:
    code = (
        "import sys, dispatchcount, dispatchcount.profiler\n"
        "from dispatchcount.capture.torch_private import COMPILER, loaded\n"
        "assert COMPILER not in sys.modules\n"
        "assert loaded(COMPILER, 'export') is None and COMPILER not in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stderr


def test_the_compilers_stance() -> None:
    import torch._dynamo

    assert private.compiler_stance().stance == "default"
    set_by_torch = torch.compiler.set_stance("force_eager")
    try:
        assert private.compiler_stance() is set_by_torch.stance
        private.set_compiler_stance(set_by_torch.prev)
        assert private.compiler_stance().stance == "default"
    finally:
        private.set_compiler_stance(set_by_torch.prev)


def test_higher_order_operators_call_the_mode() -> None:
    """Under torch before 2.8 only modes that were registered with them."""
    registered = not hasattr(TorchDispatchMode, "supports_higher_order_operators")
    assert registered == (VERSION < (2, 8))

    class Asked(Seen):
        supports_higher_order_operators = True

    private.register_with_higher_order_operators(Asked)
    private.register_with_higher_order_operators(Asked)  # twice changes nothing
    cond = torch.ops.higher_order.cond
    assert (Asked in cond.python_key_table) == registered
