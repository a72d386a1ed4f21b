"""The first page of a model: what its card says of itself, how to use it, which revision."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from hub.models import Kind, ModelLink
from hub.web.field_words import language_name
from hub.web.snippets import snippets
from tests.factories import commit_files, make_organization, make_repository
from tests.hub.hostile_text import faults

pytestmark = pytest.mark.django_db
CARD = b"""---
license: other
license_name: my-own
license_link: LICENSE
language: [en, zh, xx-unknown]
library_name: transformers
pipeline_tag: text-generation
tags: [small, 7b]
---
# One
$x^2$
## Two
## Three
## Four
[the file](docs/a.md) ![a picture](pic.png)
"""


@pytest.fixture
def model():
    cache.clear()
    return make_repository(
        make_organization("team"), name="bard", files={"README.md": CARD, "config.json": b"{}"}
    )


def page_of(client, repository, query=""):
    answer = client.get(repository.get_absolute_url() + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_card_s_head_is_a_panel_of_links(client, model):
    page = page_of(client, model)
    assert "my-own" in page and 'href="/team/bard/blob/main/LICENSE"' in page
    assert "not on the usual list" in page
    for words in ("English", "tag=zh", "tag=small", "tag=text-generation", "xx-unknown"):
        assert words in page, words
    assert "Contents" in page and 'href="#user-content-three"' in page
    assert "<math" in page and faults(page) == []


def test_a_revision_is_shown_as_it_was(client, model):
    store = model.store()
    first = store.resolve("main")
    store.move_ref("refs/tags/v1", new=first, old=None)
    commit_files(model, {"README.md": b"# Newer\n"})
    page = page_of(client, model, "?revision=v1")
    assert "This is v1" in page and "Newer" not in page
    assert "/team/bard/blob/v1/docs/a.md" in page and "/team/bard/resolve/v1/pic.png" in page
    assert "--revision v1" in page and "revision=&quot;v1&quot;" in page
    assert "Newer" in page_of(client, model)
    assert client.get(f"{model.get_absolute_url()}?revision=nope").status_code == 404


def test_the_page_is_small_and_asks_few_questions(client, model, django_assert_max_num_queries):
    page_of(client, model)
    with django_assert_max_num_queries(10):
        page = page_of(client, model)
    assert len(page.encode()) < 60_000


@pytest.mark.parametrize(
    ("files", "more", "labels"),
    [
        (["config.json"], {}, ["transformers", "hf", "git", "curl"]),
        (["adapter_config.json"], {}, ["peft", "hf", "git", "curl"]),
        (["a.gguf"], {}, ["llama.cpp", "hf", "git", "curl"]),
        (
            ["config.json"],
            {"library_name": "sentence-transformers"},
            ["sentence-transformers", "transformers", "hf", "git", "curl"],
        ),
    ],
)
def test_commands_follow_from_what_lies_there(files, more, labels):
    repository = make_repository(**more)
    found = snippets(repository, revision="main", files=files)
    assert [each["label"] for each in found] == labels
    for each in found:
        if each["key"] in {"python", "peft", "sentences"}:
            compile(each["text"], each["key"], "exec")


def test_nothing_of_an_author_s_gets_into_a_command():
    evil = '"; import os; os.system("x") #'
    names = ["config.json", "'; rm -rf ~; '.gguf", "$(x).gguf", "adapter_config.json"]
    repository = make_repository(pipeline_tag=evil, library_name=evil)
    for each in snippets(repository, revision="a'; b", files=names):
        assert "os.system" not in each["text"] and "rm -rf" not in each["text"]
        assert "$(" not in each["text"]
        if each["key"] in {"hf", "git"}:
            assert "'a'\"'\"'; b'" in each["text"]


def test_data_sets_are_loaded(client):
    repository = make_repository(kind=Kind.DATASET)
    assert "load_dataset(" in snippets(repository)[0]["text"]
    assert page_of(client, repository)


def test_lineage_is_drawn_beside_the_card(client, model):
    base = make_repository(model.namespace, name="base")
    child = make_repository(model.namespace, name="child")
    ModelLink.objects.create(
        repository=model, relation="finetune", named="team/base", parent=base, position=0
    )
    ModelLink.objects.create(
        repository=child, relation="adapter", named="team/bard", parent=model, position=0
    )
    page = page_of(client, model)
    aside = page[page.index('id="lineage"') :]
    assert "team/base" in aside and "team/child" in aside and "family-rail" in aside
    whole = client.get(f"{model.get_absolute_url()}/lineage").content.decode()
    assert "family-graph" in whole and faults(whole) == []
    for name in ("team/base", "team/child", "team/bard"):
        assert f"<title>{name}</title>" in whole


def test_languages_have_names():
    assert (language_name("zh-Hans"), language_name("de"), language_name("q?")) == (
        "Simplified Chinese", "German", "q?",
    )  # fmt: skip


def test_a_kept_card_is_that_of_its_own_text(client, model):
    page_of(client, model)
    commit_files(model, {"README.md": b"# Changed\n"})
    assert "Changed" in page_of(client, model)


@pytest.mark.parametrize(
    ("address", "plays"),
    [("", True), ("/tree/main", True), ("/blob/main/README.md", True), ("/discussions", False)],
)
def test_only_pages_that_show_files_may_play_them(client, address, plays):
    card = b"<video src=a.mp4></video>\n\n![x](b.mp3)"
    repository = make_repository(files={"README.md": card})
    answer = client.get(f"{repository.get_absolute_url()}{address}")
    assert answer.status_code == 200
    assert ("media-src 'self'" in answer["Content-Security-Policy"]) == plays
    page = answer.content.decode()
    assert page.count("</video>") == page.count("</audio>") == plays
    assert f"{repository.get_absolute_url()}/resolve/main/a.mp4" in page or not plays
