"""Draws the pictures of README.md into docs/pictures/: ``python docs/pictures.py``.

``icicle.svg`` is a plot of a report; ``terminal.svg`` is what ``dispatchcount profile`` shows on a
terminal with colours. Both are of a language model that is built on meta, so that no weights are
needed and the figures are the same everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

import dispatchcount as dc
from dispatchcount.render.hints import in_shell

HERE = Path(__file__).parent / "pictures"
MODEL = "Llama-3-8B"
COMMAND = ["profile", MODEL, "--length", "2048"]
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 128_256,
    "hidden_size": 4_096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}
"""The shape of Llama-3-8B, in the form of its ``config.json``."""

WIDTH = 112


def report() -> dc.Report:
    """What the command line counts for one prompt of 2,048 tokens."""
    with TemporaryDirectory() as folder:
        Path(folder, MODEL).mkdir()
        Path(folder, MODEL, "config.json").write_text(json.dumps(CONFIG))
        command = [sys.executable, "-m", "dispatchcount", *COMMAND, "--json", "report.json"]
        subprocess.run(command, cwd=folder, check=True)
        return dc.Report.from_json(Path(folder, "report.json"))


def draw() -> None:
    """Write the pictures."""
    HERE.mkdir(exist_ok=True)
    shown = report()
    # Nothing in the files may differ from run to run.
    mpl.rcParams.update({"svg.hashsalt": "dispatchcount", "svg.fonttype": "path"})
    figure = shown.plot("icicle")
    figure.savefig(HERE / "icicle.svg", metadata={"Date": None})
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    with in_shell():
        console.print(shown)
    console.save_svg(
        str(HERE / "terminal.svg"),
        title=" ".join(["dispatchcount", *COMMAND]),
        theme=DIMMED_MONOKAI,
        unique_id="terminal",
    )


if __name__ == "__main__":
    draw()
    print(*sorted(HERE.iterdir()), sep="\n", file=sys.stderr)
