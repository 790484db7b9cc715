"""Every block of README.md and docs/ is run, and what it shows is what comes out.

Blocks of Python run in order, a process for each page, among what the page takes as given
(`GIVEN`). An expression with a figure behind it as a comment must have that value. Blocks of a
console run in order in one folder, and must print what stands below each command. Other commands
must be ones that the command line takes.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatchcount.cli import _parser

HERE = Path(__file__).parents[2]
PAGES = [HERE / "README.md", *sorted((HERE / "docs").rglob("*.md"))]
GUIDES = [page for page in PAGES if page.parent.name == "guides"]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

ELSEWHERE = {
    "json.md": "tests/report/test_json_page.py",
    "migration.md": "tests/compat/test_migration_page.py",
}
"""Pages whose blocks another test runs."""

NET = """
import torch, torchvision
import dispatchcount as dc

model = torchvision.models.resnet18()
x = torch.rand(1, 3, 64, 64)


def profiled():
    with dc.profile(model) as prof:
        model(x)
    return prof.report


"""

GIVEN = {
    "README.md": f"""{NET}
from types import SimpleNamespace

import matplotlib

matplotlib.use("agg")
optimizer = torch.optim.SGD(model.parameters(), 0.1)
other = profiled()
b, l, c, n = 1, 8, 4, 2
u = delta = A = B = C = out = None
selective_scan_cuda = SimpleNamespace(fwd=lambda *operands: None)
torch.library.define("mylib::attn", "(Tensor q, Tensor k, Tensor v) -> Tensor")
""",
    "hardware.md": f"""{NET}
from transformers import GPT2Config, GPT2LMHeadModel

report = profiled()
with torch.device("meta"):
    net = GPT2LMHeadModel(GPT2Config(n_layer=2))
args = data = None
Trainer = lambda *_, **__: None  # one needs data, and is tested in tests/integrations
dc.measure_device = lambda: mine  # it works for a while, and is tested in tests/hardware
loader = []
""",
    "laws.md": "",
    "ranks.md": f"""{NET}
import pathlib

import dispatchcount

loader = [1, 2]
torch.distributed.init_process_group("gloo", init_method=f"file://{{pathlib.Path.cwd()}}/group", rank=0, world_size=1)


def step(batch=None):
    model(x)


""",
    "distributed.md": "",
    "planning.md": """
import torch
from torch import nn


class Llama(nn.Module):  # a small one with its name; tests/distributed plans the real one
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return x


""",
    "pages.md": f"{NET}\nreport = old = new = profiled()\n",
    "ci.md": "import sys\nsys.argv = ['measure.py', 'old.json', '1f3a9c2', '64']\n",
}
"""What a page takes as given, by its name: code that runs before its blocks."""

AFTER = {
    "hardware.md": "assert f'{law.macs} MACs' in page, law.macs",
    "ranks.md": "torch.distributed.destroy_process_group()",
    "distributed.md": "dist.destroy_process_group()",
}
"""What else must be so after the blocks of a page."""

SKIPPED = {
    "README.md": ("resnet50()",),  # tests/whole/test_readme.py compares what it prints
    "ci.md": ("from measure import",),  # a test of its own, for the fixture
    "planning.md": (
        'mesh={"ep": 2}',
    ),  # needs a model of experts: tests/distributed/test_planning.py
}
"""Blocks of Python that are not run with the others, each told by a text in it."""

TAKES = "page = open(PAGE, encoding='utf-8').read()\n"

CHECKS = f"""
import sys

sys.path.insert(0, {str(HERE)!r})
from tests.whole.guide import run as run_block


def run(code):
    run_block(code, globals())


