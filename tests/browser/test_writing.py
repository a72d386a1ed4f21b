"""A folder with a large file goes up through a reload, and a text is edited in the editor."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

from playwright.sync_api import expect

from demo.server import Person
from tests.browser.conftest import Window

NAME = "wren"
LARGE_BYTES = 24 * 1024 * 1024


def make_folder(folder: Path) -> str:
    """A model as it lies on somebody's disk; the sha256 of its large file."""
    weights = random.Random(7).randbytes(LARGE_BYTES)
    (folder / "nested").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "nested" / "config.json").write_text('{"layers": 2}')
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]")
    return hashlib.sha256(weights).hexdigest()


def test_a_folder_goes_up_through_a_reload_and_a_text_is_edited(open_window, hub_server, tmp_path):
    hub_server.person(NAME, password="wren-of-the-hedge")
    digest = make_folder(tmp_path / "tiny")
    window: Window = open_window()
    window.sign_in(Person(NAME, "wren-of-the-hedge", ""))
    make_repository(window)
    upload(window, tmp_path / "tiny", digest)
    look_ahead(window, tmp_path)
    edit(window)
    write(window)
    window.said = [line for line in window.said if "422" not in line]  # what Chromium says of it
    assert not window.said


def make_repository(window: Window) -> None:
    page = window.goto("/-/new")
    page.get_by_label("Name").fill("tiny")
    page.get_by_text("wren/tiny is free.").wait_for()
    page.get_by_label("Licence").select_option("mit")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="Upload in the browser").click()
    page.get_by_role("heading", name="Upload files").wait_for()


def upload(window: Window, folder: Path, digest: str) -> None:
    page = window.page
    asked: list[str] = []
    page.on("dialog", lambda dialog: dialog.accept())
    page.on("request", lambda request: asked.append(request.url.partition("?")[0]))
    sent = f"**/-/lfs/{digest}/parts/3?*"
    page.route(sent, lambda route: None)  # the last part never arrives
    page.locator("#upload-folder").set_input_files(folder)
    page.get_by_text("which git keeps for itself (files: 1)").wait_for()
    page.reload()  # nothing is under way as long as nothing was sent
    page.locator("#upload-folder").set_input_files(folder)
    expect(page.locator("#upload-again")).to_be_hidden()
    page.get_by_label("What changes").fill("The first weights")
    page.get_by_label("Why").fill("Somebody asked")
    page.get_by_label("Open a pull request").check()
    with page.expect_request(sent), page.expect_response(f"**/-/lfs/{digest}/parts/1?*"):
        page.get_by_role("button", name="Upload and commit").click()
    page.reload()
    page.unroute(sent)  # before the reload it would let the part through
    page.get_by_text("An upload was under way").wait_for()
    asked.clear()
    page.locator("#upload-folder").set_input_files(folder)
    page.get_by_role("button", name="Upload and commit").click()
    page.wait_for_url("**/wren/tiny/discussions/1")
    page.get_by_role("heading", name="The first weights").wait_for()
    page.get_by_text("Somebody asked").first.wait_for()
    assert f"{window.url}/-/lfs/{digest}/parts/1" not in asked
    assert f"{window.url}/-/lfs/{digest}/parts/3" in asked
    page = window.goto("/wren/tiny/upload/main")
    page.locator("#upload-folder").set_input_files(folder)
    page.get_by_role("button", name="Upload and commit").click()
    page.wait_for_url("**/wren/tiny/tree/main")
    page = window.goto("/wren/tiny/blob/main/tiny/model.safetensors")
    page.get_by_text(digest[:7]).first.wait_for()
    page = window.goto("/wren/tiny/blob/main/tiny/nested/config.json")
    page.get_by_text("layers").wait_for()


def look_ahead(window: Window, folder: Path) -> None:
    """All that stands against files is told at once, before a byte of them is sent."""
    page = window.goto("/wren/tiny/upload/main/tiny/nested")
    for name in ("config.json", "a:b.txt", "c:d.txt"):
        (folder / name).write_text("{}")
    names = [folder / name for name in ("config.json", "a:b.txt", "c:d.txt")]
    page.locator("#upload-files").set_input_files(names)
    page.get_by_text("replaces the file of 13 B").wait_for()
    expect(page.get_by_text("has a colon.")).to_have_count(2)
    page.get_by_role("button", name="Upload and commit").click()
    expect(page.locator("#upload-refused")).to_contain_text("Files that no commit takes: 2")
    expect(page.locator("#upload-total")).to_be_hidden()
    page.get_by_role("button", name="Leave them out").click()
    expect(page.locator("#upload-rows li")).to_have_count(1)
    page.route("**/commit/main", lambda route: None)  # the hub takes its time
    page.get_by_role("button", name="Upload and commit").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused. Nothing that has arrived is lost.").wait_for()
    expect(page.locator("#upload-total")).not_to_have_class(re.compile("is-stopped"))
    page.unroute("**/commit/main")
    page.get_by_role("button", name="Cancel").click()
    window.goto("/wren/tiny/blob/main/tiny/nested/config.json")


def edit(window: Window) -> None:
    page = window.page
    page.get_by_role("link", name="Edit").click()
    text = page.get_by_role("textbox", name="Text")
    text.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type('{"layers": 3}')
    page.get_by_role("button", name="Show changes").last.click()
    page.locator("#look .is-added").wait_for()
    page.get_by_role("button", name="Commit").click()
    page.get_by_text("Committed to main").wait_for()


def write(window: Window) -> None:
    """A new file has the colours of its name, and a refusal does not count as saved."""
    page = window.goto("/wren/tiny/new/main")
    text = page.get_by_role("textbox", name="Text")
    text.click()
    page.keyboard.type("import os")
    page.get_by_label("Path in the repository").fill("../bad.py")
    coloured = page.locator(".cm-line span", has_text="import")
    coloured.wait_for()
    sizes = page.locator(".cm-gutter, .cm-content").evaluate_all("e => e.map(i => i.clientHeight)")
    assert min(sizes) >= 360
    page.get_by_role("button", name="Commit").click()
    page.get_by_text("has an empty, '.' or '..' part").or_(
        page.get_by_text("begins with")
    ).wait_for()
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    window.goto("/wren/tiny")
    assert asked == ["beforeunload"]
