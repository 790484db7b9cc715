"""What part a module plays, by its name and class."""

import pytest

from dispatchcount.report.roles import ROLES, roles
from dispatchcount.report.rows import Module

pytestmark = pytest.mark.torch_alone


@pytest.mark.parametrize(
    ("name", "type_", "role"),
    [
        ("model.layers.0.self_attn", "LlamaAttention", "attention"),
        ("encoder.layers.1.self_attention", "MultiheadAttention", "attention"),
        ("model.layers.0.mlp", "LlamaMLP", "MLP"),
        ("block.ffn", "Sequential", "MLP"),
        ("layers.0.block_sparse_moe", "MixtralSparseMoeBlock", "MLP"),
        ("layers.0.input_layernorm", "LlamaRMSNorm", "norm"),
        ("layer1.0.bn1", "BatchNorm2d", "norm"),
        ("attn_norm", "LayerNorm", "norm"),
        ("model.embed_tokens", "Embedding", "embedding"),
        ("wte", "Embedding", "embedding"),
        ("patch_embed", "PatchEmbed", "embedding"),
        ("lm_head", "Linear", "head"),
        ("fc", "Linear", "head"),
        ("classifier", "Sequential", "head"),
        ("layer1.0.conv1", "Conv2d", "convolution"),
        ("layer1.0.relu", "ReLU", "activation"),
        ("avgpool", "AdaptiveAvgPool2d", "pooling"),
        ("rnn", "LSTM", "recurrent"),
        ("proj", "Linear", "linear"),
        ("", "AttentionModel", "other"),
        ("", "MixtralForCausalLM", "other"),
        ("model.layers", "ModuleList", "other"),
    ],
)
def test_the_part_of_a_module_by_itself(name: str, type_: str, role: str) -> None:
    assert roles([Module(name, type_)]) == [role]


def test_what_a_part_holds_belongs_to_it_but_norms() -> None:
    modules = [
        Module("self_attn", "LlamaAttention"),
        Module("self_attn.q_proj", "Linear", 0),
        Module("self_attn.q_norm", "RMSNorm", 0),
        Module("self_attn.act_fn", "SiLU", 0),
    ]
    assert roles(modules) == ["attention", "attention", "norm", "attention"]
    assert set(roles(modules)) <= set(ROLES)
