"""Somebody is named; they hear of it, are done with it, and mute the thread: one main path."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError, expect


@pytest.mark.timeout(300)
def test_a_mention_reaches_the_inbox_and_is_done_and_muted(open_window, story):
    thread = f"{story.url}/discussions/{story.first}"
    one = open_window()
    one.sign_in(story.contributor)
    page = one.goto(thread)
    box = page.get_by_label("Add a comment")
    box.fill("Please look, ")
    box.press_sequentially(f"@{story.owner.name[:3]}")
    page.get_by_role("option", name=story.owner.name).first.wait_for()
    box.press("Enter")
    expect(box).to_have_value(f"Please look, @{story.owner.name} ")
    page.get_by_role("button", name="Comment", exact=True).click()
    said = page.locator(".timeline")
    expect(said.get_by_role("link", name=f"@{story.owner.name}").last).to_be_visible()

    other = open_window()
    other.sign_in(story.owner)
    page = other.goto("/-/inbox?view=mentions")
    row = page.locator("[data-row]", has_text="you were named")
    for _ in range(30):  # a worker tells it
        with suppress(TimeoutError):
            row.first.wait_for(timeout=1000)
            break
        page.reload()
    page.keyboard.press("j")
    expect(row.first.locator("[data-open]")).to_be_focused()
    expect(page.locator(".inbox-count")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator("[data-row]")).to_have_count(0)
    page = other.goto("/-/inbox?view=done")
    page.get_by_role("button", name="Mute this thread").first.click()
    expect(page.get_by_role("status").first).to_contain_text("Muted")
    page = other.goto(thread)
    expect(page.locator(".listen").last.locator("summary")).to_contain_text("Muted")
    assert one.said == other.said == []
