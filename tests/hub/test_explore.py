"""Explore: what is found by which words, how it is narrowed and counted, and what stays unseen."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hub.actions import exploring, likes, moving, repositories
from hub.actions.exploring import Explorer, Wish
from hub.formats import search_words
from hub.jobs import heat, refresh, search_index
from hub.models import (
    Access,
    Kind,
    Membership,
    Namespace,
    RepoId,
    Repository,
    SearchEntry,
    Visibility,
)
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)

pytestmark = pytest.mark.django_db


def make(namespace: Namespace, name: str, card: str = "license: mit", **more: Any) -> Repository:
    text = more.pop("text", "A model.")
    readme = f"---\n{card}\n---\n# {name}\n\n{text}\n"
    made = make_repository(namespace, name=name, files={"README.md": readme.encode()}, **more)
    refresh.refresh(made.pk)
    made.refresh_from_db()
    return made


@pytest.fixture
def lab() -> Namespace:
    """An organisation with what the tests look for."""
    lab = make_organization("acme-lab")
    make(lab, "Mistral-7B-instruct", "license: apache-2.0\nlanguage: en\nlibrary_name: peft")
    make(lab, "DeepSeek-R1", "license: mit\nlanguage: [en, zh]\ntags: [reasoning]")
    make(lab, "Qwen2.5-7B", "license: apache-2.0\nlanguage: zh\npipeline_tag: text-generation")
    make(lab, "Qwen2.5", "license: apache-2.0\nlanguage: zh\nbase_model: acme-lab/DeepSeek-R1")
    make(lab, "poet", "language: zh\ntags: [古诗生成]", text="写古诗的模型，基于唐诗微调。")
    make(lab, "spam", "pretty_name: 垃圾短信 messages", kind=Kind.DATASET, text="中文短信分类。")
    heat.count()
    return lab


def found(query: str, person: Any = None, **wish: Any) -> list[str]:
    explorer = Explorer(actor(person), Wish(query=query, **wish))
    return [row.name for row in explorer.rows_of(explorer.found.page(0, 20))]


@pytest.mark.parametrize(
    ("query", "first", "others"),
    [
        ("mistral", "Mistral-7B-instruct", set()),
        ("MISTRAL 7b", "Mistral-7B-instruct", set()),
        ("mist", "Mistral-7B-instruct", set()),
        ("instr mistral", "Mistral-7B-instruct", set()),
        ("mistrall instruct", "Mistral-7B-instruct", set()),  # misspelt
        ("deepsek", "DeepSeek-R1", set()),
        ("deep seek", "DeepSeek-R1", set()),
        ("deepseekr1", "DeepSeek-R1", set()),
        ("qwen2.5", "Qwen2.5", {"Qwen2.5-7B"}),  # the name itself before what begins so
        ("acme-lab/qwen", "Qwen2.5", {"Qwen2.5-7B"}),
        ("qwen text generation", "Qwen2.5-7B", set()),
        ("reasoning", "DeepSeek-R1", set()),
        ("古诗", "poet", set()),
        ("唐诗微调", "poet", set()),
        ("诗", "poet", set()),
        ("短信", "spam", set()),
        ("垃圾短信 messages", "spam", set()),
        ("写古诗的莫型", "poet", set()),  # one character is wrong
    ],
)
def test_words_find(lab, query, first, others):
    names = found(query)
    assert names[0] == first
    assert set(names[1:]) >= others
    assert not others or set(names) == {first, *others}


def test_what_nothing_answers_finds_nothing(lab):
    assert found("xyzzy plugh") == []
    assert found("?!") == []
    assert found("' | 'zz':* & (") == []


def test_a_misspelt_word_is_said_better(client_for, lab):
    page = client_for().get("/-/explore", {"q": "mistrall"}).content.decode()
    assert "Did you mean" in page and "<b>mistral</b>" in page


def test_choices_join_and_every_count_is_true(lab):
    wish = Wish(chosen={"license": ("apache-2.0", "mit"), "language": ("zh",)})
    explorer = Explorer(actor(), wish)
    seen = explorer.rows_of(explorer.found.page(0, 20))
    assert {row.name for row in seen} == {"DeepSeek-R1", "Qwen2.5-7B", "Qwen2.5"}
    counted = {key: n for key, n in explorer.counts("task").values.items() if key}
    assert counted == by_hand(seen)
    # A facet counts what its own choice leaves out.
    others = Explorer(actor(), Wish(chosen={"language": ("zh",)}))
    licences = explorer.counts("license").values
    assert licences == others.counts("task").values
    assert licences[""] == others.found.total == 4


def by_hand(rows: list[Repository]) -> Counter[str]:
    return Counter(value for row in rows for value in row.search_entry.facets)


def test_totals_of_everything_are_true(lab, monkeypatch):
    monkeypatch.setattr(exploring, "COUNTED", 2)  # a hub of many repositories
    plain = Explorer(actor(), Wish()).counts("task").values
    rows = list(Repository.objects.filter(visibility=Visibility.PUBLIC))
    assert plain == {**by_hand(rows), "": len(rows)}
    models = Explorer(actor(), Wish(kind=Kind.MODEL))
    assert models.found.total == 5
    assert models.counts("base").values["base:acme-lab/DeepSeek-R1"] == 1


def test_a_new_repository_is_there_at_once(lab, client_for):
    make(lab, "brand-new", "license: bsd")
    assert Explorer(actor(), Wish(kind=Kind.MODEL)).found.total == 6
    page = client_for().get("/-/explore?kind=model").content.decode()
    assert "brand-new" in page and "bsd" in page


def test_large_sets_are_estimated_and_say_so(lab, client_for, monkeypatch):
    monkeypatch.setattr(exploring, "COUNTED", 2)
    monkeypatch.setattr(exploring, "SAMPLE", 3)
    SearchEntry.objects.update(lot=0)
    explorer = Explorer(actor(), Wish(chosen={"language": ("zh",)}))
    assert explorer.found.about
    assert explorer.counts("license").about
    page = client_for().get("/-/explore?language=zh").content.decode()
    assert "About" in page and "≈" in page


def test_what_is_chosen_is_told_as_it_was_counted(lab, monkeypatch):
    monkeypatch.setattr(exploring, "COUNTED", 4)
    monkeypatch.setattr(exploring, "SAMPLE", 3)
    SearchEntry.objects.update(lot=0)
    explorer = Explorer(actor(), Wish(chosen={"license": ("apache-2.0",), "language": ("zh",)}))
    assert explorer.found.total == 2 and not explorer.found.about
    licences = explorer.counts("license")
    assert licences.about and licences.values["license:apache-2.0"] == 2


class TestHidden:
    @pytest.fixture
    def secret(self, lab: Namespace) -> Repository:
        made = make(
            lab,
            "zanzibar-secret",
            "license: wtfpl\nlanguage: sw\nbase_model: acme-lab/unheard",
            visibility=Visibility.PRIVATE,
        )
        heat.count()
        return made

    @pytest.mark.parametrize("query", ["zanzibar", "zanzibr", "secret", "acme-lab/zanzibar-secret"])
    @pytest.mark.parametrize("where", ["/-/explore", "/-/palette"])
    def test_strangers_find_no_trace(self, client_for, secret, query, where):
        for person in (None, make_user()):
            page = client_for(person).get(where, {"q": query}).content.decode()
            own_words = page.replace(query, "").replace(quote(query, safe=""), "")
            own_words = own_words.replace(quote(quote(query, safe=""), safe=""), "")
            assert "zanzibar-secret" not in own_words

    @pytest.mark.parametrize("counted", [2, exploring.COUNTED])
    def test_strangers_count_no_trace(self, client_for, secret, counted, monkeypatch):
        monkeypatch.setattr(exploring, "COUNTED", counted)
        for address in ("/-/explore", "/-/explore?kind=model", "/-/explore/values/license"):
            page = client_for(make_user()).get(address).content.decode()
            assert "wtfpl" not in page and "unheard" not in page
        assert Explorer(actor(), Wish(chosen={"license": ("wtfpl",)})).found.total == 0
        assert Explorer(actor(), Wish(kind=Kind.MODEL)).found.total == 5

    @pytest.mark.parametrize("counted", [2, exploring.COUNTED])
    def test_members_find_and_count_it(self, client_for, secret, lab, counted, monkeypatch):
        monkeypatch.setattr(exploring, "COUNTED", counted)
        person = make_member(lab, access=Access.READ)
        assert found("zanzibr", person) == ["zanzibar-secret"]
        explorer = Explorer(actor(person), Wish(kind=Kind.MODEL))
        assert explorer.found.total == 6
        assert explorer.counts("license").values["license:wtfpl"] == 1
        page = client_for(person).get("/-/explore/values/license").content.decode()
        assert "wtfpl" in page

    def test_whoever_was_invited_to_it_alone_finds_and_counts_it(self, client_for, secret):
        guest = make_user()
        secret.collaborators.create(user=guest, access=Access.READ)
        assert found("zanzibr", guest) == ["zanzibar-secret"]
        explorer = Explorer(actor(guest), Wish(kind=Kind.MODEL))
        assert explorer.found.total == 6
        assert explorer.counts("license").values["license:wtfpl"] == 1
        secret.collaborators.all().delete()
        assert found("zanzibar", guest) == []

    def test_what_becomes_private_is_gone_at_once(self, lab):
        row = Repository.objects.get(name="DeepSeek-R1")
        admin = make_member(lab, access=Access.ADMIN)
        row.access = Access.ADMIN
        repositories.update_settings(row, actor(admin), visibility=Visibility.PRIVATE)
        assert found("deepseek") == [] and found("deepsek") == []
        assert found("deepseek", admin) == ["DeepSeek-R1"]

    def test_who_leaves_finds_it_no_more(self, secret, lab):
        person = make_member(lab, access=Access.READ)
        Membership.objects.filter(user=person, namespace=lab).delete()
        assert found("zanzibar", person) == []


def test_a_moved_repository_is_found_by_its_new_name(lab):
    admin = make_member(lab, access=Access.ADMIN)
    row = Repository.objects.get(name="DeepSeek-R1")
    commit_files(row, {"README.md": b"A card that does not say the name."})
    refresh.refresh(row.pk)
    row.access = Access.ADMIN
    moving.move_repository(row, actor(admin), RepoId(Kind.MODEL, lab.slug, "Thinker"))
    assert found("thinker") == ["Thinker"]
    assert "Thinker" not in found("deepseek")


def test_a_deleted_repository_leaves_no_entry(lab):
    row = Repository.objects.get(name="poet")
    repositories.delete_repository(row, actor(make_member(lab, access=Access.ADMIN)))
    assert found("poet") == []


class TestHeat:
    def test_what_happens_warms_once(self, lab):
        row = Repository.objects.get(name="poet")
        before = row.search_entry.heat
        likes.set_like(row, actor(make_user()), liked=True)
        Repository.objects.count_download(row)
        assert heat.count() == 1
        warmed = SearchEntry.objects.get(pk=row.pk).heat
        assert warmed > before
        assert heat.count() == 0
        assert SearchEntry.objects.get(pk=row.pk).heat == warmed
        assert found("", sort="trending")[0] == "poet"

    def test_a_like_taken_back_and_given_again_warms_nothing(self, lab):
        row, person = Repository.objects.get(name="poet"), actor(make_user())
        likes.set_like(row, person, liked=True)
        heat.count()
        before = SearchEntry.objects.get(pk=row.pk).heat
        for liked in (False, True):
            likes.set_like(row, person, liked=liked)
            heat.count()
        assert SearchEntry.objects.get(pk=row.pk).heat == before


class TestPages:
    ADDRESSES = (
        "/-/explore",
        "/-/explore?q=qwen",
        "/-/explore?q=mistrall",
        "/-/explore?q=古诗&kind=model",
        "/-/explore?license=mit&language=zh&sort=likes",
        "/-/explore?kind=dataset&tag=none&page=7",
        "/-/explore?kind=people&q=a",
        "/-/explore?kind=organizations",
        "/-/explore/values/license?find=mi",
        "/-/palette?q=qwen",
        "/-/explore/values/license?find=%01",
        "/-/explore?q=%01&license=%01&min=nan&sort=x&page=x&benchmark=none",
    )

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_pages_ask_a_bounded_number_of_queries(self, client_for, lab, address):
        client = client_for(make_member(lab, access=Access.READ))
        assert client.get(address).status_code == 200
        first = queries(client, address)
        for number in range(6):
            make(lab, f"qwen-more-{number}", "license: mit\nlanguage: zh")
        assert queries(client, address) <= first
        assert first <= 26

    def test_the_results_alone_are_sent_to_htmx(self, client_for, lab):
        response = client_for().get("/-/explore?q=qwen", headers={"HX-Request": "true"})
        assert response.content.strip().startswith(b'<div id="explore"')
        assert "HX-Request" in response["Vary"]

    def test_unknown_filters_are_missing(self, client_for, lab):
        assert client_for().get("/-/explore/values/colour").status_code == 404


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        client.get(address)
    return len(asked)


def test_any_text_is_a_question_that_the_database_takes(lab):
    for text in (
        "a'b\\c",
        "ß İ ŉ",
        "٣ x̂ 日本ーxﾊﾟ",
        "\u200b",
        "𠮷野家",
        "'''",
        "é" * 300,
        "１２ ㍿",
    ):
        found(text)
        row = Repository.objects.get(name="poet")
        search_index.record_said([(row, text)])
    assert search_words.words("DeepSeek古诗") == ["deepseek", "deep", "seek", "古诗", "诗"]


class TestWordsOfTheCard:
    TEXT = (
        "A model.\n\n"
        + "Filler of many words. " * 40
        + "\n\n## Limits\n\nIt repeats stereotypes.\n\n- untuned\n\n"
        "| split | of |\n|---|---|\n| test | Singaporean |\n\n`grammar` 垃圾短信识别 "
        "[paper](/hidden)\n\n"
        "```py\nfenced = 1\n```\n<!-- commented -->\n"
    )

    @pytest.mark.parametrize(
        "word", ["stereotypes", "untuned", "singaporean", "grammar", "limits", "短信识别", "paper"]
    )
    def test_all_of_its_prose_is_found(self, lab, word):
        row = make(lab, "guard", text=self.TEXT)
        assert word not in row.summary.casefold()
        assert found(word) == ["guard"]
        assert found(f"acme guard {word}") == ["guard"]

    def test_its_code_and_addresses_are_not(self, lab):
        make(lab, "guard", text=self.TEXT)
        for word in ("fenced", "commented", "hidden"):
            assert found(word) == []

    def test_what_is_named_or_tagged_so_comes_first_however_cold(self, lab, monkeypatch):
        monkeypatch.setattr(exploring, "RANKED", 2)
        make(lab, "tagged", "tags: [zebra]")
        make(lab, "a-zebra")
        for number in range(4):
            make(lab, f"told-{number}", text="Nothing to do with a zebra.")
        SearchEntry.objects.filter(name__startswith="told").update(heat=1e9)
        assert found("zebra")[:2] == ["a-zebra", "tagged"]
        assert set(found("zebra")[2:]) <= {f"told-{number}" for number in range(4)}

    def test_they_are_of_the_card_that_is_there_now_and_stay_when_it_moves(self, lab):
        row = make(lab, "guard", text=self.TEXT)
        row.access = Access.ADMIN
        owner = actor(make_member(lab, access=Access.ADMIN))
        moving.move_repository(row, owner, RepoId(Kind.MODEL, lab.slug, "watch"))
        assert found("stereotypes") == ["watch"]
        commit_files(row, {"README.md": b"Other words."})
        refresh.refresh(row.pk)
        assert found("stereotypes") == []
        assert found("other words") == ["watch"]

    def test_a_card_without_end_has_an_end(self, lab):
        make(lab, "long", text=" ".join(f"word{number}x" for number in range(9000)))
        assert found("word7x") == ["long"]
        assert found("word8999x") == []


@pytest.mark.parametrize("words", ["inbox", "收件箱"])
def test_the_palette_knows_pages_by_their_names_in_every_language(client_for, words):
    signed_in = client_for(make_user()).get("/-/palette", {"q": words}).content.decode()
    assert 'href="/-/inbox"' in signed_in
    assert 'href="/-/inbox"' not in client_for().get("/-/palette", {"q": words}).content.decode()


def test_the_palette_names_a_repository_once(client_for):
    person = make_user()
    make(Namespace.objects.get(owner=person), "qwen-mine")
    make(make_organization(), "qwen-theirs")
    text = client_for(person).get("/-/palette?q=qwen").content.decode()
    assert [text.count(f"/{name}</span>") for name in ("qwen-mine", "qwen-theirs")] == [1, 1]
