"""ptflops', thop's and calflops' entry points: their names, values and strings, and our counts."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from dispatchcount.compat import calflops, fvcore, mmengine, ptflops, thop


def model() -> nn.Module:
    """A convolution (8*8 * 8*3*3*3 MACs), a norm, and a linear layer of 8*64 * 10 MACs.

    It is in train mode, which must stay.
    """
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


MACS = 64 * 8 * 27 + 5120
PARAMS = 216 + 8 + 16 + 5130


def test_ptflops() -> None:
    net, stream = model(), io.StringIO()
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), as_strings=False, ost=stream) == (
        MACS,
        PARAMS,
    )
    assert "Conv2d" in stream.getvalue()
    assert net.training
    assert int(net[1].num_batches_tracked) == 0
    options: dict[str, Any] = {"print_per_layer_stat": False}
    assert ptflops.get_model_complexity_info(net, (3, 8, 8), **options) == ("18.94 KMac", "5.37 k")
    assert (
        ptflops.get_model_complexity_info(
            net, (3, 8, 8), flops_units="MMac", output_precision=3, **options
        )[0]
        == "0.019 MMac"
    )
    net[0].requires_grad_(False)
    assert (
        ptflops.get_model_complexity_info(net, (3, 8, 8), as_strings=False, **options)[1]
        == PARAMS - 224
    )
    given = ptflops.get_model_complexity_info(
        net,
        (3, 8, 8),
        as_strings=False,
        input_constructor=lambda sizes: {"input": torch.ones(2, *sizes)},
        **options,
    )
    assert given[0] == 2 * MACS


def test_thop(capsys: pytest.CaptureFixture[str]) -> None:
    net = model()
    macs, params = thop.profile(net, inputs=(torch.ones(1, 3, 8, 8),))
    assert (macs, params) == (MACS, PARAMS)
    assert net.training
    assert capsys.readouterr().out == ""
    assert thop.clever_format([macs, params], "%.3f") == ("18.944K", "5.370K")
    assert thop.clever_format(4.1e9) == "4.10G"
    assert thop.clever_format(12) == "12.00B"


def test_thop_says_what_it_cannot_count(capsys: pytest.CaptureFixture[str]) -> None:
    @torch.library.custom_op("dispatchcount_tests::mystery", mutates_args=())
    def mystery(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return mystery(x)

    thop.profile(Net(), (torch.ones(2),))
    assert "dispatchcount_tests.mystery" in capsys.readouterr().out


def test_calflops(capsys: pytest.CaptureFixture[str]) -> None:
    net, options = model(), {"print_results": False, "output_as_string": False}
    flops, macs, params = calflops.calculate_flops(net, (1, 3, 8, 8), **options)
    # Two per MAC; a bias each for convolution and linear; of the norm two per element to scale and
    # two to map, 8 roots and 8 sums; ReLU.
    assert (flops, macs, params) == (2 * MACS + 512 + 10 + 4 * 512 + 8 + 8 + 512, MACS, PARAMS)
    doubled = calflops.calculate_flops(
        net, kwargs={"input": torch.ones(2, 3, 8, 8)}, include_backPropagation=True, **options
    )
    assert doubled[1] == 2 * MACS * 3
    assert calflops.calculate_flops(net, (1, 3, 8, 8), print_detailed=False) == (
        "40.99 KFLOPS",
        "18.94 KMACs",
        "5.37 K",
    )
    assert capsys.readouterr().out == "FLOPs 40.99 KFLOPS, MACs 18.94 KMACs, parameters 5.37 K\n"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda net: ptflops.get_model_complexity_info(net, (3, 8, 8), backend="other"),
            "'other' is not a valid",
        ),
        (
            lambda net: ptflops.get_model_complexity_info(
                net, (3, 8, 8), custom_modules_hooks={nn.ReLU: 1}
            ),
            "custom_modules_hooks has 1 for ReLU; give a function",
        ),
        (
            lambda net: thop.profile(net, (torch.ones(1, 3, 8, 8),), custom_ops={nn.ReLU: "none"}),
            "custom_ops has 'none' for ReLU; give a function",
        ),
        (
            lambda net: calflops.calculate_flops(net, transformer_tokenizer=1),
            "transformer_tokenizer is 1, which has no model_input_names",
        ),
        (
            lambda net: calflops.calculate_flops(net, (1, 3, 8, 8), is_sparse=True),
            "is_sparse=True is not supported",
        ),
        (lambda net: calflops.calculate_flops(net), "either input_shape or args"),
        (
            lambda net: calflops.calculate_flops(net, (1, 3, 8, 8), output_unit="X"),
            "'X' is not known",
        ),
    ],
)
def test_wrong_use(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(model())


@torch.library.custom_op("dispatchcount_tests::unseen", mutates_args=())
def unseen(x: torch.Tensor) -> torch.Tensor:
    """No rule knows it."""
    return x + 1


class Unseen(nn.Module):
    """Runs it twice, and a product of 2*2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return unseen(unseen(x) @ torch.ones(2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: ptflops.get_model_complexity_info(Unseen(), (2,), print_per_layer_stat=False),
        lambda: ptflops.get_model_complexity_info(Unseen(), (2,), print_per_layer_stat=True),
        lambda: thop.profile(Unseen(), (torch.ones(1, 2),), verbose=False),
        lambda: calflops.calculate_flops(Unseen(), (1, 2), print_results=False),
        lambda: calflops.calculate_flops(Unseen(), (1, 2), print_detailed=False),
        lambda: calflops.calculate_flops(Unseen(), (1, 2)),
    ],
)
def test_every_layer_names_what_it_cannot_count(
    call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    call()
    assert "dispatchcount_tests.unseen" in capsys.readouterr().out


def test_tables_are_in_the_convention_of_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert ptflops.get_model_complexity_info(net, (3, 8, 8)) == (
        "7.78 KMac",
        "240",
    )  # 6*6 * 8*27; 216 + 8 + 16
    assert "7.78 k" in capsys.readouterr().out
    assert (
        calflops.calculate_flops(net, (1, 3, 8, 8))[0] == "17.01 KFLOPS"
    )  # two per MAC, and what is element-wise
    assert "17 k" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ptflops.flops_to_string(20), "20 Mac"),
        (ptflops.flops_to_string(1000), "1.0 KMac"),
        (ptflops.flops_to_string(1_825_000_000), "1.82 GMac"),
        (ptflops.flops_to_string(2_500_000, "GMac", 4), "0.0025 GMac"),
        (ptflops.flops_to_string(20, "Mac"), "20 Mac"),
        (ptflops.params_to_string(20), "20"),
        (ptflops.params_to_string(1234), "1.23 k"),
        (ptflops.params_to_string(11_690_000), "11.69 M"),
        (ptflops.params_to_string(11_690_000, "K", 1), "11690.0 K"),
        (ptflops.params_to_string(11_690_000, "B"), "0.01 B"),
        (ptflops.params_to_string(20, ""), "20"),
        (calflops.flops_to_string(64), "64 FLOPS"),
        (calflops.macs_to_string(32), "32 MACs"),
        (calflops.flops_to_string(18_944), "18.94 KFLOPS"),
        (calflops.flops_to_string(18_944, "M", 3), "0.019 MFLOPS"),
        (calflops.params_to_string(7_100_000_000), "7.1 B"),
        (calflops.params_to_string(440), "440"),
        (calflops.bytes_to_string(2e6), "2 MB"),
        (calflops.number_to_string(0), "0 "),
        (calflops.number_to_string(0.5), "500 m"),
    ],
)
def test_texts_are_theirs_to_the_letter(text: str, expected: str) -> None:
    assert text == expected


