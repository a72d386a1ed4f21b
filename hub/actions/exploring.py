"""Explore: which repositories answer a wish, in which order, and what they could be narrowed by.

Every step has an end: larger sets than COUNTED are counted in a sample and say so, words
are ranked among the RANKED hottest that answer by name or tag and as many that answer by all that
is said of them. Whoever may not see a repository finds neither it nor its shadow in a number.
Decision 30.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from django.db import connection, transaction

from hub.extensions import registries
from hub.formats import search_words
from hub.formats.facets import FACETS
from hub.models import Repository, SearchEntry, SearchTotal
from hub.models.search import Reach, SearchEntryQuerySet, headed, reach_of
from hub.policies import Actor, visible_lines

COUNTED, SAMPLE, PAGED, RANKED, NAMED, FUZZY = 2_000, 4_000, 10_000, 600, 200, 100
# Values of one facet: beside the results, and in its own list.
VALUES_SHOWN, VALUES_LISTED = 24, 200
LOTS = 1000
# How near a misspelt name has to be: at first, and where nothing is; and how many are looked at.
NEARNESS, LOOKED_AT = (0.6, 0.42), 400
BEST, SCORE = "best", "score"
SORTS = {
    "trending": "-heat", "downloads": "-downloads", "likes": "-likes", "recent": "-modified_at",
}  # fmt: skip
_EXACT, _BEGINS, _NAMED, _ABOUT, _TOLD = range(5)


@dataclass(frozen=True)
class Wish:
    """What somebody looks for. `chosen` has the values of each facet: any of them will do.

    `benchmark` is a key of `registries.score_choices`; `least` and `most` are ends of its score.
    """

    query: str = ""
    kind: str = ""
    tag: str = ""
    sort: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    benchmark: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it narrows by nothing but the kind."""
        return not (self.query or self.tag or self.benchmark or any(self.chosen.values()))

    def without(self, facet: str) -> Wish:
        kept = {name: values for name, values in self.chosen.items() if name != facet}
        return replace(self, chosen=kept)


@dataclass(frozen=True)
class Counts:
    """How many have each `facet:value`; `about`: from a sample, scaled up."""

    values: Mapping[str, int]
    about: bool = False


@dataclass(frozen=True)
class Found:
    """What answers: `keys` in order where they were ranked, else `rows` in an order of the table.

    `total` is exact up to COUNTED, and beyond it where nothing is asked for but a kind; else it is
    `about` so many. `is_loose`: nothing answers as it is written, these are near.
    """

    total: int
    keys: tuple[int, ...] | None
    rows: SearchEntryQuerySet
    about: bool = False
    is_loose: bool = False
    scores: Mapping[int, str] = field(default_factory=dict)

    @property
    def reachable(self) -> int:
        return min(self.total, PAGED) if self.keys is None else len(self.keys)

    def page(self, begin: int, end: int) -> list[int]:
        if self.keys is not None:
            return list(self.keys[begin:end])
        return list(self.rows.values_list("pk", flat=True)[begin:end])


