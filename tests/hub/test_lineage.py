"""Where models come from: links follow cards, names and rights; circles and lies do no harm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from hub.actions.duplicating import duplicate_repository
from hub.actions.lineage import NODES_LIMIT, lineage_of
from hub.actions.moving import move_repository
from hub.actions.refs import move_ref
from hub.actions.repositories import create_repository, delete_repository, update_settings
from hub.formats.lineage import PARENTS_LIMIT, parents
from hub.jobs.lineage import Name, _key, hold, record, resolve
from hub.jobs.refresh import refresh
from hub.models import Access, Kind, ModelLink, RepoId, Repository
from tests.factories import actor, commit_files, make_member, make_organization, make_repository
from tests.races import PATIENCE_SECONDS, at_once

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def team():
    return make_organization("team")


@pytest.fixture
def owner(team):
    return make_member(team, access=Access.ADMIN)


def card(**data: Any) -> bytes:
    lines = [
        f"{key}: [{', '.join(value)}]" if isinstance(value, list) else f"{key}: {value}"
        for key, value in data.items()
    ]
    return ("---\n" + "\n".join(lines) + "\n---\n# Text\n").encode()


def say(repository: Repository, **data: Any) -> None:
    """Give a repository another card, as a push does."""
    commit_files(repository, {"README.md": card(**data)})
    refresh(repository.pk)
    repository.refresh_from_db()


def make(team, name: str, **data: Any) -> Repository:
    repository = make_repository(team, name=name, kind=data.pop("kind", "model"))
    if data:
        say(repository, **data)
    return repository


def links(repository: Repository) -> list[tuple[str, str, Any]]:
    rows = ModelLink.objects.filter(repository=repository).order_by("position")
    return [(row.named, row.relation, row.parent and row.parent.name) for row in rows]


def family(user: Any, repository: Repository) -> dict[str, int]:
    found = lineage_of(actor(user), repository)
    return {node.repo_id: node.level for node in found.rows()}


def test_links_follow_the_card_of_the_default_branch(team):
    base, data = make(team, "base"), make(team, "rows", kind="dataset")
    model = make(team, "tuned", base_model="team/base", datasets=["team/rows", "far/away"])
    assert links(model) == [
        ("team/base", "finetune", base.name),
        ("team/rows", "dataset", data.name),
        ("far/away", "dataset", None),
    ]
    say(model, base_model=["team/BASE"], base_model_relation="quantized")
    assert links(model) == [("team/BASE", "quantized", "base")]
    say(model, license="mit")
    assert links(model) == []


def test_a_push_and_a_new_repository_are_followed_at_once(team, owner):
    model = make(team, "tuned", base_model="team/later")
    assert links(model) == [("team/later", "finetune", None)]
    later = create_repository(actor(owner), RepoId(Kind.MODEL, "team", "later"))
    assert links(model) == [("team/later", "finetune", "later")]
    store, old = later.store(), later.store().resolve("main")
    new = commit_files(later, {"README.md": card(base_model="team/tuned")})
    store.move_ref("refs/heads/main", new=old, old=new)
    move_ref(later, actor(owner), "refs/heads/main", old=old, new=new)
    assert links(later) == [("team/tuned", "finetune", "tuned")]


def test_names_that_move_and_go_are_followed(team, owner):
    base = make(team, "base")
    model = make(team, "tuned", base_model="team/base")
    other = make(team, "other", base_model="team/renamed")
    base.access = Access.ADMIN
    move_repository(base, actor(owner), RepoId(Kind.MODEL, "team", "renamed"))
    assert links(model) == [("team/base", "finetune", "renamed")], "the old name leads there"
    assert links(other) == [("team/renamed", "finetune", "renamed")]
    taken = create_repository(actor(owner), RepoId(Kind.MODEL, "team", "base"))
    assert links(model) == [("team/base", "finetune", "base")], "who takes a name has it"
    delete_repository(taken, actor(owner))
    assert links(model) == [("team/base", "finetune", None)]
    delete_repository(model, actor(owner))
    assert not ModelLink.objects.filter(named="team/base").exists()


def test_what_is_hidden_is_told_as_what_is_missing(team, owner):
    make(team, "older")
    secret = make(team, "secret", base_model="team/older")
    public = make(team, "public", base_model=["team/secret", "team/missing"])
    hidden_child = make(team, "hidden-child", base_model="team/public")
    for each in (secret, hidden_child):
        update_settings(each, actor(owner), visibility="private")
    assert family(owner, public) == {
        "team/older": -2, "team/secret": -1, "team/missing": -1, "team/public": 0,
        "team/hidden-child": 1,
    }  # fmt: skip
    found = lineage_of(actor(), public)
    assert [node.repo_id for node in found.rows()] == ["team/secret", "team/missing", "team/public"]
    assert all(node.repository is None for node in found.rows()[:2])
    assert found.counts == {}
    move_repository(secret, actor(owner), RepoId(Kind.MODEL, "team", "codename"))
    assert "team/codename" not in family(None, public), "no more than the card's own text"
    assert "team/codename" in family(owner, public)


def test_circles_and_selves_end(team):
    one, two = make(team, "one"), make(team, "two", base_model="team/one")
    say(one, base_model=["team/two", "team/one"])
    assert sorted(family(None, one)) == ["team/one", "team/two"]
    assert sorted(family(None, two)) == ["team/one", "team/two"]
    found = lineage_of(actor(), one)
    assert all(edge.parent != edge.child for edge in found.edges.values())


def test_a_card_with_hostile_values_names_only_repositories():
    said = {
        "base_model": ["<script>alert(1)</script>", "a/b", "A/B", "../../etc", 7, None, "x" * 300],
        "base_model_relation": ["merge"],
        "datasets": {"a/b": 1},
    }
    assert [(each.repo_id, each.relation) for each in parents(said, [])] == [("A/B", "finetune")]
    many = {"base_model": [f"a/b{at}" for at in range(5000)]}
    assert len(parents(many, [])) == PARENTS_LIMIT
    assert {each.relation for each in parents(many, [])} == {"merge"}


def test_a_large_family_is_cut_and_costs_no_more_questions(team):
    base = make(team, "base")
    first = make(team, "child-0", base_model="team/base")
    with CaptureQueriesContext(
        connection,
    ) as few:
        lineage_of(actor(), base)
    rows = [
        Repository(kind="model", namespace=team, name=f"child-{at}")
        for at in range(1, NODES_LIMIT + 9)
    ]
    made = Repository.objects.bulk_create(rows)
    ModelLink.objects.bulk_create(
        ModelLink(repository=row, relation="finetune", named="team/base", parent=base, position=0)
        for row in made
    )
    with CaptureQueriesContext(connection) as many:
        found = lineage_of(actor(), base)
    assert len(many) == len(few)
    assert len(found.rows()) == NODES_LIMIT + 1 and found.is_cut
    assert found.counts == {"finetune": NODES_LIMIT + 9}
    assert first.pk


def test_a_name_that_is_taken_while_a_card_names_it_is_not_missed(team, owner):
    models = [make(team, f"tuned-{at}") for at in range(3)]
    for each in models:
        commit_files(each, {"README.md": card(base_model="team/now")})

    def create() -> None:
        create_repository(actor(owner), RepoId(Kind.MODEL, "team", "now"))

    at_once(create, *[lambda pk=each.pk: refresh(pk) for each in models])
    assert [links(each) for each in models] == [[("team/now", "finetune", "now")]] * 3


def beside(act: Callable[[], Any], *, first: Iterable[Name], then: Callable[[], Any]) -> None:
    """Let `act` come while somebody holds the names `first`, who then goes on."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold(first)
            other = pool.submit(run)
            ends = time.monotonic() + PATIENCE_SECONDS
            while not _somebody_waits():
                assert time.monotonic() < ends and not other.done(), "it waits for the name"
                time.sleep(0.01)
            then()
        other.result(PATIENCE_SECONDS)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_push_writes_no_link_before_it_holds_every_name(team):
    """Otherwise a rename, which holds names and then writes links, waits in a circle with it."""
    base, new = make(team, "base"), make(team, "new")
    model = make(team, "tuned", base_model="team/base")
    commit_files(model, {"README.md": card(base_model="team/new")})
    ModelLink.objects.update(parent=None)
    names = {("model", str(each)) for each in (base, new)}
    beside(lambda: refresh(model.pk), first=names, then=lambda: resolve(names))
    assert links(model) == [("team/new", "finetune", "new")]


