"""Proposals of other weights before the real gate, and what its calculator promised of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hub.gitstore import AddFile, DeleteFile
from hub.models import Access, Repository, User
from reviews.jobs.pushes import record_push
from tests.factories import actor, make_member, make_organization, make_repository
from tests.reviews.factories import make_pull_request
from tests.training.damage import Tensors, read
from tests.training.factories import TINY, commit, large
from tests.training.little_benchmarks import make_little_benchmarks
from training.actions.gates import start_gate
from training.jobs.execute import execute
from training.jobs.items import read_scores
from training.models import Evaluation, GateRecord, Run
from training.specs.margins import read_margin
from training.statistics import looks
from training.statistics.comparison import Rule, weigh
from training.statistics.metrics import Kind, Metric, metric_named
from training.statistics.pairing import ItemScore, Paired, pair_items
from training.statistics.planning import Plan
from training.statistics.verdicts import Direction, Verdict
from training.statistics.weighing import value_of

WEIGHTS = "model.safetensors"
SHARES = (1 / 3, 2 / 3, 1.0)


@dataclass
class Stand:
    """A model, a data set of benchmarks, and somebody who may have both weighed."""

    model: Repository
    data: Repository
    owner: User

    def rule(self, *entries: str, looks: int = 1) -> None:
        """The gate: entries such as `order.yaml, margin: 0.03`; one look asks every item."""
        lines = "".join(
            f'  - {{benchmark: "{self.data.repo_id}:{name}", {rest}}}\n'
            for name, _, rest in (entry.partition(", ") for entry in entries)
        )
        gate = f"looks: {looks}\nbenchmarks:\n{lines}"
        commit(self.model, [AddFile(".weighbridge/gate.yaml", gate.encode())])

    def weigh(
        self, files: Mapping[str, bytes], *, without: tuple[str, ...] = ()
    ) -> tuple[GateRecord, Run]:
        """The gate's record of a proposal that puts `files` into the model and removes others."""
        pull_request = make_pull_request(self.model, files={"NOTES.md": b"Other weights.\n"})
        operations: list[Any] = [
            large(self.model, path, content)
            if path.endswith(".safetensors")
            else AddFile(path, content)
            for path, content in files.items()
        ]
        operations += map(DeleteFile, without)
        commit(self.model, operations, ref=pull_request.ref)
        record_push(self.model, pull_request.number, by=pull_request.author)
        return self.carry_out(start_gate(self.model, pull_request.number, actor(self.owner)))

    def carry_out(self, run: Run) -> tuple[GateRecord, Run]:
        execute(run.pk)
        run.refresh_from_db()
        assert not run.error, run.error
        return run.gate_record, run


def make_stand(files: Mapping[str, bytes] | None = None) -> Stand:
    """The little model with the little benchmarks, in one namespace."""
    namespace = make_organization()
    files = {path.name: path.read_bytes() for path in TINY.iterdir()} if files is None else files
    model = make_repository(namespace)
    stored = [
        large(model, path, content) if path.endswith(".safetensors") else AddFile(path, content)
        for path, content in files.items()
    ]
    commit(model, stored)
    model.access = Access.ADMIN
    return Stand(
        model, make_little_benchmarks(namespace), make_member(namespace, access=Access.ADMIN)
    )


def little_tensors() -> Tensors:
    return read((TINY / WEIGHTS).read_bytes())


def tokens(*words: str) -> list[int]:
    """The ids of words of one token, as they follow a blank."""
    known = json.loads((TINY / "tokenizer.json").read_text())["model"]["vocab"]
    return [known[f"Ġ{word}"] for word in words]


@dataclass(frozen=True)
class Damage:
    """What a gate stored of one benchmark: the whole population that samples are drawn from."""

    pairs: Paired
    rule: Rule

    @cached_property
    def metric(self) -> Metric:
        return metric_named(self.rule.metric)

    @cached_property
    def changes(self) -> np.ndarray:
        """By item, the difference whose mean is the change of the metric; above 0 is better."""
        sign, pairs = -1.0 if self.rule.direction is Direction.LOWER else 1.0, self.pairs
        if self.metric.kind is Kind.MEAN:
            return sign * (pairs.candidate - pairs.base)
        weights = pairs.base_sums[:, 1]
        changes = pairs.candidate_sums[:, 0] - pairs.base_sums[:, 0]
        change = changes.sum() / weights.sum()
        return sign * (change + (changes - change * weights) / weights.mean())

    @property
    def delta(self) -> float:
        """The true change of this population, below 0 for the worse whatever the direction."""
        change = float(self.changes.mean())
        is_above = self.rule.target is not None and self.pairs.base.mean() >= self.rule.target
        return -change if is_above else change

    @property
    def discordance(self) -> float:
        """The share of items that changed."""
        return float((self.changes != 0).mean())

    @property
    def margin(self) -> float:
        """In score units."""
        base = value_of(self.pairs, self.metric, "base")
        return self.rule.margin * (base if self.rule.relative_margin else 1.0)

    def promised(self, n: int) -> float:
        """The calculator's chance that n items refuse this change."""
        expected: dict[str, Any] = {"discordance": self.discordance}
        if self.metric.kind is not Kind.MEAN:
            expected = {"discordance": None, "spread": float(self.changes.std())}
        plan = Plan(**expected, delta=self.delta, shares=SHARES, alpha=self.rule.alpha)
        return 1.0 - plan.chance_of_passing(n, self.margin)

    def refused(self, n: int, *, samples: int, seed: int = 0) -> float:
        """The share of gates over n items drawn from the population that did not let it pass."""
        source = np.random.default_rng(seed)
        stages = looks.plan(n, SHARES, alpha=self.rule.alpha)
        draws = (source.integers(self.pairs.n, size=n) for _ in range(samples))
        return 1.0 - sum(self._passes(places, stages) for places in draws) / samples

    def _passes(self, places: np.ndarray, stages: list[looks.Look]) -> bool:
        """What the gate says of the items at these places, look by look."""
        for look in stages:
            rule = replace(self.rule, alpha=look.alpha, final=look is stages[-1])
            found = weigh(self.pairs.taken(places[: look.count]), rule).verdict
            if found is not Verdict.INCONCLUSIVE:
                return found is Verdict.PASS
        return False


def damage_of(stand: Stand, record: GateRecord, task: str, *, alpha: float = 0.05) -> Damage:
    """The stored items of one benchmark of a record, under the rule it was judged by."""
    result = next(result for result in record.results if result["key"] == task)
    base, candidate = (_stored(stand, result, side) for side in ("base", "candidate"))
    assert len(base) == len(candidate) == result["n"]
    margin = read_margin(_number_or_text(result["margin_written"]), "margin")
    rule = Rule(
        margin=margin.value,
        alpha=alpha,
        direction=Direction(result["direction"]),
        target=result["target"],
        metric=result["metric"],
        relative_margin=margin.relative,
    )
    return Damage(pair_items(base, candidate, metric_named(rule.metric)), rule)


def _stored(stand: Stand, result: dict[str, Any], side: str) -> list[ItemScore]:
    row = Evaluation.objects.get(pk=result[f"{side}_evaluation"])
    return read_scores(stand.model.blobs(), row.items_sha256, result["metric"])


def _number_or_text(written: str) -> float | str:
    return written if written.endswith("%") else float(written)
