"""Whether the numbers in a model's card are those that were measured here, at this very version.

Nothing that the card claims is believed: each number is held against stored results of the model
that the branch has now, and of those that it had before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings

from hub.errors import BadInputError, HubError
from hub.formats.card import parse_card
from hub.formats.model_index import ModelIndexResult, read_model_index
from hub.models import Repository
from training.actions.card_scores import DIGITS, SOURCE, card_scores, decided_scores
from training.actions.gate_rules import rule_at
from training.actions.history import digests_of
from training.actions.models import files_at
from training.jobs.inputs import model_digest
from training.models import Evaluation, GateRecord, HiddenFile
from training.specs.gate import parse_gate

NUMBERS_SHOWN = 200
EVALUATIONS_LOOKED_AT = 1_000
RECORDS_LOOKED_AT = 20
_RUN = re.compile(r"/runs/([0-9]{1,9})\Z")
Key = tuple[str, str, str]  # data set, benchmark, metric


class NumberState(StrEnum):
    VERIFIED = "verified"  # measured here, on the files that the branch has now
    EARLIER = "earlier"  # measured here, on files that the branch had before
    DIFFERS = "differs"  # measured here, and it was another number
    REPORTED = "reported"  # somebody says so


@dataclass(frozen=True)
class Measured:
    """A stored number: of which model, how it came about."""

    value: float
    model_digest: str
    run_number: int | None
    lower: float | None = None
    upper: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class CardNumber:
    """One number of a card, and what stored results say of it.

    `measured` is the stored number that it is, or that it should be. `claims_ours`: its source
    says that a gate of this hub measured it.
    """

    result: ModelIndexResult
    state: NumberState
    measured: Measured | None = None
    claims_ours: bool = False


def card_numbers(repository: Repository, oid: str = "") -> list[CardNumber]:
    """The numbers of the card at commit `oid`, else of the branch, each with where it stands."""
    oid = oid or repository.head_oid
    is_now = oid == repository.head_oid
    data = (repository.card_data or {}) if is_now else _card_data(repository, oid)
    results = read_model_index(data.get("model-index"))[:NUMBERS_SHOWN]
    if not results:
        return []
    now = model_digest_at(repository, oid)
    known = _known(repository, results)
    return [_standing(result, known.get(_key(result), []), now) for result in results]


def _card_data(repository: Repository, oid: str) -> dict[str, Any]:
    """The front matter at a commit; empty where there is none to read."""
    try:
        content = repository.store().read(oid, "README.md", limit_bytes=settings.CARD_LIMIT_BYTES)
    except HubError:
        return {}
    return parse_card(content, repository.kind).data


def model_digest_at(repository: Repository, oid: str) -> str:
    """The digest of the model at a commit, without weights too; empty without a commit."""
    if not oid:
        return ""
    return digests_of(repository, [oid])[oid] or model_digest(files_at(repository, oid))


def _key(result: ModelIndexResult) -> Key:
    metric = result.metric_name or result.metric_type
    return result.dataset_type.lower(), result.dataset_name, metric


def _standing(result: ModelIndexResult, known: Sequence[Measured], now: str) -> CardNumber:
    ours = (result.source_name or "").startswith(SOURCE)
    present = [each for each in known if each.model_digest == now]
    if (same := _equal(result, present)) is not None:
        return CardNumber(result, NumberState.VERIFIED, same, ours)
    if (earlier := _equal(result, known)) is not None:
        return CardNumber(result, NumberState.EARLIER, earlier, ours)
    if present:
        return CardNumber(result, NumberState.DIFFERS, present[0], ours)
    return CardNumber(result, NumberState.REPORTED, None, ours)


def _equal(result: ModelIndexResult, known: Iterable[Measured]) -> Measured | None:
    """The stored number that the card's is, as exactly as the card writes it."""
    value = result.metric_value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    digits = min(DIGITS, len(f"{value!r}".partition(".")[2]))
    for each in known:
        if abs(each.value - value) <= 0.5 * 10.0**-digits + 1e-12:
            return each
    return None


def _known(
    repository: Repository, results: Sequence[ModelIndexResult]
) -> dict[Key, list[Measured]]:
    """The stored numbers of everything that the card speaks of."""
    found: dict[Key, list[Measured]] = {}
    for key, measured in (*_recorded(repository, results), *_evaluated(repository, results)):
        found.setdefault(key, []).append(measured)
    return found


def _recorded(
    repository: Repository, results: Sequence[ModelIndexResult]
) -> Iterator[tuple[Key, Measured]]:
    """What the gates measured that the card names: all of it, and what they decided by."""
    named = {int(found[1]) for r in results if (found := _RUN.search(r.source_url or ""))}
    records = GateRecord.objects.filter(repository=repository.pk, run__number__in=named)
    records = records.select_related("run", "repository").defer("run__spec", "looks")
    for record in records.order_by("-pk")[:RECORDS_LOOKED_AT]:
        for score in (*card_scores(record), *decided_scores(record)):
            yield (
                (score.dataset.lower(), score.label, score.metric_label),
                Measured(
                    value=score.value,
                    model_digest=score.model_digest,
                    run_number=record.run.number,
                    lower=score.lower,
                    upper=score.upper,
                    n=score.n,
                ),
            )


def _evaluated(
    repository: Repository, results: Sequence[ModelIndexResult]
) -> Iterator[tuple[Key, Measured]]:
    """What other runs measured; of hidden benchmarks nothing, since these numbers are exact."""
    labels = {result.dataset_name for result in results}
    rows = Evaluation.objects.verified().filter(
        repository=repository.pk, benchmark__label__in=labels
    )
    rows = rows.exclude(benchmark__spec__hidden=True)
    rows = rows.select_related("benchmark__items_repository__namespace", "run")
    rows = rows.defer("run__spec", "benchmark__spec")
    hidden = _hidden(repository)
    for row in rows.order_by("-pk")[:EVALUATIONS_LOOKED_AT]:
        benchmark = row.benchmark
        if (benchmark.repository_id, benchmark.path) in hidden:
            continue
        for metric in benchmark.metrics:
            told = row.score_of(metric["name"])
            if told.get("value") is None:
                continue
            label = metric.get("label") or metric["name"]
            key = (benchmark.items_repository.repo_id.lower(), benchmark.label, label)
            number = row.run.number if row.run and row.run.repository_id == repository.pk else None
            yield (
                key,
                Measured(
                    value=told["value"],
                    model_digest=row.model_digest,
                    run_number=number,
                    lower=told.get("lower"),
                    upper=told.get("upper"),
                    n=row.item_count,
                ),
            )


def _hidden(repository: Repository) -> set[tuple[int, str]]:
    """The benchmarks that a rule of the model hides or hid, by data set and path."""
    hid = HiddenFile.objects.filter(model=repository.pk).values_list("repository", "path")
    found: set[tuple[int, str]] = set(hid)
    text = rule_at(repository, repository.head_oid) if repository.head_oid else None
    try:
        gate = parse_gate(text) if text else None
    except BadInputError:
        return found
    references = [each.reference for each in gate.benchmarks if each.hidden] if gate else []
    for reference in references:
        namespace, _slash, name = reference.repo_id.partition("/")
        rows = Repository.objects.filter(
            kind="dataset", namespace__slug__iexact=namespace, name__iexact=name
        )
        found |= {(pk, reference.path) for pk in rows.values_list("pk", flat=True)}
    return found
