"""Emoji by their short names: in text, and nowhere else."""

from __future__ import annotations

import pytest

from hub.rendering import render_document, render_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":rocket: Fast", "🚀 Fast"),
        ("Good :+1:, :tada:!", "Good 👍, 🎉!"),
        ("发布:rocket:了", "发布🚀了"),
        ("**:Rocket:**", "<strong>🚀</strong>"),
        ("[:rocket: Demo](https://example.org)", "🚀 Demo</a>"),
        (":rocket::tada:", "🚀🎉"),
        (":No_such_thing:", ":No_such_thing:"),
        ("at 10:30:45, a:b:c, std::b::c, sha256:100:x", "at 10:30:45, a:b:c, std::b::c"),
        ("`:rocket:`", "<code>:rocket:</code>"),
        ("<code>:rocket:</code> :tada:", "<code>:rocket:</code> 🎉"),
        ("https://example.org/?q=:rocket:", "?q=:rocket</a>:"),
        ("<https://example.org/?q=:rocket:>", "?q=:rocket:</a>"),
        ("$a :rocket: b$", "<math"),
        ("    :rocket:", "<code>:rocket:"),
        ("```\n:rocket:\n```", ":rocket:"),
    ],
)
def test_short_names_become_emoji_in_text_alone(text, shown):
    assert shown in render_markdown(text)


def test_a_heading_keeps_the_address_that_its_letters_make():
    document = render_document("# :rocket: Start")
    assert (document.headings[0].text, document.headings[0].anchor) == (
        "🚀 Start",
        "user-content-rocket-start",
    )


def test_many_colons_cost_little():
    render_markdown(":a" * 60_000)
    render_markdown(":" * 120_000)
    assert render_markdown(":tada: " * 15_000).count("🎉") > 14_900