class Explorer:
    """One person's search. Each question to the database is asked once."""

    def __init__(self, actor: Actor, wish: Wish) -> None:
        self.actor, self.wish = actor, wish

    @cached_property
    def _reach(self) -> Reach:
        return reach_of(self.actor.user)

    @cached_property
    def _scores(self) -> dict[int, tuple[float, str]]:
        """Those with a score between the ends, by repository: its value and how it reads."""
        wish = self.wish
        if not wish.benchmark:
            return {}
        return registries.scores(self.actor, wish.benchmark, wish.least, wish.most)

    def _visible(self) -> SearchEntryQuerySet:
        rows = SearchEntry.objects.in_reach_of(self._reach)
        if self.actor.is_limited and self.actor.token is not None:
            rows = rows.filter(pk__in=self.actor.token.repositories.values("pk"))
        return rows

    def _narrowed(self) -> SearchEntryQuerySet:
        """All that the wish says but its words and facets."""
        rows, wish = self._visible(), self.wish
        if wish.kind:
            rows = rows.filter(kind=wish.kind)
        if wish.tag:
            rows = rows.filter(repository__tags__contains=[wish.tag])
        if wish.benchmark:
            rows = rows.filter(pk__in=list(self._scores))
        return rows

    def _but_words(self) -> SearchEntryQuerySet:
        rows = self._narrowed()
        for values in self._chosen.values():
            rows = rows.filter(facets__overlap=values)
        return rows

    def _but_facets(self) -> SearchEntryQuerySet:
        rows = self._narrowed()
        asked = search_words.question(self.wish.query)
        return rows.answering(asked) if asked else rows

    @cached_property
    def found(self) -> Found:
        wish = self.wish
        asked = search_words.question(wish.query)
        rows = self._but_words()
        if wish.query and not asked:
            return Found(0, (), rows.none())
        hits = rows.answering(asked) if asked else rows
        counts = self._tallies[""]
        total = counts.values.get("", 0)
        scores = {key: text for key, (_value, text) in self._scores.items()}
        if asked and total == 0:
            near = self._near(rows)
            return Found(len(near), tuple(near), rows, is_loose=bool(near), scores=scores)
        if wish.benchmark and wish.sort == SCORE:
            keys = sorted(self._scores, key=lambda key: self._scores[key][0], reverse=True)
            seen = set(hits.values_list("pk", flat=True))
            ordered = tuple(key for key in keys if key in seen)
            return Found(total, ordered, rows, counts.about, scores=scores)
        if asked and wish.sort not in SORTS:
            return Found(total, self._ranked(rows, hits), rows, counts.about, scores=scores)
        order = SORTS.get(wish.sort, SORTS["trending"])
        return Found(total, None, hits.order_by(order, "-pk"), counts.about, scores=scores)

    def _ranked(
        self, rows: SearchEntryQuerySet, hits: SearchEntryQuerySet | None, ranked: int = RANKED
    ) -> tuple[int, ...]:
        """The name itself, names that begin so, words of names, of tags, of cards; each by heat.

        Without `hits` (what answers by any word of its card) names and tags alone.
        """
        text = self.wish.query.casefold()
        weights = {"named": search_words.NAME, "tagged": search_words.NAME + search_words.ABOUT}
        heads = {
            key: headed(search_words.question(self.wish.query, weight=weight))
            for key, weight in weights.items()
        }
        begins = rows.filter(name__startswith=text.rpartition("/")[2])
        tagged = rows.filter(headed(search_words.question(self.wish.query)))
        columns = ("pk", "name", "label", "heat", *heads)
        hottest, *others = (
            some.annotate(**heads).order_by("-heat").values_list(*columns)[:most]
            for some, most in ((begins, NAMED), (tagged, ranked), (hits, ranked))
            if some is not None
        )
        looked_at = tuple(hottest.union(*others, all=True))
        if "/" in text:
            owner = text.partition("/")[0]
            looked_at = tuple(each for each in looked_at if each[2].startswith(owner)) or looked_at
        placed = {
            pk: (_place(text, name, label, named, tagged), -heat, -pk)
            for pk, name, label, heat, named, tagged in looked_at
        }
        return tuple(sorted(placed, key=placed.__getitem__))

    def _near(self, rows: SearchEntryQuerySet) -> list[int]:
        """Names that are spelt nearly so, and texts with any of the pairs of ideographs."""
        found: dict[int, None] = {}
        text = self.wish.query.casefold()
        if loose := search_words.loose_question(text):
            found |= dict.fromkeys(
                rows.answering(loose).order_by("-heat").values_list("pk", flat=True)[:FUZZY]
            )
        if any(len(run) >= 3 and not search_words.is_cjk(run) for run in search_words.runs(text)):
            found |= dict.fromkeys(self._spelt_nearly(rows, text))
        return list(found)

    def _spelt_nearly(self, rows: SearchEntryQuerySet, text: str) -> list[int]:
        columns = ("likeness", "heat", "pk")
        with transaction.atomic(), connection.cursor() as cursor:
            for nearness in NEARNESS:
                cursor.execute(
                    "SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)",
                    [str(nearness)],
                )
                looked_at = rows.near(text).values_list(*columns)[:LOOKED_AT]
                if near := sorted(looked_at, reverse=True):
                    return [pk for _likeness, _heat, pk in near[:FUZZY]]
        return []

    def first(self, most: int) -> list[int]:
        """The best few by name or tag, without a count; where nothing is, those spelt nearly so."""
        rows = self._but_words()
        if not search_words.question(self.wish.query):
            return []
        return list(self._ranked(rows, None, NAMED)[:most]) or self._near(rows)[:most]

    def rows_of(self, keys: Iterable[int]) -> list[Repository]:
        """The repositories `keys`, in their order, as the one who asks may see them now."""
        wanted = list(keys)
        rows = visible_lines(self.actor, wanted)
        return [rows[key] for key in wanted if key in rows]

    def suggestion(self, shown: Iterable[Repository]) -> str:
        """What may have been meant, in words of what is shown; empty where nothing is near."""
        return search_words.meant(self.wish.query, [row.repo_id for row in shown])

    @cached_property
    def plain(self) -> Counts:
        """Of everything of the kind: the totals of what is public, and what else is in reach."""
        return self._plain(self.wish.kind)

    def _plain(self, kind: str, facet: str = "", like: str = "") -> Counts:
        wanted, most = ((facet,), VALUES_LISTED) if facet else (("", *FACETS), VALUES_SHOWN)
        found = SearchTotal.objects.largest(kind, wanted, most=most, like=like)
        if self._reach:
            private = SearchEntry.objects.private_in(self._reach)
            private = private.filter(kind=kind) if kind else private
            for value, count in private.tallies({}, [""])[""].items():
                if not facet or (value.startswith(f"{facet}:") and like in value):
                    found[value] = found.get(value, 0) + count
        return Counts(found)

    def counts(self, facet: str, *, like: str = "", listed: bool = False) -> Counts:
        """How many have each value of `facet`, whatever of it is chosen.

        `listed`: many of them, those that hold the text `like`.
        """
        wish = self.wish.without(facet)
        if listed and self._is_everything(wish):
            return self._plain(wish.kind, facet, like)
        if self.found.is_loose:
            return self._loose
        return self._tallies[facet if facet in self._chosen else ""]

    @cached_property
    def _chosen(self) -> dict[str, list[str]]:
        return {
            facet: [f"{facet}:{value}" for value in values]
            for facet, values in self.wish.chosen.items()
            if values
        }

    @cached_property
    def _loose(self) -> Counts:
        """Of what is near: all of it has what is chosen."""
        near = SearchEntry.objects.filter(pk__in=self.found.keys or ())
        return Counts(near.tallies({}, [""])[""])

    def _is_everything(self, wish: Wish) -> bool:
        """Whether the totals say how many there are: so many that nobody counts them at once."""
        if not wish.is_plain or self.actor.is_limited:
            return False
        return self.plain.values.get("", 0) > COUNTED

    @cached_property
    def _tallies(self) -> dict[str, Counts]:
        """What answers the wish, under the empty name, and what would without each chosen facet.

        From the totals, or from a sample, scaled up; where the sample says that there are no more
        than COUNTED, they are counted. So two questions at most, whatever is chosen.
        """
        whole = [
            name for name in ("", *self._chosen) if self._is_everything(self.wish.without(name))
        ]
        found = dict.fromkeys(whole, self.plain)
        names = [name for name in ("", *self._chosen) if name not in found]
        rows = self._but_facets()
        if (lots := self._lots()) < LOTS and names:
            for name, values in rows.filter(lot__lt=lots).tallies(self._chosen, names).items():
                scaled = {value: count * LOTS // lots for value, count in values.items()}
                if scaled.get("", 0) > COUNTED:
                    found[name] = Counts(scaled, about=True)
            names = [name for name in names if name not in found]
        if names:
            exact = rows.tallies(self._chosen, names)
            found |= {name: Counts(values) for name, values in exact.items()}
        return {name: self._as_found(name, counts, found[""]) for name, counts in found.items()}

    def _as_found(self, name: str, counts: Counts, whole: Counts) -> Counts:
        """An estimate with the numbers of what is chosen as they were counted: whoever has a
        chosen value is among what was found."""
        if not counts.about or whole.about:
            return counts
        known = {value: whole.values.get(value, 0) for value in self._chosen.get(name, ())}
        return Counts({**counts.values, **known}, about=True)

    def _lots(self) -> int:
        """How many of the LOTS hold about SAMPLE of everything."""
        everything = self.plain.values.get("", 0)
        return max(1, LOTS * SAMPLE // everything) if everything > SAMPLE else LOTS


def _place(text: str, name: str, label: str, named: bool, tagged: bool) -> int:
    if text in {name, label}:
        return _EXACT
    if name.startswith(text) or label.startswith(text):
        return _BEGINS
    if named:
        return _NAMED
    return _ABOUT if tagged else _TOLD
