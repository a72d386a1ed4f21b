"""A PDF is painted in its frame; what hostile ones try does not happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from playwright.sync_api import Frame, Page, expect

from tests.browser.conftest import PATIENCE_MS, Window
from tests.browser.pdfs import HOSTILE, REFUSED, document, many

PAGES = 10_000
HONEST = {"paper.pdf": document(), "long.pdf": many(PAGES)}


@pytest.fixture(scope="module")
def shelf(story, hub_server) -> str:
    """A repository with all of them; its name."""
    api = HfApi(hub_server.url, token=story.owner.token)
    repo_id = api.create_repo(f"{story.owner.name}/shelf", exist_ok=True).repo_id
    files: Mapping[str, bytes] = {
        **HONEST,
        **{f"{name}.pdf": content for name, content in HOSTILE.items()},
        **{f"{name}.pdf": content for name, (content, _) in REFUSED.items()},
    }
    api.create_commit(
        repo_id,
        [CommitOperationAdd(name, content) for name, content in files.items()],
        commit_message="Papers",
    )
    return repo_id


def opened(window: Window, shelf: str, name: str) -> tuple[Page, Frame]:
    page = window.goto(f"/{shelf}/blob/main/{name}")
    expect(page.locator(".pdf.is-open")).to_have_count(1, timeout=PATIENCE_MS)
    return page, next(each for each in page.frames if each.url.endswith("/-/pdf"))


def test_pages_are_turned_and_made_larger_by_keyboard_too(open_window, shelf):
    window = open_window()
    page, frame = opened(window, shelf, "long.pdf")
    assert frame.evaluate("self.origin") == "null"
    words = frame.locator("#words")
    expect(words).to_contain_text("Sheet 1")
    expect(page.locator("[data-pdf-total]")).to_have_text(f"/ {PAGES}")
    page.get_by_role("button", name="Next page").press("Enter")
    expect(words).to_contain_text("Sheet 2")
    number = page.get_by_label("Page", exact=True)
    number.fill(str(PAGES))
    number.press("Enter")
    expect(words).to_contain_text(f"Sheet {PAGES}")
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    expect(page.locator(".pdf [role=status]")).to_have_text(f"Page {PAGES} of {PAGES}")
    frame.locator("#paper").click()
    page.keyboard.press("ArrowLeft")
    expect(words).to_contain_text(f"Sheet {PAGES - 1}")
    fitting = frame.locator("#paper canvas").bounding_box()
    page.get_by_role("button", name="Smaller").click()
    expect(page.get_by_role("button", name="Fit width")).to_have_attribute("aria-pressed", "false")
    smaller = frame.locator("#paper canvas").bounding_box()
    assert fitting and smaller and smaller["width"] < fitting["width"]
    assert window.said == []


def test_it_is_painted_and_its_words_can_be_marked(open_window, shelf):
    window = open_window(theme="dark", width=360)
    page, frame = opened(window, shelf, "paper.pdf")
    expect(frame.locator("#words")).to_have_text("Weighed and found")
    ink = """() => {
      const canvas = document.querySelector("canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, at) => at % 4 === 0 && value < 80);
    }"""
    assert frame.evaluate(ink)
    frame.locator("#words span").first.select_text()
    assert frame.evaluate("String(getSelection())") == "Weighed and found"
    box, view = frame.locator("#paper").bounding_box(), page.viewport_size
    assert box and view and box["width"] <= view["width"]
    assert window.said == []


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_hostile_one_runs(open_window, shelf, name):
    window = open_window()
    asked: list[str] = []
    window.context.on("request", lambda request: asked.append(request.url))
    window.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page = window.goto(f"/{shelf}/blob/main/{name}.pdf")
    expect(page.locator(".pdf:is(.is-open, .is-blank, .is-refused)")).to_have_count(
        1, timeout=PATIENCE_MS
    )
    frames = [each for each in page.frames if each.url.endswith("/-/pdf")]
    for frame in frames:
        if page.locator(".pdf.is-open").count():
            frame.locator("#paper").click(position={"x": 20, "y": 20})
        assert frame.locator("a, form, input, iframe, script[src]").count() == 0
    assert page.evaluate("top.harmed === undefined")
    assert len(window.context.pages) == 1
    assert [url for url in asked if not url.startswith((window.url, "blob:"))] == []
    assert window.said == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_called_so(open_window, shelf, name):
    window = open_window()
    page = window.goto(f"/{shelf}/blob/main/{name}.pdf")
    place = page.locator(".pdf.is-refused")
    expect(place).to_contain_text(REFUSED[name][1], timeout=PATIENCE_MS)
    expect(place.get_by_role("link", name="Download")).to_be_visible()


def test_without_scripts_a_download_stands(open_window, shelf):
    options: dict[str, Any] = {"java_script_enabled": False}
    page = open_window(**options).goto(f"/{shelf}/blob/main/paper.pdf")
    expect(page.locator(".pdf-note").get_by_role("link", name="Download")).to_be_visible()
    expect(page.get_by_role("toolbar", name="Pages of the document")).to_be_hidden()
