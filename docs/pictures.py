"""Draws the pictures of README.md and the docs into docs/pictures/: ``python docs/pictures.py``.

``icicle.svg`` is a plot of a report; ``terminal.svg`` is what ``dispatchcount profile`` shows on a
terminal with colours. Both are of a language model that is built on meta, so that no weights are
needed and the figures are the same everywhere. The others are photographs of pages, which need
Playwright with a Chromium; those of guides show the pages that the guides' own blocks write.
``python docs/pictures.py page`` makes the picture of that name alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

import dispatchcount as dc
from dispatchcount.render.hints import in_shell

DOCS = Path(__file__).parent
HERE = DOCS / "pictures"
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
"""Columns of the terminal."""

WINDOW = {"width": 1400, "height": 1130}
"""Pixels of the browser's window."""

SAVED = (1000, 807)
"""Pixels of its picture."""


def llama() -> dc.Report:
    """What the command line counts for one prompt of 2,048 tokens."""
    with TemporaryDirectory() as folder:
        Path(folder, MODEL).mkdir()
        Path(folder, MODEL, "config.json").write_text(json.dumps(CONFIG))
        command = [sys.executable, "-m", "dispatchcount", *COMMAND, "--json", "report.json"]
        subprocess.run(command, cwd=folder, check=True)
        return dc.Report.from_json(Path(folder, "report.json"))


def icicle(path: Path) -> None:
    """Draw the plot of the language model."""
    # Nothing in the file may differ from run to run.
    mpl.rcParams.update({"svg.hashsalt": "dispatchcount", "svg.fonttype": "path"})
    llama().plot("icicle").savefig(path, metadata={"Date": None})


def terminal(path: Path) -> None:
    """Draw what a terminal shows of it."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    with in_shell():
        console.print(llama())
    console.save_svg(
        str(path),
        title=" ".join(["dispatchcount", *COMMAND]),
        theme=DIMMED_MONOKAI,
        unique_id="terminal",
    )


def page_of_llama(path: Path) -> None:
    """Photograph the page of the language model."""
    with TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        llama().to_html(page)
        photograph(page, path)


def page_of_guide(guide: str, page: str, path: Path, view: str = "", at: str = "body") -> None:
    """Photograph a page that the blocks of a guide write."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.whole.guide", str(DOCS / "guides" / guide)]
        subprocess.run([*command, "--folder", folder], cwd=DOCS.parent, check=True)
        photograph(Path(folder, page), path, view, at)


def photograph(page: Path, path: Path, view: str = "", at: str = "body") -> None:
    """Open a page in a browser, and save what is seen of it.

    Args:
        page: the page.
        path: where to save the picture.
        view: the part of the page's address that sets the view.
        at: the element at the upper edge of the picture, as a selector.
    """
    own = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        tab = browser.new_page(viewport=WINDOW)
        tab.goto(page.resolve().as_uri() + view)
        tab.locator("#modules tbody tr").first.wait_for()
        tab.locator(at).evaluate("element => element.scrollIntoView()")
        seen = Image.open(BytesIO(tab.screenshot()))
        browser.close()
    small = seen.convert("RGB").resize(SAVED, Image.Resampling.LANCZOS)
    # Pillow's own way to choose 256 colours would give a legend's small areas those of larger ones.
    few = small.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


PICTURES: dict[str, Callable[[Path], None]] = {
    "icicle.svg": icicle,
    "terminal.svg": terminal,
    "page.png": page_of_llama,
    "resnet50.png": partial(page_of_guide, "tour.md", "resnet50.html"),
    "diff.png": partial(page_of_guide, "tour.md", "diff.html"),
    "samples.png": partial(
        page_of_guide, "dynamic.md", "samples.html", view="#&run=4", at="#samples"
    ),
}
"""What draws each of the pictures, by the name of its file."""


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for file, draw in PICTURES.items():
        if not sys.argv[1:] or Path(file).stem in sys.argv[1:]:
            draw(HERE / file)
            print(HERE / file, file=sys.stderr)
