"""The shipped scripts of the pages are those that their sources in `web/` give. Needs no Node."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

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
