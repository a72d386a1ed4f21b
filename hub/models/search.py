"""What explore looks at: a narrow row beside each repository, and totals of the public ones.

Triggers of the database keep kind, namespace, visibility, name, likes and the time of the last
change equal to the repository's row, whoever changes it: no list or count can be late about who may
see what. Words and filters are written by `jobs.search_index`, heat and downloads by `jobs.heat`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import RawSQL

from hub.models.collaborators import Collaborator
from hub.models.namespaces import Access, Membership, Namespace
from hub.models.prepared import Prepared
from hub.models.repositories import Kind, Repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hub.models.repositories import Person

    Chosen = Mapping[str, Sequence[str]]  # a facet's name, and values as entries have them


class SearchEntryQuerySet(models.QuerySet["SearchEntry"]):
    def in_reach_of(self, reach: Reach) -> Self:
        """What is public, and what else somebody may read."""
        return self.filter(Q(is_public=True) | reach.as_condition())

    def hottest(self, kind: str) -> models.QuerySet[SearchEntry, int]:
        """Keys of the public ones of a kind, the hottest first."""
        rows = self.filter(kind=kind, is_public=True).order_by("-heat", "-pk")
        return rows.values_list("pk", flat=True)

    def answering(self, question: str) -> Self:
        return self.filter(answers(question))

    def near(self, text: str) -> Self:
        """Those with a name that is spelt nearly as `text`, as the session's threshold says."""
        near = RawSQL('"hub_searchentry"."label" %%> %s', [text], models.BooleanField())
        likeness = RawSQL('word_similarity(%s, "hub_searchentry"."label")', [text])
        return self.filter(near).annotate(likeness=likeness)

    def private_in(self, reach: Reach) -> Self:
        return self.filter(reach.as_condition(), is_public=False)

    def tallies(self, chosen: Chosen, left_out: Iterable[str]) -> dict[str, dict[str, int]]:
        """How many rows have each value, in one pass: of those with any value of every `chosen`
        facet, and for each name of `left_out` of those that have all but this facet's.

        The empty name leaves nothing out; under the empty value stands how many rows there are.
        """
        has = {name: Q(facets__overlap=values) for name, values in chosen.items()}
        wanted = dict.fromkeys(left_out)
        shown = [[each for other, each in has.items() if other != name] for name in wanted]
        lacks = Case(
            *(When(~each, then=Value(name)) for name, each in has.items()), default=Value("")
        )
        rows = self.order_by().annotate(lacks=lacks)
        if all(shown):
            rows = rows.filter(reduce(or_, (reduce(and_, each) for each in shown)))
        try:
            sql, params = rows.values_list("lacks", "facets").query.sql_with_params()
        except EmptyResultSet:  # nothing can answer, which Django knows without asking
            return {name: {} for name in wanted}
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT lacks, value, count(*) FROM ({sql}) AS rows (lacks, facets),"  # noqa: S608
                " unnest(array_append(facets, '')) AS value GROUP BY 1, 2",
                params,
            )
            for lacking, value, count in cursor.fetchall():
                counted[lacking][value] = count
        return {name: dict(counted[""] + counted[name] if name else counted[""]) for name in wanted}


@dataclass(frozen=True)
class Reach:
    """What somebody may read though it is private: all of some namespaces, and repositories that
    they were invited to."""

    namespaces: frozenset[int] = frozenset()
    repositories: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.namespaces or self.repositories)

    def as_condition(self) -> Q:
        return Q(namespace__in=self.namespaces) | Q(pk__in=self.repositories)


_REACHED = Prepared(
    lambda person: (
        Membership.objects.filter(user=person, access__gte=Access.READ)
        .values_list(Value("spaces"), "namespace")
        .union(
            Collaborator.objects.filter(user=person).values_list(
                Value("repositories"), "repository"
            ),
            all=True,
        )
    )
)


def reach_of(user: Person) -> Reach:
    """How far this person reaches, in one question."""
    if user.pk is None:
        return Reach()
    keys: dict[str, set[int]] = {"spaces": set(), "repositories": set()}
    for what, key in _REACHED(person=user.pk):
        keys[what].add(key)
    return Reach(frozenset(keys["spaces"]), frozenset(keys["repositories"]))


