"""``dispatchcount devices`` and ``dispatchcount roofline``."""

import json

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.cli import main


@pytest.fixture
def saved(tmp_path):
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
    with dc.profile(net) as prof:
        net(torch.randn(8, 64))
    prof.report.to_json(tmp_path / "report.json")
    return tmp_path / "report.json"


def test_devices_lists_and_shows(capsys):
    assert main(["devices"]) == 0
    text = capsys.readouterr().out
    assert "h100-sxm" in text
    assert "2:4 sparsity" in text
    assert main(["devices", "mi300x"]) == 0
    text = capsys.readouterr().out
    assert "1.31 P flops/s   (with 2:4 sparsity 2.61 P)" in text
    assert "ROCm documentation" in text
    assert main(["devices", "mi300x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["peak"]["bfloat16"] == 1307.4e12
    assert main(["devices", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(dc.devices())


def test_devices_says_what_is_wrong(capsys):
    assert main(["devices", "h100-sx"]) == 2
    assert "did you mean h100-sxm" in capsys.readouterr().err
    assert main(["devices", "h100-sxm", "--measure"]) == 2
    assert "leave the name out" in capsys.readouterr().err


def test_roofline_of_a_saved_report(saved, tmp_path, capsys):
    assert main(["roofline", str(saved), "--device", "h100-sxm"]) == 0
    text = capsys.readouterr().out
    assert "aten.addmm" in text
    assert "a lower bound" in text
    arguments = ["roofline", str(saved), "--device", "a100-sxm", "--json"]
    assert main([*arguments, "-o", str(tmp_path / "roof.json")]) == 0
    data = json.loads((tmp_path / "roof.json").read_bytes())
    assert data["device"]["peak"]["float32"] == 19.5e12
    assert data["device"]["rounds"] == ["conv", "rnn"]


def test_roofline_says_what_is_wrong(saved, capsys):
    assert main(["roofline", str(saved), "--device", "h100-sxm", "--by", "layer"]) == 2
    assert "operator, module, phase" in capsys.readouterr().err
    assert main(["roofline", str(saved), "--device", "nothing"]) == 2
    assert "no device is called" in capsys.readouterr().err
    assert main(["roofline", str(saved), "--device", "h100-sxm", "--measure"]) == 2
    assert "leave --device out" in capsys.readouterr().err
    assert main(["roofline", "absent.json", "--device", "h100-sxm"]) == 2
