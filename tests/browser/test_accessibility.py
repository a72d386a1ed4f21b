"""No WCAG 2.2 A or AA violation that axe-core finds, on the main pages, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parents[1] / "data" / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
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
    "history": "{model}/commits/main",
    "settings": "{model}/settings",
    "fine-tune": "{model}/finetune",
    "lineage": "{model}/lineage",
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
    "gated access": "{model}/settings/access",
    "duplicate": "{model}/duplicate",
    "API": "/-/docs/api",
    "API, a section": "/-/docs/api/repositories",
}


def places_of(told: Any) -> dict[str, Any]:
    """What the addresses of the pages are filled in with."""
    return {
        "model": told.url,
        "pull": told.pull_path("good"),
        "repo_id": told.repo_id,
        "other": told.other,
        "evaluation": told.evaluation,
    }


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("theme", "width", "language"),
    [("light", 1440, "en"), ("dark", 1440, "en"), ("light", 360, "zh-hans")],
)
def test_pages_keep_to_wcag_aa(open_window, told, theme, width, language):
    window = open_window(theme=theme, width=width, bypass_csp=True)
    window.sign_in(told.owner)
    cookie = {"name": "language", "value": language, "url": window.url}
    window.context.add_cookies([cookie])
    found = {}
    for name, path in PAGES.items():
        page = window.goto(path.format(**places_of(told)))
        page.add_script_tag(path=AXE)
        result = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        for violation in result["violations"]:
            places = [node["target"][0] for node in violation["nodes"][:3]]
            found[f"{name}: {violation['id']}"] = places
    assert found == {}
