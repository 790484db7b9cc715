"""Language models on the command line: configurations, prompts and tokens, with exact figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dispatchcount as dc
from dispatchcount.cli import main
from dispatchcount.cli.configs import merged, setting
from dispatchcount.cli.targets import load_model

LLAMA_3_8B = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "torch_dtype": "bfloat16",
}
LAYER = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
"""Weights of a layer's products: queries and output, keys and values, the three of the MLP."""

HEAD = 4096 * 128256
SCORES = 2 * 4096
"""MACs of a query with a key, and of its share of the value, over all heads of a layer."""


@pytest.fixture
def llama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama" / "config.json").write_text(json.dumps(LLAMA_3_8B))
    return tmp_path


@pytest.mark.parametrize("target", ["llama", "llama/config.json", "transformers:llama"])
def test_llama_3_8b_by_its_configuration(
    target: str, llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", target, "--length", "2048", "--json", "a.json"]) == 0
    report = dc.Report.from_json("a.json")
    assert 32 * LAYER + HEAD == 7_504_658_432
    assert report.macs == 7_504_658_432 * 2048 + 32 * SCORES * 2048**2 == 16_469_052_096_512
    assert report.by_module()["lm_head"].macs == HEAD * 2048
    labels = dict(report.meta.labels)
    assert (labels["device"], labels["dtype"]) == ("meta", "bfloat16")
    assert (labels["model"], labels["input"]) == (target, "input_ids=1,2048:int64")
    assert "lm_head" in capsys.readouterr().out


def test_a_prompt_of_llama_fits_a_window_and_names_what_its_flops_are(
    llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "llama", "--length", "2048"]) == 0
    shown = capsys.readouterr().out.rstrip("\n").split("\n")
    assert len(shown) <= 40
    rows = {line.split()[0]: line for line in shown if line.startswith("  ")}
    # Of 16,469,052,096,512 MACs: the three products of each MLP, those of the attention with its
    # scores, and the head.
    total, tokens = 16_469_052_096_512, 2048
    mlp = 32 * 3 * 4096 * 14336 * tokens
    attention = 32 * ((2 * 4096 * 4096 + 2 * 4096 * 1024) * tokens + SCORES * tokens**2)
    for name, macs in (("mlp", mlp), ("self_attn", attention), ("lm_head", HEAD * tokens)):
        assert f" {100 * macs / total:.1f} % " in rows[name]
    assert mlp + attention + HEAD * tokens == total


def test_settings_of_the_command_line_win(llama: Path) -> None:
    settings = ["--config", "num_hidden_layers=4", "--config", "vocab_size=1000"]
    assert (
        main(["profile", "llama", "--length", "64", "--batch", "2", *settings, "--json=a.json"])
        == 0
    )
    tokens = 2 * 64
    macs = tokens * (4 * LAYER + 4096 * 1000) + 4 * SCORES * 2 * 64**2
    assert dc.Report.from_json("a.json").macs == macs


