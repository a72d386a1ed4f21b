"""Diagrams in cards, comments and previews: each in a frame of its own."""

from __future__ import annotations

from huggingface_hub import HfApi
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS

CARD = """---
license: mit
---
# Drawn

The loss is $L = \\frac{1}{N}$.

```mermaid
graph LR
  A[First] --> B[Second]
  click A href "javascript:alert(1)"
```

```mermaid
this is no diagram
```
"""


def test_a_diagram_is_drawn_in_a_frame_without_our_origin(open_window, story, hub_server):
    api = HfApi(hub_server.url, token=story.owner.token)
    repo_id = api.create_repo(f"{story.owner.name}/drawn", exist_ok=True).repo_id
    api.upload_file(path_or_fileobj=CARD.encode(), path_in_repo="README.md", repo_id=repo_id)
    window = open_window()
    page = window.goto(f"/{repo_id}")
    expect(page.locator("iframe.diagram-frame.is-drawn")).to_have_count(1, timeout=PATIENCE_MS)
    drawn = page.frame_locator("iframe.diagram-frame.is-drawn").locator("#place svg")
    expect(drawn).to_contain_text("Second")
    assert drawn.locator("a[href^='javascript:']").count() == 0
    frame = next(each for each in page.frames if each.url.endswith("/-/diagram"))
    assert frame.evaluate("self.origin") == "null"
    # What is no diagram stays the code that it is.
    odd = page.locator("pre.diagram", has_text="this is no diagram")
    expect(page.locator("iframe.diagram-frame")).to_have_count(1, timeout=PATIENCE_MS)
    expect(odd).to_be_visible()
    expect(page.get_by_text("This diagram cannot be drawn")).to_have_count(1, timeout=PATIENCE_MS)
    assert odd.bounding_box()["height"] < 100
    expect(page.locator("math mfrac")).to_have_count(1)
    assert window.said == []


SAID = """It goes so:

```mermaid
%%{init: {"securityLevel": "loose", "htmlLabels": true}}%%
graph LR
  A["<img src=x onerror='parent.postMessage(1)'>"] --> B[Second]
  click B href "https://evil.example" _top
```
"""


def test_a_comment_draws_diagrams_too_and_they_stay_in_their_frame(open_window, story, hub_server):
    api = HfApi(hub_server.url, token=story.owner.token)
    repo_id = api.create_repo(f"{story.owner.name}/spoken", exist_ok=True).repo_id
    made = api.create_discussion(repo_id, "How it goes", description=SAID)
    window = open_window(width=360, theme="dark")
    page = window.goto(f"/{repo_id}/discussions/{made.num}")
    frames = page.locator("iframe.diagram-frame")
    expect(page.locator("iframe.diagram-frame.is-drawn")).to_have_count(1, timeout=PATIENCE_MS)
    assert frames.get_attribute("sandbox") == "allow-scripts"
    drawn = page.frame_locator("iframe.diagram-frame").locator("#place svg")
    expect(drawn).to_contain_text("Second")
    assert drawn.locator("[onerror]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.url.startswith(hub_server.url)


def test_a_preview_draws_them(open_window, story, hub_server):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/new/main?name=drawn.md")
    page.locator("#edit-text").fill("```mermaid\ngraph LR\n  A --> B[Second]\n```\n")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("iframe.diagram-frame.is-drawn")).to_have_count(1, timeout=PATIENCE_MS)
    assert window.said == []
