"""A data set's rows in the browser: search, a row alone, back."""

from __future__ import annotations

import re


def test_rows_are_searched_and_read_one_by_one(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto("/datasets/demo/sms_spam/viewer")
    page.get_by_role("heading", name="Columns").wait_for()
    page.get_by_label("Search in all columns").fill("free")
    page.get_by_role("button", name="Show").first.click()
    page.get_by_text("found in rows").wait_for()
    first = page.locator("table.data tbody tr").first
    assert "free" in first.inner_text().lower()
    first.get_by_role("link").first.click()
    page.get_by_role("heading", name=re.compile(r"Row \d+")).wait_for()
    page.get_by_role("link", name="All rows").click()
    page.locator("table.data").wait_for()
    assert window.said == []