def test_ptflops_takes_operators() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Conv1d(1, 2, 1))
    call: Any = partial(
        ptflops.get_model_complexity_info, net, (4,), as_strings=False, print_per_layer_stat=False
    )
    aten = torch.ops.aten
    assert call()[0] == 16 + 8
    assert call(ignore_modules=[aten.convolution])[0] == 16
    seen: list[Any] = []

    def hook(inputs: Any, outputs: Any) -> int:
        seen.append(([tuple(x.shape) for x in inputs[:3]], [tuple(y.shape) for y in outputs]))
        return 1000

    assert (
        call(custom_modules_hooks={aten.addmm: hook}, backend=ptflops.FLOPS_BACKEND.ATEN)[0] == 1008
    )
    assert seen == [([(4,), (1, 4), (4, 4)], [(1, 4)])]
    assert call()[0] == 24


def test_names_are_where_they_are_imported_from() -> None:
    from dispatchcount.compat.ptflops.flops_counter import FLOPS_BACKEND
    from dispatchcount.compat.ptflops.utils import flops_to_string, params_to_string
    from dispatchcount.compat.thop import profile_origin
    from dispatchcount.compat.thop.utils import clever_format

    assert FLOPS_BACKEND("aten") is ptflops.FLOPS_BACKEND.ATEN
    assert (flops_to_string, params_to_string) == (
        ptflops.flops_to_string,
        ptflops.params_to_string,
    )
    assert clever_format is thop.clever_format
    assert profile_origin(nn.Linear(2, 2), (torch.ones(1, 2),)) == (4, 6)
    assert fvcore.nn.FlopCountAnalysis is fvcore.FlopCountAnalysis
    assert fvcore.nn.jit_analysis.JitModelAnalysis
    assert mmengine.analysis.FlopAnalyzer is mmengine.FlopAnalyzer


