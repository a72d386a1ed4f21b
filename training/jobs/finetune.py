"""Fine-tunes: train in the sandbox, commit the adapter with its card, open a pull request."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import transaction

from hub import extensions
from hub.actions import large_files
from hub.actions.commits import author_of
from hub.errors import EntryNotFoundError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.formats.errors import FormatError
from hub.formats.safetensors_header import read_header
from hub.gitstore import AddFile, AddPointer, Operation
from hub.jobs.working import ClaimLostError
from hub.models import Repository
from hub.policies import Actor
from training.jobs.cards import FinetuneFacts, with_finetune
from training.jobs.errors import RunFailedError
from training.jobs.finishing import finish
from training.jobs.inputs import files_of, lay_out, open_pinned
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.sandboxed import RunnerJob
from training.jobs.workspace import Workspace
from training.models import Run, RunStatus
from training.policies import still_allowed
from training.sandbox import OutputRefusedError, open_output
from training.specs.recipe import Recipe, read_recipe
from training.specs.sampling import read_json_lines, select_rows

CARD = "README.md"
CARD_LIMIT_BYTES = 1024**2
CONFIG_LIMIT_BYTES = 1024**2
ADAPTER_LIMIT_BYTES = 20 * 1024**3
# Checkpoints a run makes when its recipe does not say how often: one fifth is lost at most.
CHECKPOINTS = 5
SAVE_STEPS_AT_MOST = 50


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Train what the spec says and propose the result as the person who asked for it."""
    run = lease.run
    recipe = read_recipe(run.spec["recipe"])
    job, mounts = _prepare(run, recipe, workspace)
    summary = RunnerJob(lease, workspace, recorder).run(job, mounts)
    lease.check()
    operations, files = _outputs(run, workspace)
    result = {"training": summary, "files": files}
    head_oid = _commit(run, operations, summary)
    _propose(run, head_oid, result)


def _prepare(
    run: Run, recipe: Recipe, workspace: Workspace
) -> tuple[dict[str, Any], dict[str, Path]]:
    """The job file, and the large files shown at their places inside."""
    model, data = run.inputs("model")[0], run.inputs("data")[0]
    large = lay_out(run.repository, files_of(model), workspace.inputs / "model")
    mounts = {f"/in/model/{path}": place for path, place in large.items()}
    mounts |= _lay_out_data(data, recipe, workspace.inputs / "data")
    settings = dict(recipe.runner_recipe())
    settings.setdefault("save_steps", _save_steps(recipe))
    job = {
        "kind": "finetune",
        "out": "/out",
        "model": "/in/model",
        "data": ["/in/data/train.jsonl"],
        "recipe": settings,
        "base_model": run.repository.repo_id,
        "base_revision": model["commit"],
        **run.spec["settings"],
    }
    return job, mounts


