"""Steps 3 to 5 of the story by clicking: fine-tune, watch, weigh, review, merge."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tools.little_hub import LittleStory

RUN_LIMIT_MS = 240_000
TITLE = "Teach it short messages"


@pytest.mark.timeout(900)
def test_a_model_is_taught_weighed_reviewed_and_merged_by_clicking(open_window, story):
    repo_id = story._free_name("demo/by-clicking")
    story.upload_model(repo_id)
    owner, reviewer = open_window(), open_window()
    owner.sign_in(story.owner)
    protect(owner, repo_id)
    start_finetune(owner, repo_id)
    watch(owner.page)
    open_the_pull_request(owner.page)
    wait_for_the_gate(owner)
    look_at_benchmarks_and_examples(owner.page)
    approve(reviewer, story, owner.page.url)
    merge(owner.page)
    see_what_stands(owner, story, repo_id)
    assert owner.said == []
    assert reviewer.said == []


def protect(owner: Window, repo_id: str) -> None:
    page = owner.goto(f"/{repo_id}")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Branches").click()
    page.get_by_label("Branch").fill("main")
    page.get_by_role("button", name="Protect").click()
    expect(page.locator(".notice").first).to_contain_text("main is protected")


def start_finetune(owner: Window, repo_id: str) -> None:
    """From the model's page to the run's page."""
    page = owner.goto(f"/{repo_id}")
    expect(page.get_by_role("heading", name="Spam guard")).to_be_visible()
    page.get_by_role("link", name="Fine-tune", exact=True).click()
    form = page.locator("form", has=page.get_by_label("Recipe"))
    form.get_by_label("Recipe").select_option("recipes/good.yaml")
    form.get_by_label("What this should teach").fill(TITLE)
    form.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(TITLE)


def watch(page: Page) -> None:
    """The curve and the log move on a page that nobody reloads."""
    page.evaluate("window.sameDocument = true")
    value = page.locator("#loss-legend b")
    value.wait_for(timeout=RUN_LIMIT_MS)
    expect(page.locator("[data-loss-chart] canvas")).to_have_count(1)
    first = value.inner_text()
    expect(value).not_to_have_text(first, timeout=RUN_LIMIT_MS)
    expect(page.locator(".log")).to_contain_text("300 examples", timeout=RUN_LIMIT_MS)
    expect(page.locator("#run-live")).to_contain_text("succeeded", timeout=RUN_LIMIT_MS)
    assert page.evaluate("window.sameDocument") is True


def open_the_pull_request(page: Page) -> None:
    page.get_by_role("link", name="Pull request #").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(TITLE)
    checklist = page.locator("#merge-box .req")
    expect(checklist).to_have_count(4)
    expect(page.get_by_role("button", name="Merge")).to_be_disabled()


def wait_for_the_gate(owner: Window) -> None:
    """The checklist asks for itself again until the verdict is there."""
    gate = owner.page.locator("#merge-box .req", has_text="Benchmarks")
    expect(gate).to_contain_text("Better on SMS spam", timeout=RUN_LIMIT_MS)
    owner.page.reload()
    expect(owner.page.locator("#verdict")).to_contain_text("no worse than allowed")


def look_at_benchmarks_and_examples(page: Page) -> None:
    tabs = page.get_by_role("navigation", name="Sections")
    tabs.get_by_role("link", name="Benchmarks").click()
    rows = page.locator(".forest").first.locator("tbody tr:not(.axis)")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text(re.compile(r"\+\d+\.\d to"))
    tabs.get_by_role("link", name="Examples").click()
    page.get_by_role("navigation", name="Change").get_by_role("link", name="lost").click()
    expect(page.locator(".flip").first).to_contain_text("base")
    tabs.get_by_role("link", name="Files").click()
    expect(page.locator("details.diff")).to_have_count(3)
    tabs.get_by_role("link", name="Conversation").click()


def approve(reviewer: Window, story: LittleStory, url: str) -> None:
    page = reviewer.sign_in(story.reviewer)
    page.goto(url)
    page.get_by_label("What did you see?").fill("The lost ones are **close calls**.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".notice").first).to_contain_text("Review recorded")
    expect(page.locator(".timeline strong", has_text="close calls")).to_be_visible()


def merge(page: Page) -> None:
    page.reload()
    page.get_by_role("button", name="Merge").click()
    expect(page.locator(".notice").first).to_contain_text("Merged into main")
    expect(page.locator("#merge-box")).to_contain_text("merged this into main")


def see_what_stands(owner: Window, story: LittleStory, repo_id: str) -> None:
    """Main moved, the proposal's ref is kept, the card states the scores."""
    commits = story.api.list_repo_commits(repo_id)
    assert commits[0].title.startswith(TITLE)
    refs = story.api.list_repo_refs(repo_id, include_pull_requests=True).pull_requests
    assert [ref.ref for ref in refs] == ["refs/pr/1"]
    page = owner.goto(f"/{repo_id}")
    expect(page.locator(".versions-chart")).to_be_visible()
    card = owner.goto(f"/{repo_id}/raw/main/README.md").content()
    assert "model-index:" in card
    assert "Weighbridge gate" in card


@pytest.mark.timeout(600)
def test_a_run_can_be_stopped_and_started_again(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/finetune?recipe=recipes/too-hot.yaml")
    form = page.locator("form", has=page.get_by_label("Recipe"))
    form.get_by_label("What this should teach").fill("Stop me")
    form.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel").click()
    began = time.monotonic()
    expect(page.locator("#run-live .card-head").first).to_contain_text(
        "cancelled", timeout=RUN_LIMIT_MS
    )
    assert time.monotonic() - began < 60
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    assert window.said == []
