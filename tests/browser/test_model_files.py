"""The tensor explorer as a person uses it: open a layer, pick a tensor, have it read."""

from __future__ import annotations

from playwright.sync_api import expect


def test_a_tensor_is_found_and_read(open_window, story):
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"{story.url}/blob/main/model.safetensors")
    tree = page.locator("#tensor-tree")
    tree.locator("summary", has_text="layers").first.wait_for()
    page.get_by_label("Find tensors").fill("layers.1 q_proj")
    row = tree.get_by_role("link", name="model.layers.1.self_attn.q_proj.weight")
    row.click()
    drawer = page.locator("#tensor")
    drawer.get_by_role("button", name="Read its numbers").click()
    expect(drawer.get_by_text("Standard deviation")).to_be_visible()
    expect(drawer.get_by_role("img", name="How many elements have which value")).to_be_visible()
    page = window.goto(f"{story.url}/tensors/main/model.safetensors")
    layer = page.locator("#tensor-tree details:not([open])").first.element_handle()
    assert layer is not None
    layer.query_selector("summary").click()
    layer.wait_for_selector(".tree", state="visible")
    assert window.said == []
