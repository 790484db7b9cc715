"""Hooks of mkdocs: they bring pages that lie outside of this folder into the site.

They also see to it that a page fetches nothing from the network.

CONTRIBUTING.md, CHANGELOG.md and the page of the published tables stay where people of a repository
look for them. Their links, and links to them, are written for the repository, so the hooks turn
those into links within the site.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

BROUGHT_IN = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/data/README.md": "published-tables.md",
}
"""The name in the site of each page from outside, by its path in the repository."""

SHIM = "https://unpkg.com/iframe-worker/shim"
"""What the theme fetches for search in a folder; `vendor/iframe-worker.js` is the same."""

_IN_REPOSITORY = {f"docs/{name}": path for path, name in BROUGHT_IN.items()}

_LINK = re.compile(r"\[([^\]\[]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside."""
    for path, name in BROUGHT_IN.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Turn the page's links within the repository into links within the site.

    A link to a file that is not in the site becomes the file's path.
    """
    here = f"docs/{page.file.src_uri}"
    folder = str(PurePosixPath(_IN_REPOSITORY.get(here, here)).parent)
    folder_of_site = str(PurePosixPath(page.file.src_uri).parent)

    def turned(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        path = normpath(f"{folder}/{target}")
        inside = BROUGHT_IN.get(path, relpath(path, "docs"))
        if files.get_file_from_path(inside) is not None:
            return f"[{text}]({relpath(inside, folder_of_site)}{anchor})"
        return f"{text} (`{path}`)" if (ROOT / path).exists() else link.group()

    return _LINK.sub(turned, markdown)


def on_post_page(output: str, page: Page, config: Any) -> str:
    """Let a page take the script for its search from the site."""
    folder_of_site = str(PurePosixPath(page.url).parent)
    return output.replace(SHIM, relpath("vendor/iframe-worker.js", folder_of_site))


def on_post_template(output: str, template_name: str, config: Any) -> str:
    """Do the same for pages that are not made from Markdown, such as the one of missing pages."""
    return output.replace(SHIM, "vendor/iframe-worker.js")
