"""The model page: a question that is answered."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS


@pytest.mark.timeout(300)
def test_a_model_is_asked_and_answers_as_it_writes(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/try")
    page.get_by_label("Prompt").fill("ROMEO:")
    page.get_by_text("How it answers").click()
    page.get_by_label("New tokens, at most").fill("24")
    page.get_by_role("button", name="Ask the model").click()
    answer = page.locator("#try-answer")
    expect(answer).to_contain_text("first word after", timeout=PATIENCE_MS)
    expect(answer.locator(".try-text")).not_to_be_empty()
    assert window.said == []
