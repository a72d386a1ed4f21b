"""`python -m tools.screenshots [WORD …]`: every page as a picture, into screenshots/.

Starts a hub of its own and plays the little story in it, so that the pages are full. Words choose
pages by name. Exit status 1 when a page is wider than its window or the browser complains.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo.console import Console
from demo.server import Person
from tests.server import running_hub
from tools.chromium import launch_chromium
from tools.little_hub import LittleStory

FOLDER = Path(__file__).resolve().parents[1] / "screenshots"
WIDTHS = (360, 1440)
THEMES = ("light", "dark")
LANGUAGES = ("en", "zh-hans")
HEIGHT = 900
EDITED = "model.layers.1.self_attn.q_proj.weight"


@dataclass(frozen=True)
class View:
    """One way of looking: a window's width, a theme and a language."""

    width: int
    theme: str
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}"

    def open(self, browser: Browser, url: str) -> BrowserContext:
        size = {"width": self.width, "height": HEIGHT}
        context = browser.new_context(viewport=size, base_url=url)  # type: ignore[arg-type]
        cookies = {"theme": self.theme, "language": self.language}
        context.add_cookies([{"name": n, "value": v, "url": url} for n, v in cookies.items()])
        return context


VIEWS = [View(*each) for each in product(WIDTHS, THEMES, LANGUAGES)]


def anonymous_pages(story: LittleStory) -> dict[str, str]:
    """Pages as a visitor sees them: name and path."""
    return {"welcome": "/", "sign-in": "/-/sign-in", "visitor-model": story.url}


def member_pages(story: LittleStory) -> dict[str, str]:
    """Pages as the owner sees them: name and path."""
    model, good, bad = story.url, story.pull_path("good"), story.pull_path("too-hot")
    return {
        "home": "/",
        "all-runs": "/-/runs",
        "explore": "/-/explore",
        "explore-datasets": "/-/explore?kind=dataset",
        "explore-narrowed": "/-/explore?q=demo&kind=model&license=mit",
        "explore-misspelt": "/-/explore?q=spam-gaurd",
        "explore-values": "/-/explore/values/license",
        "explore-people": "/-/explore?kind=people",
        "new": "/-/new",
        "tokens": "/-/settings/tokens",
        "edit": f"{model}/edit/main/README.md",
        "new-file": f"{model}/new/main",
        "upload": f"{model}/upload/main",
        "move": f"{model}/move/main/README.md",
        "delete": f"{model}/delete/main/README.md",
        "metadata": f"{model}/metadata/main",
        "start": f"{model}/start",
        "profile": "/-/settings/profile",
        "password": "/-/settings/password",
        "sessions": "/-/settings/sessions",
        "organisations": "/-/settings/organizations",
        "organisation-new": "/-/new-organization",
        "account-close": "/-/settings/close",
        "password-forgotten": "/-/password",
        "sign-up": "/-/sign-up",
        "webhooks": "/-/settings/webhooks",
        "collections": "/collections",
        "collection": story.collection,
        "collection-edit": f"{story.collection}/edit",
        "collection-new": "/-/collections/new",
        "webhook": "/-/settings/webhooks/1",
        "device": "/-/device",
        "inbox": "/-/inbox?view=all",
        "inbox-unread": "/-/inbox",
        "notifications": "/-/settings/notifications",
        "person-activity": "/owner?view=activity",
        "viewer": "/datasets/demo/sms_spam/viewer",
        "viewer-search": "/datasets/demo/sms_spam/viewer?split=test&q=free&c=label&o=eq&v=ham",
        "viewer-row": "/datasets/demo/blimp/viewer?row=3",
        "access": f"{model}/settings/access",
        "duplicate": f"{model}/duplicate",
        "docs": "/-/docs",
        "api": "/-/docs/api",
        "api-section": "/-/docs/api/repositories",
        "design": "/-/design",
        "organisation": "/demo",
        "person": "/owner",
        "missing": "/demo/nothing-here",
        "model": model,
        "files": f"{model}/tree/main",
        "file-card": f"{model}/blob/main/README.md",
        "file-recipe": f"{model}/blob/main/recipes/good.yaml",
        "file-tensors": f"{model}/blob/main/model.safetensors",
        "file-tensor": f"{model}/tensors/main/model.safetensors?tensor={EDITED}",
        "file-config": f"{model}/blob/main/config.json",
        "file-tokenizer": f"{model}/blob/main/tokenizer.json",
        "compare-revisions": f"/-/compare-revisions?a={story.repo_id}&b={story.other}",
        "compare-lines": f"/-/compare-revisions?a={story.repo_id}&b={story.other}&part=files",
        "history": f"{model}/commits/main",
        "blame": f"{model}/blame/main/README.md",
        "go-to-file": f"{model}/find/main?q=rec",
        "revisions": f"{model}/refs/main",
        "commit": f"{model}/commit/main",
        "settings": f"{model}/settings",
        "settings-collaborators": f"{model}/settings/collaborators",
        "settings-branches": f"{model}/settings/branches",
        "settings-storage": f"{model}/settings/storage",
        "settings-audit": f"{model}/settings/audit",
        "settings-danger": f"{model}/settings/danger",
        "dataset": "/datasets/demo/sms_spam",
        "dataset-file": "/datasets/demo/sms_spam/blob/main/test.jsonl",
        "finetune": f"{model}/finetune",
        "lineage": f"{model}/lineage",
        "try-it": f"{model}/try",
        "merge-models": f"{model}/merge-models",
        "runs": f"{model}/runs",
        "run-finetune": f"{model}/runs/2",
        "run-gate": f"{model}/runs/3",
        "discussions": f"{model}/discussions",
        "discussions-closed": f"{model}/discussions?state=closed",
        "discussion-new": f"{model}/discussions/new",
        "queue": f"{model}/queue",
        "pull-open": f"{model}/discussions/{story.first}",
        "pull-open-files": f"{model}/discussions/{story.first}/files",
        "pull-merged": good,
        "pull-merged-files": f"{good}/files",
        "pull-merged-benchmarks": f"{good}/benchmarks",
        "pull-merged-commits": f"{good}/commits",
        "pull-merged-weights": f"{good}/weights",
        "pull-merged-tensor": f"{good}/weights?tensor={EDITED}",
        "weights-between": f"{model}/weights?candidate=refs/pr/1",
        "pull-refused": bad,
        "pull-refused-benchmarks": f"{bad}/benchmarks",
        "pull-refused-examples": f"{bad}/examples",
        "pull-refused-runs": f"{bad}/runs",
        "catalogue": "/-/benchmarks",
        "catalogue-task": "/-/benchmarks/task",
        "leaderboards": "/-/leaderboards",
        "leaderboard": "/datasets/demo/blimp/leaderboard/benchmark.yaml",
        "leaderboard-list": "/datasets/demo/blimp/leaderboards",
        "leaderboard-embedded": "/datasets/demo/blimp/leaderboard/benchmark.yaml?embed=1",
        "compare": f"/-/compare?a={story.repo_id}&b={story.other}"
        "&benchmark=demo/blimp:benchmark.yaml",
        "model-benchmarks": f"{model}/benchmarks",
        "evaluate": f"{model}/evaluate",
        "evaluation": f"{model}/evaluations/{story.evaluation}",
        "bisect": f"{model}/bisect",
        "report": f"{model}/evaluations/report",
        "pins": f"{model}/runs/pins",
        "gate-editor": f"{model}/settings/gate",
    }


