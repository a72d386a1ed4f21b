"""What a merge of models puts into the repository: weights, recipe, card, and a proposal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings

from hub.actions.commits import author_of
from hub.errors import EntryNotFoundError, TooLargeError
from hub.formats.card_writing import with_card_data
from hub.gitstore import AddFile, DeleteFile, GitStore, Operation
from hub.policies import Actor
from reviews.jobs.model_sources import Family, Opened
from reviews.jobs.storing import store_result
from reviews.weights.adapter_config import WEIGHTS
from reviews.weights.errors import WeightsError
from reviews.weights.merging.conditions import Condition
from reviews.weights.merging.recipe import RECIPE_PATH, MergeRecipe

README = "README.md"


def write_commit(
    actor: Actor,
    ours: Opened,
    family: Family,
    recipe: MergeRecipe,
    files: Mapping[str, Path],
    title: str,
    keep: Callable[[], None],
) -> str:
    """A commit on `ours` that holds the merged `files`, their recipe and the card; its oid."""
    repository, store = ours.repository, ours.repository.store()
    operations: list[Operation] = [DeleteFile(path) for path in _gone(ours, family, files)]
    for path, place in sorted(files.items()):
        if path.endswith(".json"):
            operations.append(AddFile(path, place.read_bytes()))
            continue
        operations.append(store_result(repository, path, place, keep))
    operations.append(AddFile(RECIPE_PATH, recipe.dump().encode()))
    operations += _card(store, ours, family)
    tree = store.write_tree_on(ours.oid, operations)
    return store.commit_tree(tree, parents=[ours.oid], message=title, author=author_of(actor))


def _gone(ours: Opened, family: Family, files: Mapping[str, Path]) -> list[str]:
    """Files of the weights that the merged ones replace, and are not named as they are.

    Raises: WeightsError "layouts_differ": the base keeps its weights in another folder.
    """
    if family.are_adapters:
        held = {WEIGHTS}
    else:
        held = {tensor.file for tensor in ours.checkpoint.tensors.values()}
        folders = {PurePosixPath(path).parent for path in held}
        if any(PurePosixPath(path).parent not in folders for path in files):
            raise WeightsError("layouts_differ")
        held |= {
            file.path
            for file in ours.files
            if file.is_index and PurePosixPath(file.path).parent in folders
        }
    present = {file.path for file in ours.files}
    return sorted((held & present) - files.keys())


def _card(store: GitStore, ours: Opened, family: Family) -> list[Operation]:
    """The README with the merge in its front matter; none where it is too large to be a card."""
    try:
        readme = store.read(ours.oid, README, limit_bytes=settings.CARD_LIMIT_BYTES)
    except EntryNotFoundError:
        readme = b""
    except TooLargeError:
        return []
    data = ours.repository.card_data or {}
    own = ours.repository.repo_id.casefold()
    named = [each.repository.repo_id for each in (family.base, *family.models)]
    bases = {each.casefold(): each for each in (*_texts(data.get("base_model")), *named)}
    values: dict[str, Any] = {"base_model_relation": "merge"}
    if found := [each for key, each in bases.items() if key != own]:
        values = {"base_model": found} | values
    return [AddFile(README, with_card_data(readme, values))]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def description_of(
    recipe: MergeRecipe, family: Family, found: Sequence[Condition], *, recorded: bool
) -> str:
    """What the proposal says of itself, in Markdown."""
    rows = [
        f"| `{each.repository.repo_id}` | `{each.oid[:12]}` | {model.weight:g} |"
        for each, model in zip(family.models, recipe.models, strict=True)
    ]
    base = family.base
    kind = "adapters" if family.are_adapters else "models"
    known = "their cards name it" if recorded else "chosen by who asked for this"
    lines = [
        f"{len(rows)} {kind} merged by `{recipe.method}`; the recipe is `{RECIPE_PATH}`.",
        "",
        "| Model | Commit | Weight |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"Common base: `{base.repository.repo_id}` at `{base.oid[:12]}` ({known}).",
    ]
    lines += [f"\n{each}" for each in (_angles(family, found), licence_warning(family)) if each]
    return "\n".join(lines)


def _angles(family: Family, found: Sequence[Condition]) -> str:
    told = next((each.parameters for each in found if each.code == "task_vectors_agree"), {})
    cosines = [each["cosine"] for each in told.get("cosines", []) if each["cosine"] is not None]
    if not cosines:
        return ""
    return f"Cosine of what each of them changed: {min(cosines):.3f} to {max(cosines):.3f}."


def licence_warning(family: Family) -> str:
    """Words where the licences of the sources are not one."""
    licences = {
        each.repository.repo_id: licence_of(each.repository.card_data)
        for each in (family.base, *family.models)
    }
    if len(set(licences.values())) < 2:
        return ""
    told = ", ".join(f"`{name}` {_quoted(licence)}" for name, licence in licences.items())
    return f"**Licences differ**: {told}. Whoever merges this answers for what they allow together."


def _quoted(licence: str) -> str:
    """A card may say anything: what it says here is no Markdown."""
    return f"`{licence.replace('`', '')}`" if licence else "none named"


def licence_of(card_data: Mapping[str, Any] | None) -> str:
    """The licence that a card names, in one text; "" for none."""
    return ", ".join(
        " ".join(each.split())[:64] for each in _texts((card_data or {}).get("license"))
    )
