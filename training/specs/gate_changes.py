"""What a new rule asks for otherwise than the old one, key by key, and what of it is weaker."""

from dataclasses import asdict, dataclass
from typing import Any

from training.specs.gate import GateBenchmark, GateConfig
from training.specs.gate_text import written_looks

# Keys whose higher value lets more through, and keys whose lower value (or False) does.
_WEAKER_ABOVE = ("alpha",)
_WEAKER_BELOW = ("strict", "noise_floor", "contamination", "hidden", "limit", "votes")
_IN_WORDS = {True: "true", False: "false", None: "–"}


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One key of the rule with its old and new value as people write them; "" where none stands.

    `is_weaker`: more may pass than before. What cannot be ordered counts as weaker.
    """

    key: str
    before: str
    after: str
    is_weaker: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def rule_changes(before: GateConfig | None, after: GateConfig) -> list[RuleChange]:
    """Every key that changes. A rule that stands where none could be read adds its benchmarks."""
    if before is None:
        return [RuleChange(_name(each), "", "added") for each in after.benchmarks]
    return [
        *_differences("", _whole(before), _whole(after)),
        *_of_benchmarks(before, after),
        *_of_the_blind_desk(before, after),
    ]


def _whole(config: GateConfig) -> dict[str, Any]:
    values = config.to_dict() | {"looks": written_looks(config)}
    return {key: value for key, value in values.items() if key not in ("benchmarks", "blind")}


def _of_benchmarks(before: GateConfig, after: GateConfig) -> list[RuleChange]:
    old = {_place(each): each for each in before.benchmarks}
    new = {_place(each): each for each in after.benchmarks}
    gone = [RuleChange(_name(old[place]), "", "removed", True) for place in old.keys() - new.keys()]
    added = [RuleChange(_name(new[place]), "", "added") for place in new.keys() - old.keys()]
    found = [
        change
        for place, each in new.items()
        if place in old
        for change in _differences(f"{_name(each)} ", old[place].to_dict(), each.to_dict())
    ]
    return [*sorted(gone, key=lambda each: each.key), *added, *found]


def _of_the_blind_desk(before: GateConfig, after: GateConfig) -> list[RuleChange]:
    if before.blind is None or after.blind is None:
        if before.blind is after.blind:
            return []
        is_gone = after.blind is None
        return [RuleChange("blind", "", "removed" if is_gone else "added", is_gone)]
    return _differences("blind ", before.blind.to_dict(), after.blind.to_dict())


def _differences(prefix: str, old: dict[str, Any], new: dict[str, Any]) -> list[RuleChange]:
    return [
        RuleChange(prefix + key, _said(old[key]), _said(value), _is_weaker(key, old[key], value))
        for key, value in new.items()
        if value != old[key]
    ]


def _is_weaker(key: str, old: Any, new: Any) -> bool:
    """Whether more may pass: unsure where the two have no order."""
    if key == "role":
        return False
    numbers = all(isinstance(value, bool | int | float) for value in (old, new))
    if not numbers:
        return True
    if key == "margin" or key in _WEAKER_ABOVE:
        return bool(new > old)
    return bool(new < old) if key in _WEAKER_BELOW else True


def _said(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_said, value)) + "]"
    if value is None or isinstance(value, bool):
        return _IN_WORDS[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _place(benchmark: GateBenchmark) -> tuple[str, str]:
    return benchmark.reference.repo_id, benchmark.reference.path


def _name(benchmark: GateBenchmark) -> str:
    return f"{benchmark.reference.repo_id}:{benchmark.reference.path}"
