"""Metadata in a form, and the wizard that makes a repository with its card."""

from __future__ import annotations

import pytest

from hub.formats.card import parse_card
from hub.models import Access, Kind, Repository, Visibility
from tests.factories import (
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)

pytestmark = pytest.mark.django_db
CARD = (
    b"---\n# ours\nlicense: mit # kept\nlanguage: en\ntags:\n- a\n- b\nextra:\n  deep: [1, 2]\n"
    b"datasets:\n- one/two\n---\n# Text \xe4\xbd\xa0\r\nline\n"
)


@pytest.fixture
def repository():
    return make_repository(files={"README.md": CARD})


@pytest.fixture
def client(repository, client_for):
    return client_for(make_member(repository.namespace, access=Access.WRITE))


def head(repository) -> str:
    return repository.store().resolve("main")


def readme(repository) -> bytes:
    return repository.store().read(head(repository), "README.md", limit_bytes=1 << 20)


def send(client, repository, parent="", **keys):
    """The form as it stands on the head, with some keys changed."""
    data = parse_card(readme(repository), "model").data
    fields = {"parent": parent or head(repository), "way": "branch", "do": "save"}
    for key in ("license", "language", "tags", "datasets"):
        value = data.get(key, "")
        fields[f"card-{key}"] = value if isinstance(value, str) else ", ".join(value)
    fields |= {f"card-{key}": value for key, value in keys.items() if key not in ("do", "way")}
    fields |= {key: value for key, value in keys.items() if key in ("do", "way")}
    return client.post(f"/{repository.path}/metadata/main", fields)


def test_only_changed_keys_are_written(client, repository):
    assert 'value="one/two"' in client.get(f"/{repository.path}/metadata/main").text
    answer = send(client, repository, pipeline_tag="text-generation", tags="a, b, c", datasets="")
    assert (answer.status_code, answer.url) == (302, f"/{repository.path}")
    assert readme(repository) == CARD.replace(b"- b\n", b"- b\n- c\n").replace(
        b"datasets:\n- one/two\n", b"pipeline_tag: text-generation\n"
    )


def test_changes_are_shown_before_they_are_made(client, repository):
    before = head(repository)
    page = send(client, repository, language="en, zh", do="changes")
    assert "is-added" in page.text
    assert head(repository) == before
    assert send(client, repository, license="made-up").status_code == 422
    assert head(repository) == before


def test_a_card_that_changed_meanwhile_is_shown_again_with_what_was_filled_in(client, repository):
    seen = head(repository)
    theirs = commit_files(repository, {"README.md": CARD.replace(b"line", b"their line")})
    page = send(client, repository, parent=seen, library_name="peft")
    assert page.status_code == 422
    assert 'value="peft"' in page.text
    assert send(client, repository, parent=theirs, library_name="peft").status_code == 302
    assert b"their line" in readme(repository)
    assert b"library_name: peft" in readme(repository)


def test_metadata_is_proposed_too_and_a_broken_one_is_left_to_the_text(client, repository):
    before = head(repository)
    assert send(client, repository, license="apache-2.0", way="propose").status_code == 302
    assert head(repository) == before
    assert repository.store().ref_oid("refs/pr/1")
    commit_files(repository, {"README.md": b"---\na: [\n---\n"})
    page = client.get(f"/{repository.path}/metadata/main")
    assert "/edit/main/README.md" in page.text
    assert "card-license" not in page.text


def new(client, **fields):
    values = {"kind": "model", "name": "fresh", "visibility": "private"} | fields
    return client.post("/-/new", values)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_wizard_makes_a_repository_with_its_card(client_for, language):
    person = make_user()
    client = client_for(person)
    client.cookies["language"] = language
    chosen = {"license": "mit", "task": "text-generation", "language": "en, zh", "library": "peft"}
    answer = new(client, owner=person.username, **chosen)
    repository = Repository.objects.get(name="fresh")
    assert answer.url == f"/{repository.path}/start"
    assert repository.visibility == Visibility.PRIVATE
    assert "hf upload" in client.get(answer.url).text
    card = parse_card(readme(repository), "model")
    assert card.data == {
        "license": "mit", "language": ["en", "zh"], "pipeline_tag": "text-generation",
        "library_name": "peft",
    }  # fmt: skip
    assert "# fresh" in card.body
    assert repository.pipeline_tag == "text-generation"
    assert set(repository.store().paths(head(repository))) == {"README.md", ".gitattributes"}