"""


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(page.read_text("utf-8")) if kind == language]


@pytest.mark.parametrize("name", GIVEN)
def test_blocks_of_python(name: str, tmp_path: Path) -> None:
    page = HERE / name if name == "README.md" else HERE / "docs" / name
    code = [
        block
        for block in blocks(page, "python")
        if not any(text in block for text in SKIPPED.get(name, ()))
    ]
    script = "\n".join(
        [
            f"PAGE = {str(page)!r}\n{TAKES}{CHECKS}",
            "def given(code): exec(code, globals())",
            f"given({GIVEN[name]!r})",
            *(f"run({block!r})" for block in code),
            AFTER.get(name, ""),
        ]
    )
    (tmp_path / "blocks.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "blocks.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_block_of_python_is_forgotten() -> None:
    pages = {page.name for page in set(PAGES) - set(GUIDES) if blocks(page, "python")}
    assert pages == set(GIVEN) | set(ELSEWHERE)
    for file in ELSEWHERE.values():
        assert (HERE / file).exists()


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_shows_what_its_blocks_print(page: Path) -> None:
    """A guide takes nothing as given; tests/whole/guide.py says how it is followed."""
    command = [sys.executable, "-m", "tests.whole.guide", str(page)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def consoles(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands of a page's consoles, each with the lines that are shown below it."""
    for block in blocks(page, "console"):
        command, shown = "", []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, shown
                command, shown = line[2:], []
            else:
                shown.append(line)
        yield command, shown


@pytest.fixture
def shell(tmp_path: Path):
    """Runs a command in a folder in which `dispatchcount` is this one."""
    program = tmp_path / "bin" / "dispatchcount"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dispatchcount "$@"\n')
    program.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()

    def run(command: str) -> str:
        script = f'PATH="{program.parent}:$PATH"; {command}'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        (place / ".status").write_text(f"{done.returncode}\n")
        return done.stdout

    run.place = place  # type: ignore[attr-defined]
    return run


def test_the_consoles_of_ci(shell) -> None:
    page = HERE / "docs" / "ci.md"
    measure = blocks(page, "python")[0]
    (shell.place / "measure.py").write_text(measure)
    for arguments in re.findall(r"`python measure\.py ([^`]+)`", page.read_text("utf-8")):
        shell(f'"{sys.executable}" measure.py {arguments}')
    shell("mkdir runs; cp old.json new.json runs")
    for command, shown in consoles(page):
        out = shell("cat .status" if command == "echo $?" else command).splitlines()
        if command.startswith("find"):  # in whatever order the system has them
            out, shown = sorted(out), sorted(shown)
        if "--markdown" in command:
            before, _, _ = "\n".join(out).partition("**Operators**")
            assert before.strip() in page.read_text("utf-8"), command
        else:
            assert out == shown, command


def test_the_test_of_ci_fails_as_the_page_has_it(shell) -> None:
    measure, test = blocks(HERE / "docs" / "ci.md", "python")
    (shell.place / "measure.py").write_text(measure)
    (shell.place / "test_cost.py").write_text(test)
    pytest_ = f'"{sys.executable}" -m pytest -q -p no:cacheprovider test_cost.py'
    assert "1 passed" in shell(f"{pytest_} --complexity-update")
    (shell.place / "test_cost.py").write_text(test.replace("net(64)", "net(72)"))
    said = [line.rstrip() for line in shell(pytest_).splitlines()]
    page = (HERE / "docs" / "ci.md").read_text("utf-8")
    (shown,) = re.findall(r"^```\n(E .*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = shown.splitlines()
    assert lines[-1].split() == ["E", "…"]
    assert set(lines[:-1]) <= set(said)


def scripts(value: Any) -> Iterator[str]:
    """The lines of every text in a job of a service of CI."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from scripts(item)
    elif isinstance(value, str):
        yield from re.sub(r"\$\{\{.*?\}\}", "EXPRESSION", value).splitlines()


def commands() -> Iterator[tuple[str, str]]:
    """The command lines of every page, each with the page's name."""
    for page in PAGES:
        text = page.read_text("utf-8")
        shown = [
            line for code in blocks(page, "sh") for line in code.replace("\\\n", " ").splitlines()
        ]
        shown += [command for command, _ in consoles(page)]
        shown += [line for code in blocks(page, "yaml") for line in scripts(yaml.safe_load(code))]
        shown += [
            line.strip() for line in text.splitlines() if line.startswith("    dispatchcount ")
        ]
        for line in shown:
            for part in re.split(r"\s\|\s|;|&&", line):
                words = part.partition("  #")[0].strip()
                if words.startswith("dispatchcount "):
                    yield page.name, words


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_command_lines_are_taken(page: str, line: str) -> None:
    arguments = shlex.split(line)[1:]
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    _parser(arguments).parse_args(arguments)  # ends the process if it does not take them
