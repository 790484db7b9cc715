"""Kernels that call other operators give under a profile what they give without one."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone


def body(x, y):
    return (x @ y).sin()


@pytest.fixture(scope="module", params=["CPU", "CompositeExplicitAutograd", "custom_op"])
def operator(request):
    """An operator of another library, whose Python function calls a product that autocast casts."""
    name = f"inner_keys_{request.param.lower()}"
    if request.param == "custom_op":

        @torch.library.custom_op(f"{name}::f", mutates_args=())
        def f(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return body(x, y)

        f.register_autograd(
            lambda ctx, grad: (grad @ ctx.saved_tensors[1].to(grad.dtype).mT, None),
            setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
        )
        yield f
        return
    library = torch.library.Library(name, "DEF")
    library.define("f(Tensor x, Tensor y) -> Tensor")
    library.impl("f", body, request.param)
    yield getattr(torch.ops, name).f
    library._destroy()


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("gradient", [False, True])
def test_a_custom_operator_has_the_dtype_bits_and_gradients_of_an_unprofiled_run(
    operator, cast, gradient
):
    """Without its keys the product inside would be in float32, and have no gradient."""
    found = []
    for profiled in (False, True):
        torch.manual_seed(0)
        x, y = torch.randn(4, 4, requires_grad=gradient), torch.randn(4, 4)
        with dc.profile() if profiled else nullcontext():
            with torch.autocast("cpu") if cast else nullcontext():
                out = operator(x, y)
            if gradient:
                out.float().sum().backward()
        found.append((out.detach(), type(out.grad_fn).__name__, x.grad))
    (plain, node, gradients), (ours, our_node, our_gradients) = found
    assert plain.dtype == (torch.bfloat16 if cast else torch.float32)
    assert ours.dtype == plain.dtype
    assert torch.equal(ours, plain)
    assert our_node == node
    assert (gradients is None) == (not gradient)
    assert gradients is None or torch.equal(gradients, our_gradients)


def matrix(*sizes):
    torch.manual_seed(1)
    return torch.randn(*sizes, dtype=torch.complex64)


COMPLEX = {
    "pinv": lambda: torch.linalg.pinv(matrix(4, 3)),
    "pinv of batches": lambda: torch.linalg.pinv(matrix(2, 3, 3)),
    "pinv, hermitian": lambda: torch.linalg.pinv(matrix(3, 3) @ matrix(3, 3).mH, hermitian=True),
    "lstsq": lambda: torch.linalg.lstsq(matrix(4, 3), matrix(4, 2)).solution,
    "matrix_power": lambda: torch.linalg.matrix_power(matrix(3, 3), -2),
    "matrix_exp": lambda: torch.linalg.matrix_exp(matrix(3, 3)),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_linear_algebra_is_what_it_is_without_a_profile(name):
    """Its kernels take conjugates, which under a mode are taken for what they are views of."""
    plain = COMPLEX[name]()
    with dc.profile():
        # Least squares round as their operands lie in memory, with or without a profile.
        torch.testing.assert_close(COMPLEX[name](), plain)


def test_a_complex_pseudoinverse_is_one_under_a_profile():
    a = matrix(5, 3)
    with dc.profile():
        inverse = torch.linalg.pinv(a)
    torch.testing.assert_close(inverse @ a, torch.eye(3, dtype=a.dtype))


CAST = {
    "bilinear": lambda net: net(torch.ones(4, 8) / 3, torch.ones(4, 9) / 7),
    "pinv": lambda net: torch.linalg.pinv(matrix(4, 3).real.contiguous()),
}


@pytest.mark.parametrize("name", CAST)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_autocast_casts_what_kernels_of_torch_call(name, mode):
    torch.manual_seed(0)
    net = nn.Bilinear(8, 9, 10)
    with mode(), torch.autocast("cpu"):
        plain = CAST[name](net)
        with dc.profile():
            ours = CAST[name](net)
    assert ours.dtype == plain.dtype
    assert torch.equal(ours, plain)


def test_autocast_that_was_switched_off_inside_stays_off():
    x, y = torch.randn(4, 4), torch.randn(4, 4)
    with torch.library._scoped_library("inner_keys_off", "DEF") as library:
        library.define("f(Tensor x, Tensor y) -> Tensor")
        library.impl("f", body, "CPU")
        with torch.autocast("cpu"), dc.profile(), torch.autocast("cpu", enabled=False):
            assert torch.equal(torch.ops.inner_keys_off.f(x, y), body(x, y))


def test_an_operator_with_a_kernel_for_autocast_casts_by_itself():
    def casts(keys, x, y):
        with torch._C._ExcludeDispatchKeyGuard(
            torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)
        ):
            return torch.ops.inner_keys_cast.f(x.double(), y.double())

    x, y = torch.randn(4, 4), torch.randn(4, 4)
    with torch.library._scoped_library("inner_keys_cast", "DEF") as library:
        library.define("f(Tensor x, Tensor y) -> Tensor")
        library.impl("f", body, "CPU")
        library.impl("f", casts, "AutocastCPU", with_keyset=True)
        with torch.autocast("cpu"):
            plain = torch.ops.inner_keys_cast.f(x, y)
            with dc.profile():
                ours = torch.ops.inner_keys_cast.f(x, y)
    assert plain.dtype == ours.dtype == torch.float64
    assert torch.equal(plain, ours)
