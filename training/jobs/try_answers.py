"""What a model said, as far as it has the form that pages show. It comes out of a sandbox that ran
somebody's files: nothing of it is taken as it is (threat J6)."""

from __future__ import annotations

import math
from typing import Any

from training.jobs.recorder import printable
from training.models import TryTask

TEXT_LIMIT = 20_000
ROWS_LIMIT = 64
COUNTS = ("tokens", "prompt_tokens", "of", "dimensions")


def tidy(value: Any, limit: int = TEXT_LIMIT) -> str:
    """A text without control characters other than line ends and tabs, cut to `limit`."""
    text = value if isinstance(value, str) else ""
    return "\n".join(printable(line) for line in text[:limit].split("\n"))


def shaped(task: str, value: Any) -> dict[str, Any] | None:
    """The answer to a task, or None when it is none."""
    if not isinstance(value, dict):
        return None
    found: dict[str, Any] = {"is_cut": value.get("is_cut") is True}
    found |= {name: _count(value[name]) for name in COUNTS if name in value}
    try:
        match task:
            case TryTask.GENERATION:
                ended = "length" if value.get("ended") == "length" else "stop"
                return found | {"text": tidy(value["text"]), "ended": ended}
            case TryTask.FILL_MASK:
                parts = [tidy(part) for part in _rows(value["parts"])]
                masks = [
                    [{"word": tidy(each["word"], 200), **_share(each)} for each in _rows(mask)]
                    for mask in _rows(value["masks"])
                ]
                return None if len(parts) != len(masks) + 1 else found | {
                    "parts": parts, "masks": masks,
                }  # fmt: skip
            case TryTask.CLASSIFICATION:
                labels = [
                    {"label": tidy(each["label"], 200), **_share(each)}
                    for each in _rows(value["labels"])
                ]
                return found | {"labels": labels}
            case TryTask.EMBEDDING:
                texts = [tidy(text) for text in _rows(value["texts"])]
                rows = [[_number(one) for one in _rows(row)] for row in _rows(value["cosines"])]
                square = len(rows) == len(texts) and all(len(row) == len(texts) for row in rows)
                return found | {"texts": texts, "cosines": rows} if square else None
    except (KeyError, TypeError, ValueError):
        return None
    return None


def _rows(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > ROWS_LIMIT:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _share(each: Any) -> dict[str, float]:
    return {"share": min(max(_number(each["share"]), 0.0), 1.0)}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0
