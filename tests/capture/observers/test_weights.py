"""Non-zero parameters and the MACs that multiply with them, against counts of the weights themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize, prune

import dispatchcount as dc
from dispatchcount.report_api import Report

pytestmark = pytest.mark.torch_alone


def thin(module: nn.Module, every: int = 3) -> None:
    """Set every third element of each parameter to zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            flat = parameter.flatten()
            flat[::every] = 0
            parameter.copy_(flat.view_as(parameter))


def nnz(tensor: torch.Tensor) -> int:
    return sum(1 for value in tensor.flatten().tolist() if value != 0)


def counted(net: nn.Module, *args: Any, grad: bool = False) -> Report:
    with torch.set_grad_enabled(grad), dc.profile(net, nonzero=True) as prof:
        net(*args)
    report = prof.report
    report.self_check()
    assert dc.Report.from_json(report.to_json()) == report
    return report


LAYERS = {
    # Each element of the weight meets so many positions of the input.
    "linear": (nn.Linear(6, 4), torch.ones(2, 5, 6), 2 * 5),
    "without a bias": (nn.Linear(6, 4, bias=False), torch.ones(3, 6), 3),
    "convolution": (nn.Conv2d(4, 6, 3, padding=1), torch.ones(2, 4, 5, 5), 2 * 5 * 5),
    "in groups": (nn.Conv1d(4, 6, 3, groups=2), torch.ones(2, 4, 9), 2 * 7),
    "transposed": (nn.ConvTranspose2d(4, 6, 2, stride=2), torch.ones(2, 4, 3, 3), 2 * 3 * 3),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("grad", [False, True])
def test_layers(name: str, grad: bool) -> None:
    layer, x, positions = LAYERS[name]
    thin(layer)
    report = counted(layer, x, grad=grad)
    assert report.macs == report.weighed_macs == positions * layer.weight.numel()
    assert report.nonzero_macs == positions * nnz(layer.weight)
    assert report.nonzero_params == sum(map(nnz, layer.parameters()))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(kind: Any) -> None:
    net = kind(6, 4, num_layers=2, bidirectional=True)
    thin(net)
    report = counted(net, torch.ones(5, 3, 6))
    weights = [p for p in net.parameters() if p.dim() == 2]
    assert report.macs == report.weighed_macs == 5 * 3 * sum(w.numel() for w in weights)
    assert report.nonzero_macs == 5 * 3 * sum(map(nnz, weights))


def test_a_model_without_zeros_has_all_its_macs() -> None:
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.5)
    for grad in (False, True):  # the fused kernel, and its parts
        report = counted(net, torch.ones(2, 5, 8), grad=grad)
        assert report.macs == report.nonzero_macs == report.weighed_macs > 0
        assert report.params == report.nonzero_params


def test_masks_of_torch_prune() -> None:
    net = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    prune.random_structured(net[2], "weight", amount=2, dim=0)
    report = counted(net, torch.randn(3, 8), grad=True)
    kept = [8 * 6 // 2, 6 * (4 - 2)]
    assert [report.by_module()[str(i)].nonzero_macs for i in (0, 2)] == [3 * k for k in kept]
    assert [report.by_module()[str(i)].nonzero_params for i in (0, 2)] == [kept[0] + 6, kept[1] + 4]
    assert report.params == 8 * 6 + 6 + 6 * 4 + 4
    for layer in (net[0], net[2]):
        prune.remove(layer, "weight")
    assert counted(net, torch.randn(3, 8)).nonzero_macs == report.nonzero_macs


class Masked(nn.Module):
    """A mask of one's own, as a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 6))
        self.register_buffer("mask", torch.ones(4, 6))
        self.mask[1:3] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x * x.mean(), self.weight * self.mask)


def test_a_mask_of_ones_own() -> None:
    report = counted(Masked(), torch.ones(3, 6))
    assert (report.macs, report.nonzero_macs) == (3 * 4 * 6, 3 * 2 * 6)
    assert report.weighed_macs == report.macs


class Halved(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return torch.where(weight.abs() > 0.5, weight, torch.zeros(()))


def test_a_weight_that_a_parametrization_makes() -> None:
    net = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.linspace(0, 1, 16).view(4, 4))  # 8 of 16 are over a half
    parametrize.register_parametrization(net, "weight", Halved())
    assert counted(net, torch.ones(2, 4)).nonzero_macs == 2 * 8


def test_a_weight_that_autocast_makes() -> None:
    net = nn.Linear(6, 4)
    thin(net)
    with torch.autocast("cpu", torch.bfloat16):
        report = counted(net, torch.ones(3, 6))
    assert report.by_operator()["aten.addmm"].nonzero_macs == 3 * nnz(net.weight)


class Parts(nn.Module):
    """Three weights in one parameter, and products of data alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(12, 4))
        with torch.no_grad():
            self.weight[4:6] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (F.linear(x, part) for part in self.weight.chunk(3))
        return (q @ k.mT) @ v


