"""What a site was made from, so that making it again only does what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dispatchcount._version import __version__
from dispatchcount.dashboard.collect import Run, page_name
from dispatchcount.files import write

NAME = "manifest"
"""Its name in the site. It has no ending, because every ``.json`` file of a folder may be a report.
"""


@dataclass(slots=True)
class Manifest:
    """What lies in a site.

    Attributes:
        maker: stands for all that pages follow from beside the reports.
        runs: the summary of each report and the hash of its file, by the file.
        diffs: the hashes of the two files, by the name of the diff's page.
    """

    maker: str
    runs: dict[str, tuple[str, Run]] = field(default_factory=dict)
    diffs: dict[str, list[str]] = field(default_factory=dict)

    def known(self, file: str, digest: str, page: Path) -> Run | None:
        """The summary of a report whose page is there; None if the page must be written."""
        found = self.runs.get(file)
        return found[1] if found and found[0] == digest and page.exists() else None

    def save(self, site: Path) -> None:
        """Write it into the site.

        Raises:
            OSError: it cannot be written.
        """
        runs = {file: [digest, asdict(run)] for file, (digest, run) in self.runs.items()}
        whole = {"maker": self.maker, "runs": runs, "diffs": self.diffs}
        write(site / NAME, json.dumps(whole, separators=(",", ":")))


def maker(scripts: Iterable[str], convention: str) -> str:
    """What pages follow from beside the reports: our version, the scripts, the convention."""
    whole = hashlib.sha256()
    for part in (__version__, convention, *scripts):
        whole.update(part.encode() + b"\0")
    return whole.hexdigest()


def load(site: Path, made_by: str) -> Manifest:
    """The manifest of a site; an empty one if there is none, or if another maker wrote it.

    A damaged one is as good as none: then all pages are written anew.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        read = json.loads((site / NAME).read_bytes())
        if read["maker"] == made_by:
            runs = {file: (digest, _run(file, one)) for file, (digest, one) in read["runs"].items()}
            # Pages that nothing leads to any longer are deleted by these names.
            diffs = {Path(name).name: digests for name, digests in read["diffs"].items()}
            return Manifest(made_by, runs, diffs)
    return Manifest(made_by)


def _run(file: str, one: Mapping[str, Any]) -> Run:
    return Run(
        **{
            **one,
            "file": file,
            "page": page_name(file),
            "labels": tuple((key, value) for key, value in one["labels"]),
            "uncounted": tuple(one["uncounted"]),
        }
    )
