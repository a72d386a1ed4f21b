"""Models with many versions and what has been measured of them, through the real worker.

An acted runner (`tests.training.acting`) says for every version which items it gets right.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from hub.models import Access, Kind, Namespace, Repository, User
from tests.factories import actor, make_member, make_organization, make_repository
from tests.training.acting import Act, Doc, _acting, questions
from tests.training.factories import commit, large
from training.actions.evaluating import submit_evaluation
from training.jobs.benchmarks import benchmarks_of
from training.jobs.evaluations import How, Side, keep
from training.jobs.execute import execute
from training.jobs.items import read_item
from training.jobs.preparing import asked_in_full
from training.jobs.questions import keep_questions
from training.jobs.scoring import Asked
from training.models import Evaluation, Run, RunStatus
from training.specs.items import Item as IssuedItem

ITEMS = 120


@dataclass
class Lab:
    """A model, a data set with one benchmark, somebody who may write to both.

    `wrong` has for a version (its number, from 0) the items that it gets wrong; `asked` collects
    the names of the sides that the acted runner was started for.
    """

    model: Repository
    data: Repository
    owner: User
    act: Act
    wrong: dict[int, set[int]] = field(default_factory=dict)
    oids: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"{self.data.repo_id}:{self.act.name}.yaml"

    @property
    def url(self) -> str:
        return self.model.get_absolute_url()

    @property
    def api(self) -> str:
        return f"/{self.model.api_path}"

    def add_version(self, wrong: Iterable[int] = (), ref: str = "refs/heads/main") -> str:
        """A commit with other weights, which get the items `wrong` wrong."""
        number = len(self.oids)
        self.wrong[number] = set(wrong)
        content = f"weights {number} of {self.model.repo_id}".encode()
        weights = large(self.model, "model.safetensors", content)
        self.oids.append(commit(self.model, [weights], ref))
        return self.oids[-1]

    def answer(self, oid: str, doc: Doc) -> dict[str, Any]:
        is_right = doc["number"] not in self.wrong[self.oids.index(oid)]
        likelihoods = [-1.0, -2.5] if is_right else [-1.4, -1.0]
        return {
            "metrics": {"acc": float(is_right)},
            "pred": int(not is_right),
            "target": 0,
            "loglikelihoods": likelihoods,
        }

    @contextmanager
    def acting(self, run: Run) -> Iterator[None]:
        """The runner says what the versions of this lab say."""
        commits = {given["role"]: given["commit"] for given in run.spec["inputs"]}

        def answer(side: str, doc: Doc) -> dict[str, Any]:
            number = self.oids.index(commits[side])
            if number not in self.asked:
                self.asked.append(number)
            return self.answer(commits[side], doc)

        self.act.answer = answer
        with patch("training.jobs.scoring.RunnerJob", _acting([self.act])):
            yield

    def carry_out(self, run: Run) -> Run:
        with self.acting(run):
            execute(run.pk)
        run.refresh_from_db()
        run.repository = self.model
        return run

    def store(self, revision: str = "", **more: Any) -> Evaluation:
        """The same as `measure`, kept at once and without a worker: for tests in a transaction."""
        run = submit_evaluation(
            self.model, actor(self.owner), benchmarks=[self.reference], revision=revision, **more
        )
        (pinned,), (given,) = benchmarks_of(run.spec), run.inputs("model")
        asked = asked_in_full(pinned)
        told = [{"id": item.id, **self.answer(given["commit"], item.doc)} for item in asked.issued]
        items = [replace(read_item(row, pinned.metric_names), **_place(item))
                 for row, item in zip(told, asked.issued, strict=True)]  # fmt: skip
        how = How(run, run.spec["settings"], run.spec["versions"], seconds=6.0)
        side = Side("model", given["digest"], given["commit"])
        row = keep(how, side, asked.row, asked.issued, items)
        _keep_questions(asked)
        ended = {"status": RunStatus.SUCCEEDED, "finished_at": timezone.now()}
        Run.objects.filter(pk=run.pk).update(**ended)
        return row

    def measure(self, revision: str = "", **more: Any) -> Evaluation:
        """The evaluation of a revision with the lab's benchmark, by a run."""
        run = submit_evaluation(
            self.model, actor(self.owner), benchmarks=[self.reference], revision=revision, **more
        )
        self.carry_out(run)
        assert not run.error, run.error
        (told,) = run.result["evaluations"]
        return Evaluation.objects.select_related("benchmark").get(pk=told["evaluation"])


def _place(item: IssuedItem) -> dict[str, Any]:
    return {"group": item.group, "cluster": item.cluster}


def _keep_questions(asked: Asked) -> None:
    """The texts of the items, as the runner would have told them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.jsonl"
        rows = [
            {
                "id": item.id,
                "prompt": item.doc["question"],
                "choices": item.doc["choices"],
                "expected": item.doc["choices"][item.doc["label"]],
            }
            for item in asked.issued
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        keep_questions(asked.row, asked.issued, path)


def make_lab(
    *wrong: Iterable[int],
    items: int = ITEMS,
    more: str = "",
    namespace: Namespace | None = None,
    data: dict[str, Any] | None = None,
    rows: Callable[[int], list[Doc]] = questions,
    **traits: Any,
) -> Lab:
    """A lab whose model has one version for each of `wrong`; `traits` are the model's."""
    namespace = namespace or make_organization()
    act = Act("words", rows(items), answer=lambda side, doc: {}, more=more)
    place = make_repository(
        namespace, kind=Kind.DATASET, files=act.files(), **{"name": "data"} | (data or {})
    )
    model = make_repository(namespace, files={"config.json": b"{}"}, **traits)
    owner = make_member(namespace, access=Access.ADMIN)
    lab = Lab(model, place, owner, act)
    for each in wrong:
        lab.add_version(each)
    return lab
