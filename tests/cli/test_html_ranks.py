"""``dispatchcount html`` of several ranks: the page of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatchcount.cli import main
from dispatchcount.report_api import Ranks
from tests.report import make

pytestmark = pytest.mark.torch_alone


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reports of ranks 0 and 2 of a job of three, in a folder."""
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    names = []
    for rank in (2, 0):
        names.append(f"reports/rank-{rank}.json")
        make.cnn().with_labels(rank=str(rank), world_size="3").to_json(names[-1])
    return names


def test_the_reports_of_several_ranks(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["html", *files]) == 0
    page = str(Path("reports", "ranks.html"))
    assert capsys.readouterr().out == f"{page}\n"
    text = Path(page).read_text()
    assert '"world":3,"rank":[0,2],"missing":[1]' in text


def test_the_file_of_all_ranks(files: list[str]) -> None:
    Ranks(2, (0, 1), (make.cnn(), make.cnn())).to_json("job.json")
    assert main(["html", "job.json", "--convention", "torch"]) == 0
    text = Path("job.html").read_text()
    assert '"world":2' in text
    assert '"name":"torch"' in text


def test_what_is_no_job_is_refused(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["html", *files, files[0]]) == 2
    assert "the ranks are [0, 2, 2]; each must be there once" in capsys.readouterr().err
    assert main(["html", *files, "--device", "h100-sxm"]) == 2
    assert "give one FILE with it" in capsys.readouterr().err
    make.cnn().with_convention("torch").with_labels(rank="1").to_json("other.json")
    assert main(["html", *files, "other.json"]) == 2
    assert "different conventions (fvcore, torch)" in capsys.readouterr().err
    assert main(["html", *files, "-"]) == 2  # standard input is empty
    assert not Path("reports", "ranks.html").exists()