def _save_steps(recipe: Recipe) -> int:
    steps = recipe.settings.get("max_steps", SAVE_STEPS_AT_MOST * CHECKPOINTS)
    return max(1, min(SAVE_STEPS_AT_MOST, steps // CHECKPOINTS))


def _lay_out_data(data: dict[str, Any], recipe: Recipe, folder: Path) -> dict[str, Path]:
    """Put the training rows at `train.jsonl` of `folder`, or show the whole large file there."""
    repository = Repository.objects.select_related("namespace").get(pk=data["repository_id"])
    file = files_of(data)[0]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "train.jsonl"
    if recipe.dataset.sample is None:
        whole = replace(file, path=target.name)
        return {f"/in/data/{p}": s for p, s in lay_out(repository, [whole], folder).items()}
    with open_pinned(repository, file) as source, target.open("wb") as out:
        rows = read_json_lines(source, file.path)
        for each in select_rows(rows, recipe.dataset.sample):
            out.write(json.dumps(each.row, ensure_ascii=False).encode() + b"\n")
    return {}


def _outputs(run: Run, workspace: Workspace) -> tuple[list[Operation], list[dict[str, Any]]]:
    """What goes into the repository: the adapter's two files, checked, and the recipe."""
    config = _read_config(workspace.out)
    weights = _store_weights(run.repository, workspace.out)
    operations: list[Operation] = [AddFile("adapter_config.json", config), weights]
    operations.append(AddFile(run.spec["recipe_path"], run.spec["recipe_text"].encode()))
    files = [
        {"path": "adapter_config.json", "size_bytes": len(config)},
        {"path": weights.path, "size_bytes": weights.size_bytes, "sha256": weights.sha256},
    ]
    return operations, files


def _read_config(out: Path) -> bytes:
    descriptor = open_output(out, "result/adapter_config.json", CONFIG_LIMIT_BYTES)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(CONFIG_LIMIT_BYTES)
    try:
        load_json(content)
    except FormatError as error:
        raise OutputRefusedError(f"The run's adapter_config.json cannot be used: {error}") from None
    return content


def _store_weights(repository: Repository, out: Path) -> AddPointer:
    """Check the adapter's weights and put them into the repository's store."""
    name = "adapter_model.safetensors"
    descriptor = open_output(out, f"result/{name}", ADAPTER_LIMIT_BYTES)
    with os.fdopen(descriptor, "rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        try:
            header = read_header(file, file_bytes=size_bytes)
        except FormatError as error:
            raise OutputRefusedError(f"The run's {name} cannot be used: {error}") from None
        if not header.tensors:
            raise OutputRefusedError(f"The run's {name} holds no tensor: look at the log.")
        file.seek(0)
        stored = large_files.store(repository, file, size_bytes=size_bytes)
    return AddPointer(name, stored.sha256, stored.size_bytes)


def _commit(run: Run, operations: list[Operation], summary: dict[str, Any]) -> str:
    """The commit of the result on the base; the same run and result give the same oid."""
    repository, store = run.repository, run.repository.store()
    base = run.inputs("model")[0]["commit"]
    try:
        readme = store.read(base, CARD, limit_bytes=CARD_LIMIT_BYTES)
    except (EntryNotFoundError, TooLargeError):
        readme = f"# {repository.name}\n".encode()
    card = with_finetune(readme, _facts(run, summary))
    tree = store.write_tree_on(base, [*operations, AddFile(CARD, card)])
    return store.commit_tree(
        tree,
        parents=[base],
        message=f"{run.title}\n\nFine-tuned by run {run.number}, spec {run.spec_digest}.",
        author=author_of(Actor(run.created_by)),
        at=run.created_at,
    )


def _facts(run: Run, summary: dict[str, Any]) -> FinetuneFacts:
    model, data = run.inputs("model")[0], run.inputs("data")
    return FinetuneFacts(
        title=run.title,
        base_model=run.repository.repo_id,
        base_commit=model["commit"],
        datasets=[given["source"] for given in data],
        data_commits=[given["commit"] for given in data],
        recipe_path=run.spec["recipe_path"],
        run_url=f"{run.repository.public_url()}/runs/{run.number}",
        steps=_number(summary, "steps"),
        first_loss=_number(summary, "first_loss"),
        final_loss=_number(summary, "final_loss"),
    )


def _number(summary: dict[str, Any], key: str) -> Any:
    value = summary.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@transaction.atomic
def _propose(run: Run, head_oid: str, result: dict[str, Any]) -> None:
    """Open the pull request and settle the run together, so that neither happens twice."""
    held = Run.objects.held(run).select_for_update().first()
    if held is None:
        raise ClaimLostError
    if not still_allowed(run):
        raise RunFailedError(
            f"{run.created_by.username} may no longer propose this, or read its data: let someone "
            "who may start the run again."
        )
    number = held.pull_request_number
    if number is None:
        proposal = extensions.propose(
            run.repository,
            by=run.created_by,
            title=run.title,
            description=_description(run, result),
            head_oid=head_oid,
            target_branch=run.spec["target_branch"],
        )
        number = proposal.number
    finish(
        run,
        RunStatus.SUCCEEDED,
        pull_request_number=number,
        result=result | {"commit": head_oid},
    )


def _description(run: Run, result: dict[str, Any]) -> str:
    training, data = result["training"], run.inputs("data")[0]
    recipe_path = run.spec["recipe_path"]
    told = [
        f"Fine-tuned by [run {run.number}]({run.get_absolute_url()}) with `{recipe_path}`",
        f"on `{data['source']}` (`{data['files'][0]['path']}`).",
    ]
    first, final = _number(training, "first_loss"), _number(training, "final_loss")
    if first is not None and final is not None:
        told.append(f"Training loss {first:.4g} → {final:.4g} in {training.get('steps')} steps.")
    return "\n".join(told)
