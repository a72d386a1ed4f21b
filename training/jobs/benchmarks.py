"""The benchmarks of a gate run: definitions and items as they were pinned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import UnprocessableError
from hub.models import Repository
from training.jobs.inputs import PinnedFile, open_pinned
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.gate import GateConfig, parse_gate, require_decidable
from training.specs.items import Item, select_items
from training.specs.sampling import read_json_lines
from training.specs.schema import digest_of
from training.statistics.comparison import Rule

DEFINITION_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Benchmark:
    """One benchmark of a run. `key` names it in the run, `label` for people."""

    key: str
    label: str
    role: str
    reference: str
    margin: float
    definition: BenchmarkDefinition
    items_file: PinnedFile
    items_repository_id: int
    items_commit: str
    seed: int

    @property
    def digest(self) -> str:
        """SHA-256 of all that its items and their scoring depend on."""
        return digest_of([self.definition.digest, self.items_file.sha256, self.seed])

    def rule(self, alpha: float) -> Rule:
        return self.definition.rule(margin=self.margin, alpha=alpha)

    def items(self) -> list[Item]:
        """The items that are issued, in the order they are asked."""
        repository = Repository.objects.select_related("namespace").get(pk=self.items_repository_id)
        with open_pinned(repository, self.items_file) as lines:
            rows = read_json_lines(lines, self.items_file.path)
            return select_items(rows, self.definition, seed=self.seed)

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "label": self.label,
            "role": self.role,
            "reference": self.reference,
            "margin": self.margin,
            "seed": self.seed,
            "digest": self.digest,
            "items_file": self.items_file.to_json(),
            "items_repository_id": self.items_repository_id,
            "items_commit": self.items_commit,
        }


def benchmark_of(spec: dict[str, Any], definition: BenchmarkDefinition) -> Benchmark:
    """A benchmark of a run's spec, with its definition as it was read from the spec's text."""
    values = {key: value for key, value in spec.items() if key not in ("digest", "definition_text")}
    values["items_file"] = PinnedFile(**spec["items_file"])
    return Benchmark(**values, definition=definition)


def benchmarks_of(spec: dict[str, Any]) -> list[Benchmark]:
    """The benchmarks of a run, in the order of its rule.

    Raises: UnprocessableError when a digest is not the one that was frozen: the hub has changed
    how it reads benchmarks since.
    """
    gate = gate_of(spec)
    found = []
    for entry, wanted in zip(spec["benchmarks"], gate.benchmarks, strict=True):
        definition = parse_benchmark(entry["definition_text"], place=entry["reference"])
        benchmark = benchmark_of(entry, definition.limited(wanted.limit))
        if benchmark.digest != entry["digest"]:
            raise UnprocessableError(f"{entry['reference']} is read differently now: run it again.")
        found.append(benchmark)
    return found


def gate_of(spec: dict[str, Any]) -> GateConfig:
    return parse_gate(spec["gate"]["text"])


def issue(benchmarks: list[Benchmark], gate: GateConfig) -> dict[str, list[Item]]:
    """The items of every benchmark by its key.

    Raises: BadInputError when they cannot prove the margins that the rule asks for.
    """
    issued = {benchmark.key: benchmark.items() for benchmark in benchmarks}
    require_decidable(gate, {b.reference: len(issued[b.key]) for b in benchmarks})
    return issued


def write_items(items: list[Item], path: Path) -> None:
    """The items as the runner reads them: id and row, nothing that it need not know."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for item in items:
            out.write(json.dumps({"id": item.id, "doc": item.doc}, ensure_ascii=False) + "\n")
