"""The rule itself as a proposal changes it: what it becomes, and whether it can still be read."""

from __future__ import annotations

from typing import Any

from hub.errors import BadInputError, EntryNotFoundError, TooLargeError
from hub.extensions import Change
from hub.models import Repository
from training.specs.gate import GATE_PATH, GateConfig, parse_gate
from training.specs.gate_changes import rule_changes

GATE_LIMIT_BYTES = 64 * 1024
DELETED, UNREADABLE, CHANGED, FIRST = "deleted", "unreadable", "changed", "first"


def rule_at(repository: Repository, base_oid: str) -> bytes | None:
    """The gate's rule on the base commit, as it is written there; None when there is none.

    One that is too large is empty: a rule that cannot be read is no leave to merge.
    """
    try:
        return repository.store().read(base_oid, GATE_PATH, limit_bytes=GATE_LIMIT_BYTES)
    except EntryNotFoundError:
        return None
    except TooLargeError:
        return b""


def paths_of(repository: Repository, change: Change) -> list[str]:
    """What the change would change, looked up once."""
    if change.merge_tree is None:
        return []
    if "paths" not in change.memo:
        paths = repository.store().changed_paths(change.base_oid, change.merge_tree)
        change.memo["paths"] = list(paths)
    found: list[str] = change.memo["paths"]
    return found


def touches_rule(paths: list[str]) -> bool:
    return any(path.startswith(f"{GATE_PATH}/") or path == GATE_PATH for path in paths)


def rule_change(repository: Repository, change: Change) -> dict[str, Any] | None:
    """What becomes of the rule, as plain values; None where the change leaves it as it is.

    `kind` is deleted, unreadable (with its `problem`), changed or first (with its `changes`).
    """
    if change.merge_tree is None or not touches_rule(paths_of(repository, change)):
        return None
    before, after = (rule_at(repository, oid) for oid in (change.base_oid, change.merge_tree))
    if after is None:
        return {"kind": DELETED}
    try:
        config = parse_gate(after)
    except BadInputError as error:
        return {"kind": UNREADABLE, "problem": str(error)}
    changes = rule_changes(_read(before), config)
    kind = FIRST if before is None else CHANGED
    return {"kind": kind, "changes": [each.to_dict() for each in changes]}


def _read(rule: bytes | None) -> GateConfig | None:
    try:
        return None if rule is None else parse_gate(rule)
    except BadInputError:
        return None
