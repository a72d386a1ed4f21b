"""Which models of a board are looked at: by size, licence, language and library."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import BadInputError
from hub.models import Repository

SIZES = ("100M", "1B", "3B", "8B", "70B")
FACETS_SHOWN = 40
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([KMBT]?)", re.IGNORECASE)
_BYTES = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT]?)B?", re.IGNORECASE)
_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_TEXT_LIMIT = 100


@dataclass(frozen=True)
class Filters:
    """What a reader asks for; an empty text asks for nothing.

    `parameters` and `size` are upper ends: of the number of parameters and of the bytes.
    """

    parameters: str = ""
    size: str = ""
    licence: str = ""
    language: str = ""
    library: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Filters:
        """Read a query. Raises: BadInputError for a size that is none."""
        names = ("parameters", "size", "licence", "language", "library")
        found = cls(**{name: str(query.get(name) or "").strip()[:_TEXT_LIMIT] for name in names})
        _number(found.parameters, _SIZE, _COUNTS, "parameters is written 500M, 7B or 1.5T.")
        _number(found.size, _BYTES, _UNITS, "size is written 500MB, 4GB or 1.5TB.")
        return found

    @property
    def is_empty(self) -> bool:
        return not any((self.parameters, self.size, self.licence, self.language, self.library))

    def to_dict(self) -> dict[str, str]:
        """Those that ask for something, for an address."""
        return {name: value for name, value in vars(self).items() if value}

    def match(self, repository: Repository) -> bool:
        most = _number(self.parameters, _SIZE, _COUNTS, "")
        if most is not None:
            total = (repository.parameters or {}).get("total")
            if not isinstance(total, int) or total > most:
                return False
        limit = _number(self.size, _BYTES, _UNITS, "")
        if limit is not None and repository.size_bytes > limit:
            return False
        return (
            (not self.licence or self.licence in licences_of(repository))
            and (not self.language or self.language in languages_of(repository))
            and (not self.library or self.library == repository.library_name)
        )


@dataclass
class Facets:
    """What there is to choose from on a board, with how many models each."""

    licences: list[tuple[str, int]] = field(default_factory=list)
    languages: list[tuple[str, int]] = field(default_factory=list)
    libraries: list[tuple[str, int]] = field(default_factory=list)


def facets_of(repositories: Iterable[Repository]) -> Facets:
    licences: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    libraries: Counter[str] = Counter()
    for repository in repositories:
        licences.update(licences_of(repository))
        languages.update(languages_of(repository))
        libraries.update([repository.library_name] if repository.library_name else [])
    return Facets(*(each.most_common(FACETS_SHOWN) for each in (licences, languages, libraries)))


def licences_of(repository: Repository) -> list[str]:
    """The licences that the card names."""
    return _texts((repository.card_data or {}).get("license"))


def languages_of(repository: Repository) -> list[str]:
    """The languages that the card names."""
    return _texts((repository.card_data or {}).get("language"))


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text[:_TEXT_LIMIT] for text in listed[:FACETS_SHOWN] if isinstance(text, str) and text]


def _number(
    text: str, pattern: re.Pattern[str], units: Mapping[str, int], refusal: str
) -> float | None:
    if not text:
        return None
    found = pattern.fullmatch(text)
    if found is None:
        raise BadInputError(refusal)
    return float(found[1]) * units[found[2].upper()]
