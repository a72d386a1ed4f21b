"""What becomes of the numbers in a card that a merge does not measure again.

Ours are those whose source says so. A proposal cannot change one: it is put back as the target
branch has it. One that the target branch does not have is no longer called ours. And if the model
changes, every one that is kept is marked as measured on an earlier version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from hub.formats import eval_results
from hub.formats.card import model_index_errors
from hub.formats.model_index import identities
from hub.models import Kind, Repository, Visibility
from training.actions.card_scores import METRIC_TYPES, SOURCE, CardScore

EARLIER_SOURCE = f"{SOURCE}, earlier version"
# The last commit on whose model a number was measured.
MARK = "last_valid_commit"
SHORT = 12
Entry = dict[str, Any]


def is_ours(entry: Entry) -> bool:
    """Whether an entry claims to come from a gate of this hub."""
    source = entry.get("source")
    name = str(source.get("name", "")) if isinstance(source, dict) else ""
    return name.strip().casefold().startswith(SOURCE.casefold())


def is_marked(entry: Entry) -> bool:
    """Whether an entry of ours says that it belongs to an earlier version."""
    return is_ours(entry) and str(entry["source"]["name"]) == EARLIER_SOURCE


# What clients read as "somebody has checked this number", beside the value or the entry.
CLAIMS = ("verified", "verifyToken", "verify_token")
NAMES_LIMIT = 400
SELF_REPORTED = "self-reported, not measured by this hub"


@dataclass(frozen=True)
class Known:
    """What this hub has a word of its own on, all in lower case.

    `datasets` hold benchmarks of this hub, `labels` are the benchmarks that the merge writes of,
    `metrics` has (data set, benchmark, metric) of what it writes, by the names that cards give.
    """

    datasets: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    metrics: frozenset[tuple[str, str, str]] = frozenset()

    def has(self, dataset: Any, name: Any) -> bool:
        """Whether it is a benchmark of this hub, so that only our own word verifies a number."""
        return _lower(dataset) in self.datasets or _lower(name).partition("/")[0] in self.labels

    def measured(self, dataset: Any, name: Any, metric: Any) -> bool:
        """Whether the merge writes its own number for the metric that a card calls so."""
        return (_lower(dataset), _lower(name), _lower(metric)) in self.metrics

    def writes(self, dataset: Any, task: Any) -> bool:
        """Whether the merge writes numbers of this task of a data set."""
        place = _lower(dataset), _lower(task).partition("/")[0]
        return any(each[:2] == place for each in self.metrics)


_NOTHING = Known()


def _lower(value: Any) -> str:
    return str(value or "").strip().lower()


def known_of(repository: Repository, datasets: Iterable[str], scores: Iterable[CardScore]) -> Known:
    """What this hub knows of the data sets that the card of a model names: of public ones, and of
    those beside the model."""
    names = sorted({_lower(name) for name in datasets if _lower(name).count("/") == 1})
    wanted = Q(pk__in=[])
    for owner, _slash, name in (each.partition("/") for each in names[:NAMES_LIMIT]):
        wanted |= Q(namespace__slug__iexact=owner, name__iexact=name)
    near = Q(visibility=Visibility.PUBLIC) | Q(namespace=repository.namespace_id)
    held = Q(benchmarks__isnull=False) | Q(item_benchmarks__isnull=False)
    rows = Repository.objects.filter(wanted, near, held, kind=Kind.DATASET).distinct()
    written = list(scores)
    found = {row.repo_id.lower() for row in rows.select_related("namespace")} if names else set()
    return Known(
        frozenset(found | {score.dataset.lower() for score in written}),
        frozenset(score.label.lower() for score in written),
        frozenset(
            (score.dataset.lower(), score.label.lower(), called.lower())
            for score in written
            for called in _names_of(score)
        ),
    )


def _names_of(score: CardScore) -> set[str]:
    """What cards call the metric; of two that share a type, the first is meant by it."""
    own = {score.metric, score.metric_label}
    return own | {METRIC_TYPES.get(score.metric, score.metric)} if score.is_primary else own


def _unclaimed(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key not in CLAIMS}


def _honest(entry: Entry, known: Known) -> list[Entry]:
    """An entry that somebody wrote. Of a benchmark of this hub its numbers lose what says that
    they are verified, and give way to those that the merge writes of the same metric."""
    dataset = entry["dataset"]
    if not known.has(dataset.get("type"), dataset.get("name")):
        return [entry]
    kept = [
        _unclaimed(metric)
        for metric in entry["metrics"]
        if not known.measured(
            dataset.get("type"), dataset.get("name"), metric.get("name") or metric.get("type")
        )
    ]
    return [_with_metrics(_unclaimed(entry), kept)] if kept else []


def revise_index(
    base: Any, *, base_oid: str, model_changes: bool, known: Known = _NOTHING
) -> Callable[[Entry], list[Entry]]:
    """How entries of a card's `model-index` are revised, from the one of the target branch."""
    there = [] if not base or model_index_errors(base) else base
    ours = {
        identity: _with_metrics(entry, [metric])
        for model in there
        for entry in model["results"]
        if is_ours(entry)
        for metric in entry["metrics"]
        for identity in identities(_with_metrics(entry, [metric]))
    }

    def revise(entry: Entry) -> list[Entry]:
        if not is_ours(entry):
            return _honest(entry, known)
        kept: list[Entry] = []
        foreign = []
        for metric in entry["metrics"]:
            (identity,) = identities(_with_metrics(entry, [metric]))
            if identity in ours:
                same = ours[identity]
                kept.append(_marked_result(same, base_oid) if model_changes else same)
            else:
                foreign.append(metric)
        others = _honest(_with_metrics(_disowned(entry), foreign), known) if foreign else []
        return [*_joined(kept), *others]

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
    base: Iterable[Entry], *, base_oid: str, model_changes: bool, known: Known = _NOTHING
) -> Callable[[Entry], Entry | None]:
    """How entries of `.eval_results/*.yaml` are revised, from those of the target branch; None
    where one gives way to a number that the merge writes."""
    ours = {eval_results.identity(entry): entry for entry in base if is_ours(entry)}

    def revise(entry: Entry) -> Entry | None:
        if not is_ours(entry):
            return _honest_entry(entry, known)
        same = ours.get(eval_results.identity(entry))
        if same is None:
            return _honest_entry(_disowned(entry), known)
        return _marked_entry(same, base_oid) if model_changes else same

    return revise


def _honest_entry(entry: Entry, known: Known) -> Entry | None:
    dataset, task = eval_results.identity(entry)
    if not known.has(dataset, task):
        return entry
    if known.writes(dataset, task):
        return None
    kept = _unclaimed(entry)
    if isinstance(kept["dataset"], dict):
        kept["dataset"] = _unclaimed(kept["dataset"])
    # A source is what clients show as proof of a number; it stays, as somebody's own word.
    notes = str(kept.get("notes") or "")
    return kept if SELF_REPORTED in notes else kept | {
        "notes": f"{notes}; {SELF_REPORTED}" if notes else SELF_REPORTED
    }  # fmt: skip


def _marked_entry(entry: Entry, base_oid: str) -> Entry:
    if is_marked(entry):
        return entry
    told = f"of an earlier version, last valid at {base_oid[:SHORT]}"
    notes = f"{entry['notes']}; {told}" if entry.get("notes") else told
    return _marked_source(entry) | {"notes": notes}
