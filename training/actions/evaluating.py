"""Having a revision of a model measured on benchmarks: from a page, the API, or a recipe."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from hub.errors import BadInputError, HubError
from hub.extensions import Change
from hub.models import Kind, Repository, User
from hub.policies import Actor, repository_by_key
from training.actions.history import digests_of
from training.actions.models import files_at, how_to_run, model_input
from training.actions.pinning import pin_all
from training.actions.submitting import submit
from training.jobs.inputs import model_digest
from training.models import Evaluation, Run, RunKind
from training.policies import get_data, require_evaluation
from training.specs.gate import BenchmarkReference, parse_reference

log = structlog.get_logger(__name__)
BENCHMARKS_LIMIT = 20
BRANCHES_LOOKED_AT = 100


def submit_evaluation(
    repository: Repository,
    actor: Actor,
    *,
    benchmarks: Sequence[str],
    revision: str = "",
    title: str = "",
    pull_request_number: int | None = None,
    was_made_here: bool = False,
) -> Run:
    """Queue the measurement of `revision` (branch, tag, commit or refs/pr/N) on `benchmarks`.

    Each is written `namespace/name:path.yaml`, with `@revision` behind it to pin one. All is
    resolved to digests now; what has been measured before is not measured again. `was_made_here`:
    a run of this hub has made the files, so nobody need vouch for them.
    Raises:
        UnauthenticatedError, ForbiddenError, GatedRepositoryError: see `require_evaluation`.
        BadInputError and the not-found errors: a benchmark or the revision cannot be used.
        ThrottledError: too many runs are waiting.
    """
    wanted = revision.strip() or repository.default_branch
    oid = repository.store().resolve(wanted)
    is_proposal = not was_made_here and not is_taken_in(repository, oid)
    user = require_evaluation(actor, repository, is_proposal=is_proposal)
    references = _references(benchmarks)
    files = files_at(repository, oid)
    if not any(file.path.endswith(".safetensors") for file in files):
        raise BadInputError(
            f"{repository.repo_id} has no safetensors weights at {oid[:7]}: upload them first."
        )
    model, _digest = model_input("model", repository, oid)
    pinned, inputs = pin_all([(reference, None) for reference in references], actor)
    spec = {
        "kind": "evaluate",
        "revision": wanted,
        "is_proposal": is_proposal,
        "inputs": [model, *inputs],
        "benchmarks": [each.to_json() for each in pinned],
        **how_to_run(repository, files),
    }
    labels = ", ".join(each.label for each in pinned)
    return submit(
        repository,
        kind=RunKind.EVALUATE,
        by=user,
        title=title or f"{labels} at {oid[:7] if wanted == oid else wanted}",
        spec=spec,
        pull_request_number=pull_request_number,
    )


def is_taken_in(repository: Repository, oid: str) -> bool:
    """Whether a commit lies on a branch or tag, so that somebody with write access put it there."""
    store = repository.store()
    heads = [ref.oid for ref in store.refs() if ref.name.startswith(("refs/heads/", "refs/tags/"))]
    return any(store.is_ancestor(oid, head) for head in heads[:BRANCHES_LOOKED_AT])


def _references(benchmarks: Sequence[str]) -> list[BenchmarkReference]:
    written = list(dict.fromkeys(text.strip() for text in benchmarks if text.strip()))
    if not 1 <= len(written) <= BENCHMARKS_LIMIT:
        raise BadInputError(f"Name 1 to {BENCHMARKS_LIMIT} benchmarks to measure with.")
    return [parse_reference(text, "benchmarks") for text in written]


def evaluate_proposed(repository: Repository, change: Change, user: User | None) -> Run | None:
    """Measure what a fine-tune has just proposed, where its recipe asks for it.

    None where it does not, where the head is not the run's own, or where it cannot start: the
    person may have lost the right meanwhile, or have too many runs waiting.
    """
    run = Run.objects.filter(
        repository=repository, kind=RunKind.FINETUNE, pull_request_number=change.number
    ).order_by("-number").first()  # fmt: skip
    if run is None or run.result.get("commit") != change.head_oid:
        return None
    wanted = run.spec["recipe"].get("evaluate") or []
    if not wanted:
        return None
    by = Actor(run.created_by)
    held = repository_by_key(by, repository.pk)
    if held is None:
        return None
    try:
        return submit_evaluation(
            held,
            by,
            benchmarks=wanted,
            revision=change.head_oid,
            pull_request_number=change.number,
            was_made_here=True,
        )
    except HubError as error:
        log.info("evaluation.not_started", number=change.number, reason=str(error))
        return None


def require_same_evaluation(run: Run, actor: Actor) -> User:
    """The person who may have an earlier measurement once more: it reads the same data sets.

    Raises: what `require_evaluation` and `get_data` raise.
    """
    user = require_evaluation(actor, run.repository, is_proposal=bool(run.spec.get("is_proposal")))
    for role in ("benchmark", "items"):
        for given in run.inputs(role):
            get_data(actor, given["source"])
    return user


def name_merged(repository: Repository, change: Change, merge_oid: str) -> None:
    """What the gates of a change measured of its merge result, a tree then, has the merge commit as
    its revision, where that holds the very same model."""
    if not merge_oid or repository.kind != Kind.MODEL:
        return
    digest = digests_of(repository, [merge_oid])[merge_oid] or model_digest(
        files_at(repository, merge_oid)
    )
    rows = Evaluation.objects.filter(repository=repository.pk, model_digest=digest)
    of_gates = rows.filter(run__kind=RunKind.COMPARE, run__pull_request_number=change.number)
    keys = list(of_gates.values_list("pk", flat=True))
    Evaluation.objects.filter(pk__in=keys).update(revision=merge_oid)
