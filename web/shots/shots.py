"""Takes a picture of every view of the pages, in light, in dark and on a phone, to be looked at.

    python web/shots/shots.py FOLDER

It needs what the tests need: Playwright with a Chromium, torchvision and transformers. The reports
are kept in the folder, so that a second run takes seconds; delete them to profile anew.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from reports import REPORTS, job

from dispatchcount.dashboard.series import parse_budget
from dispatchcount.dashboard.site import build
from dispatchcount.report_api import Ranks, Report

DEVICES = {
    "light": {"viewport": {"width": 1400, "height": 900}},
    "dark": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
VIEWS = {
    "resnet50": ("resnet50", ""),
    "resnet50-treemap": ("resnet50", "#&view=treemap"),
    "llama8b": ("llama8b", ""),
    "llama8b-open": ("llama8b", "#&fold=0"),
    "llama8b-layer": ("llama8b", "#model.layers.0–31.self_attn"),
    "early-exit": ("early_exit", ""),
    "early-exit-sample": ("early_exit", "#&run=3"),
    "training": ("training", ""),
    "training-time": ("training", "#&metric=time_ns&run=2"),
    "training-memory": ("training", "#&metric=memory_saved&view=treemap"),
    "rank": ("rank", "#&sent=modules"),
    "ranks": ("ranks", ""),
    "ranks-layer": ("ranks", "#layers.2&metric=wire_bytes&run=6"),
    "diff": ("diff", ""),
    "diff-phase": ("diff_training", "#&run=1"),
    "dashboard": ("site/index", ""),
}
"""The pictures: which page, and the part of the address that sets the view."""


def reports(folder: Path) -> dict[str, Report]:
    """The reports, profiled once and kept."""
    found = {}
    for name, make in REPORTS.items():
        path = folder / f"{name}.json"
        if not path.exists():
            make().to_json(path)
        found[name] = Report.from_json(path)
    return found


def all_ranks(folder: Path) -> Ranks:
    """The reports of a job, planned once and kept."""
    path = folder / "job.json"
    if not path.exists():
        job().to_json(path)
    return Ranks.from_json(path)


def dashboard(made: dict[str, Report], folder: Path) -> None:
    """A dashboard of three models, one of which became wider and then smaller than it was."""
    history = {
        "ResNet-50": [
            made[name] for name in ("resnet50", "resnet50", "wider", "wider", "resnet50")
        ],
        "Llama-3-8B": [made["llama8b"]] * 2,
        "ViT, a step of training": [made["training"]] * 3,
    }
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    for model, reports in history.items():
        for day, report in enumerate(reports):
            meta = replace(report.meta, created=1_790_000_000 + 86_400 * day, labels=())
            labels = {"model": model, "commit": f"{day:x}a5c3d9e07b{day}"}
            dated = replace(report, meta=meta).with_labels(**labels)
            dated.to_json(runs / f"{model}-{day}.json")
    build(runs, folder / "site", "fvcore", budgets=[parse_budget("ResNet-50:flops=4.5G")])


def take(browser: Browser, page: Path, fragment: str, picture: Path, device: str) -> None:
    """One picture of a whole page."""
    context = browser.new_context(**DEVICES[device])  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(page.resolve().as_uri() + fragment)
    tab.locator("main tbody tr").first.wait_for()
    tab.screenshot(path=picture, full_page=True)
    wide = tab.evaluate("document.documentElement.scrollWidth")
    if wide > DEVICES[device]["viewport"]["width"]:  # type: ignore[index]
        print(f"{picture.name}: {wide} pixels wide")
    context.close()


def main(folder: Path) -> None:
    """All pictures, and one page on paper."""
    folder.mkdir(parents=True, exist_ok=True)
    made = reports(folder)
    for name in REPORTS:
        made[name].to_html(folder / f"{name}.html")
    made["resnet50"].diff(made["wider"]).to_html(folder / "diff.html")
    made["training"].diff(made["longer"]).to_html(folder / "diff_training.html")
    all_ranks(folder).to_html(folder / "ranks.html")
    dashboard(made, folder)
    own = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        for picture, (page, fragment) in VIEWS.items():
            for device in DEVICES:
                name = folder / f"{picture}-{device}.png"
                take(browser, folder / f"{page}.html", fragment, name, device)
        tab = browser.new_page()
        tab.goto((folder / "resnet50.html").resolve().as_uri())
        tab.pdf(path=folder / "resnet50.pdf", format="A4", landscape=True)
        browser.close()
    print(f"{len(VIEWS) * len(DEVICES)} pictures and a PDF in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
