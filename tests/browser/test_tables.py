"""A data set's rows in the browser: search, a row alone, back."""

from __future__ import annotations

import re

from huggingface_hub import HfApi


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


def test_a_search_goes_on_by_itself_to_the_end_of_a_large_table(open_window, hub_server):
    token = hub_server.person("searcher")
    api = HfApi(endpoint=hub_server.url, token=token)
    api.create_repo("searcher/stack", repo_type="dataset")
    words = ("needle" if at % 100_000 == 99_999 else "straw" for at in range(300_000))
    rows = "".join(f"{at},{word} {at}\n" for at, word in enumerate(words))
    api.upload_file(
        path_or_fileobj=f"id,text\n{rows}".encode(),
        path_in_repo="train.csv",
        repo_id="searcher/stack",
        repo_type="dataset",
    )
    window = open_window()
    page = window.goto("/datasets/searcher/stack/viewer?q=needle")
    page.get_by_text("3 rows found in rows 0 to 299,999").wait_for()
    texts = page.locator("#table-lines tr td.is-text").all_inner_texts()
    assert texts == ["needle 99999", "needle 199999", "needle 299999"]
    assert window.said == []
