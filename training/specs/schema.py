"""What every spec file shares: reading keys one by one, with refusals that say what to write."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any, NoReturn, Protocol

from hub.errors import BadInputError
from hub.formats.bounded_yaml import load_yaml
from hub.formats.errors import YamlError

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}\Z", re.ASCII)
_MAX_PATH = 1024


def load_mapping(content: bytes | str, place: str) -> dict[str, Any]:
    """The keys and values of a spec file; `place` names the file in refusals.

    Raises:
        BadInputError: not the plain, bounded YAML the hub reads, or not a map.
    """
    try:
        values = load_yaml(content)
    except YamlError as error:
        raise BadInputError(f"{place}: {error}") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{place} is not a map of keys to values.")
    return values


def refuse_unknown(values: dict[str, Any], known: Collection[str], place: str) -> None:
    """Raise BadInputError naming the first unknown key, the nearest known one and all of them."""
    for key in values:
        if key in known:
            continue
        near = get_close_matches(key, known, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise BadInputError(
            f"{place} has the unknown key {key[:80]!r}.{meant} Known keys: "
            f"{', '.join(sorted(known))}."
        )


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of a plain value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """One text for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


class Reader(Protocol):
    """Turns what a file says under one key into a checked value, or raises BadInputError."""

    def read(self, value: Any, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high`; `open_low` and `open_high` leave those ends out."""

    low: float
    high: float
    whole: bool = False
    open_low: bool = False
    open_high: bool = False

    def read(self, value: Any, name: str) -> Any:
        kind = "a whole number" if self.whole else "a number"
        fits = type(value) is int or (type(value) is float and not self.whole)
        if not fits or not isfinite(value) or not self._holds(value):
            low = "above" if self.open_low else "from"
            high = "below" if self.open_high else "to"
            _refuse(name, value, f"{kind} {low} {self.low:g} {high} {self.high:g}")
        return value if self.whole else float(value)

    def _holds(self, value: float) -> bool:
        low = self.low < value if self.open_low else self.low <= value
        return low and (value < self.high if self.open_high else value <= self.high)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: Any, name: str) -> Any:
        if value not in self.words or not isinstance(value, str):
            _refuse(name, value, f"one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: Any, name: str) -> Any:
        if not isinstance(value, bool):
            _refuse(name, value, "true or false")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most `limit` characters that matches `pattern`, if any."""

    limit: int = 200
    pattern: re.Pattern[str] | None = None
    meaning: str = "a text"

    def read(self, value: Any, name: str) -> Any:
        fits = isinstance(value, str) and len(value) <= self.limit
        if not fits or (self.pattern is not None and not self.pattern.match(value)):
            _refuse(name, value, f"{self.meaning} of at most {self.limit} characters")
        return value


@dataclass(frozen=True, slots=True)
class ListOf:
    """From `least` to `most` values of one kind."""

    item: Reader
    least: int = 1
    most: int = 100

    def read(self, value: Any, name: str) -> Any:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            _refuse(name, value, f"a list of {self.least} to {self.most} values")
        return [self.item.read(each, f"{name}[{index}]") for index, each in enumerate(value)]


REPO_ID = Text(200, _REPO_ID, "a repository id (namespace/name)")
REVISION = Text(250, re.compile(r"[A-Za-z0-9][\w./-]*\Z", re.ASCII), "a revision in quotes")
COLUMN = Text(200, re.compile(r"\S"), "the name of a column")


def read_path(value: Any, name: str) -> str:
    """A path inside a repository, without a way out of it."""
    text: str = Text(_MAX_PATH, re.compile(r"[^\s/]"), "a path in the repository").read(value, name)
    parts = text.split("/")
    if not text.isprintable() or "\\" in text or any(part in ("", ".", "..") for part in parts):
        _refuse(name, value, "a path in the repository")
    return text


def read_map(value: Any, name: str) -> dict[str, Any]:
    """A nested map of keys."""
    if not isinstance(value, dict):
        _refuse(name, value, "a map of keys to values")
    return value


def _refuse(name: str, value: Any, wanted: str) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    raise BadInputError(f"{name} is {shown}; write {wanted}.")