def test_prefill_and_decode_are_samples(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["llama", "--config=num_hidden_layers=2", "--prefill=100", "--decode=2"]
    assert main(["profile", *arguments, "--json=a.json", "--depth=0", "--exact"]) == 0
    report = dc.Report.from_json("a.json")
    macs = [row[""].macs for _, row in report.by_sample()]
    # All of the logits are made, of each token.
    weights = 2 * LAYER + HEAD
    assert macs == [
        100 * weights + 2 * SCORES * 100 * 100,
        weights + 2 * SCORES * 101,
        weights + 2 * SCORES * 102,
    ]
    assert [label for label, _ in report.by_sample()] == ["prefill 100", "decode 1", "decode 2"]
    shown = capsys.readouterr().out
    # Two layers, keys and values, 1,024 of each for a token, two bytes each.
    for tokens in (100, 101, 102):
        assert f"{2 * 2 * 1024 * tokens * 2:,}" in shown


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MixtralConfig", {"num_hidden_layers": 2}),
        ("DeepseekV3Config", {"num_hidden_layers": 4}),
        ("Qwen3MoeConfig", {"num_hidden_layers": 2}),
    ],
)
def test_mixtures_of_experts_run_on_meta_without_an_option(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    saved = tmp_path / "a.json"
    given = [f"--config={key}={value}" for key, value in settings.items()]
    target = f"transformers:{name}"
    assert main(["profile", target, *given, "--strict", "--json", str(saved)]) == 0
    report = dc.Report.from_json(saved)
    assert not report.issues
    assert report.by_module()["lm_head"].macs > 0
    assert dict(report.meta.labels)["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("config", "cls"),
    [
        ("BertConfig", "BertForMaskedLM"),
        ("GPT2Config", "GPT2LMHeadModel"),
        ("WhisperConfig", "WhisperForConditionalGeneration"),
        ("PegasusConfig", "PegasusForConditionalGeneration"),
        ("DetrConfig", "DetrForObjectDetection"),
        ("ViTConfig", "ViTForImageClassification"),
    ],
)
def test_a_configuration_is_built_with_its_head(config: str, cls: str) -> None:
    model, _ = load_model(f"transformers:{config}", "meta")
    assert type(model).__name__ == cls


def test_an_encoder_and_decoder_gets_both_inputs(tmp_path: Path) -> None:
    saved = tmp_path / "a.json"
    small = ["--config=num_layers=1", "--config=num_decoder_layers=1"]
    assert main(["profile", "transformers:T5Config", *small, "--json", str(saved)]) == 0
    assert dc.Report.from_json(saved).by_module()["decoder.block.0"].calls == 1


def test_lists_with_an_entry_a_layer_follow_the_number_of_layers(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    pattern = ["sliding_attention", "full_attention"]
    file.write_text(
        json.dumps({"model_type": "qwen2", "num_hidden_layers": 2, "layer_types": pattern})
    )
    model, _ = load_model(str(file), "meta", settings={"num_hidden_layers": 3})
    assert model.config.layer_types == [*pattern, pattern[0]]


def test_settings_are_json_or_text_and_may_be_nested() -> None:
    assert setting("a=4") == {"a": 4}
    assert setting("a.b=x") == {"a": {"b": "x"}}
    assert setting("a=[1, 2]") == {"a": [1, 2]}
    assert merged({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}}) == {"a": {"b": 1, "d": 3}, "c": 2}
    with pytest.raises(ValueError, match="sets nothing"):
        setting("a")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transformers:LlamaForCasualLM"], "did you mean LlamaForCausalLM"),
        (["llama", "--config", "num_layers=4"], "did you mean num_hidden_layers"),
        (["llama", "--config", "4"], "sets nothing; give --config num_hidden_layers=4"),
        (["torchvision:resnet18", "--config", "a=4"], "torchvision has none"),
        (["torchvision:resnet18", "--length", "4"], "--input 1,4:int64"),
        (["torchvision:resnet18", "--prefill", "4"], "language models of transformers"),
        (["llama", "--decode", "4"], "--prefill 2048 --decode 8"),
        (["llama", "--prefill", "4", "--length", "4"], "leave --length out"),
        (["llama", "--prefill", "0"], "'0' is no whole number from 1 on"),
        (["llama", "--dtype", "int64"], "no floating dtype of that name"),
        (["transformers:T5Config", "--prefill", "4"], "reads its prompt with an encoder"),
        (["transformers:BertConfig", "--prefill=4", "--decode=1"], "hands on no key-value cache"),
        (["transformers:meta-llama/Llama-3-8B"], "nothing is downloaded from the hub"),
        (["train.py"], "dispatchcount run train.py"),
        (["other.json"], "it has no model_type"),
        (["strange.json"], "has no model_type 'strange'"),
        (["broken.json"], "it is not JSON"),
    ],
)
def test_wrong_use_is_said_with_what_to_do(
    arguments: list[str], says: str, llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.json").write_text("[]")
    Path("broken.json").write_text("{")
    Path("strange.json").write_text('{"model_type": "strange"}')
    assert main(["profile", *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_a_model_too_big_for_the_cpu_is_said_to_be_before_it_is_built(
    llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "llama", "--device=cpu", "--config=num_hidden_layers=3200"]) == 2
    said = capsys.readouterr().err
    # In float32, as it is built: the layers with two norms each, the tokens twice, the last norm.
    params = 3200 * (LAYER + 2 * 4096) + 2 * HEAD + 4096
    assert f"it takes about {4 * params / 1e9:,.1f} GB for its parameters" in said
    assert "with --device meta it takes none" in said
