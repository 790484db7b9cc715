"""What models of transformers are run on if nothing is said, and what to give if that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatchcount.cli import main
from dispatchcount.report_api import Report

DATA = {
    # The inputs by name, as a report's label has them.
    "CLIPConfig": "input_ids=1,77:int64 pixel_values=1,3,224,224",
    "SiglipConfig": "input_ids=1,64:int64 pixel_values=1,3,224,224",
    "BlipConfig": "input_ids=1,128:int64 pixel_values=1,3,384,384",
    "SegformerConfig": "pixel_values=1,3,224,224",
    "VideoMAEConfig": "pixel_values=1,16,3,224,224",
    "Wav2Vec2Config": "input_values=1,16000",
    "ASTConfig": "input_values=1,1024,128",
    "SpeechT5Config": "input_values=1,16000 decoder_input_ids=1,128:int64",
    "WhisperConfig": "input_features=1,80,3000 decoder_input_ids=1,128:int64",
    "MixtralConfig": "input_ids=1,128:int64",
    "DeepseekV3Config": "input_ids=1,128:int64",
    "Qwen3MoeConfig": "input_ids=1,128:int64",
}


@pytest.mark.parametrize("name", DATA)
def test_a_configuration_alone_is_enough(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On meta and at full size, without another option."""
    file = tmp_path / "report.json"
    assert main(["profile", f"transformers:{name}", "--json", str(file)]) == 0, capsys.readouterr()
    report = Report.from_json(file)
    assert dict(report.meta.labels)["input"] == DATA[name]
    assert report.macs > 10**8
    assert not report.issues


@pytest.mark.parametrize("name", ["ClapConfig", "PatchTSTConfig"])
def test_what_is_not_known_is_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", f"transformers:{name}"]) == 2
    said = capsys.readouterr().err
    assert "whose shape is not known" in said
    assert "--inputs file.py:make" in said


def test_an_input_that_is_missing_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x, mask=None):\n"
        "        return x * mask.shape[0]\n"
    )
    assert main(["profile", f"{tmp_path / 'net.py'}:Net", "--input", "2x3"]) == 2
    said = capsys.readouterr().err
    assert "its forward takes (x, mask=None)" in said
    assert "--inputs file.py:make" in said
