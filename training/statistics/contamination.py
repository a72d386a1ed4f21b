"""Whether benchmark items occur in training data: shared n-grams, found in one pass.

The n-grams of the *items* are hashed; documents stream by and are never kept, however long. A hit
of the hash is checked word by word, so that no item is called contaminated by chance.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

N_GRAM = 13
SHORTEST = 8
WARNING_SHARE = 0.01
ERROR_SHARE = 0.05
_PIECE_CHARACTERS = 1 << 20
_TOKENS_AT_ONCE = 1 << 16
_BOUNDARY = ""  # between documents; no token is empty, so no n-gram spans it
_PUNCTUATION = re.compile(r"[^\w\s]")
_ASCII_PUNCTUATION = {place: None for place in range(128) if _PUNCTUATION.match(chr(place))}
# Scripts that are written without spaces: Thai to Khmer, kana, Han. A character is a token there.
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]
Document = str | Iterable[str]


class Contamination(StrEnum):
    CLEAN = "clean"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Report:
    """Which items of a benchmark occur in the training documents. `n` counts all of its items.

    `too_short` items have too few tokens to be looked for. `share` is that of contaminated items.
    """

    n: int
    contaminated: tuple[str, ...]
    too_short: tuple[str, ...]
    documents: int

    @property
    def share(self) -> float:
        return len(self.contaminated) / self.n if self.n else 0.0

    @property
    def level(self) -> Contamination:
        """More than 1 % is a warning; with more than 5 % the benchmark says nothing any more."""
        if self.share > ERROR_SHARE:
            return Contamination.ERROR
        return Contamination.WARNING if self.share > WARNING_SHARE else Contamination.CLEAN


def normalise(text: str) -> list[str]:
    """Tokens: lower-case, without punctuation, cut at white space; GPT-3's rule.

    Characters of scripts without spaces are tokens of their own: a Chinese sentence would else be
    a single one, and never be looked for.

    Source: Brown et al. 2020, arXiv:2005.14165, appendix C.
    """
    if text.isascii():
        return text.lower().translate(_ASCII_PUNCTUATION).split()
    return _UNSPACED.sub(r" \1 ", _PUNCTUATION.sub("", text.lower())).split()


def ngrams(tokens: list[str]) -> set[tuple[str, ...]]:
    """The 13-grams of an item, or the whole item of 8 to 12 tokens; none if it is shorter."""
    n = min(N_GRAM, len(tokens))
    if n < SHORTEST:
        return set()
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


class Index:
    """The n-grams of a benchmark's items, to look for in documents that stream by.

    Memory is that of the items and of one piece of a document; documents are looked through in
    batches, so that many short ones cost no more than a long one.
    """

    def __init__(self, items: Mapping[str, str | Sequence[str]]) -> None:
        """`items` holds the text of every item by its id, or its texts, each looked for by itself.

        An item is too short if all of its texts are.
        """
        self._n, self._documents = len(items), 0
        self._found: set[str] = set()
        self._too_short: list[str] = []
        self._owners: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for item_id, given in items.items():
            texts = [given] if isinstance(given, str) else given
            grams = {gram for text in texts for gram in ngrams(normalise(text))}
            if not grams:
                self._too_short.append(item_id)
            for gram in grams:
                self._owners[gram].append(item_id)
        self._hashes = _hashes_by_length(self._owners)
        self._tokens: list[str] = []
        self._pending: list[Hashes] = [np.empty(0, dtype=np.uint64)]

    def add(self, document: Document) -> None:
        """Look through one document, whole or in pieces. N-grams never span two documents."""
        self._documents += 1
        for piece in _pieces(document):
            tokens, hashes = _tokenised(piece)
            self._tokens += tokens
            self._pending.append(hashes)
            if len(self._tokens) >= _TOKENS_AT_ONCE:
                self._look(keep=N_GRAM - 1)
        self._tokens.append(_BOUNDARY)
        self._pending.append(_token_hashes([_BOUNDARY]))

    def report(self) -> Report:
        """What was found so far, ids in order."""
        self._look(keep=N_GRAM - 1)
        found, short = tuple(sorted(self._found)), tuple(sorted(self._too_short))
        return Report(self._n, found, short, self._documents)

    def _look(self, *, keep: int) -> None:
        """Look through what is pending, and keep its last tokens for what follows them."""
        hashes = np.concatenate(self._pending)
        for start, length in _places(hashes, self._hashes):
            gram = tuple(self._tokens[start : start + length])
            self._found.update(self._owners.get(gram, ()))
        self._tokens, self._pending = self._tokens[-keep:], [hashes[-keep:]]


class ExactRows:
    """Items whose texts all stand, whole, in one row of the training data: however short they are.

    Case and white space do not count.
    """

    def __init__(self, items: Mapping[str, Sequence[str]]) -> None:
        self.found: set[str] = set()
        self._by_longest: defaultdict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        for item_id, given in items.items():
            if texts := _whole_texts(given):
                self._by_longest[max(texts, key=len)].append((item_id, texts))

    def add(self, row: Sequence[str]) -> None:
        """Look at the texts of one row."""
        texts = _whole_texts(row)
        for text in texts & self._by_longest.keys():
            self.found.update(
                item_id for item_id, wanted in self._by_longest[text] if wanted <= texts
            )


def _whole_texts(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(None, (" ".join(text.lower().split()) for text in texts)))


def contaminated_items(
    items: Mapping[str, str | Sequence[str]], documents: Iterable[Document]
) -> Report:
    """The report on `items` after one pass over `documents`."""
    index = Index(items)
    for document in documents:
        index.add(document)
    return index.report()


def _pieces(document: Document) -> Iterator[str]:
    """A document in pieces of about a megabyte that end between two tokens."""
    rest = ""
    for text in [document] if isinstance(document, str) else document:
        for start in range(0, len(text), _PIECE_CHARACTERS):
            rest += text[start : start + _PIECE_CHARACTERS]
            if len(rest) >= _PIECE_CHARACTERS:
                cut = 1 + max(rest.rfind(" "), rest.rfind("\n")) or len(rest)
                yield rest[:cut]
                rest = rest[cut:]
    yield rest


@lru_cache(maxsize=1)  # one document is looked through for several benchmarks in a row
def _tokenised(text: str) -> tuple[list[str], Hashes]:
    tokens = normalise(text)
    return tokens, _token_hashes(tokens)


class _Hashes:
    """The hashes of n-grams of one length, and a table by their first bits that rules most out."""

    def __init__(self, tokens: list[str], length: int) -> None:
        *_shorter, rolled = _rolling(_token_hashes(tokens), length)
        self._sorted = np.unique(rolled[::length])
        bits = min(26, (16 * len(self._sorted)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, dtype=np.bool_)
        self._table[self._sorted >> self._shift] = True

    def places(self, hashes: Hashes) -> list[int]:
        """Where one of ours occurs."""
        likely = np.flatnonzero(self._table[hashes >> self._shift])
        sought = hashes[likely]
        nearest = np.minimum(np.searchsorted(self._sorted, sought), len(self._sorted) - 1)
        places: list[int] = likely[self._sorted[nearest] == sought].tolist()
        return places


def _hashes_by_length(grams: Iterable[tuple[str, ...]]) -> dict[int, _Hashes]:
    tokens: defaultdict[int, list[str]] = defaultdict(list)
    for gram in grams:
        tokens[len(gram)].extend(gram)
    return {length: _Hashes(flat, length) for length, flat in tokens.items()}


def _places(hashes: Hashes, wanted: Mapping[int, _Hashes]) -> Iterator[tuple[int, int]]:
    """Start and length of every run of tokens that has one of the `wanted` hashes."""
    for length, rolled in enumerate(_rolling(hashes, max(wanted, default=0)), 1):
        if length in wanted:
            for start in wanted[length].places(rolled):
                yield start, length


def _token_hashes(tokens: list[str]) -> Hashes:
    signed = np.fromiter(map(hash, tokens), dtype=np.int64, count=len(tokens))
    return signed.view(np.uint64)


def _rolling(tokens: Hashes, longest: int) -> Iterator[Hashes]:
    """The hashes, modulo 2^64, of every 1, 2, ... `longest` tokens in a row."""
    rolled = np.zeros(len(tokens), dtype=np.uint64)
    for offset in range(min(longest, len(tokens))):
        rolled = rolled[: len(tokens) - offset] * _MULTIPLIER + tokens[offset:]
        yield rolled
