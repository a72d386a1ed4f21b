"""Texts side by side: what is marked differs, and nothing is lost."""

from __future__ import annotations

import pytest

from training.web.differences import PIECES_LIMIT, side_by_side
from training.web.units import scale_of

PAIRS = [
    ("the cat sat", "the cat stood"),
    ("", "something"),
    ("same", "same"),
    ("她在家里吗?", "他在家里吗?"),
    ("a b c d e", "a x c y e"),
    ("one  two\n three ", "one two three"),
    ("word " * (PIECES_LIMIT + 9) + "left", "word " * 3 + "right " * (PIECES_LIMIT + 9)),
]


@pytest.mark.parametrize(("base", "candidate"), PAIRS)
def test_the_pieces_are_the_texts_again(base, candidate):
    for text, pieces in zip((base, candidate), side_by_side(base, candidate), strict=True):
        assert "".join(piece.text for piece in pieces) == text


@pytest.mark.parametrize(
    ("base", "candidate", "marked"),
    [
        ("the cat sat down", "the cat stood down", (["sat"], ["stood"])),
        ("她在家", "他在家", (["她"], ["他"])),
        ("a b c", "a b c", ([], [])),
        ("so be it", "so be it now", ([], ["now"])),
    ],
)
def test_what_differs_is_marked_word_by_word(base, candidate, marked):
    found = side_by_side(base, candidate)
    assert tuple([p.text.strip() for p in side if p.differs] for side in found) == marked


def test_what_is_the_same_is_the_same_on_both_sides():
    base, candidate = side_by_side(*PAIRS[4])
    shared = [[p.text.strip() for p in side if not p.differs] for side in (base, candidate)]
    assert shared[0] == shared[1] == ["a", "c", "e"]


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("share", 0.9554, "95.5\N{NO-BREAK SPACE}%"),
        ("score100", 8.643, "8.6"),
        ("bits", 1.73047, "1.7305"),
        ("perplexity", 23.456, "23.5"),
        ("plain", -0.25, "\N{MINUS SIGN}0.2500"),
        ("unheard of", 1.5, "1.5000"),
        ("share", None, "\N{EM DASH}"),
    ],
)
def test_scores_are_written_in_their_scale(unit, value, shown):
    assert scale_of(unit).score(value) == shown


@pytest.mark.parametrize(
    ("unit", "margin", "digits"),
    [
        ("share", 0.02, 1),
        ("share", 0.005, 2),
        ("bits", 0.005, 4),
        ("score100", 1.0, 1),
        ("plain", None, 1),
    ],
)
def test_differences_near_the_margin_have_two_digits(unit, margin, digits):
    assert scale_of(unit).digits(margin) == digits
