"""The rule: which verdict and which label an interval earns, for one benchmark and for all."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"


def sign_of(direction: Direction) -> float:
    """What turns a change into one where more is better; a target keeps the change as it is."""
    return -1.0 if direction is Direction.LOWER else 1.0


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class Label(StrEnum):
    IMPROVED = "improved"
    REGRESSED = "regressed"
    NO_SIGNIFICANT_CHANGE = "no_significant_change"


@dataclass(frozen=True, slots=True)
class Allowance:
    """The open range of changes that are better, and the one that is still allowed.

    A change is allowed down to `margin` outside of what is better: for a score above 0 that is
    every change above `-margin`; for a share that should be near a target it has two ends.
    """

    better_from: float
    better_to: float
    margin: float

    @property
    def floor(self) -> float:
        return self.better_from - self.margin

    @property
    def ceiling(self) -> float:
        return self.better_to + self.margin


def higher_is_better(margin: float) -> Allowance:
    """Every gain is better; a loss is allowed down to `margin`."""
    return Allowance(0.0, inf, margin)


def closer_is_better(base: float, target: float, margin: float) -> Allowance:
    """A change from `base` is better if it ends closer to `target`.

    The base score is taken as known; only the change has bounds.
    """
    distance = abs(base - target)
    if base >= target:
        return Allowance(-2.0 * distance, 0.0, margin)
    return Allowance(0.0, 2.0 * distance, margin)


def verdict_of(lower: float, upper: float, allowance: Allowance) -> Verdict:
    """pass: shown to be allowed; fail: shown not to be; inconclusive: neither is shown."""
    if lower > allowance.floor and upper < allowance.ceiling:
        return Verdict.PASS
    if upper <= allowance.floor or lower >= allowance.ceiling:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE


def label_of(lower: float, upper: float, allowance: Allowance) -> Label:
    """What is shown about the change itself, whatever the margin. It stands beside the verdict."""
    if lower > allowance.better_from and upper < allowance.better_to:
        return Label.IMPROVED
    if upper < allowance.better_from or lower > allowance.better_to:
        return Label.REGRESSED
    return Label.NO_SIGNIFICANT_CHANGE


def gate_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of the whole gate: the worst of its benchmarks; an empty list is an error.

    Every benchmark is held to its own alpha without correction, as all of them must pass
    (intersection-union test, Berger 1982).
    """
    found = set(verdicts)
    for verdict in (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in found:
            return verdict
    return Verdict.PASS if found else Verdict.ERROR


class Outcome(StrEnum):
    """What a gate does after a look."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    RUN_MORE = "run_more"
    BLOCKED = "blocked"
    ERROR = "error"


def gate_outcome(verdicts: Iterable[Verdict], *, last_look: bool) -> Outcome:
    """What the verdicts of a look lead to: inconclusive is `run_more`, or `blocked` at the end."""
    verdict = gate_verdict(verdicts)
    if verdict is Verdict.INCONCLUSIVE:
        return Outcome.BLOCKED if last_look else Outcome.RUN_MORE
    return Outcome(verdict.value)
