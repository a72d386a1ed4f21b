"""Queries compiled once: the same answers as Django's own, whoever asks and whatever for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from hub.models import Access, AccessToken, Collaborator, Kind, Repository
from hub.models.prepared import Prepared, counted, each_of
from hub.policies import Actor, visible_lines, visible_repositories
from tests.factories import make_member, make_organization, make_repository, make_token, make_user

pytestmark = pytest.mark.django_db

ODD = [
    "plain",
    "100%",
    "it's",
    'say "x"',
    "back\\slash",
    "%s",
    "{keys}",
    "\N{WHITE SQUARE}name",
    "",
]


@pytest.mark.parametrize("name", ODD)
def test_a_text_is_a_value_whatever_it_holds(name):
    first, second = make_repository(), make_repository()
    Repository.objects.filter(pk=first.pk).update(name=name)
    named = Prepared(lambda name: Repository.objects.filter(name=name))
    assert [row.pk for row in named(name=name)] == [first.pk]
    assert [row.pk for row in named(name=second.name)] == [second.pk]


def test_a_list_is_one_value_however_long_it_is():
    rows = [make_repository() for _ in range(3)]
    listed = Prepared(lambda keys: Repository.objects.filter(pk__in=each_of(keys)).order_by("pk"))
    for keys in ([], [rows[0].pk], [row.pk for row in rows], [0]):
        wanted = Repository.objects.filter(pk__in=keys).order_by("pk")
        assert listed(keys=keys) == list(wanted)


def test_none_are_counted_as_none():
    row = make_repository()
    many = Prepared(lambda kind: counted(Repository.objects.filter(kind=kind)))
    assert many(kind=Kind.SPACE) == [0]
    assert many(kind=row.kind) == [1]


def test_related_rows_and_annotations_come_with_a_row(django_assert_num_queries):
    row = make_repository()
    asked = Prepared(lambda key: visible_repositories(Actor(AnonymousUser())).filter(pk=key))
    with django_assert_num_queries(1):
        (found,) = asked(key=row.pk)
        assert (found.namespace.slug, found.access) == (row.namespace.slug, Access.READ)


def test_a_query_whose_shape_depends_on_a_value_is_refused():
    wrong = Prepared(lambda key: Repository.objects.all() if key else Repository.objects.none())
    with pytest.raises(ValueError, match="shape"):
        wrong(key=1)


def test_everyone_sees_what_the_policy_says():
    """One after the other, so that a plan made for one could be mistaken for another's."""
    organization = make_organization()
    member, guest, stranger = (
        make_member(organization, access=Access.WRITE),
        make_user(),
        make_user(),
    )
    rows = [make_repository(organization, visibility=seen) for seen in ("public", "private")]
    rows.append(make_repository(visibility="private"))
    Collaborator.objects.create(repository=rows[2], user=guest, access=Access.READ)
    limited = AccessToken.objects.for_secret(make_token(member))
    assert limited is not None
    limited.repositories.add(rows[1])
    limited = AccessToken.objects.live().get(pk=limited.pk)
    actors = [
        Actor(AnonymousUser()),
        *(Actor(person) for person in (member, guest, stranger)),
        Actor(member, limited),
    ]
    seen = []
    for actor in actors * 2:
        wanted = {row.pk: row.access for row in visible_repositories(actor)}
        lines = visible_lines(actor, [row.pk for row in rows])
        assert {key: row.access for key, row in lines.items()} == wanted
        seen.append(frozenset(wanted))
    assert len(set(seen)) == 4  # a stranger sees what anybody does


@pytest.mark.django_db(transaction=True)
def test_threads_ask_side_by_side_each_over_its_own_connection():
    rows = [make_repository() for _ in range(4)]
    named = Prepared(lambda key: Repository.objects.filter(pk=key).values_list("pk", flat=True))

    def ask(key: int) -> list[int]:
        try:
            return [found for _ in range(25) for found in named(key=key)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        for row, found in zip(rows, pool.map(ask, [row.pk for row in rows]), strict=True):
            assert found == [row.pk] * 25
