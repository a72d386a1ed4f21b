"""Line ends survive an edit, whatever the form made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.gitstore.line_ends import with_line_ends_of

TEXTS = st.lists(st.sampled_from(["a", "b", "", "\0", "é", "\r\n", "\n", "\r"]), max_size=24).map(
    lambda parts: "".join(parts).encode()
)


def plain(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@given(TEXTS)
def test_a_text_that_nobody_changed_is_the_same_to_the_byte(old):
    assert with_line_ends_of(old, plain(old)) == old


@given(TEXTS, TEXTS)
def test_no_letter_and_no_line_is_lost(old, new):
    assert plain(with_line_ends_of(old, plain(new))) == plain(new)


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        (b"a\r\nb\nc\r\n", b"a\nx\nc\n", b"a\r\nx\nc\r\n"),
        (b"a\r\nb\nc\r\n", b"a\nb\nnew\nc\n", b"a\r\nb\nnew\nc\r\n"),
        (b"a\r\nb\nc\r\n", b"c\n", b"c\r\n"),
        (b"a\r\nb", b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\nb\n", b"a\nc\n", b"a\nc\n"),
        (b"a\rb\n", b"a\n\n", b"a\r\r\n"),
    ],
)
def test_lines_keep_the_ends_they_had(old, new, made):
    assert with_line_ends_of(old, new) == made