def test_a_new_repository_takes_its_name_and_those_of_its_card_in_one_order(team, owner):
    one = make(team, "one", base_model="team/two")
    names = [("model", "team/one-copy"), ("model", "team/two")]
    other = make(team, "two-source", base_model="team/one-copy")
    at_once(
        lambda: duplicate_repository(one, actor(owner), RepoId(Kind.MODEL, "team", "one-copy")),
        lambda: duplicate_repository(other, actor(owner), RepoId(Kind.MODEL, "team", "two")),
    )
    made = Repository.objects.get(name="one-copy")
    assert links(made) == [("team/two", "finetune", "two")]
    assert links(Repository.objects.get(name="two")) == [("team/one-copy", "finetune", "one-copy")]
    delete_repository(made, actor(owner))
    first, second = sorted(names, key=_key)
    beside(
        lambda: duplicate_repository(one, actor(owner), RepoId(Kind.MODEL, "team", "one-copy")),
        first=[first],
        then=lambda: hold([second]),
    )


def test_recording_again_changes_nothing(team):
    make(team, "base")
    model = make(team, "tuned", base_model="team/base")
    before = list(ModelLink.objects.values())
    with CaptureQueriesContext(connection) as asked:
        record(model)
    assert len(asked) == 1
    assert list(ModelLink.objects.values()) == before


def test_the_page_is_a_list_with_links_and_a_drawing_beside_it(team, client):
    make(team, "base")
    make(team, "rows", kind="dataset")
    model = make(team, "tuned", base_model=["team/base", "far/gone"], datasets=["team/rows"])
    make(team, "small", base_model="team/tuned", base_model_relation="quantized")
    page = client.get(f"{model.get_absolute_url()}/lineage").content.decode()
    assert page.count("<circle") == 4 and page.count("<rect") >= 1
    for name in ("/team/base", "/datasets/team/rows", "/team/small"):
        assert f'class="clip" href="{name}"' in page
    assert "not on this server, or not shown to you" in page
    assert "merge of team/base, far/gone" in page
    assert "quantisation of team/tuned" in page
    assert page.count('aria-current="true"') == 1
    first = client.get(model.get_absolute_url()).content.decode()
    assert 'id="lineage"' in first and "1 quantisation" in first
    told = client.get(f"/api/models/{model}/lineage").json()
    assert [each["id"] for each in told["members"]] == [
        "team/base", "far/gone", "team/rows", "team/tuned", "team/small",
    ]  # fmt: skip
    assert {"ancestor": 3, "descendant": 4, "relation": "quantized"} in told["links"]
    assert told["counts"] == {"quantized": 1} and not told["truncated"]
    dataset = client.get("/datasets/team/rows/lineage").content.decode()
    assert "1 model trained on it" in dataset
    assert client.get("/api/spaces/team/none/lineage").status_code in (401, 404)


def test_an_empty_family_says_so(team, client):
    model = make(team, "alone")
    assert "No family yet" in client.get(f"{model.get_absolute_url()}/lineage").content.decode()