@pytest.mark.parametrize("settled", [True, False])
def test_a_new_repository_is_for_those_whom_its_owner_has_settled(client_for, settled):
    owner = make_organization(private_by_default=settled)
    client = client_for(make_member(owner, access=Access.WRITE, username="ann"))
    page = client.get("/-/new", {"owner": owner.slug}).text
    assert '<option value="default">' in page.partition('name="visibility"')[2]
    assert (f"New repositories of {owner.slug} are private" in page) == settled
    assert new(client, owner=owner.slug, visibility="default").status_code == 302
    assert new(client, owner="ann", visibility="default").status_code == 302
    assert new(client, owner=owner.slug, name="shown", visibility="public").status_code == 302
    found = Repository.objects.values_list("namespace__slug", "name", "visibility")
    word = "private" if settled else "public"
    assert set(found) == {
        (owner.slug, "fresh", word), ("ann", "fresh", "public"), (owner.slug, "shown", "public"),
    }  # fmt: skip
    assert new(client, owner=owner.slug, name="odd", visibility="").status_code == 422


def test_a_data_set_gets_a_card_of_its_own_and_a_bad_choice_makes_nothing(client_for):
    person = make_user()
    client = client_for(person)
    new(client, kind="dataset", owner=person.username, task="translation", library="peft")
    made = Repository.objects.get(kind=Kind.DATASET, name="fresh")
    assert parse_card(readme(made), "dataset").data == {"task_categories": ["translation"]}
    assert new(client, owner=person.username, name="bad", license="none").status_code == 422
    assert not Repository.objects.filter(name="bad").exists()


def test_what_is_no_task_or_language_is_refused_in_words(client_for):
    person = make_user()
    client = client_for(person)
    wrong = {"task": "foo bar; x: y", "language": "en, klingon, <b>"}
    page = new(client, owner=person.username, **wrong)
    assert page.status_code == 422
    assert "“foo bar; x: y” is no task" in page.text
    assert "“klingon”, “&lt;b&gt;”: no code of a language" in page.text
    assert not Repository.objects.exists()
    right = {"task": "text-to-3d", "language": "pt-BR, zh-Hans-CN, gsw, multilingual"}
    assert new(client, owner=person.username, **right).status_code == 302


def test_a_name_is_looked_up_while_it_is_typed(client_for):
    person = make_user()
    client = client_for(person)

    def said(name, owner=person.username) -> str:
        asked = {"name": name, "owner": owner, "kind": "model"}
        return client.get("/-/new", asked, headers={"HX-Request": "true"}).text

    assert f"{person.username}/fresh is free" in said("fresh")
    new(client, owner=person.username)
    assert "already have" in said("fresh")
    assert "cannot be a name" in said("a--b")
    other = make_repository(visibility=Visibility.PRIVATE)
    assert "already" not in said(other.name, other.namespace.slug)


class TestKnownValues:
    """Tasks and languages that others search by."""

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"pipeline_tag": "text-genration"}, "Did you mean text-generation?"),
            ({"pipeline_tag": "Text Generation"}, "Did you mean text-generation?"),
            ({"pipeline_tag": "brewing"}, "choose one of the list"),
            ({"language": "en, chinese"}, "Did you mean zh?"),
            ({"language": "中文"}, "Did you mean zh?"),
            ({"language": "Deutsch"}, "Did you mean de?"),
            ({"language": "qqq"}, "no ISO 639 code of a language, such as en"),
            ({"language": "<b>"}, "“&lt;b&gt;” is no ISO 639 code"),
        ],
    )
    def test_a_new_value_that_nobody_knows_is_refused(self, client, repository, fields, said):
        before = head(repository)
        page = send(client, repository, **fields)
        assert page.status_code == 422 and said in page.text
        assert head(repository) == before

    def test_known_ones_are_taken(self, client, repository):
        assert send(client, repository, language="en, zh-Hans, yue, aaa").status_code == 302
        assert send(client, repository, pipeline_tag="text2text-generation").status_code == 302
        assert b"text2text-generation" in readme(repository)

    def test_what_the_card_has_already_is_told_and_may_stay(self, client, repository):
        card = b"---\nlanguage: [klingonish, en]\npipeline_tag: brewing\nlicense: mit\n---\n"
        commit_files(repository, {"README.md": card})
        page = client.get(f"/{repository.path}/metadata/main").text
        assert page.count("The card says so already, and it may stay.") == 2
        had = {"language": "klingonish, en", "pipeline_tag": "brewing"}
        assert send(client, repository, **had, license="apache-2.0").status_code == 302
        assert b"klingonish" in readme(repository) and b"apache-2.0" in readme(repository)
        more = had | {"language": "klingonish, en, vulcan"}
        page = send(client, repository, **more, license="apache-2.0")
        assert page.status_code == 422 and "“vulcan” is no ISO 639 code" in page.text

    def test_they_are_offered_with_names_in_the_language_of_readers(self, client, repository):
        client.cookies["language"] = "zh-hans"
        page = client.get(f"/{repository.path}/metadata/main").text
        assert '<option value="cy">威尔士语</option>' in page
        assert '<option value="text-generation">' in page
        assert 'list="offered-language"' in page and "data-several" in page
