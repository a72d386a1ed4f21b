"""The first view of a page: few bytes, and nothing that moves once it stands there.

Counted is what crosses the network until it is quiet, compressed as it is sent, with an empty
cache: the page, styles, scripts, fonts, and what htmx fetches by itself. Pictures are not, and
neither is what comes only when somebody begins to do something, such as the editor, which takes
the place of its textarea when that gets the focus.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Window
from tools.little_hub import LittleStory

LIMIT_BYTES = 100_000
SHIFT_LIMIT = 0.01
PICTURES = {"Image", "Media"}
PAGES: dict[str, Callable[[LittleStory], str]] = {
    "home": lambda story: "/",
    "explore": lambda story: "/-/explore",
    "model": lambda story: story.url,
    "tree": lambda story: f"{story.url}/tree/main",
    "pull requests": lambda story: f"{story.url}/discussions",
    "file": lambda story: f"{story.url}/blob/main/README.md",
    "settings file": lambda story: f"{story.url}/blob/main/config.json",
    "edit": lambda story: f"{story.url}/edit/main/README.md",
}
# Longer than what a browser paints first.
STANDING = PAGES | {"design": lambda story: "/-/design"}
WATCH = """
window.shifted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map(({ node, previousRect: before, currentRect: after }) =>
      `${node?.nodeName}.${node?.className} ${JSON.stringify([before, after])}`);
    window.shifted.push([entry.value, moved.join("; ")]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def quiet(window: Window, path: str) -> None:
    window.goto(path)
    window.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", PAGES)
def test_a_first_view_is_light(open_window, story, name):
    window = open_window()
    if name == "edit":
        window.sign_in(story.owner)
    kinds: dict[str, tuple[str, str]] = {}
    sizes: dict[str, float] = {}
    network = window.context.new_cdp_session(window.page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.on(
        "Network.responseReceived",
        lambda event: kinds.update({event["requestId"]: (event["type"], event["response"]["url"])}),
    )
    network.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    quiet(window, PAGES[name](story))
    counted = {
        kinds[asked][1]: size
        for asked, size in sizes.items()
        if asked in kinds and kinds[asked][0] not in PICTURES
    }
    assert any(url.endswith(".woff2") for url in counted)
    assert sum(counted.values()) < LIMIT_BYTES, counted


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("name", STANDING)
def test_nothing_moves_once_it_stands_there(open_window, story, name, width):
    window = open_window(width=width)
    if name == "edit":
        window.sign_in(story.owner)
    window.context.add_init_script(WATCH)
    quiet(window, STANDING[name](story))
    shifted = window.page.evaluate("shifted")
    assert sum(value for value, _ in shifted) <= SHIFT_LIMIT, shifted
