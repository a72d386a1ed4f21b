"""Two revisions, of one repository or of two: their files, settings, tokenizers and tensors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.actions.file_texts import FileTexts
from hub.actions.readings import Reading, reading
from hub.actions.tensor_heads import Head, head_of_model
from hub.errors import BadInputError, EntryNotFoundError, HubError
from hub.extensions import ComparedSide
from hub.formats.bounded_json import load_json
from hub.formats.module_tree import HeadTensor
from hub.gitstore import Entry, FileDiff, GitStore
from hub.models import Kind, RepoId
from hub.policies import Actor, get_repository, require_files

SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "adapter_config.json",
)
SETTINGS_LIMIT_BYTES = 512 * 1024
KEYS_SHOWN = 150
TOKENS_SHOWN = 120
TENSORS_SHOWN = 150
FILES_SHOWN = 200
VALUE_CHARACTERS = 300
TEXT_CHARACTERS = 400


def read_side(actor: Actor, text: str) -> ComparedSide:
    """`[datasets/]namespace/name[@revision]`, where the reader may see the files.

    Raises: BadInputError; RepositoryNotFoundError; GatedRepositoryError; RevisionNotFoundError.
    """
    name, _at, revision = text.strip()[:TEXT_CHARACTERS].partition("@")
    kind = Kind.MODEL
    for each in Kind:
        if each.web_prefix and name.startswith(each.web_prefix):
            kind, name = each, name.removeprefix(each.web_prefix)
    if name.count("/") != 1:
        raise BadInputError("Name each side as namespace/name@revision.")
    repository = get_repository(actor, RepoId.parse(kind, name))
    require_files(actor, repository)
    revision = revision or repository.default_branch
    return ComparedSide(repository, revision, repository.store().resolve(revision))


def file_changes(
    base: ComparedSide, candidate: ComparedSide, *, limit_files: int, limit_bytes: int
) -> list[FileDiff]:
    """The changed files, with lines while `limit_bytes` last; of one repository or across two."""
    store, other = base.repository.store(), candidate.repository.store()
    return store.diff_with(
        other,
        base.oid,
        candidate.oid,
        limit_files=limit_files,
        limit_bytes=limit_bytes,
        text_of=FileTexts(base.repository, candidate.repository),
    )


# Settings ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyChange:
    """A key whose values differ; None where one side has no such key."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class SettingsChange:
    """One file of settings; `problem` says why its keys are not compared."""

    path: str
    keys: Sequence[KeyChange] = ()
    more: int = 0
    problem: str = ""


def settings_changes(base: ComparedSide, candidate: ComparedSide) -> list[SettingsChange]:
    """The settings that differ, file by file; files that are the same are left out."""
    found = []
    for path in SETTINGS:
        old, new = (_entry(side, path) for side in (base, candidate))
        if (old and old.oid) == (new and new.oid):
            continue
        try:
            before, after = _values(base, old), _values(candidate, new)
        except HubError as error:
            found.append(SettingsChange(path, problem=str(error)))
            continue
        keys = [
            KeyChange(key, before.get(key), after.get(key))
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]
        if keys:
            more = max(0, len(keys) - KEYS_SHOWN)
            found.append(SettingsChange(path, keys[:KEYS_SHOWN], more))
    return found


def _entry(side: ComparedSide, path: str) -> Entry | None:
    try:
        found: Entry = side.repository.store().entry(side.oid, path)
    except EntryNotFoundError:
        return None
    return found if found.kind == "file" else None


def _values(side: ComparedSide, entry: Entry | None) -> dict[str, str]:
    if entry is None:
        return {}
    store: GitStore = side.repository.store()
    content = store.read(side.oid, entry.path, limit_bytes=SETTINGS_LIMIT_BYTES)
    value = load_json(content, max_bytes=SETTINGS_LIMIT_BYTES)
    return dict(_flat(value, "")) if isinstance(value, dict) else {"": _short(value)}


def _flat(value: Mapping[str, Any], above: str) -> list[tuple[str, str]]:
    """(dotted key, value as JSON) of every value that is no object."""
    found: list[tuple[str, str]] = []
    for key, held in value.items():
        path = f"{above}.{key}" if above else key
        found += _flat(held, path) if isinstance(held, dict) and held else [(path, _short(held))]
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]}…"


