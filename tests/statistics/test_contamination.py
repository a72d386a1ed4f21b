"""Items that stand in training data: the worked example, and what a careless search misses."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.statistics import contamination
from training.statistics.contamination import (
    Contamination,
    Index,
    contaminated_items,
    ngrams,
    normalise,
)

ITEM = (
    "The quick brown fox jumps over the lazy dog, while thirteen sleepy cats watch quietly today."
)
DOCUMENT = (
    "He said: the QUICK brown fox jumps over the lazy dog while thirteen sleepy cats were watching!"
)
words = st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "ij", "kl"]), min_size=1, max_size=40)


def test_the_worked_example_hits_one_of_four():
    assert len(normalise(ITEM)) == 16
    grams = ngrams(normalise(ITEM))
    assert len(grams) == 4
    assert len(grams & ngrams(normalise(DOCUMENT))) == 1
    report = contaminated_items({"fox": ITEM}, [DOCUMENT])
    assert report.contaminated == ("fox",)
    assert report.share == 1.0


def test_twelve_words_in_a_row_are_not_enough_for_a_long_item():
    found = contaminated_items({"fox": ITEM}, [DOCUMENT.replace("sleepy", "drowsy")])
    assert found.contaminated == ()


def test_no_run_of_words_spans_two_documents():
    first, second = ITEM.split("jumps")
    assert contaminated_items({"fox": ITEM}, [first, "jumps" + second]).contaminated == ()
    assert contaminated_items({"fox": ITEM}, [first + "jumps" + second]).contaminated == ("fox",)


@pytest.mark.parametrize(("count", "grams"), [(7, 0), (8, 1), (12, 1), (13, 1), (14, 2)])
def test_a_short_item_is_looked_for_whole_and_a_very_short_one_not_at_all(count, grams):
    tokens = [f"word{i}" for i in range(count)]
    assert len(ngrams(tokens)) == grams
    report = contaminated_items({"it": " ".join(tokens)}, ["so " + " ".join(tokens) + " then"])
    assert report.too_short == (("it",) if grams == 0 else ())
    assert report.contaminated == (("it",) if grams else ())


def test_every_text_of_an_item_is_looked_for_by_itself():
    items = {"a": ["short", ITEM], "b": ["too", "short"]}
    report = contaminated_items(items, [DOCUMENT])
    assert report.contaminated == ("a",)
    assert report.too_short == ("b",)


def test_chinese_is_looked_for_by_characters():
    poem = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
    report = contaminated_items({"poem": poem, "word": "春天"}, [f"他念道：{poem}真好"])
    assert report.contaminated == ("poem",)
    assert report.too_short == ("word",)


def test_punctuation_and_case_hide_nothing():
    assert normalise("Don't—STOP! \t it's_fine 3.5") == ["dontstop", "its_fine", "35"]
    assert normalise("Écoute, naïve!") == ["écoute", "naïve"]


@given(st.text())
def test_the_fast_way_for_plain_text_is_the_same(text):
    plain = text.encode("ascii", "ignore").decode()
    slow = contamination._PUNCTUATION.sub("", plain.lower()).split()
    assert normalise(plain) == slow


@given(words, st.lists(words, max_size=6))
def test_the_search_finds_what_comparing_all_runs_finds(item, documents):
    texts = [" ".join(document) for document in documents]
    report = contaminated_items({"it": " ".join(item)}, texts)
    grams = ngrams(item)
    n = len(next(iter(grams))) if grams else 1
    runs = {tuple(d[i : i + n]) for d in documents for i in range(len(d) - n + 1)}
    assert (report.contaminated == ("it",)) == bool(grams & runs)


def test_a_long_document_comes_in_pieces_of_any_cut(monkeypatch):
    monkeypatch.setattr(contamination, "_PIECE_CHARACTERS", 64)
    monkeypatch.setattr(contamination, "_TOKENS_AT_ONCE", 5)
    filler = "lorem ipsum dolor sit amet " * 20
    text = filler + ITEM + " " + filler
    for size in (1, 7, 50, 10_000):
        index = Index({"fox": ITEM, "other": filler.replace("sit", "stand")})
        index.add(text[i : i + size] for i in range(0, len(text), size))
        assert index.report().contaminated == ("fox",)


def test_a_document_without_any_space_is_borne(monkeypatch):
    monkeypatch.setattr(contamination, "_PIECE_CHARACTERS", 64)
    index = Index({"fox": ITEM})
    index.add("x" * 1000)
    assert index.report().contaminated == ()


def test_reports_can_be_asked_for_in_between():
    index = Index({"fox": ITEM})
    assert index.report().documents == 0
    index.add("nothing here")
    assert index.report().contaminated == ()
    index.add(DOCUMENT)
    report = index.report()
    assert (report.documents, report.contaminated) == (2, ("fox",))


@pytest.mark.parametrize(
    ("hits", "level"),
    [
        (0, Contamination.CLEAN),
        (2, Contamination.CLEAN),
        (3, Contamination.WARNING),
        (10, Contamination.WARNING),
        (11, Contamination.ERROR),
    ],
)
def test_more_than_one_percent_warns_and_more_than_five_is_an_error(hits, level):
    shuffler = random.Random(1)
    texts = {f"i{i:03}": " ".join(f"w{shuffler.random()}" for _ in range(15)) for i in range(200)}
    report = contaminated_items(texts, list(texts.values())[:hits])
    assert report.share == hits / 200
    assert report.level is level


def test_no_items_are_clean():
    report = contaminated_items({}, [DOCUMENT])
    assert (report.share, report.level) == (0.0, Contamination.CLEAN)
