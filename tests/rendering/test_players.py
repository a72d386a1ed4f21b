"""Sound and films of Markdown: a player for those of the repository, a link to others."""

from __future__ import annotations

import pytest

from hub.rendering import render_markdown


def at(path, is_image):
    return f"/o/n/{'resolve' if is_image else 'blob'}/main/{path}"


def shown(text, **options):
    return render_markdown(text, link=at, **options).strip()


def test_a_film_of_the_repository_gets_a_player_with_controls():
    html = shown('<video src="clips/one.mp4" width=320 poster="p.png" loop muted></video>')
    assert html.startswith('<p><video src="/o/n/resolve/main/clips/one.mp4"')
    for part in ('width="320"', 'poster="/o/n/resolve/main/p.png"', "loop", "muted", "controls"):
        assert part in html
    assert 'preload="metadata"' in html


def test_the_folder_of_the_text_counts():
    assert 'src="/o/n/resolve/main/docs/a.mp3"' in shown("<audio src=a.mp3>", folder="docs")


def test_nothing_plays_or_runs_by_itself():
    html = shown("<audio src=a.mp3 autoplay onplay=alert(1) crossorigin controls=x>")
    assert 'src="/o/n/resolve/main/a.mp3"' in html and 'controls=""' in html
    assert not any(word in html for word in ("autoplay", "onplay", "crossorigin"))


def test_of_several_sources_those_of_the_repository_are_kept_and_no_fallback():
    html = shown(
        "<video><source src=a.webm type=video/webm><source src=//evil.example/a.mp4>"
        "Your browser cannot play it.</video> after"
    )
    assert html.count("<source") == 1 and 'src="/o/n/resolve/main/a.webm"' in html
    assert "evil" not in html and "Your browser" not in html and "after" in html


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a.mp4",
        "//example.org/a.mp4",
        "/-/sign-out",
        "/other/model/resolve/main/a.mp4",
        "../a.mp4",
        "javascript:alert(1)//.mp3",
        "data:audio/mp3;base64,AAAA",
        "page.html",
        "a.svg",
        "#a.mp4",
    ],
)
def test_what_is_of_elsewhere_or_no_film_is_not_played(address):
    html = shown(f"<video src='{address}'>words</video>")
    assert "<video" not in html and "<source" not in html
    assert address in html


def test_an_address_elsewhere_is_a_link():
    html = shown("<video controls src=https://example.org/a.mp4></video>")
    assert '<a href="https://example.org/a.mp4"' in html


def test_a_tag_that_closes_itself_hides_nothing_that_follows():
    html = shown("<video src=a.mp4 controls/>\n\nAfter it.")
    assert html.endswith("<p>After it.</p>")


def test_a_picture_that_is_a_film_is_played_and_named():
    html = shown('![A cat that jumps](clips/cat.MP4) and ![x](s.ogg "A sound")')
    assert '<video src="/o/n/resolve/main/clips/cat.MP4" title="A cat that jumps"' in html
    assert '<audio src="/o/n/resolve/main/s.ogg" title="A sound"' in html
    assert shown("`![x](a.mp4)`") == "<p><code>![x](a.mp4)</code></p>"


def test_comments_have_no_files_and_so_no_players():
    assert "<video" not in render_markdown("<video src=a.mp4></video> ![x](a.mp4)")


def test_many_players_are_written_in_time():
    text = "<video src=a.mp4>\n" * 5000
    assert shown(text).count("</video>") == 5000
