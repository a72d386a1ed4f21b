"""Values as pages and programs are shown them: bounded text, and JSON that every client reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from hub.formats.tables.pictures import LIMIT_BYTES, media_type
from hub.formats.tables.rows import AUDIO, IMAGE, NULL, Column, Media, type_of

LISTED = 100  # elements of one list, keys of one object
DEPTH = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """`kind` is a type of value; `media` the content type of a picture or sound; `label` the name
    of a class; `is_cut`: there is more of it."""

    kind: str
    text: str
    is_cut: bool = False
    label: str = ""
    media: str = ""


def cell_of(value: Any, column: Column, *, limit: int, indent: int | None = None) -> Cell:
    """A value in at most `limit` characters."""
    kind = type_of(value)
    if isinstance(value, Media):
        return _media_cell(value, column)
    if isinstance(value, bytes):
        return Cell(kind, f"{len(value)} B")
    if kind == NULL:
        return Cell(NULL, "")
    if isinstance(value, list | dict):
        found = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    else:
        found = clean(value if isinstance(value, str) else _said(value))
    label = ""
    if column.labels and isinstance(value, int) and 0 <= value < len(column.labels):
        label = clean(column.labels[value])[:limit]
    return Cell(kind, found[:limit], len(found) > limit, label)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and value.bit_length() > 10_000:
        return "…"
    return str(value)


def _media_cell(value: Media, column: Column) -> Cell:
    content = value.content or b""
    found = media_type(content) if len(content) <= LIMIT_BYTES else ""
    kind = AUDIO if found.startswith("audio") or column.type == AUDIO else IMAGE
    return Cell(kind, clean(value.path)[:100] or f"{len(content)} B", media=found)


def clean(text: str) -> str:
    """Text that can be sent and kept: no half of a surrogate pair, no zero byte."""
    found = text.encode("utf-8", "replace").decode() if not text.isascii() else text
    return found.replace("\0", "\N{REPLACEMENT CHARACTER}")


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON holds it, of bounded depth and breadth; moments as text, bytes as a size."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 10_000 else None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list):
        if depth >= DEPTH:
            return "…"
        found = [plain(each, depth + 1) for each in value[:LISTED]]
        return [*found, "…"] if len(value) > LISTED else found
    if isinstance(value, dict):
        if depth >= DEPTH:
            return "…"
        items = list(value.items())[:LISTED]
        return {clean(str(key)): plain(each, depth + 1) for key, each in items}
    if isinstance(value, bytes):
        return f"{len(value)} B"
    if isinstance(value, Media):
        return {"path": clean(value.path), "bytes": len(value.content or b"")}
    return clean(str(value))
