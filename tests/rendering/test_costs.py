"""What a text costs grows with its length: counted in calls and characters, never in time."""

from __future__ import annotations

import cProfile

import pytest

from hub.rendering import render_document, sanitised_html
from hub.rendering.balance import DEPTH_LIMIT, balanced

CHARACTERS = 8 * 1024
# Twice the text may cost so many times as much. Quadratic cost would be four times.
GROWTH_LIMIT = 2.6
# What ordinary prose costs is about 20 calls a character.
CALLS_A_CHARACTER, HTML_A_CHARACTER = 400, 60
REPEATED = {
    "brackets": "[",
    "images": "![",
    "links left open": "[@a](x",
    "links": "[a](b)",
    "links in pointed brackets": "[a](<b",
    "link titles left open": '[a](b "',
    "link parentheses": "[a](b(",
    "labels": "[a][b",
    "definitions": "[a]: <\n",
    "definitions' titles": '[a]: b "\n',
    "emphasis left open": "*a ",
    "emphasis within words": "a**b",
    "emphasis of three kinds": "**a *b __c ",
    "emphasis closed only": "a* ",
    "struck through": "~~a ",
    "ticks": "`a",
    "ticks in turn": "`a``b",
    "fences": "```a\n~~~\n",
    "quotations": "> ",
    "quotations of many lines": "> > > > > > > > a\n",
    "quotations in turn": "> a\n\n",
    "lists in lists": "- ",
    "long lists": "- a\n",
    "tasks": "- [ ] a\n",
    "tables": "|a|\n|-|\n",
    "rows": "a|b\n-|",
    "footnotes left open": "^[a",
    "footnotes": "[^a]: ",
    "tags left open": "<b>",
    "tags": "a<b>c</b>",
    "attributes left open": "<a b='",
    "comments left open": "a<!--",
    "instructions left open": "a<?",
    "CDATA left open": "a<![CDATA[",
    "blocks of HTML": "<div>\n\n",
    "crossed tags": "<b><p></b>",
    "tables of HTML": "<table><tr><td>",
    "addresses": "<http:",
    "bare addresses": "http://a ",
    "bare addresses in brackets": "(http://a/))",
    "bare addresses of one label": "www.",
    "bare names of hosts": "http://a.",
    "letters": "a@",
    "letters to many hosts": "a@b.c.",
    "entities": "&#",
    "backslashes": "\\\n",
    "dollars": "$a",
    "dollars in turn": "$a $",
    "blocks of dollars": "$$a\n",
    "alerts": "> [!NOTE]\n> a\n\n",
    "headings": "# a\n",
    "underlined headings": "a\n=\n",
    "mentions": "@a ",
    "numbers": "#1 ",
    "numbers elsewhere": "a/b#1 ",
    "paths": "a/",
    "short lines": "a\n",
    "code": "```python\na\n```\n",
}


def half(opening: str, closing: str, characters: int) -> str:
    times = characters // (len(opening) + len(closing))
    return opening * times + closing * times


def calls(text: str) -> int:
    """How often functions were called for a rendering, those of C too."""
    profile = cProfile.Profile()
    profile.enable()
    html = render_document(text, people={"a"}, numbers={"#1": "/x", "a/b#1": "/y"}).html
    profile.disable()
    assert len(html) < HTML_A_CHARACTER * len(text) + 1000
    return sum(entry.callcount for entry in profile.getstats())


def hold(made: tuple[str, str]) -> None:
    render_document("warm *b* `c` $d$\n\n```python\ne\n```")
    once, twice = (calls(text) for text in made)
    assert twice <= GROWTH_LIMIT * once
    assert twice <= CALLS_A_CHARACTER * len(made[1])


