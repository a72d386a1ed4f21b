"""The gate file: `.weighbridge/gate.yaml` of the target branch says what a merge must show.

alpha: 0.05
benchmarks:
  - benchmark: demo/sms_spam:benchmark.yaml
    role: target
    margin: 0.05
  - benchmark: demo/blimp:benchmark.yaml@v1
    role: guard
    margin: 0.05
    limit: 268
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

from hub.errors import BadInputError
from training.specs.schema import (
    REPO_ID,
    REVISION,
    ListOf,
    Number,
    OneOf,
    Text,
    digest_of,
    load_mapping,
    read_map,
    read_path,
    refuse_unknown,
)
from training.statistics.comparison import MINIMUM_ITEMS
from training.statistics.power import binary_items_needed, provable_margin

GATE_PATH = ".weighbridge/gate.yaml"
DEFAULT_ALPHA = 0.05
# The share of items on which two versions of one model usually differ.
DEFAULT_DISCORDANCE = 0.10
MAX_BENCHMARKS = 20
_KNOWN_KEYS = ("alpha", "benchmarks", "seeds")
_BENCHMARK_KEYS = ("benchmark", "role", "margin", "limit", "discordance")


class Role(StrEnum):
    """Whether a benchmark is what proposals aim at, or what they must not harm. Both must pass."""

    TARGET = "target"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class BenchmarkReference:
    """A benchmark file: `repo_id:path`, at a revision or at the head of the default branch."""

    repo_id: str
    path: str
    revision: str | None = None

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"{self.repo_id}:{self.path}{at}"


@dataclass(frozen=True, slots=True)
class GateBenchmark:
    """One benchmark of a gate. `margin` is in score units: 0.02 of an accuracy is 2 points.

    `limit` caps the items. `discordance` is the share of items on which base and candidate are
    expected to differ; it decides how small a margin the items can prove.
    """

    reference: BenchmarkReference
    margin: float
    role: Role = Role.GUARD
    limit: int | None = None
    discordance: float = DEFAULT_DISCORDANCE

    def to_dict(self) -> dict[str, Any]:
        return {
            "benchmark": str(self.reference),
            "role": self.role.value,
            "margin": self.margin,
            "limit": self.limit,
            "discordance": self.discordance,
        }


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What every merge into a branch must show. `seeds` are those of the evaluation; the first
    one also orders the items."""

    benchmarks: tuple[GateBenchmark, ...]
    alpha: float = DEFAULT_ALPHA
    seeds: tuple[int, ...] = (0,)

    def to_dict(self) -> dict[str, Any]:
        """Plain values in the file's own shape; `read_gate` of them is this gate again."""
        return {
            "alpha": self.alpha,
            "benchmarks": [benchmark.to_dict() for benchmark in self.benchmarks],
            "seeds": list(self.seeds),
        }

    @property
    def digest(self) -> str:
        """SHA-256 that gate records and merges name."""
        return digest_of(self.to_dict())


def parse_gate(content: bytes | str, *, place: str = GATE_PATH) -> GateConfig:
    """The gate in a YAML file.

    Raises:
        BadInputError: an unknown key, no benchmark, one twice, a value out of range, fewer than
            100 items, or a margin below what the limit on items can prove.
    """
    return read_gate(load_mapping(content, place), place=place)


def read_gate(values: dict[str, Any], *, place: str = GATE_PATH) -> GateConfig:
    """The gate in plain values."""
    refuse_unknown(values, _KNOWN_KEYS, place)
    listed = values.get("benchmarks")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_BENCHMARKS:
        raise BadInputError(f"{place} needs a list of 1 to {MAX_BENCHMARKS} benchmarks.")
    benchmarks = tuple(
        _benchmark(value, f"{place}: benchmarks[{index}]") for index, value in enumerate(listed)
    )
    _refuse_repeats(benchmarks, place)
    alpha = Number(0, 0.25, open_low=True).read(values.get("alpha", DEFAULT_ALPHA), "alpha")
    seeds = ListOf(Number(0, 2**32 - 1, whole=True), 1, 10).read(values.get("seeds", [0]), "seeds")
    for benchmark in benchmarks:
        if benchmark.limit is not None:
            _require_decidable(benchmark, benchmark.limit, alpha)
    return GateConfig(benchmarks, alpha, tuple(seeds))


def parse_reference(text: str, place: str = "The benchmark") -> BenchmarkReference:
    """The benchmark that `namespace/name:path/to/benchmark.yaml@revision` names."""
    value = Text(1500).read(text, place)
    repo_id, colon, rest = value.partition(":")
    path, at, revision = rest.rpartition("@") if "@" in rest else (rest, "", "")
    if not colon or not path.endswith((".yaml", ".yml")) or (at and not revision):
        raise BadInputError(
            f"{place} is {value[:80]!r}; write namespace/name:benchmark.yaml, with @revision "
            "behind it to pin one."
        )
    return BenchmarkReference(
        repo_id=REPO_ID.read(repo_id, place),
        path=read_path(path, place),
        revision=REVISION.read(revision, place) if revision else None,
    )


def require_decidable(gate: GateConfig, item_counts: Mapping[str, int]) -> None:
    """Refuse a gate whose items cannot prove its margins.

    `item_counts` holds the number of items by benchmark reference, as `str(reference)`.

    Raises:
        BadInputError: a benchmark has fewer than 100 items, or a margin below m*.
    """
    for benchmark in gate.benchmarks:
        _require_decidable(benchmark, item_counts[str(benchmark.reference)], gate.alpha)


def _require_decidable(benchmark: GateBenchmark, n: int, alpha: float) -> None:
    if n < MINIMUM_ITEMS:
        raise BadInputError(
            f"{benchmark.reference} has {n} items and cannot decide: it needs at least "
            f"{MINIMUM_ITEMS} items."
        )
    smallest = provable_margin(benchmark.discordance, n, alpha=alpha)
    if benchmark.margin >= smallest:
        return
    needed = ceil(binary_items_needed(benchmark.discordance, benchmark.margin, alpha=alpha))
    raise BadInputError(
        f"{benchmark.reference} cannot decide a margin of {benchmark.margin:g} with {n} items: it "
        f"needs {needed} items, or a margin of at least {ceil(smallest * 1000) / 1000:g}."
    )


def _benchmark(value: Any, place: str) -> GateBenchmark:
    values = read_map(value, place)
    refuse_unknown(values, _BENCHMARK_KEYS, place)
    for key in ("benchmark", "margin"):
        if key not in values:
            raise BadInputError(f"{place} has no {key}; add it.")
    limit = values.get("limit")
    return GateBenchmark(
        reference=parse_reference(values["benchmark"], f"{place}.benchmark"),
        margin=Number(0, 0.5, open_low=True).read(values["margin"], f"{place}.margin"),
        role=Role(OneOf(tuple(Role)).read(values.get("role", "guard"), f"{place}.role")),
        limit=None if limit is None else Number(1, 50_000, True).read(limit, f"{place}.limit"),
        discordance=Number(0, 1, open_low=True).read(
            values.get("discordance", DEFAULT_DISCORDANCE), f"{place}.discordance"
        ),
    )


def _refuse_repeats(benchmarks: tuple[GateBenchmark, ...], place: str) -> None:
    seen = set()
    for benchmark in benchmarks:
        key = (benchmark.reference.repo_id, benchmark.reference.path)
        if key in seen:
            raise BadInputError(f"{place} names {benchmark.reference} twice; keep one of them.")
        seen.add(key)
