"""What a benchmark file says, read: how it asks its items, and what its scores mean."""

from dataclasses import dataclass, field
from typing import Any

from hub.errors import BadInputError
from training.specs.benchmark_data import Fewshot, Rows
from training.specs.benchmark_metrics import CHOICES, MetricSpec
from training.specs.generation import Generation
from training.specs.margins import Margin
from training.specs.patterns import Chain
from training.specs.sampling import Sample
from training.specs.schema import digest_of
from training.statistics.verdicts import Direction

# Part of every digest: raise it when the same definition comes to be asked in another way.
ASKED_VERSION = 1
Target = int | str | tuple[int | str, ...] | None


@dataclass(frozen=True, slots=True)
class Labels:
    """What people are told of a benchmark; none of it changes a number."""

    alias: str | None = None
    summary: str = ""
    language: str | None = None
    tags: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkDefinition:
    """How a benchmark asks its items and what its scores mean.

    `choices` is a list of texts, or a template or column that gives one. `answer` is the right
    choice: its index, a template or column that gives it or its index, or several of them; for
    generated texts the reference. `cluster_by` and `group_by` are columns whose values together
    name a cluster or a group. `words` is the file of a word list. `roles` names the columns
    that the bias metrics read. `margin` is what the benchmark itself advises to a gate. Of a
    `hidden` one nobody who proposes may read an item.
    """

    task: str
    rows: Rows
    output_type: str = CHOICES
    text: str = ""
    choices: tuple[str, ...] | str | None = None
    answer: Target = None
    description: str = ""
    delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    fewshot: Fewshot | None = None
    generation: Generation | None = None
    filters: tuple[tuple[str, Chain], ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    sample: Sample = field(default_factory=Sample)
    cluster_by: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    words: str | None = None
    roles: tuple[tuple[str, str], ...] = ()
    margin: Margin | None = None
    hidden: bool = False
    labels: Labels = field(default_factory=Labels)

    @property
    def repo_id(self) -> str | None:
        """The repository of the items; None where they lie beside the definition."""
        return self.rows.repo_id

    @property
    def revision(self) -> str | None:
        return self.rows.revision

    @property
    def file(self) -> str:
        """The path of the items."""
        return self.rows.file

    @property
    def label(self) -> str:
        return self.labels.alias or self.task

    @property
    def primary(self) -> MetricSpec:
        """The metric that a gate means where it names none."""
        return self.metrics[0]

    @property
    def metric(self) -> str:
        """The primary metric's name."""
        return self.primary.name

    @property
    def direction(self) -> Direction:
        return self.primary.direction

    @property
    def target(self) -> float | None:
        return self.primary.target

    def metric_named(self, name: str | None) -> MetricSpec:
        """One of the metrics; the primary one for None. Raises BadInputError naming them all."""
        for metric in self.metrics:
            if name is None or metric.name == name:
                return metric
        known = ", ".join(metric.name for metric in self.metrics)
        raise BadInputError(f"The benchmark {self.task} has no metric {str(name)[:40]!r}: {known}.")

    @property
    def chain(self) -> Chain:
        """The filters that all metrics look through."""
        named = dict(self.filters)
        if self.primary.filter is not None:
            return named[self.primary.filter]
        return self.filters[0][1] if self.filters else ()

    def runner_definition(
        self, *, seed: int | None = None, words: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What the runner is told, in lm-evaluation-harness field names.

        `seed` is that of sampled answers, the sample's own where None. `words` are those of the
        file `self.words`.
        """
        asked: dict[str, Any] = {
            "output_type": self.output_type,
            "description": self.description,
            "doc_to_text": self.text,
            "doc_to_target": list(self.answer) if isinstance(self.answer, tuple) else self.answer,
            "target_delimiter": self.delimiter,
            "fewshot_delimiter": self.fewshot_delimiter,
            "metrics": [metric.parameters() for metric in self.metrics],
            "seed": self.sample.seed if seed is None else seed,
        }
        if self.choices is not None:
            fixed = isinstance(self.choices, tuple)
            asked["doc_to_choice"] = list(self.choices) if fixed else self.choices
        if self.generation is not None:
            asked["generation_kwargs"] = self.generation.kwargs()
            asked["repeats"] = self.generation.repeats
            asked["filter"] = [dict(step) for step in self.chain]
        if self.words is not None:
            asked["words"] = list(words)
        if self.roles:
            asked["roles"] = dict(self.roles)
        return asked

    @property
    def digest(self) -> str:
        """SHA-256 of what this file adds to the numbers.

        The prompt, the parameters of its metrics, its filters, which rows are taken. Left out:
        names, directions, margins and groups, which only say how numbers are shown and judged;
        and the bytes of its files, which `benchmark_digest` adds.
        """
        asked = self.runner_definition()
        # Which of them comes first, and the words themselves, are told elsewhere.
        asked["metrics"] = sorted(asked["metrics"], key=lambda metric: str(metric["name"]))
        return digest_of(
            [
                ASKED_VERSION,
                asked,
                None if self.fewshot is None else self.fewshot.to_dict(),
                self.sample.to_dict(),
                self.rows.sample_by,
                list(self.cluster_by),  # clusters stay together in a chunk, which decides rounding
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values of all that the file says, ready for JSON and for display."""
        return {
            **self.runner_definition(),
            "task": self.task,
            "task_alias": self.labels.alias,
            "summary": self.labels.summary,
            "language": self.labels.language,
            "tag": list(self.labels.tags),
            "version": self.labels.version,
            "repo_id": self.repo_id,
            "revision": self.revision,
            "file": self.file,
            "fewshot_file": None if self.fewshot is None else self.fewshot.file,
            "fewshot": None if self.fewshot is None else self.fewshot.to_dict(),
            "words_file": self.words,
            "metrics": [metric.to_dict() for metric in self.metrics],
            "direction": self.direction.value,
            "target": self.target,
            "sample": self.sample.to_dict(),
            "cluster_by": list(self.cluster_by),
            "group_by": list(self.group_by),
            "margin": None if self.margin is None else self.margin.written,
            "hidden": self.hidden,
        }

    def default_margin(self, metric: str | None = None) -> Margin:
        """The benchmark's own advice, else the usual one for such a score (gate-methods, 4)."""
        asked = self.metric_named(metric)
        if self.margin is not None and asked is self.primary:
            return self.margin
        return _USUAL_MARGINS.get(asked.unit, Margin(0.02))


_USUAL_MARGINS = {
    "share": Margin(0.02),
    "bits": Margin(0.005, relative=True),
    "nats": Margin(0.005, relative=True),
    "perplexity": Margin(0.005, relative=True),
    "score100": Margin(1.0),
}


def benchmark_digest(
    definition: BenchmarkDefinition,
    *,
    items_sha256: str,
    shots_sha256: str | None = None,
    words_sha256: str | None = None,
    seed: int | None = None,
) -> str:
    """SHA-256 of all that the numbers of a benchmark depend on, its files included.

    `seed` is the one that takes the sample's place, None for the sample's own.
    """
    used = definition.sample.seed if seed is None else seed
    return digest_of([definition.digest, items_sha256, shots_sha256, words_sha256, used])