@pytest.mark.parametrize("unit", REPEATED.values(), ids=REPEATED.keys())
def test_what_is_repeated_costs_as_much_each_time(unit):
    times = CHARACTERS // len(unit)
    hold((unit * times, unit * (2 * times)))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ("[", "](x)"), ("![", "](x)"), ("*a ", "b* "), ("^[a", "]"), ("<b>", "</b>")],
)
def test_what_is_nested_costs_as_much_each_time(opening, closing):
    hold((half(opening, closing, CHARACTERS), half(opening, closing, 2 * CHARACTERS)))


@pytest.mark.parametrize(
    "text",
    [
        "> " * 100 + "a\n" + "b\n" * 4000,
        "[a]: b '\n" + "x\n" * 4000,
        " ".join("`" * n for n in range(1, 120)),
        "".join("  " * n + "- a\n" for n in range(80)),
    ],
    ids=["late lines of quotations", "a title of many lines", "runs", "deep"],
)
def test_other_shapes_are_bounded(text):
    assert calls(text) <= CALLS_A_CHARACTER * len(text)


def test_cells_left_out_have_a_bound_for_all_tables_together():
    table = "|" + "a|" * 300 + "\n|" + "-|" * 300 + "\n" + "a\n" * 300
    once, often = (render_document((table + "\n\n") * times).html for times in (1, 6))
    assert once.count("<td") == 65_700
    assert once.count("<td") == often.count("<td")


def test_what_is_written_once_is_not_repeated_without_end():
    html = render_document(
        "[a]: " + "x" * 60_000 + "\n\n" + "[a]" * 20_000, link=lambda path, _: path
    )
    assert len(html.html) < 2_000_000


@pytest.mark.parametrize(
    "opening",
    [
        "<div>" + "".join(f"<b id={n}>" for n in range(280)) + "</div>",
        "".join(f"<p><b id={n}>" for n in range(140)),
        "<p>" + "".join(f"<a title=x{n}><i id={n}>" for n in range(140)),
        "<table><td>" + "".join(f"<b id={n}>" for n in range(280)) + "</table>",
        f"<p><b title='{'x' * 5000}'>",
    ],
)
def test_forgotten_tags_are_not_opened_again_in_all_that_follows(opening):
    text = "<div>\n" + opening + "<p>x</p>" * 8000
    assert len(render_document(text).html) < 12 * len(text)
    assert len(sanitised_html(text)) < 12 * len(text)


def no_player(_tag, _attributes, _content):
    return ""


@pytest.mark.parametrize(
    "unit",
    ["<div></i>", "<div><!--</div>-->", "<div><br title='</div>'>", "<div></ div>", "<div/>"],
)
def test_no_trick_hides_how_deep_a_tree_is(unit):
    assert balanced(unit * (DEPTH_LIMIT + 1), frozenset({"div", "br"}), no_player) is None


@pytest.mark.parametrize(
    ("html", "made"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>d", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>d"),
        ("<table><tr><td>a<tr><td>b</table>", None),
        ("<b><i>a</b>c</i>", "<b><i>a</i></b>c"),
        ("a < b <3 </ p>", "a &lt; b &lt;3 &lt;/ p>"),
        ("a<!-- <b> -->c<?x?>d<!-- e", "acd"),
        ("a<script>b</b><b></script >c<style>d", "ac"),
        ('<a href="x>y" title=\'"\'>b</a>', '<a href="x>y" title=\'"\'>b</a>'),
        ("<textarea><b></textarea>c", "<b>c</b>"),
        ("<br/>a</br><hr>", "<br>a<hr>"),
    ],
)
def test_tags_are_paired(html, made):
    names = frozenset(["p", "ul", "li", "b", "i", "a", "br", "hr", "table", "tr", "td"])
    if made is None:
        made = "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>"
    assert balanced(html, names, no_player) == made


def test_marks_may_reach_over_lines_of_a_long_paragraph():
    text = "\n".join(f"Line {n} is **bold** and [linked](/a{n})." for n in range(2000))
    html = render_document(text).html
    assert html.count("<strong>") == html.count("<a ") == 2000
    assert html.count("<p>") == 1 and "**" not in html