def test_parts_of_a_parameter_and_data() -> None:
    report = counted(Parts(), torch.ones(5, 4))
    data = 2 * 5 * 5 * 4
    assert report.macs == 3 * 5 * 4 * 4 + data
    assert report.nonzero_macs == (3 * 4 - 2) * 5 * 4 + data


def test_backward_multiplies_the_weight_once_more() -> None:
    net = nn.Sequential(nn.Conv1d(3, 4, 1), nn.Conv1d(4, 5, 1))
    thin(net)
    with dc.profile(net, nonzero=True) as prof:
        net(torch.ones(2, 3, 6)).sum().backward()
    first, second = net[0].weight, net[1].weight
    backward = prof.report.by_phase()["backward"]
    # Both weights take a gradient, which is a product of data; the input of the second one as well.
    data = 2 * 6 * (first.numel() + second.numel())
    assert backward.macs == backward.weighed_macs == data + 2 * 6 * second.numel()
    assert backward.nonzero_macs == data + 2 * 6 * nnz(second)


def test_a_tied_weight_counts_where_it_is_used_and_is_one_parameter() -> None:
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = net[0].weight
    thin(net[0])
    report = counted(net, torch.ones(3, 4))
    assert report.nonzero_params == nnz(net[0].weight)
    assert report.nonzero_macs == 2 * 3 * nnz(net[0].weight)


def test_a_sparse_weight() -> None:
    dense = torch.tensor([[1.0, 0, 0, 2], [0, 0, 3, 0]])
    net = nn.Linear(4, 2, bias=False)
    net.weight = nn.Parameter(dense.to_sparse_csr(), requires_grad=False)
    report = counted(net, torch.ones(5, 4))
    assert report.nonzero_params == 3
    assert report.nonzero_macs == report.macs == 5 * 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.LSTM(6, 4)])
def test_what_quantized_layers_keep_packed(layer: nn.Module) -> None:
    """A quantized zero is the zero point, whatever number that is."""
    thin(layer)
    net = nn.Sequential(layer)
    weights = [p for name, p in net.named_parameters() if "weight" in name]
    net = torch.ao.quantization.quantize_dynamic(net, {type(layer)}, dtype=torch.qint8)
    report = counted(net, torch.ones(5, 1, 6))
    assert report.nonzero_params >= sum(map(nnz, weights)) - 2  # a small one may round to zero
    if isinstance(layer, nn.Linear):
        assert report.weighed_macs == report.macs
        assert report.nonzero_macs == 5 * (report.nonzero_params - nnz(layer.bias))
    else:
        assert (report.nonzero_macs, report.weighed_macs) == (0, 0)
        assert any("aten.quantized_lstm" in note for note in report.meta.notes)


def test_what_cannot_be_read_is_told() -> None:
    with torch.device("meta"):
        net = nn.Linear(6, 4)
        x = torch.ones(3, 6)
    report = counted(net, x)
    assert (report.macs, report.weighed_macs, report.nonzero_macs) == (3 * 6 * 4, 0, 0)
    unread, unweighed = report.meta.notes
    assert unread.startswith("the elements of weight and 1 more parameters are not among the non-")
    assert "aten.addmm" in unweighed


