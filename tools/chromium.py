"""Debian's Chromium under Playwright, as the browser tests and the screenshots use it."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Playwright

INSTALL = "sudo apt-get install -y --no-install-recommends chromium fonts-noto-cjk"
# No sandbox of its own (it refuses root), no GPU, and not a word to anybody but the page.
ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class ChromiumMissingError(Exception):
    """There is no Chromium on this machine; the text names the line that installs it."""


def launch_chromium(playwright: Playwright) -> Browser:
    """A headless Chromium. Raises: ChromiumMissingError."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise ChromiumMissingError(f"Chromium is missing: run `{INSTALL}`.")
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
