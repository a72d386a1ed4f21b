"""Having the hub find which commit of a branch made a model worse."""

from __future__ import annotations

from typing import Any

from hub.errors import BadInputError
from hub.gitstore import CommitInfo
from hub.models import Repository
from hub.policies import Actor
from training.actions.evaluating import is_taken_in
from training.actions.history import digests_of, distinct, first_parents
from training.actions.models import how_to_run
from training.actions.pinning import pin_benchmark
from training.actions.submitting import given, submit
from training.jobs.inputs import PinnedFile, model_files
from training.models import Run, RunKind
from training.policies import require_evaluation
from training.specs.gate import parse_reference

COMMITS_LIMIT = 2_000
VERSIONS_LIMIT = 512
ALPHA = 0.05
ALPHAS = (0.001, 0.2)


def submit_bisect(
    repository: Repository,
    actor: Actor,
    *,
    benchmark: str,
    good: str,
    bad: str = "",
    metric: str = "",
    alpha: float = ALPHA,
    title: str = "",
) -> Run:
    """Queue the search for the commit behind `good`, up to `bad`, that made `benchmark` worse.

    Both are revisions; `bad` is the default branch unless it is named, and `good` a commit that
    the branch stood at before. Only commits that changed the model count; all are pinned now.
    Raises:
        UnauthenticatedError, ForbiddenError, GatedRepositoryError: see `require_evaluation`.
        BadInputError and the not-found errors: the ends or the benchmark cannot be used.
        ThrottledError: too many runs are waiting.
    """
    store = repository.store()
    good_oid = store.resolve(good.strip())
    bad_oid = store.resolve(bad.strip() or repository.default_branch)
    is_proposal = not is_taken_in(repository, bad_oid)
    user = require_evaluation(actor, repository, is_proposal=is_proposal)
    if not ALPHAS[0] <= alpha <= ALPHAS[1]:
        raise BadInputError(f"alpha must lie between {ALPHAS[0]} and {ALPHAS[1]}.")
    versions, files = _versions(repository, good_oid, bad_oid)
    reference = parse_reference(benchmark, "benchmark")
    pinned, inputs = pin_benchmark(reference, actor, metric=metric or None)
    if not pinned.metric:
        raise BadInputError(f"{reference} has no metric to compare by.")
    models = [
        given(v["role"], repository, v["oid"], files[v["oid"]], digest=v["digest"])
        for v in versions
    ]
    spec = {
        "kind": "bisect",
        "good": good_oid,
        "bad": bad_oid,
        "alpha": alpha,
        "is_proposal": is_proposal,
        "versions_between": versions,
        "inputs": [*models, *inputs],
        "benchmarks": [pinned.to_json()],
        **how_to_run(repository, files[good_oid]),
    }
    return submit(
        repository,
        kind=RunKind.BISECT,
        by=user,
        title=title or f"Which commit made {pinned.label} worse?",
        spec=spec,
    )


def _versions(
    repository: Repository, good: str, bad: str
) -> tuple[list[dict[str, Any]], dict[str, list[PinnedFile]]]:
    """The versions from good to bad, the oldest first, and the files of each by commit."""
    chain = _chain(repository, good, bad)
    digests = digests_of(repository, [commit.oid for commit in chain])
    if not digests[good] or not digests[bad]:
        raise BadInputError("One of the two commits has no safetensors weights: name another.")
    found = distinct(reversed(chain), digests)
    if digests[good] == digests[bad]:
        raise BadInputError("Both commits have the same model files, so neither is worse.")
    if len(found) > VERSIONS_LIMIT:
        raise BadInputError(
            f"{len(found)} versions lie between the two, more than {VERSIONS_LIMIT}: name a later "
            "good one."
        )
    known: dict[tuple[str, str], PinnedFile] = {}
    files = {version.oid: model_files(repository.store(), version.oid, known) for version in found}
    rows = [
        {
            "role": f"c{place:02d}",
            "oid": version.oid,
            "digest": version.digest,
            "subject": version.subject[:200],
        }
        for place, version in enumerate(found)
    ]
    return rows, files


def _chain(repository: Repository, good: str, bad: str) -> list[CommitInfo]:
    """The commits from bad back to good, along what the branch stood at. Raises: BadInputError."""
    commits = first_parents(repository.store(), bad, limit=COMMITS_LIMIT)
    places = [place for place, commit in enumerate(commits) if commit.oid == good]
    if not places:
        raise BadInputError(
            f"{good[:7]} is not among the last {COMMITS_LIMIT} commits that the branch of "
            f"{bad[:7]} stood at: name an earlier commit of the same branch."
        )
    return commits[: places[0] + 1]