def test_memory_that_was_freed_is_not_read_and_stays_free() -> None:
    """Sharded training frees what it gathered, and keeps the parameter."""
    net = nn.Linear(6, 4)
    storage = net.weight.untyped_storage()
    with dc.profile(net, nonzero=True) as prof:
        with torch.no_grad():
            net(torch.ones(3, 6))
        storage.resize_(0)
    assert storage.nbytes() == 0
    assert (prof.report.macs, prof.report.weighed_macs) == (3 * 6 * 4, 0)
    assert prof.report.nonzero_params == nnz(net.bias)
    assert any("elements of weight are not among" in note for note in prof.report.meta.notes)


def test_two_weights_with_zeros_in_one_product_are_not_guessed() -> None:
    class Merged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.Parameter(torch.eye(4)) for _ in "ab")

        def forward(self) -> torch.Tensor:
            return self.a @ self.b

    report = counted(Merged())
    assert (report.macs, report.weighed_macs) == (4 * 4 * 4, 0)
    assert "≥0" in str(report.table(columns=["nonzero_macs"], depth=0)) or report.meta.notes


def test_a_part_that_is_not_known_marks_the_figure() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.Parameter(torch.eye(4)) for _ in "ab")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.a) @ (self.a @ self.b)

    report = counted(Both(), torch.ones(2, 4))
    # x · a is known; a · b has zeros on both sides. Its result is a weight, which x meets.
    assert report.nonzero_macs == 2 * 4 + 2 * 4
    assert report.weighed_macs == report.macs - 4 * 4 * 4
    assert "≥16" in str(report.table(columns=["nonzero_macs"]))


def test_weights_that_change_in_the_block_are_read_at_its_end() -> None:
    net = nn.Linear(4, 2, bias=False)
    with dc.profile(net, nonzero=True) as prof:
        net(torch.ones(3, 4))
        inside = prof.report.nonzero_macs
        with torch.no_grad():
            net.weight[0] = 0
    assert inside == 3 * 8
    assert prof.report.nonzero_macs == 3 * 4


def test_nothing_is_read_unless_it_is_asked_for() -> None:
    net = nn.Linear(4, 2)
    with dc.profile(net) as prof:
        net(torch.ones(3, 4))
    report = prof.report
    assert (report.nonzero_params, report.nonzero_macs, report.weighed_macs) == (0, 0, 0)
    assert all(p.nonzero is None for module in report.modules for p in module.parameters)
    assert "non-zero" not in str(report)


def test_the_run_is_the_same_and_nothing_is_kept_alive() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    x = torch.randn(3, 4)
    expected = net(x)
    state = torch.random.get_rng_state()
    with dc.profile(net, nonzero=True):
        assert torch.equal(net(x), expected)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_a_model_its_parameters_are_found_as_they_are_used() -> None:
    net = nn.Linear(6, 4)
    thin(net)
    with dc.profile(nonzero=True) as prof:
        net(torch.ones(3, 6))
    assert prof.report.nonzero_macs == 3 * nnz(net.weight)


def test_equal_layers_fold_only_if_their_zeros_are_as_many() -> None:
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))
    thin(net[3], every=2)
    report = counted(net, torch.ones(3, 4))
    assert "0–2 ×3" in str(report.table())


def test_a_parameter_as_the_input_of_a_convolution_is_not_guessed() -> None:
    """Its elements at the border meet fewer taps."""

    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Parameter(torch.eye(4).view(1, 1, 4, 4))
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self) -> torch.Tensor:
            return self.conv(self.image)

    report = counted(Picture())
    assert (report.macs, report.weighed_macs) == (16 * 9, 0)


def test_a_bias_with_zeros_is_in_no_product() -> None:
    net = nn.Linear(4, 3)
    with torch.no_grad():
        net.bias.zero_()
    report = counted(net, torch.ones(2, 4))
    assert report.nonzero_macs == report.weighed_macs == report.macs == 2 * 4 * 3
