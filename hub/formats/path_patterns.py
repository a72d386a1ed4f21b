"""Patterns of `.gitattributes` and `.gitignore`, matched in time linear in pattern and path.

Only two questions are asked of them: does this path belong in the large-file store, and did its
author mean to leave it out. Nothing else in these files is followed. Source: gitattributes(5),
gitignore(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

MAX_BYTES = 64 * 1024
MAX_LINES = 2_000


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One pattern. `anchored` ones match the whole path, others its last part."""

    parts: tuple[str, ...]
    anchored: bool

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        return cls(tuple(text.strip("/").split("/")), "/" in text.rstrip("/"))

    def matches(self, path: str) -> bool:
        parts = tuple(path.split("/"))
        if not self.anchored:
            return _part_matches(self.parts[0], parts[-1])
        return _parts_match(self.parts, parts)


@dataclass(frozen=True, slots=True)
class LargeFileRules:
    """What a `.gitattributes` says is stored as a large file; the last line wins."""

    rules: tuple[tuple[PathPattern, bool], ...]

    @classmethod
    def parse(cls, content: bytes) -> LargeFileRules:
        rules = []
        for line in _lines(content):
            pattern, *attributes = line.split()
            for attribute in attributes:
                if attribute.lstrip("-!").split("=")[0] == "filter":
                    rules.append((PathPattern.parse(pattern), attribute == "filter=lfs"))
        return cls(tuple(rules))

    def is_large(self, path: str) -> bool:
        matching = (large for pattern, large in reversed(self.rules) if pattern.matches(path))
        return next(matching, False)


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The lines of a `.gitignore`: the last that matches a path or a folder above it wins."""

    rules: tuple[tuple[PathPattern, bool, bool], ...]  # pattern, folders only, ignores

    @classmethod
    def parse(cls, content: bytes) -> IgnoreRules:
        rules = []
        for line in _lines(content):
            text = line.removeprefix("!")
            if text.strip("/"):
                rules.append((PathPattern.parse(text), text.endswith("/"), text == line))
        return cls(tuple(rules))

    def ignores(self, path: str) -> bool:
        parts = path.split("/")
        return any(
            self._verdict("/".join(parts[:length]), is_folder=length < len(parts))
            for length in range(1, len(parts) + 1)
        )

    def _verdict(self, path: str, *, is_folder: bool) -> bool:
        for pattern, folders_only, ignores in reversed(self.rules):
            if (is_folder or not folders_only) and pattern.matches(path):
                return ignores
        return False


def _lines(content: bytes) -> list[str]:
    text = content[:MAX_BYTES].decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()[:MAX_LINES]]
    return [line for line in lines if line and not line.startswith("#")]


def _parts_match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Greedy over `**` as `_part_matches` is over `*`: only the last one is ever taken back."""
    at, star, resume = 0, -1, 0
    index = 0
    while index < len(parts):
        if at < len(pattern) and pattern[at] == "**":
            star, resume = at, index
            at += 1
        elif at < len(pattern) and _part_matches(pattern[at], parts[index]):
            at, index = at + 1, index + 1
        elif star >= 0:
            resume += 1
            at, index = star + 1, resume
        else:
            return False
    # `a/**` needs something inside `a`; the loop took its `**` in when there was.
    return at == len(pattern)


@lru_cache(maxsize=4096)
def _tokens(pattern: str) -> tuple[str | frozenset[str] | None, ...]:
    """`*` as None; any other token as the text or the set of characters it stands for."""
    tokens: list[str | frozenset[str] | None] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        end = pattern.find("]", index + 2) if character == "[" else -1
        if character == "*":
            tokens.append(None)
        elif end > 0:
            tokens.append(frozenset(pattern[index + 1 : end]))
            index = end
        elif character == "\\" and index + 1 < len(pattern):
            index += 1
            tokens.append(pattern[index])
        else:
            tokens.append("" if character == "?" else character)
        index += 1
    return tuple(tokens)


def _part_matches(pattern: str, part: str) -> bool:
    tokens = _tokens(pattern)
    at, star, resume, index = 0, -1, 0, 0
    while index < len(part):
        if at < len(tokens) and tokens[at] is None:
            star, resume = at, index
            at += 1
        elif at < len(tokens) and _is(tokens[at], part[index]):
            at, index = at + 1, index + 1
        elif star >= 0:
            resume += 1
            at, index = star + 1, resume
        else:
            return False
    return all(token is None for token in tokens[at:])


def _is(token: str | frozenset[str] | None, character: str) -> bool:
    if isinstance(token, frozenset):
        return character in token
    return token == "" or token == character
