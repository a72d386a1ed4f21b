"""The viewer of a model's JSON configuration: each key with its value and what it means."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.actions.tensor_heads import head_of_model
from hub.errors import HubError
from hub.formats.bounded_json import load_json
from hub.formats.model_config import Sizes, sizes_of
from hub.formats.module_tree import Module
from hub.gitstore import Entry
from hub.models import Kind
from hub.rendering import fence_lines
from hub.web.config_words import FILES, meaning

CONFIG, ADAPTER = "config.json", "adapter_config.json"
LIMIT_BYTES = 512 * 1024
ROWS_SHOWN = 400
VALUE_CHARACTERS = 160
LONG_CHARACTERS = 4000
DEPTH = 2
NO_FACTS: dict[str, Any] = {"sizes": None}


@dataclass(frozen=True)
class Row:
    """One key. `whole` is the value that is too long for its cell."""

    key: str
    depth: int
    value: str
    said: Any
    whole: str = ""
    is_group: bool = False


def is_shown(entry: Entry) -> bool:
    return entry.name in FILES and entry.lfs is None and entry.size <= LIMIT_BYTES


def file_context(place: Any) -> dict[str, Any]:
    """The table of keys, and what follows from them."""
    store, entry = place.repository.store(), place.entry
    try:
        value = load_json(
            store.read(place.oid, entry.path, limit_bytes=LIMIT_BYTES), max_bytes=LIMIT_BYTES
        )
    except HubError as error:
        return {"problem": str(error)}
    if not isinstance(value, dict):
        return {"problem": f"{entry.name} holds no JSON object."}
    rows = list(rows_of(value, entry.name))
    template = value.get("chat_template")
    return {
        "rows": rows[:ROWS_SHOWN],
        "more": max(0, len(rows) - ROWS_SHOWN),
        "facts": _facts(place, value) if entry.name == CONFIG else NO_FACTS,
        "template_lines": fence_lines(template, "jinja") if isinstance(template, str) else (),
    }


def rows_of(value: Mapping[str, Any], file: str, depth: int = 0, above: str = "") -> list[Row]:
    """The keys of an object in their order, small objects below them as rows of their own."""
    rows: list[Row] = []
    for key, held in value.items():
        path = f"{above}.{key}" if above else key
        said = meaning(file, path)
        is_group = isinstance(held, dict) and 0 < len(held) <= 40 and depth < DEPTH
        if is_group:
            rows.append(Row(key[:VALUE_CHARACTERS], depth, "", said, is_group=True))
            rows += rows_of(held, file, depth + 1, path)
        else:
            text = held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)
            whole = text[:LONG_CHARACTERS] if len(text) > VALUE_CHARACTERS else ""
            shown = text[:VALUE_CHARACTERS] + ("…" if whole else "")
            rows.append(Row(key[:VALUE_CHARACTERS], depth, shown, said, whole))
        if len(rows) > ROWS_SHOWN:
            break
    return rows


def _facts(place: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes that the config implies, beside what the tensors hold where these lie with it."""
    sizes = sizes_of(config)
    measured = None
    if place.repository.kind == Kind.MODEL and not posixpath.dirname(place.entry.path):
        head = head_of_model(place.repository, place.oid)
        if head is not None and head.tensors and head.format == "safetensors":
            measured = Module("", head.tensors).parameters
    counted = measured or sizes.parameters
    return {
        "sizes": sizes,
        "measured": measured,
        "difference": _difference(sizes, measured),
        "memory": [(name, counted * bits // 8) for name, bits in MEMORY] if counted else (),
    }


MEMORY = (("fp32", 32), ("fp16 / bf16", 16), ("int8", 8), ("int4", 4))


def _difference(sizes: Sizes, measured: int | None) -> int | None:
    if not sizes.parameters or measured is None:
        return None
    return measured - sizes.parameters
