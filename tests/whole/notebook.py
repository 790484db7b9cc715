"""Runs the notebook of the tour in a new kernel, as *Run all* does.

python -m tests.whole.notebook docs/guides/tour.ipynb            # what its cells print
python -m tests.whole.notebook docs/guides/tour.ipynb --write    # put that into the notebook
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parents[2]


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with what its cells put out now. A cell that raises ends it with the error."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # The kernel is another process, which must find the package that is tested.
    found = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute(env={**os.environ, "PYTHONPATH": found})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    # What the kernel says of its Python would differ from machine to machine.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def texts(cell: Any) -> list[str]:
    """What a cell put out, as text."""
    return [
        output["text"] if output.output_type == "stream" else output.data.get("text/plain", "")
        for output in cell.get("outputs", [])
    ]


def main() -> None:
    """Run the notebook that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--write", action="store_true", help="put what came out into the notebook")
    options = parser.parse_args()
    done = executed(options.notebook)
    if options.write:
        nbformat.write(done, options.notebook)
    for cell in done.cells:
        print(*texts(cell), sep="\n")


if __name__ == "__main__":
    main()
