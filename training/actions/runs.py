"""What people ask of runs: start a fine-tune, stop a run, have one again."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from hub.errors import (
    BadInputError,
    ConflictError,
    EntryNotFoundError,
    RevisionNotFoundError,
)
from hub.formats.bounded_yaml import dump_yaml
from hub.models import Repository
from hub.policies import Actor
from training.actions.evaluating import require_same_evaluation
from training.actions.gates import start_gate
from training.actions.models import how_to_run
from training.actions.submitting import given, submit
from training.jobs import sweep
from training.jobs.environment import library_versions, thread_count
from training.jobs.inputs import files_of, model_digest, model_files, pin_file
from training.models import Run, RunKind, RunStatus
from training.policies import get_data, require_finetune, require_stop
from training.specs.recipe import Recipe, parse_recipe, read_recipe

RECIPE_LIMIT_BYTES = 64 * 1024
RUNS_LOOKED_AT = 50


def recipe_paths(repository: Repository) -> list[str]:
    """The recipes at the head of the default branch."""
    store = repository.store()
    head = store.branch_head(repository.default_branch)
    if head is None:
        return []
    try:
        entries = store.tree(head, "recipes")
    except EntryNotFoundError:
        return []
    return [e.path for e in entries if e.kind == "file" and e.path.endswith((".yaml", ".yml"))]


def taught_with(repository: Repository) -> set[int]:
    """The keys of the data sets that fine-tunes of this model have read."""
    rows = Run.objects.filter(
        repository=repository.pk, kind=RunKind.FINETUNE, status=RunStatus.SUCCEEDED
    )
    inputs = rows.order_by("-number").values_list("spec__inputs", flat=True)[:RUNS_LOOKED_AT]
    return {each["repository_id"] for given in inputs for each in given if each["role"] == "data"}


def submit_finetune(
    repository: Repository,
    actor: Actor,
    *,
    recipe_path: str = "",
    recipe: dict[str, Any] | None = None,
    revision: str = "",
    title: str = "",
) -> Run:
    """Queue a fine-tune of `repository` by one of its recipes, or by the values of a form.

    Every input is resolved to digests now; what moves later does not change the run. A recipe
    from a form is committed with the result, never to the branch itself.
    Raises:
        UnauthenticatedError, ForbiddenError: see `policies.require_finetune`.
        BadInputError: the recipe cannot be used; the sentence names the key.
        RepositoryNotFoundError, EntryNotFoundError, RevisionNotFoundError: an input is missing.
        ThrottledError: too many runs are waiting.
    """
    user = require_finetune(actor, repository)
    branch = revision or repository.default_branch
    base_oid = repository.store().branch_head(branch)
    if base_oid is None:
        raise RevisionNotFoundError(f"{repository.repo_id} has no branch “{branch}”: name one.")
    path, text, read = _read(repository, base_oid, recipe_path, recipe, title)
    spec = _spec(repository, actor, base_oid, branch, read)
    spec |= {"recipe_path": path, "recipe_text": text}
    title = " ".join(title.split()) or read.description or f"Fine-tune with {path}"
    return submit(repository, kind=RunKind.FINETUNE, by=user, title=title, spec=spec)


def _read(
    repository: Repository,
    base_oid: str,
    path: str,
    values: dict[str, Any] | None,
    title: str,
) -> tuple[str, str, Recipe]:
    """Path, text and content of the recipe."""
    if bool(path) == (values is not None):
        raise BadInputError("Give either recipe_path or recipe: one recipe makes one run.")
    if values is not None:
        recipe = read_recipe(values)
        return f"recipes/{slugify(title)[:60] or 'recipe'}.yaml", recipe_text(recipe), recipe
    try:
        content = repository.store().read(base_oid, path, limit_bytes=RECIPE_LIMIT_BYTES)
    except EntryNotFoundError:
        known = ", ".join(recipe_paths(repository)) or "none"
        raise EntryNotFoundError(f"There is no recipe {path}; the recipes are: {known}.") from None
    return path, content.decode("utf-8", "replace"), parse_recipe(content, place=path)


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML with the keys that say something."""
    return dump_yaml(_said(recipe.to_dict()))


