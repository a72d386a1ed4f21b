"""What a merge writes down: the measured scores, in the card and in `.eval_results/`."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from hub.errors import EntryNotFoundError, TooLargeError
from hub.extensions import Change
from hub.formats.errors import CardError
from hub.formats.eval_results import EvalResultEntry, dump_eval_results, eval_results_path
from hub.formats.model_index import ModelIndexResult, with_model_index
from hub.models import Repository
from training.actions.standing import standing_of
from training.models import GateRecord

CARD = "README.md"
CARD_LIMIT_BYTES = 1024**2
Result = dict[str, Any]


def merge_files(repository: Repository, change: Change) -> dict[str, bytes]:
    """Files that the merge commit adds or replaces, by path; none without a measured verdict."""
    standing = standing_of(repository, change)
    record = standing.record if standing else None
    if record is None or change.merge_tree is None:
        return {}
    measured = [result for result in record.results if result.get("candidate_score") is not None]
    if not measured:
        return {}
    sources = _names(measured)
    files = {
        eval_results_path(result["reference"]): dump_eval_results([_entry(result, record, sources)])
        for result in measured
    }
    card = _card(repository, change.merge_tree, measured, record, sources)
    return files if card is None else files | {CARD: card}


def _names(results: list[Result]) -> dict[int, str]:
    """The data sets that hold the items, by key."""
    rows = Repository.objects.filter(pk__in={r["items_repository_id"] for r in results})
    return {row.pk: row.repo_id for row in rows.select_related("namespace")}


def _dataset(result: Result, names: dict[int, str]) -> str:
    """The data set with the items; the benchmark's own name when it is gone."""
    return names.get(result["items_repository_id"]) or str(result["reference"])


def _card(
    repository: Repository, tree: str, results: list[Result], record: GateRecord, names: Any
) -> bytes | None:
    """The README of the merge result with the scores; None when it cannot be kept safely."""
    try:
        readme = repository.store().read(tree, CARD, limit_bytes=CARD_LIMIT_BYTES)
    except EntryNotFoundError:
        readme = f"# {repository.name}\n".encode()
    except TooLargeError:
        return None
    try:
        return with_model_index(
            readme,
            [_index_result(result, record, names) for result in results],
            model_name=repository.name,
        )
    except CardError:
        return None


def _index_result(result: Result, record: GateRecord, names: dict[int, str]) -> ModelIndexResult:
    return ModelIndexResult(
        task_type="text-generation",
        dataset_type=_dataset(result, names),
        dataset_name=result["label_text"],
        dataset_split=result["split"].rpartition("/")[2].partition(".")[0],
        dataset_revision=result["items_commit"],
        metric_type="accuracy",
        metric_name=result["metric"],
        metric_value=round(result["candidate_score"], 6),
        source_name="Weighbridge gate",
        source_url=record.run.repository.public_url() + f"/runs/{record.run.number}",
    )


def _entry(result: Result, record: GateRecord, names: dict[int, str]) -> EvalResultEntry:
    return EvalResultEntry(
        dataset_id=_dataset(result, names),
        task_id=result["label_text"],
        value=round(result["candidate_score"], 6),
        dataset_revision=result["items_commit"],
        date=timezone.localdate(record.created_at).isoformat(),
        source_url=record.run.repository.public_url() + f"/runs/{record.run.number}",
        source_name="Weighbridge gate",
        notes=f"n={result['n']}, pull request {record.pull_request_number}",
    )
