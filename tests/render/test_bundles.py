"""The shipped scripts of the pages are those that their sources in `web/` give. Needs no Node."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from dispatchcount.report.roles import OTHER, ROLES

pytestmark = pytest.mark.torch_alone

WEB = Path(__file__).parents[2] / "web"
ASSETS = files("dispatchcount.render.html") / "assets"
BUNDLES = re.findall(
    r'"(\w+)"', re.search(r"const PAGES = \[(.*)\]", (WEB / "build.mjs").read_text())[1]
)  # type: ignore[index]


def digest() -> str:
    """What `digest` of web/build.mjs works out."""
    paths = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    paths += [
        WEB / name for name in ("build.mjs", "package-lock.json", "package.json", "tsconfig.json")
    ]
    found = hashlib.sha256()
    for name in sorted(path.relative_to(WEB).as_posix() for path in paths):
        found.update(f"{name}\0".encode() + (WEB / name).read_bytes() + b"\0")
    return found.hexdigest()


@pytest.mark.parametrize("name", [f"{page}.{kind}" for page in BUNDLES for kind in ("js", "css")])
def test_a_bundle_is_as_new_as_its_sources(name: str) -> None:
    first = (ASSETS / name).read_text(encoding="ascii").partition("\n")[0]
    assert digest() in first, f"{name} is older than web/: run `npm ci && npm run build` in web/"


def test_the_licences_of_bundled_code_are_shipped() -> None:
    shipped = (ASSETS / "LICENSES.txt").read_text(encoding="utf-8")
    lock = (WEB / "package.json").read_text(encoding="utf-8")
    packages = re.findall(r'"([^"]+)": "([\d.]+)"', lock.split('"devDependencies"')[0])
    assert packages
    for name, version in packages:
        assert f"\n{name} {version} (" in shipped


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_part_that_a_module_plays_has_a_colour(theme: str) -> None:
    source = (WEB / "src/chart/colours.ts").read_text(encoding="utf-8")
    palette = source[source.index("FILLS") :]
    fills = re.search(rf"{theme}: \[(.*?)\]", palette, re.DOTALL)
    # A page colours a part by its place in ROLES; what plays no part comes last and is quiet.
    assert fills is not None
    assert len(re.findall(r"#\w{6}", fills[1])) == len(ROLES) - 1
    assert ROLES[-1] == OTHER
