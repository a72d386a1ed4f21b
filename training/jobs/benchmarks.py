"""The benchmarks of a run: definitions, items, examples and words as they were pinned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from hub.errors import UnprocessableError
from hub.models import Repository
from training.jobs.disclosure import hidden_already
from training.jobs.inputs import PinnedFile, open_pinned
from training.models import Benchmark
from training.specs.benchmark import BenchmarkDefinition, benchmark_digest, parse_benchmark
from training.specs.benchmark_metrics import MetricSpec
from training.specs.chunks import chunked
from training.specs.gate import GateBenchmark
from training.specs.items import Item, select_items
from training.specs.margins import Margin
from training.specs.row_files import read_rows, read_words
from training.specs.shots import select_shots
from training.statistics.comparison import Rule

DEFINITION_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True)
class PinnedBenchmark:
    """One benchmark of a run. `key` names it in the run, `label` for people.

    `metric` is the one that a gate looks at. Large and small files lie in the repository of the
    items, at `items_commit`; the word list in that of the definition.
    """

    key: str
    label: str
    reference: str
    path: str
    repository_id: int
    commit: str
    definition_text: str
    definition: BenchmarkDefinition
    metric: str
    items_repository_id: int
    items_commit: str
    items_file: PinnedFile
    shots_file: PinnedFile | None = None
    words_file: PinnedFile | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of all that its items and their scoring depend on."""
        return benchmark_digest(
            self.definition,
            items_sha256=self.items_file.sha256,
            shots_sha256=self.shots_file.sha256 if self.shots_file else None,
            words_sha256=self.words_file.sha256 if self.words_file else None,
        )

    @property
    def metric_names(self) -> list[str]:
        return [metric.name for metric in self.definition.metrics]

    @property
    def measured(self) -> MetricSpec:
        return self.definition.metric_named(self.metric)

    @property
    def has_shots(self) -> bool:
        return self.definition.fewshot is not None

    def margin(self, wanted: GateBenchmark) -> Margin:
        """The gate's margin, else the benchmark's own advice."""
        return wanted.margin or self.definition.default_margin(self.metric)

    def rule(self, wanted: GateBenchmark, *, alpha: float, final: bool = True) -> Rule:
        """What the gate asks of a candidate, at the level `alpha` of one look."""
        margin = self.margin(wanted)
        return Rule(
            margin=margin.value,
            alpha=alpha,
            direction=self.measured.direction,
            target=self.measured.target,
            metric=self.metric,
            relative_margin=margin.relative,
            final=final,
        )

    def runner_definition(self) -> dict[str, Any]:
        """What the runner is told, the word list included."""
        words: tuple[str, ...] = ()
        if self.words_file is not None:
            with open_pinned(_repository(self.repository_id), self.words_file) as lines:
                words = read_words(lines, self.words_file.path)
        return self.definition.runner_definition(words=words)

    def items(self) -> list[Item]:
        """The items in canonical order, each with its chunk."""
        with open_pinned(_repository(self.items_repository_id), self.items_file) as stream:
            rows = read_rows(stream, self.items_file.path, sample_by=self.definition.rows.sample_by)
            return chunked(select_items(rows, self.definition))

    def shots(self, items: Sequence[Item] = ()) -> list[dict[str, Any]]:
        """The example rows that stand before every question."""
        if self.shots_file is None:
            return select_shots((), self.definition, items)
        with open_pinned(_repository(self.items_repository_id), self.shots_file) as stream:
            rows = read_rows(stream, self.shots_file.path)
            return select_shots(rows, self.definition, items)

    def row(self, items: Sequence[Item]) -> Benchmark:
        """The row of this digest, made when it is asked for the first time."""
        definition = self.definition
        clusters = {item.cluster for item in items} - {None}
        values = {
            "items_repository_id": self.items_repository_id,
            "revision": self.commit,
            "task": definition.task,
            "label": self.label,
            "language": definition.labels.language or "",
            "output_type": definition.output_type,
            "metric": definition.metric if definition.metrics else "",
            "metrics": [metric.to_dict() for metric in definition.metrics],
            "direction": definition.direction.value if definition.metrics else "higher",
            "target": definition.target if definition.metrics else None,
            "margin": str(definition.default_margin()) if definition.metrics else "",
            "item_count": len(items),
            "cluster_count": len(clusters) or None,
            "spec": self.to_json()
            | {"hidden": definition.hidden}
            | hidden_already(self.repository_id, self.path),
        }
        named = {"repository_id": self.repository_id, "digest": self.digest, "path": self.path}
        try:
            with transaction.atomic():
                row, _created = Benchmark.objects.get_or_create(**named, defaults=values)
        except IntegrityError:
            row = Benchmark.objects.get(**named)
        return row

    def to_json(self) -> dict[str, Any]:
        """Plain values for a spec; `pinned_of` reads them."""
        files = (self.items_file, self.shots_file, self.words_file)
        items, shots, words = (None if file is None else file.to_json() for file in files)
        return {
            "key": self.key,
            "label": self.label,
            "reference": self.reference,
            "path": self.path,
            "repository_id": self.repository_id,
            "commit": self.commit,
            "definition_text": self.definition_text,
            "metric": self.metric,
            "items_repository_id": self.items_repository_id,
            "items_commit": self.items_commit,
            "items_file": items,
            "shots_file": shots,
            "words_file": words,
            "digest": self.digest,
        }


def pinned_of(entry: Mapping[str, Any]) -> PinnedBenchmark:
    """A benchmark of a run's spec.

    Raises: UnprocessableError when its digest is not the one that was frozen: the hub has changed
    how it reads benchmarks since.
    """
    values = {k: v for k, v in entry.items() if k in PinnedBenchmark.__dataclass_fields__}
    for name in ("items_file", "shots_file", "words_file"):
        given = entry.get(name)
        values[name] = None if given is None else PinnedFile(**given)
    definition = parse_benchmark(entry["definition_text"], place=entry["reference"])
    found = PinnedBenchmark(**values, definition=definition)
    if found.digest != entry["digest"]:
        raise UnprocessableError(f"{entry['reference']} is read differently now: run it again.")
    return found


def benchmarks_of(spec: Mapping[str, Any]) -> list[PinnedBenchmark]:
    """The benchmarks of a run, in the order of its rule."""
    return [pinned_of(entry) for entry in spec["benchmarks"]]


def write_items(items: Sequence[Item], path: Path) -> None:
    """The items as the runner reads them: id, row and chunk, nothing that it need not know."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for item in items:
            line = {"id": item.id, "doc": item.doc, "chunk": item.chunk}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_shots(pinned: PinnedBenchmark, items: Sequence[Item], path: Path) -> None:
    """The examples as the runner reads them; no file where the benchmark has none."""
    if not pinned.has_shots:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for doc in pinned.shots(items):
            out.write(json.dumps(doc, ensure_ascii=False) + "\n")


def _repository(pk: int) -> Repository:
    return Repository.objects.select_related("namespace").get(pk=pk)
