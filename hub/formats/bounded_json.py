"""Strict JSON from people: no duplicate keys, NaN or lone surrogates, bounded before parsing."""

import json
import re
from collections import Counter
from math import isfinite
from typing import Any

from hub.formats.errors import JsonError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 200_000
MAX_DIGITS = 400

# An unterminated string matches to the end of the file, so that scanning stays linear.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def load_json(
    content: bytes | str,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_nodes: int = MAX_NODES,
) -> Any:
    """The value of a JSON document.

    Raises:
        JsonError: not UTF-8, not JSON, over a limit, or ambiguous (duplicate key, NaN, a number
            too large to be kept, half of a surrogate pair).
    """
    raw = _encoded(content)
    if len(raw) > max_bytes:
        raise JsonError(f"The JSON is {len(raw)} bytes long; at most {max_bytes} are read.")
    _refuse_excess(raw, max_depth, max_nodes)
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        raise JsonError("The JSON is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"This is not valid JSON at {where}: {error.msg}.") from error
    if b"\\u" in raw:
        _refuse_lone_surrogates(value)
    return value


def _encoded(content: bytes | str) -> bytes:
    try:
        return content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError as error:
        raise JsonError("The JSON holds half of a surrogate pair.") from error


def _refuse_excess(raw: bytes, max_depth: int, max_nodes: int) -> None:
    skeleton = _STRING.sub(b"", raw)
    nodes = skeleton.count(b",") + skeleton.count(b"[") + skeleton.count(b"{") + 1
    if nodes > max_nodes:
        raise JsonError(f"The JSON holds more than {max_nodes} values.")
    depth = 0
    for bracket in skeleton.translate(None, delete=_NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise JsonError(f"The JSON is nested deeper than {max_depth} levels.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)  # linear: a header may have 50,000 keys
        twice = next(key for key, count in counts.items() if count > 1)
        raise JsonError(f"The JSON repeats the key {twice[:80]!r}.", repeated=twice)
    return found


def _refuse_constant(name: str) -> None:
    raise JsonError(f"The JSON holds {name}, which is not a JSON number.")


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise JsonError("The JSON holds a number too large to be kept.")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise JsonError("The JSON holds a number too large to be kept.")
    return int(text)


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise JsonError("The JSON holds half of a surrogate pair.") from error
