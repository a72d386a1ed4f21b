"""No WCAG 2.2 A or AA violation that axe-core finds, on the main pages, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "data" / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OF_THEME_AND_WIDTH = {
    "type": "rule",
    "values": ["color-contrast", "target-size", "scrollable-region-focusable"],
}
PAGES = {
    "home": "/",
    "explore": "/-/explore",
    "explore, narrowed": "/-/explore?q=demo&kind=model&license=mit",
    "explore, a filter": "/-/explore/values/license",
    "explore, people": "/-/explore?kind=people",
    "sign in": "/-/sign-in",
    "new": "/-/new",
    "tokens": "/-/settings/tokens",
    "runs everywhere": "/-/runs",
    "model": "{model}",
    "files": "{model}/tree/main",
    "card file": "{model}/blob/main/README.md",
    "tensors": "{model}/blob/main/model.safetensors",
    "tensor": "{model}/tensors/main/model.safetensors?tensor=model.norm.weight",
    "model settings": "{model}/blob/main/config.json",
    "tokenizer": "{model}/blob/main/tokenizer.json",
    "compare revisions": "/-/compare-revisions?a={repo_id}&b={other}",
    "history": "{model}/commits/main",
    "blame": "{model}/blame/main/README.md",
    "go to file": "{model}/find/main?q=read",
    "revisions": "{model}/refs/main",
    "code": "{model}/blob/main/recipes/good.yaml",
    "edit": "{model}/edit/main/README.md",
    "new file": "{model}/new/main",
    "upload": "{model}/upload/main",
    "move": "{model}/move/main/README.md",
    "delete": "{model}/delete/main/README.md",
    "metadata": "{model}/metadata/main",
    "start": "{model}/start",
    "settings": "{model}/settings",
    "collaborators": "{model}/settings/collaborators",
    "branches": "{model}/settings/branches",
    "storage": "{model}/settings/storage",
    "audit": "{model}/settings/audit",
    "transfer and delete": "{model}/settings/danger",
    "profile": "/-/settings/profile",
    "password": "/-/settings/password",
    "sessions": "/-/settings/sessions",
    "organisations": "/-/settings/organizations",
    "close account": "/-/settings/close",
    "new organisation": "/-/new-organization",
    "forgotten password": "/-/password",
    "fine-tune": "{model}/finetune",
    "lineage": "{model}/lineage",
    "try it": "{model}/try",
    "merge models": "{model}/merge-models",
    "runs": "{model}/runs",
    "run": "{model}/runs/2",
    "discussions": "{model}/discussions",
    "merge queue": "{model}/queue",
    "conversation": "{pull}",
    "changed files": "{pull}/files",
    "weights": "{pull}/weights?tensor=model.layers.1.self_attn.q_proj.weight",
    "benchmarks": "{pull}/benchmarks",
    "examples": "{pull}/examples",
    "catalogue": "/-/benchmarks",
    "task file": "/-/benchmarks/task",
    "leaderboards": "/-/leaderboards",
    "leaderboard": "/datasets/demo/blimp/leaderboard/benchmark.yaml",
    "viewer": "/datasets/demo/sms_spam/viewer",
    "viewer, a search": "/datasets/demo/sms_spam/viewer?split=test&q=free&c=label&o=eq&v=ham",
    "viewer, a row": "/datasets/demo/blimp/viewer?row=3",
    "table file": "/datasets/demo/winobias/blob/main/test.jsonl",
    "compare": "/-/compare?a={repo_id}&b={other}&benchmark=demo/blimp:benchmark.yaml",
    "benchmarks of a model": "{model}/benchmarks",
    "evaluate": "{model}/evaluate",
    "evaluation": "{model}/evaluations/{evaluation}",
    "bisect": "{model}/bisect",
    "report": "{model}/evaluations/report",
    "pins": "{model}/runs/pins",
    "gate editor": "{model}/settings/gate",
    "design": "/-/design",
    "collections": "/collections",
    "webhooks": "/-/settings/webhooks",
    "webhook": "/-/settings/webhooks/1",
    "device": "/-/device",
    "inbox": "/-/inbox?view=all",
    "notifications": "/-/settings/notifications",
    "person": "/owner",
    "activity": "/demo?view=activity",
    "gated access": "{model}/settings/access",
    "duplicate": "{model}/duplicate",
    "API": "/-/docs/api",
    "API, a section": "/-/docs/api/repositories",
}

IN_CHINESE = (
    *("home", "explore", "model", "files", "history", "edit", "settings", "fine-tune", "run"),
    *("conversation", "weights", "benchmarks", "leaderboard", "viewer", "gate editor", "inbox"),
)


def places_of(told: Any) -> dict[str, Any]:
    """What the addresses of the pages are filled in with."""
    return {
        "model": told.url,
        "pull": told.pull_path("good"),
        "repo_id": told.repo_id,
        "other": told.other,
        "evaluation": told.evaluation,
    }


def violations(page: Page, where: str, rules: dict[str, Any]) -> dict[str, Any]:
    """Up to three places of each rule that the page breaks.

    Without style sheets and media, which axe would fetch once more for each page: of these rules
    only that on sound reads one, and it asks for a review at most.
    """
    asked = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    result = page.evaluate("options => axe.run(options)", asked)
    return {
        f"{where}: {one['id']}": [node["target"][0] for node in one["nodes"][:3]]
        for one in result["violations"]
    }


def too_wide(page: Page, where: str) -> dict[str, Any]:
    """How much of the page lies beside the window."""
    beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return {f"{where}: px beside the window": [beyond]} if beyond > 0 else {}


def darken_and_narrow(page: Page) -> None:
    """As by the theme button, with no pointer that stays above something; a phone's width."""
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
    page.evaluate("document.querySelector('[data-theme-button]').click()")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.set_viewport_size({"width": 360, "height": 900})


@pytest.mark.timeout(900)
def test_pages_keep_to_wcag_aa(open_window, told):
    """Every rule on the page as it is loaded; then what the other theme and a width change."""
    window = open_window(bypass_csp=True)
    window.sign_in(told.owner)
    found = {}
    for name, path in PAGES.items():
        window.context.add_cookies([{"name": "theme", "value": "light", "url": window.url}])
        window.page.set_viewport_size({"width": 1440, "height": 900})
        page = window.goto(path.format(**places_of(told)))
        found |= too_wide(page, name)
        page.add_script_tag(path=AXE)
        found |= violations(page, name, {"type": "tag", "values": RULES})
        darken_and_narrow(page)
        found |= too_wide(page, f"{name}, narrow")
        found |= violations(page, f"{name}, dark, narrow", OF_THEME_AND_WIDTH)
    assert not found, "\n".join(f"{where}: {places}" for where, places in found.items())


def test_pages_in_chinese_keep_to_wcag_aa_on_a_phone(open_window, told):
    """Of every layout one page, with what another script and a width change."""
    window = open_window(width=360, theme="dark", bypass_csp=True)
    window.sign_in(told.owner)
    window.context.add_cookies([{"name": "language", "value": "zh-hans", "url": window.url}])
    found = {}
    for name in IN_CHINESE:
        page = window.goto(PAGES[name].format(**places_of(told)))
        found |= too_wide(page, name)
        page.add_script_tag(path=AXE)
        found |= violations(page, name, OF_THEME_AND_WIDTH)
    assert not found, "\n".join(f"{where}: {places}" for where, places in found.items())
