"""The first words of a card, as lists show them."""

from __future__ import annotations

import pytest

from hub.rendering.summary import LENGTH, READ_CHARACTERS, prose, summary


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("# Name\n\nA **small** model of *poems*.\n", "A small model of poems."),
        ("Weights: `f32`,\n~~old~~ [new](https://x.org)  \nones.", "Weights: f32, old new ones."),
        ("![logo](l.png)\n\n[![ci](b.svg)](x) [![pypi](c.svg)](y)\n\nReal text.", "Real text."),
        ("[English](a) | [中文](b)\n\n基于**唐诗**微调。", "基于唐诗微调。"),
        ("<p align=center>\n<b>no</b>\n</p>\n\nText <b>of</b> it.<br>", "Text of it."),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\ncode()\n```\n\nAfter.", "After."),
        ("> [!NOTE]\n> Read this.\n\n- one\n- two", "Read this. one two"),
        ("Title\n=====\n\nA &amp; B \\*c\\* $x^2$", "A & B *c* x^2"),
        ("---\nlicense: mit\n---\nBody.", "Body."),
        ("# Only a title", ""),
        ("", ""),
        ("```\nnever closed", ""),
    ],
)
def test_says_the_text_without_its_marks(card, said):
    assert summary(card) == said


def test_a_long_text_ends_at_a_word_and_a_chinese_one_anywhere():
    english = summary("several words " * 100)
    assert len(english) <= LENGTH + 2
    assert english.endswith(("several …", "words …"))
    chinese = summary("模型" * 300)
    assert chinese == "模型" * (LENGTH // 2) + " …"


def test_a_huge_card_is_read_from_its_beginning_only():
    assert summary("> " * 100_000 + "deep") == ""
    assert summary("First. " + "[" * 200_000).startswith("First.")


def test_prose_is_all_that_a_card_says():
    card = "# Name\n\n[![ci](b.svg)](x) A `b`\n\n| c |\n|---|\n| $d$ |\n\n"
    card += "```\ne\n```\n<p>f</p>\n\n- [g](h)"
    assert prose(card).split() == ["Name", "A", "b", "c", "d", "g"]
    assert len(prose("many words " * 9000)) <= READ_CHARACTERS


def test_what_stands_in_a_script_is_no_text_of_a_card():
    card = "Good <b>model</b>. <script>alert(2)</script> Small <style>p { top: 0 }</style>one."
    assert summary(card).split() == ["Good", "model.", "Small", "one."]
    assert "alert" not in prose(card)