def test_calflops_of_a_configuration(tmp_path: Path) -> None:
    transformers.BertConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        vocab_size=30,
    ).save_pretrained(tmp_path)
    options: dict[str, Any] = {"print_results": False, "output_as_string": False}
    macs = calflops.calculate_flops_hf(str(tmp_path), input_shape=(1, 4), **options)[1]
    # q, k, v, out: 4 * 4*8*8; scores and values: 2 * 2 heads * 4*4*4; feed-forward: 2 * 4*8*16;
    # pooler: 8*8
    assert macs == 1024 + 256 + 1024 + 64
    assert (
        calflops.calculate_flops_hf(str(tmp_path), input_shape=(1, 4), **options)[2]
        == PARAMS_OF_BERT
    )
    text = calflops.calculate_flops_hf(
        str(tmp_path), input_shape=(1, 4), return_results=True, print_results=False
    )[3]
    assert "MACs 2.37 KMACs" in text


PARAMS_OF_BERT = (30 + 512 + 2) * 8 + 16 + 4 * 72 + 16 + (8 * 16 + 16) + (16 * 8 + 8) + 16 + 72
"""Embeddings of words, places, types, and a norm; attention, norm; feed-forward, norm; pooler."""


class Tokenizer:
    """What calflops asks of a tokenizer of transformers."""

    model_input_names = ("input_ids", "token_type_ids", "attention_mask")


def test_calflops_makes_the_inputs_of_a_tokenizer() -> None:
    inputs = calflops.generate_transformer_input(Tokenizer(), (2, 3))
    assert {name: tensor.tolist() for name, tensor in inputs.items()} == {
        "input_ids": [[0, 0, 0]] * 2,
        "token_type_ids": [[0, 0, 0]] * 2,
        "attention_mask": [[1, 1, 1]] * 2,
    }

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 4)
            self.head = nn.Linear(4, 7)

        def forward(
            self,
            input_ids: torch.Tensor,
            token_type_ids: torch.Tensor,
            attention_mask: torch.Tensor,
        ) -> torch.Tensor:
            return self.head(self.embed(input_ids))

    macs = calflops.calculate_flops(
        Net(), (2, 3), Tokenizer(), print_results=False, output_as_string=False
    )[1]
    assert macs == 2 * 3 * 4 * 7
