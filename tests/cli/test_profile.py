"""``dispatchcount profile`` and ``demo``: targets, inputs, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli import main

NET = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.out = nn.Linear(8, 4)

    def forward(self, tokens, *, scale):
        return self.out(self.embed(tokens)) * scale

def text():
    return {"tokens": torch.zeros(2, 5, dtype=torch.int64), "scale": torch.ones(1)}

def number():
    return 3

ready = build()
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "net_of_the_test.py"
    path.write_text(NET)
    return str(path)


@pytest.mark.parametrize("target", ["build", "ready"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_file_and_a_shape(
    net: str, target: str, device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "net.json"
    if target == "ready" and device == "meta":
        device = "cpu"  # a module that is there already is moved, not rebuilt
    assert (
        main(
            [
                "profile",
                f"{net}:{target}",
                "--input",
                "3,8",
                "--device",
                device,
                "--json",
                str(saved),
            ]
        )
        == 0
    )
    report = dc.Report.from_json(saved)
    assert report.macs == 3 * (8 * 16 + 16 * 4)
    assert report.meta.devices == (device,)
    assert report.meta.training is False
    assert "Sequential" in capsys.readouterr().out


def test_named_inputs_from_a_function_and_backward(net: str, tmp_path: Path) -> None:
    saved = tmp_path / "two.json"
    args = [
        "profile",
        f"{net}:Two",
        "--inputs",
        f"{net}:text",
        "--backward",
        "--train",
        "--json",
        str(saved),
        "--operators",
    ]
    assert main([*args, "--convention", "torch", "--memory"]) == 0
    report = dc.Report.from_json(saved)
    product = 2 * 5 * 8 * 4
    assert {name: row.macs for name, row in report.by_phase().items()} == {
        "forward": product,
        "backward": 2 * product,
    }
    assert report.flops == 2 * 3 * product
    assert report.memory is not None


@pytest.mark.parametrize("command", ["profile", "run", "demo"])
def test_what_is_said_of_the_whole_report_is_said_once(
    command: str, net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text("import torch\ntorch.nn.Linear(8, 4)(torch.ones(5, 8))\n")
    arguments = {
        "profile": [f"{net}:build", "--input", "5,8", "--operators"],
        "run": ["--operators", str(script)],
        "demo": [],
    }
    assert main([command, *arguments[command]]) == 0
    shown = "".join(capsys.readouterr())
    assert "aten.addmm" in shown
    heads = [line.split("  ")[0] for line in shown.splitlines()]
    assert [heads.count(head) for head in ("flops", "params", "ran")] == [1, 1, 1]


def test_a_dtype_after_a_colon(net: str, tmp_path: Path) -> None:
    saved = tmp_path / "embedding.json"
    (tmp_path / "one.py").write_text(
        "from torch import nn\ndef build(): return nn.Embedding(10, 8)\n"
    )
    assert (
        main(["profile", f"{tmp_path}/one.py:build", "--input", "1,5:int64", "--json", str(saved)])
        == 0
    )
    assert dc.Report.from_json(saved).by_operator()["aten.embedding"].bytes_read == 5 * (8 * 4 + 8)


@pytest.mark.parametrize(
    ("target", "macs"), [("torchvision:resnet18", 1_814_073_344), ("timm:resnet18", 1_814_073_344)]
)
def test_zoos(target: str, macs: int, tmp_path: Path) -> None:
    saved = tmp_path / "zoo.json"
    assert main(["profile", target, "--device", "meta", "--json", str(saved)]) == 0
    assert dc.Report.from_json(saved).macs == macs


@pytest.mark.parametrize("target", ["BertModel", "BertConfig"])
def test_transformers_by_model_and_by_configuration(target: str, tmp_path: Path) -> None:
    saved = tmp_path / "bert.json"
    assert main(["profile", f"transformers:{target}", "--json", str(saved)]) == 0
    report = dc.Report.from_json(saved)
    tokens, width, words = 128, 768, 30522
    layer = tokens * (4 * width * width + 2 * width * 3072) + 2 * tokens * tokens * width
    # The bare model has a pooler for the first token, the other a head for masked tokens.
    head = {"BertModel": width * width, "BertConfig": tokens * (width * width + width * words)}
    assert report.macs == 12 * layer + head[target]
    assert report.meta.devices == ("meta",)  # by default


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nothing"], "target 'nothing' is not understood"),
        (["no_such_file.py:build"], "there is no file no_such_file.py"),
        (["no.such.module:build"], "there is no module 'no.such.module'"),
        (["NET:bild"], "has no 'bild'; did you mean build"),
        (["NET:number"], "gave an int, not a torch.nn.Module"),
        (["torch.nn:Linear"], "called without arguments"),
        (["torchvision:resnet17"], "did you mean resnet18"),
        (["transformers:BertConfg"], "did you mean BertConfig"),
        (["NET:build"], "needs an input"),
        (["NET:build", "--input", "3,x"], "'3,x' is no shape"),
        (["NET:build", "--input", "3,8:floaty"], "no dtype 'floaty'"),
        (["NET:build", "--input", "3,8", "--inputs", "NET:text"], "both given"),
        (["NET:build", "--inputs", "NET:torch"], "needs a function"),
        (
            ["NET:build", "--inputs", "NET:Two.forward"],
            "called without arguments and returns the inputs",
        ),
        (["NET:build", "--input", "3,9"], "the model raised RuntimeError in 0"),
        (["NET:build", "--input", "3,8", "--device", "quantum"], "no such device"),
        (["NET:build", "--input", "3,8", "--columns", "price"], "column 'price' is not known"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(
    net: str, args: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [arg.replace("NET", net) for arg in args]
    code = main(["profile", *args])
    said = capsys.readouterr().err
    assert code == 2
    assert says in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_strict_names_what_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.py").write_text(
        "import torch\n"
        "@torch.library.custom_op('dispatchcount_cli::odd', mutates_args=())\n"
        "def odd(x: torch.Tensor) -> torch.Tensor:\n"
        "    return x.clone()\n"
        "class Odd(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return odd(x)\n"
    )
    assert main(["profile", f"{tmp_path}/odd.py:Odd", "--input", "3", "--strict"]) == 1
    captured = capsys.readouterr()
    assert "dispatchcount_cli.odd" in captured.err
    assert "dispatchcount_cli.odd" in captured.out


def test_demo_shows_two_ways_through_one_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "demo.json"
    assert main(["demo", "--json", str(saved)]) == 0
    report = dc.Report.from_json(saved)
    (calm, quiet), (varied, busy) = report.by_sample()
    assert (calm, varied) == ("calm", "varied")
    assert (quiet["refine"].calls, busy["refine"].calls) == (1, 3)  # the loop
    assert (quiet["experts"].calls, busy["experts"].calls) == (0, 1)  # the early exit
    attention = 16 * 64 * (3 * 64 + 64) + 2 * 16 * 16 * 64
    assert busy["refine.attention"].macs == 3 * attention
    assert busy["experts.experts"].macs == 16 * (
        64 * 256 + 256 * 64
    )  # every token through one expert
    assert report.macs == quiet[""].macs + busy[""].macs
    assert not report.unknown_ops
    assert "calm" in capsys.readouterr().out


def _fails(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_batch_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["torchvision:resnet18", "--input", "3,64,64"]
    _fails(arguments, "is the batch missing? It is the first size of an input: --input 1,3", capsys)


def test_a_detector_on_meta_is_sent_to_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["torchvision:fasterrcnn_mobilenet_v3_large_320_fpn", "--device", "meta"]
    _fails(arguments, "run it with --device cpu", capsys)


def test_inputs_by_name_are_asked_for(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"{net}:Two", "--input", "2,5:int64"]
    _fails(arguments, "its forward takes (tokens, *, scale): give shapes", capsys)


def test_batch_dtype_and_optimizer(net: str, tmp_path: Path) -> None:
    saved = tmp_path / "a.json"
    arguments = [f"{net}:build", "--input", "3,8", "--batch", "5", "--dtype", "bfloat16"]
    training = ["--train", "--backward", "--optimizer", "AdamW", "--label", "run=7"]
    outputs = ["-o", str(saved), "-o", str(tmp_path / "a.md"), "-o", str(tmp_path / "a.tex")]
    assert main(["profile", *arguments, *training, *outputs]) == 0
    report = dc.Report.from_json(saved)
    forward = 5 * (8 * 16 + 16 * 4)
    assert report.macs == 2 * forward + 5 * 16 * 4
    assert sorted(report.by_phase()) == ["backward", "forward", "optimizer"]
    labels = dict(report.meta.labels)
    assert (labels["dtype"], labels["input"]) == ("bfloat16", "5,8:bfloat16")
    assert (labels["mode"], labels["run"]) == ("train and backward and AdamW", "7")
    assert (tmp_path / "a.md").read_text().startswith("| module |")
    assert r"\toprule" in (tmp_path / "a.tex").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--optimizer", "adam"], "add --backward"),
        (["--optimizer", "adamv", "--backward"], "did you mean adam"),
        (["--label", "x"], "'x' is no label"),
        (["--batch", "0"], "'0' is no whole number from 1 on"),
        (["-o", "a.xyz"], "the name's ending says what to write"),
    ],
)
def test_wrong_options_are_said(
    arguments: list[str], says: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _fails([f"{net}:build", "--input", "3,8", *arguments], says, capsys)
