"""Modules that lack attributes of `nn.Module` can be the model, or inside one, in every layer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.compat import calflops, fvcore, mmengine, ptflops, thop
from dispatchcount.compat.torch import FlopCounterMode

X = torch.ones(1, 4)
WEIGHT = torch.ones(4, 4)


class Refuses(nn.Linear):
    """Raises something of its own for whatever it has not."""

    def __getattr__(self, name: str) -> Any:
        if name in ("weight", "bias"):
            return super().__getattr__(name)
        raise KeyError(name)


class Obliges(nn.Module):
    """Has everything that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return lambda *args, **kwargs: None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Bare(nn.Module):
    """Has none of the tables that `nn.Module` would have made."""

    def __init__(self) -> None:
        pass

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x @ WEIGHT


class Half(nn.Linear):
    """Lost some of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.__dict__["_buffers"], self.__dict__["training"]


class Unequal(nn.Linear):
    """Does not hash, and cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


class Shy(nn.Linear):
    """Does not say what it is."""

    def extra_repr(self) -> str:
        raise RuntimeError("not to be printed")


class Moody(nn.Linear):
    """Has a mode that is nobody's business."""

    @property
    def training(self) -> bool:
        raise RuntimeError("not to be asked")

    @training.setter
    def training(self, mode: bool) -> None:
        pass


class Holder(nn.Module):
    """Calls the module inside, and a layer of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.own = nn.Linear(4, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.own(self.inner(x))


def linear() -> nn.Linear:
    return nn.Linear(4, 4, bias=False).eval()


def scripted(change: Callable[[Any], Any] = lambda module: module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        return change(torch.jit.script(linear()))


MODELS: dict[str, Callable[[], nn.Module]] = {
    **{
        kind.__name__: (lambda kind=kind: kind(4, 4, bias=False))
        for kind in (Refuses, Half, Unequal, Shy, Moody)
    },
    "Bare": Bare,
    "Obliges": Obliges,
    "scripted": scripted,
    "frozen": lambda: scripted(torch.jit.freeze),
    "for inference": lambda: scripted(torch.jit.optimize_for_inference),
    "traced": lambda: torch.jit.trace(linear(), X),
}


def by_torch(model: nn.Module) -> int:
    with FlopCounterMode(display=False) as counter:
        model(X)
    assert "Global" in counter.get_table() or "FLOP" in counter.get_table()
    return counter.get_total_flops() // 2


def by_fvcore(model: nn.Module) -> int:
    analysis = (
        fvcore.FlopCountAnalysis(model, X)
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
    )
    assert fvcore.flop_count_table(analysis)
    assert fvcore.flop_count_str(analysis)
    assert fvcore.parameter_count_table(model)
    assert sum(
        fvcore.ActivationCountAnalysis(model, X)
        .unsupported_ops_warnings(False)
        .by_operator()
        .values()
    )
    return analysis.total()


QUIET: dict[str, Any] = {"print_results": False, "output_as_string": False}
LAYERS: dict[str, Callable[[nn.Module], int]] = {
    "fvcore": by_fvcore,
    "mmengine": lambda model: mmengine.FlopAnalyzer(model, (X,)).total(),
    "get_model_complexity_info": lambda model: dc.get_model_complexity_info(model, (4,))["flops"],
    "torch": by_torch,
    "ptflops": lambda model: ptflops.get_model_complexity_info(
        model, (4,), as_strings=False, ost=io.StringIO()
    )[0],
    "thop": lambda model: thop.profile(model, (X,))[0],
    "calflops": lambda model: calflops.calculate_flops(model, (1, 4), **QUIET)[1],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", MODELS)
def test_odd_modules_count_in_every_layer(name: str, layer: str) -> None:
    assert LAYERS[layer](MODELS[name]()) == 16  # 4 * 4
    assert LAYERS[layer](Holder(MODELS[name]())) == 32


def test_buffers_and_modes_of_scripted_modules_stay() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    fvcore.FlopCountAnalysis(model, torch.randn(3, 4)).unsupported_ops_warnings(False).total()
    thop.profile(model, (torch.randn(3, 4),))
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_a_train_method_of_the_users_is_not_called() -> None:
    """It may do more than set a mode (merge weights, say), which could not be taken back."""

    class Merging(nn.Linear):
        def train(self, mode: bool = True) -> Any:
            raise AssertionError("called")

    model = nn.Sequential(Merging(4, 4), nn.Dropout())
    assert thop.profile(model, (X,))[0] == 16
    assert model.training
    assert model[1].training