def _said(values: dict[str, Any]) -> dict[str, Any]:
    cut = {key: _said(value) if isinstance(value, dict) else value for key, value in values.items()}
    return {key: value for key, value in cut.items() if value not in (None, "", {}, [])}


def _spec(
    repository: Repository, actor: Actor, base_oid: str, branch: str, recipe: Recipe
) -> dict[str, Any]:
    """All that the run depends on, by digest."""
    if recipe.base.repo_id not in (None, repository.repo_id):
        raise BadInputError(
            f"The recipe's base is {recipe.base.repo_id}: start it on that model's own page."
        )
    store = repository.store()
    commit = store.resolve(recipe.base.revision) if recipe.base.revision else base_oid
    files = model_files(store, commit)
    if not any(file.path.endswith(".safetensors") for file in files):
        raise BadInputError(
            f"{repository.repo_id} has no safetensors weights at {commit[:7]}: upload them first."
        )
    more = {"digest": model_digest(files), "tree": store.tree_oid(commit)}
    return {
        "kind": "finetune",
        "target_branch": branch,
        "inputs": [
            given("model", repository, commit, files, **more),
            _data(repository, actor, recipe),
        ],
        "recipe": recipe.to_dict(),
        "recipe_digest": recipe.digest,
        "seed": recipe.settings.get("seed", 42),
        "settings": {"threads": thread_count(), "device": "cpu"},
        "versions": library_versions(),
    }


def _data(repository: Repository, actor: Actor, recipe: Recipe) -> dict[str, Any]:
    data = get_data(actor, recipe.dataset.repo_id)
    store = data.store()
    commit = store.resolve(recipe.dataset.revision or data.default_branch)
    try:
        file = pin_file(store, commit, recipe.dataset.file)
    except EntryNotFoundError:
        raise EntryNotFoundError(
            f"The data set {data.repo_id} has no file {recipe.dataset.file}: name one that it has."
        ) from None
    return given("data", data, commit, [file])


@transaction.atomic
def cancel_run(run: Run, actor: Actor) -> None:
    """Ask a live run to stop: a waiting one ends now, one at work within 10 seconds.

    Raises: UnauthenticatedError, ForbiddenError; ConflictError when it has ended.
    """
    require_stop(actor, run)
    live = Run.objects.filter(pk=run.pk).live()
    if live.update(cancel_requested_at=timezone.now()) != 1:
        raise ConflictError(f"Run {run.number} has ended already.")
    sweep.settle_cancelled(Run.objects.filter(pk=run.pk))


def run_again(run: Run, actor: Actor) -> Run:
    """Queue the same work once more: a fine-tune on the same pinned inputs, a gate on what the
    pull request is now.

    Raises: what `submit_finetune` and `start_gate` raise; ConflictError while it is live.
    """
    if not run.is_final:
        raise ConflictError(f"Run {run.number} has not ended yet: wait, or cancel it.")
    if run.kind == RunKind.COMPARE:
        return start_gate(run.repository, run.pull_request_number or 0, actor)
    if run.kind in (RunKind.EVALUATE, RunKind.BISECT, RunKind.QUICK):
        return _measure_again(run, actor)
    user = require_finetune(actor, run.repository)
    for data in run.inputs("data"):
        get_data(actor, data["source"])
    spec = run.spec | {"versions": library_versions()}
    return submit(run.repository, kind=RunKind.FINETUNE, by=user, title=run.title, spec=spec)


def _measure_again(run: Run, actor: Actor) -> Run:
    """The same measurement with the libraries of now: what is known is not computed anew."""
    user = require_same_evaluation(run, actor)
    # A search and a quick look read several models: all are run as the first one is.
    role = run.spec["inputs"][0]["role"]
    spec = run.spec | how_to_run(run.repository, files_of(run.inputs(role)[0]))
    return submit(
        run.repository,
        kind=RunKind(run.kind),
        by=user,
        title=run.title,
        spec=spec,
        pull_request_number=run.pull_request_number,
    )
