"""Every argument of every command is given words that nobody means.

The command answers with a sentence and an exit code, and no report is lost.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatchcount.cli import COMMANDS, main
from tests.report import make

WORDS = [
    *(
        "",
        " ",
        "-",
        "--",
        ",",
        ":",
        "::",
        "=",
        ".",
        "..",
        "/",
        "x:",
        ":x",
        ".py:x",
        "a.b.c:d",
        "torch.nn:",
        "torch.nn:Linear",
    ),
    *(
        "-1",
        "0",
        "1e999",
        "nan",
        "inf",
        "9" * 5000,
        "99999999999999999999",
        "-99999999999999999999,1",
        "1,,2",
        "1x2",
    ),
    *(
        "1,4:quint8",
        "1,4:str",
        "1,4:float32:",
        "4611686018427387904,4611686018427387904",
        "1000000,1000000,1000000",
    ),
    *(
        "\0",
        "a\0.json",
        "\x1b[31m",
        "\x1b]0;x\x07",
        "[red]",
        "[/]",
        "\ud800",
        "é\u202e",
        "a\nb",
        "%s%n",
        "{x}",
        "'",
        "$HOME",
    ),
    *(
        "privateuseone",
        "cuda:99",
        "meta:",
        "cpu:-1",
        "flops=nan",
        "flops=-1",
        "flops=1%",
        "=1",
        "flops=" + "9" * 5000,
    ),
    *(
        "timm:hf-hub:a/b",
        "torchvision:..",
        "transformers:Auto",
        "transformers:PretrainedConfig",
        "x" * 5000,
    ),
    *(
        "/dev/null",
        "/dev/full",
        "/proc/self/mem",
        "FOLDER",
        "BINARY",
        "EMPTY",
        "LATIN",
        "MISSING",
        "LOOP",
        "UNDER",
        "NET",
    ),
]

NET = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x): return x\ndef build(): return Net()\ndef step(model): model(torch.ones(1, 4))\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    make.cnn().to_json(tmp_path / "in" / "a.json")
    make.training().to_json(tmp_path / "in" / "b.json")
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "script.py").write_text("import torch\ntorch.ones(2, 2) @ torch.ones(2, 2)\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "latin.json").write_bytes('{"schema": "é"}'.encode("latin-1"))
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


STANDS_FOR = {
    "FOLDER": "in",
    "BINARY": "binary",
    "EMPTY": "empty",
    "LATIN": "latin.json",
    "MISSING": "missing/x",
    "LOOP": "loop",
    "UNDER": "net.py/x",
    "NET": "binary.py:x",
}

USUAL = {
    "show": ["in/a.json"],
    "diff": ["in/a.json", "in/b.json"],
    "html": ["in/a.json", "--output=page.html"],
    "check": ["in/a.json", "--max=flops=1G"],
    "dashboard": ["in", "--output=site"],
    "roofline": ["in/a.json", "--device=h100-sxm"],
    "plan": ["net.py", "--mesh=dp=2"],
    "devices": ["h100-sxm"],
    "profile": ["net.py:build", "--input=1,4"],
    "run": ["script.py"],
    "compare": ["in/a.json", "in/b.json", "net.py:build", "--input=1,4"],
    "law": ["net.py:build", "--input=b,4", "--size=b=2"],
    "demo": [],
    "ops": ["addmm"],
}
SLOW = {"demo": 10, "ops": 10, "plan": 5}  # every so many words
PIECES = 8


def variants(command: str, piece: int) -> Iterator[list[str]]:
    """The command with each of its arguments and options replaced by each word of an eighth of them."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    importlib.import_module(f"dispatchcount.cli.{command}").add_parser(commands)
    actions = [action for action in commands.choices[command]._actions if action.nargs != 0]
    options = [action.option_strings[-1] for action in actions if action.option_strings]
    usual = USUAL[command]
    words = [STANDS_FOR.get(word, word) for word in WORDS[:: SLOW.get(command, 1)]]
    for word in words[piece::PIECES]:
        for i, argument in enumerate(usual):
            if not argument.startswith("--"):
                yield [command, *usual[:i], word, *usual[i + 1 :]]
        for option in options:
            # Behind the script, an option would be the script's own.
            given = [f"{option}={word}"]
            yield [command, *given, *usual] if command == "run" else [command, *usual, *given]


def test_every_command_is_walked() -> None:
    assert set(USUAL) == set(COMMANDS)


@pytest.mark.proof(
    every=PIECES - 1
)  # an eighth of the words for each command, and another for each
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_words(
    command: str,
    piece: int,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # a target's folder is put into it
    kept = {path: path.read_bytes() for path in [*place.glob("in/*"), *place.glob("*.py")]}
    for arguments in variants(command, piece):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        code = main(arguments)
        said = capsysbinary.readouterr().err.decode("utf-8", "surrogateescape")
        assert code in (0, 1, 2), (arguments, code)
        assert "Traceback" not in said, arguments
        assert "fault of dispatchcount" not in said, (arguments, said)
        assert said.replace("\n", "").isprintable(), (arguments, said)
        assert (code == 0) or "dispatchcount" in said, arguments
        assert {path: path.read_bytes() for path in kept} == kept, arguments


@pytest.mark.parametrize(
    "arguments", [[word] for word in WORDS] + [["show", "in/a.json", word] for word in WORDS]
)
def test_hostile_commands_and_arguments_too_many(
    arguments: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == (0 if arguments[-1] == "--" and len(arguments) == 3 else 2)
    assert capsys.readouterr().err.replace("\n", "").isprintable()