def answers(question: str) -> RawSQL:
    """Whether a row's words answer a tsquery that `formats.search_words` has written."""
    return RawSQL('"hub_searchentry"."document" @@ %s::tsquery', [question], models.BooleanField())


def headed(question: str) -> RawSQL:
    """Whether the words of its name, or of that and its tags, answer a tsquery with weights."""
    return RawSQL('"hub_searchentry"."heading" @@ %s::tsquery', [question], models.BooleanField())


class SearchEntry(models.Model):
    """One repository as lists find it. `lot` is a number from 0 to 999 by chance, for samples.

    `heat` is its trend: see `jobs.heat`, which has seen `downloads`, `seen_likes` and
    `seen_discussions` so far.
    """

    repository = models.OneToOneField(
        Repository, on_delete=models.CASCADE, primary_key=True, related_name="search_entry"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="+")
    is_public = models.BooleanField()
    name = models.CharField(max_length=96)
    label = models.CharField(max_length=200, help_text="namespace/name, in small letters.")
    document = SearchVectorField(
        default="", help_text="All words, those of the card too: what a question is answered from."
    )
    heading = SearchVectorField(
        default="", help_text="Words of the name and the tags by weight: what an order looks at."
    )
    facets = ArrayField(models.CharField(max_length=140), default=list)
    likes = models.PositiveIntegerField(default=0)
    modified_at = models.DateTimeField()
    downloads = models.PositiveBigIntegerField(default=0)
    heat = models.FloatField(default=0)
    seen_likes = models.PositiveIntegerField(default=0)
    seen_discussions = models.PositiveIntegerField(default=0)
    lot = models.PositiveSmallIntegerField()

    objects = SearchEntryQuerySet.as_manager()

    class Meta:
        indexes = [
            GinIndex(fields=["document"], name="search_document"),
            GinIndex(fields=["heading"], name="search_heading"),
            GinIndex(fields=["facets"], name="search_facets"),
            GinIndex(OpClass("label", name="gin_trgm_ops"), name="search_label_trigrams"),
            models.Index(OpClass("name", name="text_pattern_ops"), name="search_name"),
            models.Index("kind", F("heat").desc(), F("repository").desc(), name="search_kind"),
            models.Index(F("heat").desc(), F("repository").desc(), name="search_heat"),
            models.Index(F("downloads").desc(), F("repository").desc(), name="search_downloads"),
            models.Index(F("likes").desc(), F("repository").desc(), name="search_likes"),
            models.Index(F("modified_at").desc(), F("repository").desc(), name="search_modified"),
            models.Index("lot", name="search_lot"),
            models.Index("namespace", condition=Q(is_public=False), name="search_private"),
        ]


# The values that most have, of each facet; a plan that reads a few rows of the index a facet.
_TOTALS = """
SELECT total.value, total.count FROM unnest(%s::text[]) AS wanted, LATERAL (
    SELECT value, count FROM hub_searchtotal
    WHERE kind = %s AND facet = wanted AND strpos(lower(value), lower(%s)) > 0
    ORDER BY count DESC LIMIT %s
) AS total
"""


class SearchTotalManager(models.Manager["SearchTotal"]):
    def largest(
        self, kind: str, facets: Iterable[str], *, most: int, like: str = ""
    ) -> dict[str, int]:
        """The `most` largest totals of each facet, by value."""
        with connection.cursor() as cursor:
            cursor.execute(_TOTALS, [list(facets), kind, like, most])
            return dict(cursor.fetchall())


class SearchTotal(models.Model):
    """How many public repositories of a kind have a value of a facet; counted anew by `jobs.heat`.

    `kind` empty: of all kinds together. `facet` and `value` empty: how many there are.
    """

    kind = models.CharField(max_length=8, blank=True, choices=Kind)
    facet = models.CharField(max_length=16, blank=True)
    value = models.CharField(max_length=140, blank=True)
    count = models.PositiveIntegerField()
    counted_at = models.DateTimeField()

    objects = SearchTotalManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "facet", "value"], name="search_total_unique")
        ]
        indexes = [models.Index("kind", "facet", F("count").desc(), name="search_total_most")]
