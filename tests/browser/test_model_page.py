"""The model page: a diagram in its frame, formulas, and a question that is answered."""

from __future__ import annotations

import pytest
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


@pytest.mark.timeout(300)
def test_a_model_is_asked_and_answers_as_it_writes(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/try")
    page.get_by_label("Prompt").fill("ROMEO:")
    page.get_by_text("How it answers").click()
    page.get_by_label("New tokens, at most").fill("24")
    page.get_by_role("button", name="Ask the model").click()
    answer = page.locator("#try-answer")
    expect(answer).to_contain_text("first word after", timeout=PATIENCE_MS)
    expect(answer.locator(".try-text")).not_to_be_empty()
    assert window.said == []
