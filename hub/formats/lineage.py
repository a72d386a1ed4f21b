"""What a model's card says it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# namespace/name, as huggingface_hub takes it; a path or an address is no parent.
_REPO_ID = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}\Z", re.ASCII)
RELATIONS = ("adapter", "finetune", "merge", "quantized")
DATASET = "dataset"
# A card may list any number; so many are followed.
PARENTS_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Parent:
    """`repo_id` as the card spells it; `relation` is one of RELATIONS, or DATASET."""

    repo_id: str
    relation: str


def parents(card_data: Mapping[str, Any] | None, tags: Iterable[str]) -> list[Parent]:
    """The models and data sets that a model's card names, in its order, without repeats.

    Where the card is silent about the relation, `tags` have the hub's guess.
    """
    data = card_data or {}
    bases, datasets = _repo_ids(data.get("base_model")), _repo_ids(data.get("datasets"))
    relation = _relation(data.get("base_model_relation"), tags, len(bases))
    found = [Parent(each, relation) for each in bases]
    found += [Parent(each, DATASET) for each in datasets]
    return found[:PARENTS_LIMIT]


def _relation(said: Any, tags: Iterable[str], bases: int) -> str:
    if isinstance(said, str) and said in RELATIONS:
        return said
    guessed = (tag.split(":")[1] for tag in tags if tag.startswith("base_model:"))
    known = (each for each in guessed if each in RELATIONS)
    return next(known, "merge" if bases > 1 else "finetune")


def _repo_ids(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = (each.strip() for each in values if isinstance(each, str))
    by_name = {text.casefold(): text for text in texts if _REPO_ID.match(text)}
    return list(by_name.values())
