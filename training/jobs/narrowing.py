"""Finding the version that made a model worse: what has been measured narrows it down.

The versions of a branch stand in a row, from one that was good (place 0) to one that is shown to
be worse (the last place). Each measured one is weighed against both ends on the same items:

    it counts as *broken* when its value is nearer to the bad end's than to the good end's.

With D the loss from good to bad and s the standard error of a version's paired difference, a
version that is truly as one of the ends is put on the wrong side with a chance of about
1 - Φ(D / 2s): 2 % where D is four standard errors, 16 % where it is two. So a search starts only
where bad is shown to be worse than good at the level alpha, and a step says whether it is *clear*:
the version is shown to be worse than the good end, or better than the bad one, at alpha. A culprit
between two versions that are not clear is a suspicion, and is told as one.

Halving assumes that the model broke once. If it broke, was mended and broke again, the last time
is found: the search stays behind the last version known to be fine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from training.statistics.comparison import Comparison, Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import Direction, Label, Verdict


@dataclass(frozen=True)
class Judged:
    """One measured version between the ends.

    `against_good` weighs it against the good end, `against_bad` weighs the bad end against it.
    """

    place: int
    against_good: Comparison
    against_bad: Comparison

    @property
    def is_broken(self) -> bool:
        """Whether it is nearer to the bad end; halfway counts as fine."""
        good, here = _loss(self.against_good, "base"), _loss(self.against_good, "candidate")
        bad = _loss(self.against_bad, "candidate")
        return here - good > bad - here

    @property
    def is_clear(self) -> bool:
        """Whether the side it is put on is shown, and not only the nearer one."""
        weighed = self.against_good if self.is_broken else self.against_bad
        return weighed.label is Label.REGRESSED


def is_shown(ends: Comparison) -> bool:
    """Whether the bad end is shown to be worse than the good one: else there is nothing to find."""
    return ends.verdict is not Verdict.ERROR and ends.label is Label.REGRESSED


def judge(
    place: int,
    good: Sequence[ItemScore],
    here: Sequence[ItemScore],
    bad: Sequence[ItemScore],
    rule: Rule,
) -> Judged | None:
    """A version between the ends; None when its items cannot be compared with theirs."""
    found = Judged(place, compare(good, here, rule), compare(here, bad, rule))
    weighed = (found.against_good, found.against_bad)
    return None if any(each.verdict is Verdict.ERROR for each in weighed) else found


def narrowed(broken: Mapping[int, bool]) -> tuple[int, int]:
    """The last place known to be fine with none but broken ones known behind it, and the first of
    those. The ends must be among the known: 0 is fine, the last one is broken.
    """
    places = sorted(broken, reverse=True)
    high = places[0]
    for place in places[1:]:
        if not broken[place]:
            return place, high
        high = place
    raise ValueError("No place is known to be fine.")


def next_place(low: int, high: int, left_out: Collection[int] = ()) -> int | None:
    """The place to measure next: the middle, or what is nearest to it and can be measured.

    None: nothing between the two can.
    """
    middle = (low + high) // 2
    open_places = [place for place in range(low + 1, high) if place not in left_out]
    return min(open_places, key=lambda place: abs(place - middle), default=None)


def _loss(comparison: Comparison, side: str) -> float:
    """How bad one side's value is: 0 or less is no loss, or the distance to the target."""
    value = comparison.base_score if side == "base" else comparison.candidate_score
    assert value is not None  # noqa: S101 - what could be compared has values
    if comparison.target is not None:
        return abs(value - comparison.target)
    return value if comparison.direction is Direction.LOWER else -value
