"""The gate file: `.weighbridge/gate.yaml` of the target branch says what a merge must show.

alpha: 0.05
looks: 3
benchmarks:
  - benchmark: demo/sms_spam:benchmark.yaml
    role: target
    margin: 0.05
  - benchmark: demo/blimp:benchmark.yaml@v1
    role: guard
    margin: 0.05
    limit: 268
blind: {benchmark: demo/prompts:benchmark.yaml, votes: 40, margin: 0.1}
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.errors import BadInputError
from training.specs.margins import Margin, read_margin
from training.specs.schema import (
    COLUMN,
    REPO_ID,
    REVISION,
    Flag,
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

GATE_PATH = ".weighbridge/gate.yaml"
DEFAULT_ALPHA = 0.05
# What a protected branch asks for where its rule names no level.
PROTECTED_ALPHA = 0.025
DEFAULT_LOOKS = 3
MAX_LOOKS = 10
# The share of items on which two versions of one model usually differ.
DEFAULT_DISCORDANCE = 0.10
DEFAULT_POWER = 0.8
MAX_BENCHMARKS = 20
MAX_MARGIN = 100.0  # of scores that run to 100, such as BLEU
SPENDINGS = ("lan_demets", "pocock", "obrien_fleming")
_KNOWN_KEYS = (
    "alpha", "benchmarks", "looks", "spending", "strict", "power", "noise_floor",
    "contamination", "blind",
)  # fmt: skip
_BENCHMARK_KEYS = (
    "benchmark", "role", "margin", "limit", "discordance", "spread", "metric", "hidden",
)  # fmt: skip
_BLIND_KEYS = ("benchmark", "votes", "margin", "limit")


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
    """One benchmark of a gate.

    `margin` is the largest loss that is let through, None for the benchmark's own. `metric` names
    one of the benchmark's metrics, None for its first. `limit` caps the items (n_max).
    `discordance` is the share of items on which base and candidate are expected to differ,
    `spread` the standard deviation of an item's difference where scores are not right or wrong;
    they decide how small a margin the items can prove. `hidden`: its items are for nobody who
    proposes.
    """

    reference: BenchmarkReference
    margin: Margin | None = None
    role: Role = Role.GUARD
    limit: int | None = None
    discordance: float = DEFAULT_DISCORDANCE
    spread: float | None = None
    metric: str | None = None
    hidden: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "benchmark": str(self.reference),
            "role": self.role.value,
            "margin": None if self.margin is None else self.margin.written,
            "limit": self.limit,
            "discordance": self.discordance,
            "spread": self.spread,
            "metric": self.metric,
            "hidden": self.hidden,
        }


@dataclass(frozen=True, slots=True)
class BlindRule:
    """A blind comparison by people as a requirement: candidate against base on prompts.

    The candidate's share of wins, ties half, must be shown to lie above one half minus `margin`,
    on at least `votes` judgements.
    """

    reference: BenchmarkReference
    votes: int = 40
    margin: float = 0.1
    limit: int = 50

    def to_dict(self) -> dict[str, Any]:
        return {
            "benchmark": str(self.reference),
            "votes": self.votes,
            "margin": self.margin,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What every merge into a branch must show.

    `alpha` is one-sided; None takes the default of the branch. `looks` are the shares of the
    items after which the gate may decide, `spending` how alpha is spent over them. `strict`
    lowers alpha with every attempt of a proposal. `noise_floor` asks for an A/A run of the base.
    """

    benchmarks: tuple[GateBenchmark, ...]
    alpha: float | None = None
    looks: tuple[float, ...] = (1 / 3, 2 / 3, 1.0)
    spending: str = "lan_demets"
    strict: bool = False
    power: float = DEFAULT_POWER
    noise_floor: bool = False
    contamination: bool = True
    blind: BlindRule | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values in the file's own shape; `read_gate` of them is this gate again."""
        return {
            "alpha": self.alpha,
            "benchmarks": [benchmark.to_dict() for benchmark in self.benchmarks],
            "looks": list(self.looks),
            "spending": self.spending,
            "strict": self.strict,
            "power": self.power,
            "noise_floor": self.noise_floor,
            "contamination": self.contamination,
            "blind": None if self.blind is None else self.blind.to_dict(),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of what the gate says, however it is written."""
        return digest_of(self.to_dict())

    def level(self, *, is_protected: bool) -> float:
        """The one-sided level before looks and attempts."""
        if self.alpha is not None:
            return self.alpha
        return PROTECTED_ALPHA if is_protected else DEFAULT_ALPHA


def parse_gate(content: bytes | str, *, place: str = GATE_PATH) -> GateConfig:
    """The gate in a YAML file.

    Raises:
        BadInputError: an unknown key, no benchmark, one twice, a value out of range, or fewer
            than 100 items.
    """
    return read_gate(load_mapping(content, place), place=place)


def read_gate(values: dict[str, Any], *, place: str = GATE_PATH) -> GateConfig:
    """The gate in plain values."""
    refuse_unknown(values, _KNOWN_KEYS, place)
    values = {key: value for key, value in values.items() if value is not None}
    listed = values.get("benchmarks")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_BENCHMARKS:
        raise BadInputError(f"{place} needs a list of 1 to {MAX_BENCHMARKS} benchmarks.")
    benchmarks = tuple(
        _benchmark(value, f"{place}: benchmarks[{index}]") for index, value in enumerate(listed)
    )
    _refuse_repeats(benchmarks, place)
    config = GateConfig(
        benchmarks=benchmarks,
        alpha=_number(values, "alpha", Number(0, 0.25, open_low=True), None),
        looks=_looks(values.get("looks", DEFAULT_LOOKS)),
        spending=OneOf(SPENDINGS).read(values.get("spending", SPENDINGS[0]), "spending"),
        strict=Flag().read(values.get("strict", False), "strict"),
        power=Number(0.5, 0.999).read(values.get("power", DEFAULT_POWER), "power"),
        noise_floor=Flag().read(values.get("noise_floor", False), "noise_floor"),
        contamination=Flag().read(values.get("contamination", True), "contamination"),
        blind=_blind(values.get("blind"), f"{place}: blind"),
    )
    _refuse_shown_prompts(config, place)
    for benchmark in benchmarks:
        _require_items(benchmark)
    return config


def _looks(value: Any) -> tuple[float, ...]:
    """Shares of the items: a number of equal looks, or the shares themselves."""
    if type(value) is int:
        count = Number(1, MAX_LOOKS, whole=True).read(value, "looks")
        return tuple((number + 1) / count for number in range(count))
    share = Number(0, 1, open_low=True)
    shares = tuple(ListOf(share, 1, MAX_LOOKS).read(value, "looks"))
    if list(shares) != sorted(set(shares)) or shares[-1] != 1.0:
        raise BadInputError(
            "looks must be a number of looks, or rising shares of the items that end with 1, "
            "such as [0.25, 0.6, 1]."
        )
    return shares


def _blind(value: Any, place: str) -> BlindRule | None:
    if value is None:
        return None
    values = read_map(value, place)
    refuse_unknown(values, _BLIND_KEYS, place)
    if "benchmark" not in values:
        raise BadInputError(f"{place} has no benchmark; name one whose items are the prompts.")
    return BlindRule(
        reference=parse_reference(values["benchmark"], f"{place}.benchmark"),
        votes=Number(10, 10_000, whole=True).read(values.get("votes", 40), f"{place}.votes"),
        margin=Number(0, 0.5, open_low=True).read(values.get("margin", 0.1), f"{place}.margin"),
        limit=Number(10, 1_000, whole=True).read(values.get("limit", 50), f"{place}.limit"),
    )


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


def _require_items(benchmark: GateBenchmark) -> None:
    """What a margin needs is looked at where metric and items are known: `jobs.provable`."""
    if benchmark.limit is not None and benchmark.limit < MINIMUM_ITEMS:
        raise BadInputError(
            f"{benchmark.reference} has {benchmark.limit} items and cannot decide: it needs at "
            f"least {MINIMUM_ITEMS} items."
        )


def _benchmark(value: Any, place: str) -> GateBenchmark:
    values = read_map(value, place)
    refuse_unknown(values, _BENCHMARK_KEYS, place)
    values = {key: given for key, given in values.items() if given is not None}
    if "benchmark" not in values:
        raise BadInputError(f"{place} has no benchmark; add it.")
    margin = values.get("margin")
    return GateBenchmark(
        reference=parse_reference(values["benchmark"], f"{place}.benchmark"),
        margin=None if margin is None else read_margin(margin, f"{place}.margin"),
        role=Role(OneOf(tuple(Role)).read(values.get("role", "guard"), f"{place}.role")),
        limit=_number(values, "limit", Number(1, 50_000, whole=True), place),
        discordance=_number(values, "discordance", Number(0, 1, open_low=True), place)
        or DEFAULT_DISCORDANCE,
        spread=_number(values, "spread", Number(0, MAX_MARGIN, open_low=True), place),
        metric=COLUMN.read(values["metric"], f"{place}.metric") if "metric" in values else None,
        hidden=Flag().read(values.get("hidden", False), f"{place}.hidden"),
    )


def _number(values: dict[str, Any], key: str, reader: Number, place: str | None) -> Any:
    if key not in values:
        return None
    return reader.read(values[key], f"{place}.{key}" if place else key)


def _refuse_repeats(benchmarks: tuple[GateBenchmark, ...], place: str) -> None:
    seen = set()
    for benchmark in benchmarks:
        key = (benchmark.reference.repo_id, benchmark.reference.path)
        if key in seen:
            raise BadInputError(f"{place} names {benchmark.reference} twice; keep one of them.")
        seen.add(key)


def _refuse_shown_prompts(config: GateConfig, place: str) -> None:
    """The examples of a benchmark show which side wrote what: nobody could judge it blindly."""
    if config.blind is None:
        return
    named = config.blind.reference
    for benchmark in config.benchmarks:
        shown = benchmark.reference
        if (shown.repo_id, shown.path) == (named.repo_id, named.path):
            raise BadInputError(
                f"{place}: blind.benchmark is {named}, a benchmark of this gate too, whose "
                "examples show which side wrote what; name other prompts."
            )
