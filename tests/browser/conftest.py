"""A real browser for the tests of the pages. It must be there: a page that nobody opened is not tested."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

Open = Callable[..., Page]


def installed() -> str | None:
    """A browser on this machine."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return (
        own
        if Path(own).exists()
        else next((path for name in BROWSERS if (path := shutil.which(name))), None)
    )


def install() -> None:
    """Get one: Playwright's own, or where that cannot be downloaded Debian's."""
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get"):
        commands += [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"],
        ]
    for command in commands:
        subprocess.run(
            command,
            check=False,
            capture_output=True,
            timeout=600,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        if installed():
            return


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with FileLock(tmp_path_factory.getbasetemp().parent / "browser.lock"):  # workers start at once
        if not installed():
            install()
    found = installed()
    if found is None:
        pytest.fail(
            f"no browser to open the pages in, and none could be installed; install one of {', '.join(BROWSERS)}"
        )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a file as a page. At the end of the test: no message on the console, no error, no dialog, nothing fetched from elsewhere."""
    said: list[str] = []
    contexts = []

    def opened(path: Path, fragment: str = "", **options: object) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on(
            "dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        folder = path.resolve().parent.as_uri()
        page.on(
            "request",
            lambda request: (
                request.url.startswith((folder, "data:")) or said.append(f"request: {request.url}")
            ),
        )
        page.goto(path.resolve().as_uri() + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
