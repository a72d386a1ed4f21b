"""How a client gets a byte range of a file back: terms over xorbs, and where their frames lie.

Source: the Xet protocol specification, "Download protocol".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.blobstore.xet.hashing import to_hex
from hub.blobstore.xet.recipes import Recipe
from hub.blobstore.xet.xorb import XorbIndex
from hub.errors import UnsatisfiableRangeError

# Makes the absolute URL of bytes [first, last], both included, of a xorb.
UrlMaker = Callable[[str, int, int], str]


@dataclass(frozen=True)
class FetchTerm:
    """Chunks [start, end) of a xorb, and the bytes [first, last] on disk that hold them."""

    xorb: str
    start: int
    end: int
    raw_bytes: int
    first_byte: int
    last_byte: int

    @property
    def chunk_range(self) -> dict[str, int]:
        return {"start": self.start, "end": self.end}

    @property
    def byte_range(self) -> dict[str, int]:
        return {"start": self.first_byte, "end": self.last_byte}


@dataclass(frozen=True)
class Reconstruction:
    """The terms that cover a range; the range begins `offset_bytes` into the first of them."""

    offset_bytes: int
    terms: list[FetchTerm]

    def v1(self, url_of: UrlMaker) -> dict[str, Any]:
        """The JSON of the first version of the route: one URL a range."""
        return self._document() | {
            "fetch_info": {
                xorb: [
                    {
                        "range": term.chunk_range,
                        "url": url_of(xorb, term.first_byte, term.last_byte),
                        "url_range": term.byte_range,
                    }
                    for term in terms
                ]
                for xorb, terms in self._by_xorb().items()
            }
        }

    def v2(self, url_of: UrlMaker) -> dict[str, Any]:
        """The JSON of the second version of the route: the same with one range a URL."""
        return self._document() | {
            "xorbs": {
                xorb: [
                    {
                        "url": url_of(xorb, term.first_byte, term.last_byte),
                        "ranges": [{"chunks": term.chunk_range, "bytes": term.byte_range}],
                    }
                    for term in terms
                ]
                for xorb, terms in self._by_xorb().items()
            }
        }

    def _document(self) -> dict[str, Any]:
        terms = [
            {"hash": term.xorb, "unpacked_length": term.raw_bytes, "range": term.chunk_range}
            for term in self.terms
        ]
        return {"offset_into_first_range": self.offset_bytes, "terms": terms}

    def _by_xorb(self) -> dict[str, list[FetchTerm]]:
        """Each xorb's terms, a repeated one once."""
        grouped: dict[str, list[FetchTerm]] = {}
        for term in dict.fromkeys(self.terms):
            grouped.setdefault(term.xorb, []).append(term)
        return grouped


def reconstruct(
    recipe: Recipe, index_of: Callable[[str], XorbIndex], start: int, end: int
) -> Reconstruction:
    """The terms that cover the bytes [start, end) of a file; `end` may lie beyond it.

    Raises: UnsatisfiableRangeError when nothing of the file lies in the range.
    """
    if not 0 <= start < min(end, recipe.size_bytes):
        raise UnsatisfiableRangeError(f"This file has {recipe.size_bytes} bytes. Ask for fewer.")
    terms: list[FetchTerm] = []
    offset_bytes = term_start = 0
    for digest, first, stop, raw_bytes in recipe.terms():
        term_end = term_start + raw_bytes
        if start < term_end and term_start < end:
            index = index_of(to_hex(digest))
            low, high = max(start, term_start) - term_start, min(end, term_end) - term_start
            cut = index.covering(first, stop, low, high)
            if not terms:
                skipped_bytes = index.raw_span(*cut)[0] - index.raw_span(first, stop)[0]
                offset_bytes = low - skipped_bytes
            terms.append(_fetch_term(to_hex(digest), index, *cut))
        term_start = term_end
    return Reconstruction(offset_bytes, terms)


def _fetch_term(name: str, index: XorbIndex, first: int, stop: int) -> FetchTerm:
    raw_start, raw_end = index.raw_span(first, stop)
    first_byte, end_byte = index.stored_span(first, stop)
    return FetchTerm(name, first, stop, raw_end - raw_start, first_byte, end_byte - 1)
