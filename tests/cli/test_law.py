"""``dispatchcount law``, and ``check --law``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dispatchcount as dc
from dispatchcount.cli import main

NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2))

def wider():
    return nn.Sequential(nn.Linear(8, 5), nn.Linear(5, 2))

def conv():
    return nn.Conv2d(3, 4, 2, stride=2)
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


USUAL = ["law", "net.py:build", "--input", "b,s,8", "--size", "b=2,s=16"]


def test_the_formula_of_each_module(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*USUAL, "--json", "law.json"]) == 0
    out = capsys.readouterr().out
    assert (
        "(root)  Sequential  40·b·s\n  0     Linear      32·b·s\n  1     Linear      8·b·s" in out
    )
    assert "holds for b ≥ 1; s ≥ 1" in out
    law = dc.Law.from_json(net / "law.json")
    assert str(law.macs) == "40·b·s"
    assert main(["law", "law.json", "--at", "b=8,s=4096"]) == 0
    assert f"macs: {40 * 8 * 4096:,}\n" in capsys.readouterr().out
    assert main(["law", "law.json", "--at", "b=1,s=1", "--convention", "torch"]) == 0
    assert "flops: 80\n" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["llama", "llama/config.json", "transformers:LlamaConfig"])
def test_a_configuration_of_transformers_is_a_target(
    net: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    """As for `profile`: a folder, its file and a class, with settings."""
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "vocab_size": 32}
    (net / "llama").mkdir()
    (net / "llama" / "config.json").write_text(json.dumps({"model_type": "llama", **sizes}))
    settings = [
        f"--config={key}={value}" for key, value in (sizes | {"num_hidden_layers": 1}).items()
    ]
    arguments = ["--input", "b,s:int64", "--size", "b=2,s=16", "--metric", "macs", "--depth", "0"]
    assert main(["law", target, *arguments, *settings]) == 0
    # q, k, v, o of 8 × 8, three products of 8 × 16, a head of 8 × 32; scores and values of width 8.
    each = 4 * 8 * 8 + 3 * 8 * 16 + 8 * 32
    assert f"{2 * 8}·b·s² + {each}·b·s" in capsys.readouterr().out


def test_other_forms(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*USUAL, "--format", "python"]) == 0
    assert "return 40*b*s" in capsys.readouterr().out
    assert main([*USUAL, "--format", "latex", "--metric", "macs"]) == 0
    assert r"\mathrm{macs}(b, s) &= 40\,b\,s" in capsys.readouterr().out
    assert main([*USUAL, "--format", "markdown", "--depth", "0"]) == 0
    assert "| `(root)` | Sequential | 40·b·s |" in capsys.readouterr().out
    assert main([*USUAL, "--backward", "--metric", "macs", "--depth", "0"]) == 0
    # The gradient of the input is not asked for: 2·32 for the first layer, 3·8 for the second.
    assert "Sequential  88·b·s" in capsys.readouterr().out


def test_a_size_outside_is_an_error(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--input", "1,3,h,h", "--size", "h=8"]
    assert main(["law", "net.py:conv", *wanted, "--at", "h=9"]) == 2
    assert "h = 9: this law holds for h ≡ 0 mod 2 (8, 10, …)" in capsys.readouterr().err
    assert main(["law", "net.py:conv", *wanted, "--causal"]) == 2
    assert "no attention is known by its operators" in capsys.readouterr().err


def test_check_compares_formulas(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*USUAL, "--json", "old.json"]) == 0
    wider = ["law", "net.py:wider", *USUAL[2:]]
    assert main([*wider, "--json", "new.json"]) == 0
    capsys.readouterr()
    assert main(["check", "old.json", "--law", "old.json"]) == 0
    assert capsys.readouterr().out == "no formula changed\n"
    assert main(["check", "new.json", "--law", "old.json"]) == 1
    out, err = capsys.readouterr()
    assert "50·b·s" in out
    assert "formulas changed" in err
    assert main(["check", "new.json", "--law", "old.json", "--max", "flops=1"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.py:build"], "give the shapes of the inputs and the sizes in them"),
        ([*USUAL[1:4], "--size", "b=2"], "--input has 's', for which --size gives no value"),
        ([*USUAL[1:], "--size", "b=2,s=16,t=3"], "--size has 't', which is in no --input"),
        ([*USUAL[1:], "--size", "b=two"], "'b=two' is no size; give them as b=2,s=16"),
        ([*USUAL[1:], "--size", "b=0,s=16"], "an integer from 1 up"),
        ([*USUAL[1:], "--size", "b=2,b=3"], "each has one value"),
        ([*USUAL[1:], "--metric", "x"], "'x' is no metric of a law"),
        ([*USUAL[1:], "--at", "b=2"], "the law is in the sizes b, s; got b"),
        ([*USUAL[1:], "--far", "z=99"], "far names 'z'"),
        (["net.py:build", "--input", "b,9", "--size", "b=2"], "the run at b=2 raised"),
        (["missing.json"], "cannot read missing.json"),
        (["net.py"], "net.py: it is not JSON"),
        (["missing.json", "--size", "b=2"], "is read as the file of a law"),
    ],
)
def test_wrong_use(
    net: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["law", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
