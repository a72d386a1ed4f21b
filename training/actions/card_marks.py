"""What becomes of the numbers in a card that a merge does not measure again.

Ours are those whose source says so. A proposal cannot change one: it is put back as the target
branch has it. One that the target branch does not have is no longer called ours. And if the model
changes, every one that is kept is marked as measured on an earlier version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hub.formats import eval_results
from hub.formats.card import model_index_errors
from hub.formats.model_index import identities
from training.actions.card_scores import SOURCE

EARLIER_SOURCE = f"{SOURCE}, earlier version"
# The last commit on whose model a number was measured.
MARK = "last_valid_commit"
SHORT = 12
Entry = dict[str, Any]


def is_ours(entry: Entry) -> bool:
    """Whether an entry claims to come from a gate of this hub."""
    source = entry.get("source")
    return isinstance(source, dict) and str(source.get("name", "")).startswith(SOURCE)


def is_marked(entry: Entry) -> bool:
    """Whether an entry of ours says that it belongs to an earlier version."""
    return is_ours(entry) and str(entry["source"]["name"]) == EARLIER_SOURCE


def revise_index(
    base: Any, *, base_oid: str, model_changes: bool
) -> Callable[[Entry], list[Entry]]:
    """How entries of a card's `model-index` are revised, from the one of the target branch."""
    known = [] if not base or model_index_errors(base) else base
    ours = {
        identity: _with_metrics(entry, [metric])
        for model in known
        for entry in model["results"]
        if is_ours(entry)
        for metric in entry["metrics"]
        for identity in identities(_with_metrics(entry, [metric]))
    }

    def revise(entry: Entry) -> list[Entry]:
        if not is_ours(entry):
            return [entry]
        kept: list[Entry] = []
        foreign = []
        for metric in entry["metrics"]:
            (identity,) = identities(_with_metrics(entry, [metric]))
            if identity in ours:
                same = ours[identity]
                kept.append(_marked_result(same, base_oid) if model_changes else same)
            else:
                foreign.append(metric)
        return [*_joined(kept), *([_with_metrics(_disowned(entry), foreign)] if foreign else [])]

    return revise


def _with_metrics(entry: Entry, metrics: list[Entry]) -> Entry:
    return {**entry, "metrics": metrics}


def _joined(entries: list[Entry]) -> list[Entry]:
    """Entries that differ in their metrics alone as one."""
    found: list[Entry] = []
    for entry in entries:
        same = (each for each in found if _with_metrics(each, []) == _with_metrics(entry, []))
        first = next(same, None)
        if first is None:
            found.append(_with_metrics(entry, list(entry["metrics"])))
        elif entry["metrics"][0] not in first["metrics"]:
            first["metrics"].extend(entry["metrics"])
    return found


def _marked_result(entry: Entry, base_oid: str) -> Entry:
    if is_marked(entry):
        return entry
    mark = {MARK: base_oid[:SHORT]}
    metrics = [{**each, "args": _args(each) | mark} for each in entry["metrics"]]
    return _with_metrics(_marked_source(entry), metrics)


def _args(metric: Entry) -> Entry:
    args = metric.get("args")
    return args if isinstance(args, dict) else {}


def _marked_source(entry: Entry) -> Entry:
    return {**entry, "source": {**entry["source"], "name": EARLIER_SOURCE}}


def _disowned(entry: Entry) -> Entry:
    """The entry without its source: a number that somebody reports."""
    return {key: value for key, value in entry.items() if key != "source"}


def revise_file(
    base: Iterable[Entry], *, base_oid: str, model_changes: bool
) -> Callable[[Entry], Entry]:
    """How entries of `.eval_results/*.yaml` are revised, from those of the target branch."""
    ours = {eval_results.identity(entry): entry for entry in base if is_ours(entry)}

    def revise(entry: Entry) -> Entry:
        if not is_ours(entry):
            return entry
        same = ours.get(eval_results.identity(entry))
        if same is None:
            return _disowned(entry)
        return _marked_entry(same, base_oid) if model_changes else same

    return revise


def _marked_entry(entry: Entry, base_oid: str) -> Entry:
    if is_marked(entry):
        return entry
    told = f"of an earlier version, last valid at {base_oid[:SHORT]}"
    notes = f"{entry['notes']}; {told}" if entry.get("notes") else told
    return _marked_source(entry) | {"notes": notes}
