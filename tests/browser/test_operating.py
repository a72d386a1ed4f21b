"""Whoever runs the hub, in a browser: a picture of their own, a person found, a link made."""

from __future__ import annotations

import re

from PIL import Image
from playwright.sync_api import expect

from demo.server import Person
from tests.browser.conftest import Window
from tests.browser.test_accessibility import (
    AXE,
    OF_THEME_AND_WIDTH,
    RULES,
    darken_and_narrow,
    too_wide,
    violations,
)

PASSWORD = "the-one-who-turns-the-key"
PAGES = ("/-/admin", "/-/admin/people", "/-/admin/people/finch", "/-/admin/audit")


def test_the_operator_has_a_picture_and_helps_somebody_in(open_window, hub_server, tmp_path):
    hub_server.person("keeper", password=PASSWORD)
    hub_server.manage("ensure_user", "keeper", "--admin")
    hub_server.person("finch", password="seeds-in-the-garden")
    window: Window = open_window(bypass_csp=True)
    page = window.sign_in(Person("keeper", PASSWORD, ""))
    Image.new("RGB", (300, 200), "teal").save(tmp_path / "me.png")
    window.goto("/-/settings/profile")
    page.get_by_label("A picture of your own").set_input_files(tmp_path / "me.png")
    page.get_by_role("button", name="Save the picture").click()
    page.get_by_text("The picture is saved.").wait_for()
    shown = page.locator("header img.avatar")
    expect(shown).to_have_js_property("naturalWidth", 128)
    shown.click()
    page.get_by_role("link", name="Administration").click()
    page.get_by_text("Workers that answer:").wait_for()
    page.get_by_role("navigation", name="Administration").get_by_text("People").click()
    page.get_by_label("Part of a name").fill("finch")
    page.locator("main").get_by_role("button", name="Search").click()
    page.get_by_role("link", name="finch").click()
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#password-link")).to_contain_text(re.compile(r"/-/password/\w+/"))
    page.get_by_label("Yes, keep finch out").check()
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_text("finch is deactivated and signed out everywhere.").wait_for()
    found = {}
    for path in PAGES:
        window.context.add_cookies([{"name": "theme", "value": "light", "url": window.url}])
        page.set_viewport_size({"width": 1440, "height": 900})
        window.goto(path)
        page.add_script_tag(path=AXE)
        found |= violations(page, path, {"type": "tag", "values": RULES})
        darken_and_narrow(page)
        found |= too_wide(page, path)
        found |= violations(page, f"{path}, dark, narrow", OF_THEME_AND_WIDTH)
    assert not found
    assert not window.said
