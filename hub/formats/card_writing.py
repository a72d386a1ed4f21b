"""Changing keys of a card's front matter and nothing else: other lines keep every byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from hub.formats.bounded_yaml import dump_yaml, load_yaml
from hub.formats.card import FrontMatter, split_front_matter
from hub.formats.errors import YamlError


def with_card_data(
    readme: bytes, values: Mapping[str, Any], *, without: Collection[str] = ()
) -> bytes:
    """`readme` whose front matter says `values`, and nothing of the keys in `without`.

    One that cannot be read is left as it is.

    Lines of other keys stay where the new ones fit between them; else the front matter is written
    anew. The text below it is never touched, whatever its encoding.
    """
    text = readme.decode("utf-8", "surrogateescape")
    matter = split_front_matter(text)
    if matter is None and not values:
        return readme
    if matter is None:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        written = f"{mark}---\n{dump_yaml(dict(values))}---\n{text.removeprefix(mark)}"
        return written.encode("utf-8", "surrogateescape")
    try:
        data = load_yaml(matter.yaml) or {}
    except YamlError:
        return readme
    if not isinstance(data, dict):
        return readme
    lines = _replaced(matter, data, values, without)
    return (text[: matter.start] + lines + text[matter.end :]).encode("utf-8", "surrogateescape")


def _replaced(
    matter: FrontMatter, data: dict[str, Any], values: Mapping[str, Any], without: Collection[str]
) -> str:
    wanted = {key: value for key, value in (data | dict(values)).items() if key not in without}
    if wanted == data:
        return matter.yaml
    yaml = matter.yaml
    for key, value in values.items():
        block = dump_yaml({key: value}, line_break=matter.line_break).rstrip()
        if found := _lines_of(key, yaml):
            yaml = yaml[: found.start()] + block + yaml[found.end() :]
        else:
            yaml = f"{yaml}{matter.line_break}{block}" if yaml.strip() else block
    for key in without:
        if found := _lines_of(key, yaml):
            before, after = yaml[: found.start()], yaml[found.end() :].removeprefix("\r")
            yaml = before + after[1:] if after else before.removesuffix("\n").removesuffix("\r")
    try:
        if (load_yaml(yaml) or {}) == wanted:
            return yaml
    except YamlError:
        pass
    return dump_yaml(wanted, line_break=matter.line_break).rstrip()


def _lines_of(key: str, yaml: str) -> re.Match[str] | None:
    """The lines that a key of the outermost map takes."""
    return re.search(rf"^{re.escape(key)}[ \t]*:.*(?:\r?\n(?:[ \t]+|-[ \t]).*)*", yaml, re.M)
