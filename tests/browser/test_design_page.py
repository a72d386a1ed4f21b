"""The design page in a browser: every component at two widths, in both themes and languages."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_everything_fits_and_nothing_complains(open_window, width, theme, language):
    window = open_window(width=width, theme=theme, language=language)
    page = window.goto("/-/design")
    page.wait_for_selector(".loss-chart canvas")
    assert window.said == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert len(page.content().encode()) < 100_000


def test_the_theme_button_is_remembered_by_the_server(open_window):
    page = open_window().goto("/-/design")
    page.click("[data-theme-button]")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"


def test_without_scripts_the_language_and_the_search_still_work(open_window):
    page = open_window(java_script_enabled=False).goto("/-/design")
    page.click("text=中文")
    assert page.get_attribute("html", "lang") == "zh-Hans"
    page.fill("#search", "spam")
    page.press("#search", "Enter")
    assert page.url.endswith("/-/explore?q=spam")


def test_a_snippet_is_copied_and_the_palette_has_a_key(open_window):
    window = open_window(permissions=["clipboard-read", "clipboard-write"])
    page = window.goto("/-/design")
    page.click(".snippet .copy")
    page.wait_for_selector(".snippet .copy.is-done")
    assert page.evaluate("navigator.clipboard.readText()").startswith("export HF_ENDPOINT=")
    page.keyboard.press("/")
    page.wait_for_selector("#palette[open]")
    assert page.evaluate("document.activeElement.id") == "palette-input"


def test_a_line_in_the_address_is_marked(open_window):
    page = open_window().goto("/-/design#L2-L3")
    marked = page.locator(".code tr.is-marked")
    assert marked.count() == 2
