"""From a repository's files to one line of one file, by keyboard, and to what it was before."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(600)
def test_a_line_is_found_marked_and_kept(open_window, story):
    window = open_window()
    page = window.goto(f"{story.url}/tree/main")
    expect(page.locator("table.files")).to_contain_text("model.safetensors")
    page.get_by_text("main", exact=True).first.click()
    page.get_by_role("searchbox", name="Find a branch").fill("nothing is called so")
    expect(page.locator(".ref-lists a:visible")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    box = page.get_by_role("searchbox", name="Part of a path")
    box.press_sequentially("goodyaml")
    expect(page.locator("#found a").first).to_have_text("recipes/good.yaml")
    box.press("Enter")
    page.wait_for_url("**/blob/main/recipes/good.yaml")
    page.locator('[data-line="2"]').click()
    page.locator('[data-line="4"]').click(modifiers=["Shift"])
    expect(page.locator("tr.is-marked")).to_have_count(3)
    page.keyboard.press("y")
    page.wait_for_url(re.compile(r"/blob/[0-9a-f]{40}/recipes/good\.yaml#L2-L4$"))
    expect(page.locator("tr.is-marked")).to_have_count(3)
    page.get_by_role("link", name="Blame").click()
    expect(page.locator(".blame-start").first).to_be_visible()
    assert window.said == []
