"""Which files are which split of a data set: by the card's `configs`, else by their names.

Source: the rules of `datasets` (datasets/data_files.py), for the formats that the hub shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hub.formats.path_patterns import PathPattern
from hub.formats.tables.opening import format_of

DEFAULT = "default"
CONFIGS_LIMIT, SPLITS_LIMIT, FILES_LIMIT, PATTERNS_LIMIT = 200, 50, 200, 50
_NO_DATA = frozenset(
    ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
)
_KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SHARD = re.compile(r"data/([\w.]+)-\d{5}-of-\d{5}[^/]*\Z", re.ASCII)
_BETWEEN = re.compile(r"[-._ 0-9]+")


@dataclass(frozen=True)
class Split:
    """The files of one split, in order; `more_files` are not shown."""

    config: str
    name: str
    paths: tuple[str, ...]
    more_files: int = 0


def splits_of(paths: Iterable[str], card: Any) -> list[Split]:
    """The splits of a data set, the card's own first choice at the top."""
    tables = sorted(path for path in paths if _is_data(path))
    configs = card.get("configs") if isinstance(card, dict) else None
    if isinstance(configs, list):
        found = [split for each in _ordered(configs) for split in _configured(each, tables)]
        if found:
            return found
    by_name = _by_names(_most_common_format(tables))
    return [_split(DEFAULT, name, each) for name, each in by_name.items()][:SPLITS_LIMIT]


def _is_data(path: str) -> bool:
    parts = path.split("/")
    hidden = any(part.startswith((".", "__")) for part in parts)
    return bool(format_of(path)) and not hidden and parts[-1] not in _NO_DATA


def _most_common_format(paths: Sequence[str]) -> list[str]:
    """Only one format is a data set: that of most files."""
    formats = Counter(format_of(path).partition("+")[0] for path in paths)
    if not formats:
        return []
    best = max(sorted(formats), key=lambda name: formats[name])
    return [path for path in paths if format_of(path).partition("+")[0] == best]


def _split(config: str, name: str, paths: Sequence[str]) -> Split:
    return Split(config, name, tuple(paths[:FILES_LIMIT]), max(0, len(paths) - FILES_LIMIT))


# By the card -----------------------------------------------------------------------------------
def _ordered(configs: list[Any]) -> list[dict[str, Any]]:
    known = [each for each in configs if isinstance(each, dict)][:CONFIGS_LIMIT]
    return sorted(known, key=lambda each: each.get("default") is not True)


def _configured(config: dict[str, Any], tables: Sequence[str]) -> list[Split]:
    name = _text(config.get("config_name")) or DEFAULT
    folder = _text(config.get("data_dir")).strip("/")
    inside = [path for path in tables if not folder or path.startswith(f"{folder}/")]
    wanted = _data_files(config.get("data_files"))
    if not wanted:
        by_name = _by_names(_most_common_format(inside))
        return [_split(name, split, paths) for split, paths in by_name.items()]
    found = []
    for split, patterns in wanted[:SPLITS_LIMIT]:
        paths = [p for p in inside if any(_matches(each, p, folder) for each in patterns)]
        if paths:
            found.append(_split(name, split, paths))
    return found


def _data_files(given: Any) -> list[tuple[str, list[str]]]:
    """(split, patterns) of `data_files`: a pattern, a list of them, or a list or map of splits."""
    if isinstance(given, dict):
        return [(str(split), _patterns(each)) for split, each in given.items()]
    if isinstance(given, list) and any(isinstance(each, dict) for each in given):
        named = [each for each in given if isinstance(each, dict)]
        return [(_text(e.get("split")) or "train", _patterns(e.get("path"))) for e in named]
    patterns = _patterns(given)
    return [("train", patterns)] if patterns else []


def _patterns(given: Any) -> list[str]:
    listed = given if isinstance(given, list) else [given]
    return [each for each in listed if isinstance(each, str) and each][:PATTERNS_LIMIT]


def _matches(pattern: str, path: str, folder: str) -> bool:
    whole = f"{folder}/{pattern}" if folder else pattern
    parts = tuple(part for part in whole.split("/") if part not in ("", "."))
    return PathPattern(parts, anchored=True).matches(path)


def _text(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


# By names --------------------------------------------------------------------------------------
def _by_names(paths: Sequence[str]) -> dict[str, list[str]]:
    """The first of these ways that finds something: shards, folders, file names; else `train`."""
    for way in (_of_shard, _of_folder, _of_file):
        found: dict[str, list[str]] = {}
        for path in paths:
            if name := way(path):
                found.setdefault(name, []).append(path)
        if found:
            order = list(_KEYWORDS)
            rank = {name: order.index(name) if name in order else len(order) for name in found}
            return {name: found[name] for name in sorted(found, key=lambda n: (rank[n], n))}
    return {"train": list(paths)} if paths else {}


def _of_shard(path: str) -> str:
    found = _SHARD.match(path)
    return found[1] if found else ""


def _of_folder(path: str) -> str:
    names = (_keyword(part) for part in PurePosixPath(path).parts[:-1])
    return next((name for name in names if name), "")


def _of_file(path: str) -> str:
    return _keyword(path.rpartition("/")[2])


def _keyword(text: str) -> str:
    """The split whose word stands in a name, between signs that are no letters."""
    words = _BETWEEN.split(text.lower())
    return next((name for name, each in _KEYWORDS.items() if set(each) & set(words)), "")
