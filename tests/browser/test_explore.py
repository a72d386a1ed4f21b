"""Finding things: results follow the typing, filters have addresses, the palette goes anywhere."""

from __future__ import annotations

import re

from playwright.sync_api import expect

SHIFTS = """() => new Promise(done => {
  new PerformanceObserver(list => done(list.getEntries().reduce((sum, e) => sum + e.value, 0)))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(0), 1500);
})"""


def test_finding_a_model_by_typing_filters_and_the_palette(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto("/-/explore")
    name = story.repo_id.partition("/")[2]
    page.get_by_role("searchbox", name="Find by name, tag or words").fill(name[:5])
    page.wait_for_url(re.compile(rf"/-/explore\?.*q={name[:5]}"))
    rows = page.locator(".explore-rows")
    expect(rows.get_by_role("link", name=story.repo_id, exact=True)).to_be_visible()

    licence = page.locator("#facet-box-license a").first
    licence.click()
    page.wait_for_url(re.compile(r"license="))
    expect(page.locator(".explore-chips .pill")).to_have_count(1)
    page.reload()
    expect(page.locator(".explore-chips .pill")).to_have_count(1)
    page.go_back()
    expect(page.locator(".explore-chips .pill")).to_have_count(0)
    assert page.evaluate(SHIFTS) < 0.05

    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Go anywhere")
    expect(box).to_be_focused()
    box.fill(name)
    option = page.get_by_role("option", name=story.repo_id).first
    expect(option).to_be_visible()
    expect(page.locator("#palette-list [role=option]").first).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("ArrowDown")
    active = box.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{story.repo_id}")

    page.keyboard.press("Control+k")
    expect(page.get_by_role("group", name="Recently opened")).to_contain_text(name)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    box.fill(name[:3])
    page.keyboard.press("Escape")  # the first one, though there is a text
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Go anywhere")).to_be_focused()
    assert window.said == []
