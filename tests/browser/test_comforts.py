"""Language, theme, keyboard, no JavaScript, and what somebody does wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

READABLE = {
    "card": ("{model}", "Spam guard"),
    "files": ("{model}/tree/main", "model.safetensors"),
    "tensors": ("{model}/blob/main/model.safetensors", "embed_tokens"),
    "pull request": ("{pull}", "Merged"),
    "benchmarks": ("{pull}/benchmarks", "sms_spam"),
    "examples": ("{pull}/examples", "expected"),
    "run": ("{model}/runs/2", "As a table"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", READABLE)
def test_a_page_is_readable_without_javascript(open_window, told, name):
    path, text = READABLE[name]
    window = open_window(java_script_enabled=False)
    page = window.goto(path.format(model=told.url, pull=told.pull_path("good")))
    expect(page.locator("main")).to_contain_text(text)


def test_without_javascript_a_person_can_sign_in_and_comment(open_window, story):
    window = open_window(java_script_enabled=False)
    window.sign_in(story.contributor)
    page = window.goto(f"{story.url}/discussions/{story.first}")
    page.get_by_label("Add a comment").fill("Said *without* scripts.")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".timeline")).to_contain_text("Said without scripts.")


def test_the_language_is_switched_and_switched_back(open_window, story):
    window = open_window()
    page = window.goto(story.url)
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("navigation", name="页面部分").get_by_role("link").first).to_have_text(
        "模型"
    )
    page.goto(f"{window.url}{story.url}/tree/main")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.get_by_role("button", name="EN").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith(f"{story.url}/tree/main")
    assert window.said == []


def test_the_theme_is_switched_and_kept(open_window, story):
    window = open_window(theme="auto", color_scheme="light")
    page = window.goto(story.url)
    light = _paper(page)
    page.get_by_role("button", name="Theme: automatic").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert _paper(page) != light
    page.reload()
    assert _paper(page) != light
    assert window.said == []


def _paper(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_first_tab_leads_past_the_header(open_window, story):
    window = open_window()
    page = window.goto(story.url)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_wrong_password_is_refused_at_the_form(open_window, story):
    page = open_window().goto("/-/sign-in")
    page.get_by_label("Name").fill(story.owner.name)
    page.get_by_label("Password").fill("not the password")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This name and password do not belong together.")
    expect(page.get_by_label("Name")).to_have_value(story.owner.name)


@pytest.mark.parametrize(
    ("label", "value", "sentence"),
    [
        ("Learning rate", "7", "learning_rate"),
        ("Data set", "demo/nowhere", "demo/nowhere"),
        ("File", "nothing.jsonl", "nothing.jsonl"),
        ("Completion", "{{nothing", "completion"),
    ],
)
def test_a_bad_recipe_is_refused_at_its_field(open_window, story, label, value, sentence):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/finetune")
    form = page.locator("form", has=page.locator("[value=values]"))
    form.get_by_label("What this should teach").fill("Never mind")
    form.get_by_label("Data set").fill("demo/sms_spam")
    form.get_by_label("Completion").fill("{{label}}")
    form.get_by_label(label, exact=label == "File").fill(value)
    form.get_by_role("button", name="Start").click()
    field = form.locator(".field", has=page.get_by_label(label, exact=label == "File"))
    expect(field.get_by_role("alert")).to_contain_text(sentence)


def test_a_recipe_with_an_unknown_key_is_refused_at_its_field(open_window, story):
    name = story._free_name("demo/odd-recipe")
    story.upload_model(name)
    story.api.upload_file(
        repo_id=name,
        path_in_repo="recipes/odd.yaml",
        path_or_fileobj=b"dataset: {repo_id: demo/sms_spam, file: train.jsonl}\n"
        b"completion: '{{label}}'\nmax_steps: 1\nlearning_rat: 1e-3\n",
    )
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"/{name}/finetune")
    form = page.locator("form", has=page.get_by_label("Recipe"))
    form.get_by_label("Recipe").select_option("recipes/odd.yaml")
    form.get_by_label("What this should teach").fill("Odd")
    form.get_by_role("button", name="Start").click()
    field = form.locator(".field", has=page.get_by_label("Recipe"))
    expect(field.get_by_role("alert")).to_contain_text("learning_rat")


def test_an_unknown_repository_is_a_page_that_says_so(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    response = window.page.goto(f"{window.url}/demo/no-such-model")
    assert response.status == 404
    expect(window.page.locator("main")).to_contain_text("demo/no-such-model")
    expect(window.page.get_by_role("link", name="Weighbridge")).to_be_visible()
