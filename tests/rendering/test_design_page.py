"""The design page in a browser: every component at two widths, in both themes and languages."""

from __future__ import annotations

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.browser, pytest.mark.stack]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, hub_server):
    """Opens a path; what the console says is collected in the page's `said`."""
    contexts = []

    def opened(path, *, width=1440, theme="light", language="en", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        cookies = {"theme": theme, "language": language}
        context.add_cookies(
            [
                {"name": name, "value": value, "url": hub_server.url}
                for name, value in cookies.items()
            ]
        )
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(f"{hub_server.url}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_everything_fits_and_nothing_complains(open_page, width, theme, language):
    page = open_page("/-/design", width=width, theme=theme, language=language)
    page.wait_for_selector(".loss-chart canvas")
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert len(page.content().encode()) < 100_000


def test_the_theme_button_is_remembered_by_the_server(open_page):
    page = open_page("/-/design")
    page.click("[data-theme-button]")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"


def test_without_scripts_the_language_and_the_search_still_work(open_page):
    page = open_page("/-/design", java_script_enabled=False)
    page.click("text=中文")
    assert page.get_attribute("html", "lang") == "zh-Hans"
    page.fill("#search", "spam")
    page.press("#search", "Enter")
    assert page.url.endswith("/-/explore?q=spam")


def test_a_snippet_is_copied_and_the_search_has_a_key(open_page):
    page = open_page("/-/design", permissions=["clipboard-read", "clipboard-write"])
    page.click(".snippet .copy")
    page.wait_for_selector(".snippet .copy.is-done")
    assert page.evaluate("navigator.clipboard.readText()").startswith("export HF_ENDPOINT=")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_a_line_in_the_address_is_marked(open_page):
    page = open_page("/-/design#L2-L3")
    marked = page.locator(".code tr.is-marked")
    assert marked.count() == 2
