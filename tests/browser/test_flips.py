"""Examples by keyboard: from one to the next, over the end of a page, and never while typing."""

from __future__ import annotations


def place_of(page):
    return page.evaluate("document.activeElement.closest('.flip')?.getAttribute('aria-label')")


def test_n_and_p_lead_from_example_to_example(open_window, told):
    window = open_window()
    window.sign_in(told.owner)
    page = window.goto(f"{told.pull_path('good')}/examples?direction=same")
    assert place_of(page) is None
    page.keyboard.press("n")
    assert place_of(page) is None, "a key does nothing while the focus is elsewhere"
    page.get_by_role("button", name="Next").first.click()
    assert place_of(page).startswith("Example 1 of ")
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.keyboard.press("p")
    assert place_of(page).startswith("Example 2 of ")
    page.locator(".flip summary").nth(1).click()
    page.locator(".flip textarea").nth(1).fill("now")
    page.keyboard.press("n")
    assert place_of(page).startswith("Example 2 of "), "not while somebody types"
    page.locator(".flip").nth(9).focus()
    page.keyboard.press("n")
    page.wait_for_url("**page=2**")
    page.wait_for_function("document.activeElement.closest('.flip')")
    assert place_of(page).startswith("Example 11 of ")
    page.keyboard.press("p")
    page.wait_for_url("**page=1**")
    page.wait_for_function("document.activeElement.closest('.flip')")
    assert place_of(page).startswith("Example 10 of ")
    assert window.said == []


def test_an_example_is_called_acceptable_without_a_script(open_window, told):
    window = open_window(java_script_enabled=False)
    window.sign_in(told.owner)
    page = window.goto(f"{told.pull_path('good')}/examples?direction=same")
    assert page.locator("[data-flip-keys]").is_hidden(), "no button that does nothing"
    first = page.locator(".flip").first
    first.get_by_role("button", name="Acceptable").click()
    assert "calls this acceptable" in page.locator(".flip").first.inner_text()
    page.locator(".flip").first.get_by_role("button", name="Take back").click()
    assert "calls this acceptable" not in page.locator(".flip").first.inner_text()
