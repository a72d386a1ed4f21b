"""Words as search keeps them, and questions in the same words.

Chinese, Japanese and Korean write no borders between words: every two neighbouring characters are a
word, and the last one alone is one more, so that one character finds what it begins. Decision 30.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from itertools import islice

# Letters and digits without a border; ideographs, kana and hangul stand apart.
_CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+[A-Za-z]*")
_WORD_LENGTH, _TEXT_LENGTH = 48, 16 * 1024
# So many different words of a name with tags, and of all that is said of it.
_HEADING_WORDS, _WORDS = 400, 2400
QUERY_LENGTH, QUERY_WORDS = 200, 12
# Weights of a tsvector: a name says more than a tag.
NAME, ABOUT = "A", "B"


def runs(text: str) -> list[str]:
    """Runs of letters and digits, in compatible forms, in the case they have."""
    return _RUN.findall(unicodedata.normalize("NFKC", text[:_TEXT_LENGTH]))


def is_cjk(run: str) -> bool:
    return _IS_CJK.match(run) is not None


def words(text: str) -> list[str]:
    """Every word that `text` is found by, without repeats."""
    found: list[str] = []
    for run in runs(text):
        if is_cjk(run):
            found += [*_pairs(run), run[-1]]
        else:
            parts = _PARTS.findall(run)
            found += [run, *(part for part in parts if len(parts) > 1 and len(part) > 1)]
    return list(dict.fromkeys(_folded(found)))


def heading(texts: Iterable[tuple[str, str]]) -> str:
    """A tsvector, written out: `texts` are weights with texts, the heaviest first."""
    heaviest: dict[str, str] = {}
    for weight, text in texts:
        for word in words(text):
            if len(heaviest) < _HEADING_WORDS:
                heaviest.setdefault(word, weight)
    places = enumerate(heaviest.items(), start=1)
    return " ".join(f"'{word}':{place}{weight}" for place, (word, weight) in places)


def document(texts: Iterable[str]) -> str:
    """A tsvector of all words of `texts`, which says of each only that it is there."""
    found = dict.fromkeys(word for text in texts for word in words(text))
    return " ".join(f"'{word}'" for word in islice(found, _WORDS))


def question(text: str, *, weight: str = "") -> str:
    """A tsquery, written out: all words must be there, each may go on; "" asks for nothing.

    `weight`: only what has this weight counts.
    """
    return " & ".join(_asked(text, weight))


def loose_question(text: str) -> str:
    """The same where any pair of ideographs will do; "" where the text has none."""
    pairs = [pair for run in runs(text[:QUERY_LENGTH]) if is_cjk(run) for pair in _pairs(run)]
    return " | ".join(f"'{pair}'" for pair in dict.fromkeys(pairs[:QUERY_WORDS]))


def meant(text: str, names: Iterable[str]) -> str:
    """`text` with each word that no name has spelt as the nearest one of theirs; "" for none.

    Say the names only that whoever asks may see.
    """
    said = _folded(run for run in runs(text[:QUERY_LENGTH]) if not is_cjk(run))
    known = _folded(run for name in names for run in runs(name) if not is_cjk(run))
    near = [next(iter(difflib.get_close_matches(word, known, n=1)), word) for word in said]
    return " ".join(near) if near != said else ""


def _asked(text: str, weight: str) -> list[str]:
    whole = f":{weight}" if weight else ""
    asked: list[str] = []
    for run in runs(text[:QUERY_LENGTH]):
        if not is_cjk(run):
            asked += [f"'{word}':*{weight}" for word in _folded([run])]
        elif len(run) == 1:
            asked.append(f"'{run}':*{weight}")
        else:
            asked += [f"'{pair}'{whole}" for pair in _pairs(run)]
    return list(dict.fromkeys(asked))[:QUERY_WORDS]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _folded(found: Iterable[str]) -> list[str]:
    # What folds into more than letters and digits could not be written as a lexeme.
    folded = (word.casefold()[:_WORD_LENGTH] for word in found)
    return [word for word in folded if word.isalnum()]
