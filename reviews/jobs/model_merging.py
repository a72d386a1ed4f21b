"""Merging models of one family into a proposal on one of them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from hub import extensions
from hub.actions.derived import require_room
from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import Repository
from hub.policies import Actor, may_propose
from reviews.jobs.model_landing import description_of, write_commit
from reviews.jobs.model_sources import Family, Opened, open_source, require_source
from reviews.models import ModelMerge
from reviews.weights.errors import WeightsError
from reviews.weights.merging.recipe import MergeRecipe
from reviews.weights.merging.recipe_file import read_recipe


def carry_out(merge_id: int) -> None:
    """Merge, unless that is done or somebody is at it. Safe to repeat and to kill: the proposal is
    opened in the transaction that settles the row."""
    working.carry_out(
        ModelMerge.objects.all(),
        merge_id,
        lambda claim, scratch, kept: _Merging(claim, scratch, kept).run(),
    )


class _Merging:
    """The work of one merge."""

    def __init__(self, claim: Claim[ModelMerge], scratch: Path, kept: ExitStack) -> None:
        self.claim, self.row, self.scratch, self.kept = claim, claim.row, scratch, kept
        self.actor = Actor(self.row.by)
        self.threads = settings.RUN_THREADS or len(os.sched_getaffinity(0))

    def run(self) -> None:
        repositories = self._allowed()
        opened = [self._open(place, each) for place, each in enumerate(repositories)]
        family = Family(opened[0], opened[1:])
        family.require_alike()
        recipe = self._recipe(family)
        recorded = bool(self.row.choice.get("recorded"))
        self._tell("conditions")
        found = family.conditions(
            recipe, recorded=recorded, threads=self.threads, keep=self.claim.keep
        )
        self.claim.tell(conditions=[each.to_dict() for each in found])
        for each in found:
            if not each.holds and not (each.confirmable and self.row.choice.get("confirmed")):
                raise WeightsError("not_to_be_averaged", condition=each.code, **each.parameters)
        self._tell("merging")
        folder = self.scratch / "merged"
        size = max(sum(file.size_bytes for file in each.files) for each in family.models)
        require_room(size, self.scratch)
        made = family.merge(recipe, folder, threads=self.threads, keep=self.claim.keep)
        ours = next(each for each in family.models if each.repository.pk == self.row.repository_id)
        oid = write_commit(
            self.actor, ours, family, recipe, made.files, self.row.title, self.claim.keep
        )
        said = description_of(recipe, family, found, recorded=recorded)
        self._propose(ours.repository, oid, said)

    def _allowed(self) -> list[Repository]:
        """The sources, as far as the one who asked may read them and propose, now.

        Raises: WeightsError: may_not_propose, source_gone.
        """
        if not self.row.by.is_active or not may_propose(self.actor, self._target()):
            raise WeightsError("may_not_propose")
        return [
            require_source(self.actor, source["key"], place)
            for place, source in enumerate(self.row.sources)
        ]

    def _target(self) -> Repository:
        places = [source["key"] for source in self.row.sources]
        target = self.row.repository_id
        return require_source(self.actor, target, places.index(target, 1))

    def _open(self, place: int, repository: Repository) -> Opened:
        source = self.row.sources[place]
        self._tell("reading", place)
        oid = repository.store().resolve(source["oid"])
        folder = self.scratch / f"source-{place}"
        return open_source(repository, oid, folder, self.kept, self.claim.keep)

    def _tell(self, stage: str, place: int | None = None) -> None:
        self.claim.tell(progress={"stage": stage, "place": place})

    def _recipe(self, family: Family) -> MergeRecipe:
        digests = [family.base.digest, *(family.digest_of(each) for each in family.models)]
        return read_recipe(recipe_values(self.row.choice, self.row.sources, digests))

    def _propose(self, repository: Repository, oid: str, description: str) -> None:
        """Open the pull request and settle the row together, so that neither happens twice."""
        with transaction.atomic():
            self.claim.tell()  # takes the row, or finds that another worker has it
            self._allowed()
            proposal = extensions.propose(
                repository,
                by=self.row.by,
                title=self.row.title,
                description=description,
                head_oid=oid,
                target_branch=self.row.target_branch,
            )
            self.claim.finish(result_oid=oid, pull_request_number=proposal.number, progress={})


def recipe_values(
    choice: dict[str, Any], sources: list[dict[str, Any]], digests: list[str]
) -> dict[str, Any]:
    """A recipe as plain values: a choice on exactly these weights, the base's first."""
    base, *models = [
        {"repo_id": source["repo_id"], "revision": source["oid"], "weights": digest}
        for source, digest in zip(sources, digests, strict=True)
    ]
    values: dict[str, Any] = {
        "merge_method": choice["method"],
        "base_model": base,
        "models": [
            {
                "model": model,
                "parameters": {"weight": source["weight"], "density": source["density"]},
            }
            for model, source in zip(models, sources[1:], strict=True)
        ],
        "seed": choice.get("seed", 0),
    }
    for name in ("parameters", "rules"):
        if choice.get(name):
            values[name] = choice[name]
    return values