# Tokenizers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenizerChange:
    """What differs between two tokenizers; `facts` are (name, before, after)."""

    state: str = "changed"  # or "same", "coming", "problem", "added", "removed"
    problem: str = ""
    facts: Sequence[tuple[str, Any, Any]] = ()
    added: Sequence[tuple[int, str]] = ()
    added_count: int = 0
    removed: Sequence[tuple[int, str]] = ()
    removed_count: int = 0
    moved: int = 0  # tokens with another id


def tokenizer_change(base: ComparedSide, candidate: ComparedSide) -> TokenizerChange | None:
    """None where neither side has a tokenizer.json."""
    entries = [_entry(side, "tokenizer.json") for side in (base, candidate)]
    old, new = entries
    if old is None or new is None:
        return None if old is new else TokenizerChange("added" if old is None else "removed")
    if old.oid == new.oid:
        return TokenizerChange("same")
    both = [
        reading(side.repository, side.oid, entry, "tokenizer")
        for side, entry in ((base, old), (candidate, new))
    ]
    if problem := next((each.problem for each in both if each.problem), ""):
        return TokenizerChange("problem", problem)
    if any(each.is_coming for each in both):
        return TokenizerChange("coming")
    return _tokenizers(*both)


def _tokenizers(before: Reading, after: Reading) -> TokenizerChange:
    old = {token: number for number, token in before.told["tokens"]}
    new = {token: number for number, token in after.told["tokens"]}
    added = sorted((number, token) for token, number in new.items() if token not in old)
    removed = sorted((number, token) for token, number in old.items() if token not in new)
    return TokenizerChange(
        facts=list(_facts(before.told["facts"], after.told["facts"])),
        added=added[:TOKENS_SHOWN],
        added_count=len(added),
        removed=removed[:TOKENS_SHOWN],
        removed_count=len(removed),
        moved=sum(old[token] != number for token, number in new.items() if token in old),
    )


def _facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    plain = (
        "type",
        "vocabulary",
        "merges",
        "unknown",
        "added_count",
        "special_count",
        "truncation",
    )
    pairs = [(name, old[name], new[name]) for name in plain]
    pairs += [
        (name, " → ".join(old["parts"][name]), " → ".join(new["parts"][name]))
        for name in old["parts"]
    ]
    return [pair for pair in pairs if pair[1] != pair[2]]


# Tensors -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorChange:
    """A tensor that one side has not, or that has another shape or type there."""

    name: str
    kind: str  # added, removed, reshaped, retyped
    before: HeadTensor | None
    after: HeadTensor | None


@dataclass(frozen=True)
class HeadsChange:
    """Two models by their headers. `counts` has how many tensors of each kind; all are counted."""

    before: Head | None
    after: Head | None
    rows: Sequence[TensorChange] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    parameters: tuple[int, int] = (0, 0)

    @property
    def is_coming(self) -> bool:
        return any(head is not None and head.is_coming for head in (self.before, self.after))

    @property
    def problem(self) -> str:
        heads = (self.before, self.after)
        return next((head.problem for head in heads if head is not None and head.problem), "")


def tensor_changes(base: ComparedSide, candidate: ComparedSide) -> HeadsChange | None:
    """None where neither side has tensors that are read here."""
    before, after = (head_of_model(side.repository, side.oid) for side in (base, candidate))
    if before is None and after is None:
        return None
    change = HeadsChange(before, after)
    if change.is_coming or change.problem:
        return change
    old, new = _by_name(before), _by_name(after)
    rows = [
        TensorChange(name, kind, old.get(name), new.get(name))
        for name in {**old, **new}
        if (kind := _kind(old.get(name), new.get(name)))
    ]
    return HeadsChange(
        before,
        after,
        rows=rows[:TENSORS_SHOWN],
        counts=Counter(row.kind for row in rows)
        | Counter({"same": len({**old, **new}) - len(rows)}),
        parameters=(_parameters(old), _parameters(new)),
    )


def _by_name(head: Head | None) -> dict[str, HeadTensor]:
    return {tensor.name: tensor for tensor in head.tensors} if head else {}


def _kind(old: HeadTensor | None, new: HeadTensor | None) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old.shape != new.shape:
        return "reshaped"
    return "retyped" if old.dtype != new.dtype else ""


def _parameters(tensors: Mapping[str, HeadTensor]) -> int:
    return sum(tensor.parameters for tensor in tensors.values())
