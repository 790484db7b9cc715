"""Small networks that several tests share."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class InnerNet(nn.Module):
    """Of mmengine's documentation page."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(10, 10)
        self.fc2 = nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc1(self.fc2(x))


class TestNet(nn.Module):
    """Of mmengine's documentation page."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(10, 10)
        self.fc2 = nn.Linear(10, 10)
        self.inner = InnerNet()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc1(self.fc2(self.inner(x)))


class Chain(nn.Module):
    """Single children all the way down, a module called by `forward`, and one without figures."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = nn.Sequential(nn.Sequential(nn.Linear(10, 10)))
        self.direct = nn.Sequential(nn.Linear(10, 10), nn.ReLU())
        self.a_rather_long_module_name_that_would_not_fit_on_a_line_of_eighty = nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a_rather_long_module_name_that_would_not_fit_on_a_line_of_eighty(
            self.direct.forward(self.outer(x))
        )


class Shared(nn.Module):
    """One linear layer in two sequences, and under a third name."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(4, 4)
        self.a, self.b, self.c = nn.Sequential(layer), nn.Sequential(layer), layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x) + self.b(x)


class Double(torch.autograd.Function):
    """A custom autograd function with a product in it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return 2 * (x @ x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad


class Custom(nn.Module):
    """Applies it, twice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Double.apply(Double.apply(x))
