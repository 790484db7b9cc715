"""What `scale.py` measures, each in a process of its own: functions of a size that return seconds,
bytes and counts by name.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import dispatchcount

CLOCK = time.process_time

Figures = dict[str, float]


def resident() -> int:
    """Bytes of memory that the process holds now."""
    import resource

    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: the most it held, in bytes


def profiled(model: nn.Module, run: Callable[[], object]) -> tuple[Figures, dispatchcount.Report]:
    """Seconds of a run without a counter and in a block, of the report and its module table, and
    the growth of memory.
    """
    with dispatchcount.profile():  # what the first block of a process learns is no part of it
        torch.relu(torch.zeros(1))
    run()
    times = [CLOCK()]
    run()
    times.append(CLOCK())
    before = resident()
    with dispatchcount.profile(model) as prof:
        run()
    times.append(CLOCK())
    report = prof.report
    times.append(CLOCK())
    report.by_module()
    times.append(CLOCK())
    eager, block, build, view = (after - earlier for earlier, after in pairwise(times))
    figures = {
        "no counter": eager,
        "block": block,
        "report": build,
        "modules": view,
        "growth": float(resident() - before),
        "operators": float(report.total.calls),
        "calls": float(sum(path.calls for path in report.paths)),
        "macs": float(report.macs),
        "params": float(report.params),
    }
    return figures, report


def operators(size: int) -> Figures:
    """`size` operators in a loop."""
    return _loop(size, lambda x, _: x + 1.0)


def signatures(size: int) -> Figures:
    """`size` operators, each on a shape of its own, so that none is like another."""
    empty = torch.empty(0, 1)
    return _loop(size, lambda _, number: torch.relu(empty.expand(0, number + 1)))


def _loop(size: int, step: Callable[[Tensor, int], Tensor]) -> Figures:
    x = torch.zeros(4)

    def run() -> None:
        for number in range(size):
            step(x, number)

    model = nn.Identity()
    with torch.no_grad():
        return profiled(model, run)[0]


class Leaf(nn.Module):
    def __init__(self, work: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.work = work

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.work):
            x = x + self.weight
        return x


def flat_modules(size: int) -> Figures:
    """`size` modules side by side in one."""
    return _modules(nn.Sequential(*(Leaf() for _ in range(size - 1))))


def nested_modules(size: int) -> Figures:
    """`size` modules in a tree: ten in each that is no leaf."""

    def tree(count: int) -> nn.Module:
        if count <= 1:
            return Leaf()
        share, more = divmod(count - 1, 10)
        return nn.Sequential(*(tree(share + (i < more)) for i in range(10) if share + (i < more)))

    return _modules(tree(size))


def deep_modules(size: int) -> Figures:
    """`size` modules, each in the one before it."""
    model: nn.Module = Leaf()
    for _ in range(size - 1):
        model = nn.Sequential(model)
    return _with_deep_stack(lambda: _modules(model))


def _modules(model: nn.Module) -> Figures:
    x = torch.zeros(4)
    with torch.no_grad():
        return profiled(model, lambda: model(x))[0]


def _with_deep_stack(action: Callable[[], Figures]) -> Figures:
    """Module calls recurse, in Python and in C."""
    found: list[Figures] = []
    sys.setrecursionlimit(1_000_000)
    threading.stack_size(1 << 29)
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]


def generation(size: int) -> Figures:
    """`size` tokens by a 12-layer GPT-2 of width 64, one at a time with a cache that grows."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=12,
        n_embd=64,
        n_head=4,
        vocab_size=512,
        n_positions=size + 1,
        bos_token_id=0,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).eval()
    prompt = torch.zeros(1, 1, dtype=torch.long)
    return profiled(
        model, lambda: model.generate(prompt, max_new_tokens=size, do_sample=False, pad_token_id=0)
    )[0]


def llama(size: int) -> Figures:
    """Llama 3.1 405B on the meta device, `size` tokens."""
    from transformers import LlamaConfig

    return _language_model(
        LlamaConfig(
            hidden_size=16384,
            intermediate_size=53248,
            num_hidden_layers=126,
            num_attention_heads=128,
            num_key_value_heads=8,
            vocab_size=128256,
            max_position_embeddings=131072,
        ),
        size,
    )


def mixture(size: int) -> Figures:
    """DeepSeek-V3, 671B parameters in 256 experts a layer, on the meta device, `size` tokens."""
    from transformers import DeepseekV3Config

    config = DeepseekV3Config()
    config._experts_implementation = "grouped_mm"  # the one whose routing needs no values
    return _language_model(config, size)


def _language_model(config: Any, size: int) -> Figures:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    tokens = torch.zeros(1, size, dtype=torch.long, device="meta")
    with torch.no_grad():
        return profiled(model, lambda: model(tokens, use_cache=True))[0]


def vit(size: int) -> Figures:
    """ViT-B/16 at `size` pixels, on the meta device."""
    from torchvision.models import vit_b_16

    model = vit_b_16(image_size=size).eval().to("meta")
    x = torch.empty(1, 3, size, size, device="meta")
    with torch.no_grad():
        return profiled(model, lambda: model(x))[0]


def many(size: int) -> Figures:
    """`size` operators over 5,000 modules."""
    modules = 5_000
    return _modules(nn.Sequential(*(Leaf(size // modules) for _ in range(modules))))