def operator_pages(story: LittleStory) -> dict[str, str]:
    """Pages as whoever runs the hub sees them: name and path."""
    return {
        "operator": "/-/admin",
        "operator-people": "/-/admin/people",
        "operator-people-found": "/-/admin/people?q=own",
        "operator-person": f"/-/admin/people/{story.owner.name}",
        "operator-audit": "/-/admin/audit",
    }


def operator_of(story: LittleStory) -> Person:
    password = secrets.token_urlsafe()
    story.server.manage("ensure_user", "keeper", "--admin", f"--password={password}")
    return Person("keeper", password, "")


def sign_in(context: BrowserContext, person: Person) -> None:
    page = context.new_page()
    page.goto("/-/sign-in")
    page.fill("[name=username]", person.name)
    page.fill("[name=password]", person.password)
    page.click("main button.btn--main")
    page.wait_for_url("**/")
    page.close()


def take(context: BrowserContext, pages: dict[str, str], view: View) -> Iterator[str]:
    """Save a picture of each page; what is wrong with it, line by line."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for name, path in pages.items():
        said.clear()
        page.goto(path)
        settle(page)
        page.screenshot(path=FOLDER / f"{name}-{view}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > view.width:
            yield f"{name} at {view}: {wide - view.width} px too wide"
        # The browser itself reports the status of the missing page.
        yield from (f"{name} at {view}: {text}" for text in said if name != "missing")
    page.close()


def settle(page: Page) -> None:
    """Return once fonts and curves stand still."""
    page.evaluate("document.fonts.ready")
    if page.locator("[data-loss-chart]").count():
        page.wait_for_selector("[data-loss-chart] canvas")


def photograph(browser: Browser, story: LittleStory, words: list[str]) -> Iterator[str]:
    """Every page in every view; what is wrong, line by line."""
    FOLDER.mkdir(exist_ok=True)
    readers = [
        (None, anonymous_pages(story)),
        (story.owner, member_pages(story)),
        (operator_of(story), operator_pages(story)),
    ]
    sessions: dict[str, list[Any]] = {}
    for view in VIEWS:
        for person, pages in readers:
            context = view.open(browser, story.server.url)
            if person is not None and person.name not in sessions:
                sign_in(context, person)
                of_session = [c for c in context.cookies() if c["name"].startswith("session")]
                sessions[person.name] = of_session
            elif person is not None:
                context.add_cookies(sessions[person.name])
            yield from take(context, _chosen(pages, words), view)
            context.close()
        story.console.say(f"{view} done")


def _chosen(pages: dict[str, str], words: list[str]) -> dict[str, str]:
    return {n: p for n, p in pages.items() if not words or any(word in n for word in words)}


def main() -> int:
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="weighbridge-") as folder,
        running_hub(Path(folder) / "data") as hub,
    ):
        story = LittleStory(hub, console)
        story.play()
        with console.step("Pictures"), sync_playwright() as playwright:
            faults = list(photograph(launch_chromium(playwright), story, sys.argv[1:]))
    console.line(f"\n{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.name}/")
    for fault in faults:
        console.line(f"  ✗ {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
