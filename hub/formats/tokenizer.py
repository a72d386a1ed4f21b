"""Facts about a `tokenizer.json` (the format of the tokenizers library) and its vocabulary."""

from __future__ import annotations

from typing import Any

from hub.formats.bounded_json import load_json
from hub.formats.errors import FormatError

MAX_BYTES = 64 * 1024 * 1024
MAX_NODES = 6_000_000
MAX_TOKEN_CHARACTERS = 200
ADDED_SHOWN = 300
STEPS_SHOWN = 20
PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_NESTED = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}


class TokenizerError(FormatError):
    """Not a tokenizer.json."""


def read_tokenizer(content: bytes) -> dict[str, Any]:
    """{"facts", "tokens"}: what kind of tokenizer it is, and [id, token] of each by its id.

    Raises: JsonError, TokenizerError.
    """
    value = load_json(content, max_bytes=MAX_BYTES, max_nodes=MAX_NODES)
    if not isinstance(value, dict) or not isinstance(value.get("model"), dict):
        raise TokenizerError("This is no tokenizer.json: it has no “model”.")
    model, added = value["model"], _added(value.get("added_tokens"))
    tokens = _vocabulary(model.get("vocab"))
    tokens |= {each["id"]: each["content"] for each in added}
    merges = model.get("merges")
    facts = {
        "type": _text(model.get("type")) or _kind(model),
        "vocabulary": len(tokens),
        "merges": len(merges) if isinstance(merges, list) else None,
        "unknown": _text(model.get("unk_token")),
        "byte_fallback": bool(model.get("byte_fallback")),
        "is_byte_level": _is_byte_level(value),
        "added": added[:ADDED_SHOWN],
        "added_count": len(added),
        "special_count": sum(each["special"] for each in added),
        "parts": {name: _steps(value.get(name), _NESTED[name]) for name in PARTS},
        "truncation": _limit(value.get("truncation"), "max_length"),
        "highest_id": max(tokens, default=None),
    }
    return {"facts": facts, "tokens": sorted(tokens.items())}


def _text(value: Any) -> str:
    return value[:MAX_TOKEN_CHARACTERS] if isinstance(value, str) else ""


def _kind(model: dict[str, Any]) -> str:
    """Older files do not name the type."""
    if "merges" in model:
        return "BPE"
    return "Unigram" if isinstance(model.get("vocab"), list) else "WordPiece"


def _added(value: Any) -> list[dict[str, Any]]:
    rows = value if isinstance(value, list) else []
    return [
        {"id": row["id"], "content": _text(row["content"]), "special": bool(row.get("special"))}
        for row in rows
        if isinstance(row, dict)
        and type(row.get("id")) is int
        and isinstance(row.get("content"), str)
    ]


def _vocabulary(value: Any) -> dict[int, str]:
    """Tokens by id: of a map from token to id, or of Unigram's list of (token, score)."""
    if isinstance(value, dict):
        return {number: _text(token) for token, number in value.items() if type(number) is int}
    if isinstance(value, list):
        named = (row[0] if isinstance(row, list) and row else None for row in value)
        return {number: _text(token) for number, token in enumerate(named)}
    return {}


def _steps(value: Any, nested: str, depth: int = 0) -> list[str]:
    """The steps of a part, each as its type and its plain settings."""
    if not isinstance(value, dict) or depth > 4:
        return []
    inside = value.get(nested)
    if isinstance(inside, list):
        return [step for each in inside for step in _steps(each, nested, depth + 1)][:STEPS_SHOWN]
    plain = [
        f"{key}={_shown(held)}"
        for key, held in value.items()
        if key != "type" and isinstance(held, str | int | float | bool)
    ]
    pattern = value.get("pattern")
    if isinstance(pattern, dict):
        plain += [f"pattern={_shown(held)}" for held in pattern.values() if isinstance(held, str)]
    kind = _text(value.get("type"))
    return [f"{kind}({', '.join(plain)})" if plain else kind]


def _shown(value: Any) -> str:
    return repr(value[:120]) if isinstance(value, str) else str(value)


def _is_byte_level(value: dict[str, Any]) -> bool:
    parts = ("pre_tokenizer", "decoder")
    return any(
        step.startswith("ByteLevel")
        for name in parts
        for step in _steps(value.get(name), _NESTED[name])
    )


def _limit(value: Any, key: str) -> int | None:
    held = value.get(key) if isinstance(value, dict) else None
    return held if type(held) is int else None


def _byte_letters() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for.

    Source: Radford et al. 2019, GPT-2, encoder.py, bytes_to_unicode.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    others = (byte for byte in range(256) if byte not in set(plain))
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}


_BYTES = _byte_letters()


def spelled(token: str) -> str:
    """The text that a token of a byte-level vocabulary stands for; itself where it is none."""
    if not all(letter in _BYTES for letter in token):
        return token
    return bytes(_BYTES[letter] for letter in token).decode("utf-8", "replace")
