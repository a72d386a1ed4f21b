"""Chromium against the running hub: windows that remember every complaint of the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo.server import Person
from tests.server import HubServer
from tools.chromium import ChromiumMissingError, launch_chromium
from tools.little_hub import LittleStory

# A page may wait behind a run that has both cores.
PATIENCE_MS = 60_000


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            chromium = launch_chromium(playwright)
        except ChromiumMissingError as error:
            pytest.fail(str(error), pytrace=False)
        yield chromium
        chromium.close()


class Window:
    """One person's window: `page`, and in `said` whatever the browser's console said."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.said: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def goto(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def sign_in(self, person: Person) -> Page:
        """As a person does it: the link, the form, the button."""
        page = self.goto("/")
        page.get_by_role("navigation").first.wait_for()
        page.locator("header").get_by_role("link", name="Sign in").click()
        page.get_by_label("Name").fill(person.name)
        page.get_by_label("Password").fill(person.password)
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Hello").wait_for()
        return page


@pytest.fixture
def open_window(browser: Browser, hub_server: HubServer) -> Iterator[Callable[..., Window]]:
    """Opens windows that share nothing; cookies choose theme and language."""
    opened: list[BrowserContext] = []

    def open_one(
        *, width: int = 1440, theme: str = "light", language: str = "en", **options: Any
    ) -> Window:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        opened.append(context)
        cookies = {"theme": theme, "language": language}
        context.add_cookies(
            [{"name": n, "value": v, "url": hub_server.url} for n, v in cookies.items()]
        )
        return Window(context, hub_server.url)

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def story(hub_server: HubServer) -> Iterator[LittleStory]:
    """People, the little model under a protected branch, and a contributor's proposal."""
    story = LittleStory(hub_server)
    story.begin()
    yield story
    story.end()


@pytest.fixture(scope="session")
def told(story: LittleStory) -> LittleStory:
    """The same after a fine-tune was weighed and merged, and measured beside another model."""
    assert story.teach("good") == "pass"
    assert "Merged" in story._decide("good")
    story.measure()
    return story
