"""Lists: what each filter finds, what is derived for them, and that indexes serve them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hub.jobs import refresh
from hub.models import Access, Kind, Membership, Namespace, Repository, Visibility
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.hub.wire import stored

pytestmark = pytest.mark.django_db


def made(files: dict[str, bytes | str], **overrides: Any) -> Repository:
    """A repository whose columns are derived from `files`."""
    content = {
        path: each.encode() if isinstance(each, str) else each for path, each in files.items()
    }
    repository = make_repository(files=content, **overrides)
    refresh.refresh(repository.pk)
    repository.refresh_from_db()
    return repository


def card(text: str, body: str = "") -> dict[str, bytes | str]:
    return {"README.md": f"---\n{text}\n---\n{body}"}


def names(client: Client, query: str, kinds: str = "models") -> set[str]:
    answer = client.get(f"/api/{kinds}?{query}")
    assert answer.status_code == 200, answer.content
    return {each["id"].partition("/")[2] for each in answer.json()}


FILTERS: list[tuple[str, set[str]]] = [
    ("filter=license:gpl-3.0", {"tuned-llama"}),
    ("filter=en&filter=fr", {"tuned-llama"}),
    ("filter=en&filter=de", set()),
    ("filter=dataset:acme/poems", {"tuned-llama"}),
    ("filter=base_model:acme/base", {"tuned-llama", "small"}),
    ("filter=base_model:finetune:acme/base", {"tuned-llama"}),
    ("filter=base_model:quantized:acme/base", {"small"}),
    ("pipeline_tag=text-generation", {"plain-llama"}),
    ("filter=transformers", {"plain-llama"}),
    ("search=LLAMA", {"plain-llama", "tuned-llama"}),
    ("search=llama&search=tuned", {"tuned-llama"}),
    ("search=acme tuned", {"tuned-llama"}),
    ("search=cme/plain", {"plain-llama"}),
    ("search=acme/llama", set()),
    ("search=%25", set()),
    ("author=ACME", {"plain-llama", "tuned-llama"}),
    ("gated=true", {"small"}),
    ("gated=false", {"plain-llama", "tuned-llama"}),
    ("apps=ollama", {"small"}),
    ("apps=transformers&apps=ollama", {"small", "plain-llama"}),
    ("inference=warm", set()),
    ("inference_provider=all", set()),
    ("num_parameters=min:6B,max:128B", {"tuned-llama"}),
    ("num_parameters=max:0.5B", {"plain-llama"}),
    ("num_parameters=min:500M", {"plain-llama", "tuned-llama"}),
]


class TestFilters:
    @pytest.fixture(autouse=True)
    def models(self) -> None:
        organization = make_organization("acme")
        config = json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})
        made(
            card(
                "license: gpl-3.0\nlanguage: [en, fr]\ndatasets: acme/poems\nbase_model: acme/base"
            ),
            namespace=organization,
            name="tuned-llama",
        )
        made({"config.json": config}, namespace=organization, name="plain-llama")
        made(card("base_model: acme/base") | {"w.gguf": b"GGUF"}, name="small", gated="auto")
        for name, total in (("tuned-llama", 7 * 10**9), ("plain-llama", 500 * 10**6)):
            Repository.objects.filter(name=name).update(parameters={"total": total})

    def test_each_finds_what_it_names(self, client):
        for query, found in FILTERS:
            assert names(client, query) == found, query
        for query in ("num_parameters=6B", "num_parameters=min:many"):
            assert client.get(f"/api/models?{query}").status_code == 400

    def test_of_data_sets_and_spaces(self, client):
        made(
            card("language: en\ntask_categories: [qa]\nsize_categories: n<1K"),
            kind=Kind.DATASET,
            name="questions",
        )
        made(card("sdk: static\nmodels: [acme/base]"), kind=Kind.SPACE, name="demo")
        made(card("sdk: static"), kind=Kind.SPACE, name="alone")
        query = "filter=language:en&filter=task_categories:qa&filter=size_categories:n%3C1K"
        assert names(client, query, "datasets") == {"questions"}
        assert names(client, "models=acme/base", "spaces") == {"demo"}
        assert names(client, "linked=true", "spaces") == {"demo"}
        assert names(client, "filter=static", "spaces") == {"demo", "alone"}


class TestFacts:
    def test_what_a_model_is_made_from_and_what_was_made_from_it(self, api_for, client):
        base = made({}, namespace=make_organization("acme"), name="base")
        made(card("base_model: acme/base"))
        hidden = made(card("base_model: acme/base"), visibility=Visibility.PRIVATE)
        query = "expand=childrenModelCount&expand=baseModels"
        assert client.get(f"/{base.api_path}?{query}").json()["childrenModelCount"] == 1
        reader = api_for(make_member(hidden.namespace, access=Access.READ))
        listed = reader.get(f"/api/models?{query}&author=acme").json()
        assert listed == [{"id": "acme/base", "childrenModelCount": 2, "baseModels": []}]
        answer = reader.get(f"/{hidden.api_path}?{query}").json()
        assert (answer["baseModels"], answer["childrenModelCount"]) == (["acme/base"], 0)

    @pytest.mark.parametrize(
        ("text", "files", "relation"),
        [
            ("base_model: a/b", {}, "finetune"),
            ("base_model: a/b", {"adapter_config.json": "{}"}, "adapter"),
            ("base_model: [a/b, c/d]", {}, "merge"),
            ("base_model: a/b\nbase_model_relation: merge", {"w.gguf": "x"}, "merge"),
        ],
    )
    def test_the_relation_to_a_base_is_derived_where_the_card_is_silent(
        self, text, files, relation
    ):
        tags = made(card(text) | files).tags
        relations = {tag.split(":")[1] for tag in tags if tag.count(":") == 2}
        assert relations == {relation}

    def test_classes_of_transformers_and_scores(self, client):
        config = json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]})
        scores = "- dataset: {id: acme/bench, task_id: default}\n  value: 0.5\n"
        files = {"config.json": config, "tokenizer.json": "{}", ".eval_results/a.yaml": scores}
        model = made(files | {".eval_results/b.yaml": "nonsense"})
        answer = client.get(f"/{model.api_path}?expand=transformersInfo&expand=evalResults").json()
        assert answer["transformersInfo"] == {
            "auto_model": "AutoModelForMaskedLM",
            "pipeline_tag": "fill-mask",
            "processor": "AutoTokenizer",
        }
        entry = {"dataset": {"id": "acme/bench", "task_id": "default"}, "value": 0.5}
        right, wrong = answer["evalResults"]
        assert right == {"filename": ".eval_results/a.yaml", "data": entry}
        assert (wrong["filename"], bool(wrong["error"])) == (".eval_results/b.yaml", True)

    def test_a_data_set_says_what_it_is_and_how_to_cite_it(self, client):
        body = "# Poems\n\n![x](y.png)\nOld poems,\nand new.\n\n```bibtex\n@misc{poems}\n```\n"
        dataset = made(card("license: mit", body), kind=Kind.DATASET)
        answer = client.get(f"/{dataset.api_path}").json()
        assert answer["description"].startswith("Old poems, and new.")
        assert answer["citation"] == "@misc{poems}"

    def test_storage_counts_all_large_files_and_git(self, client):
        model = made({})
        for content in (b"weights", b"older"):
            stored(model, content)
        refresh.refresh_stale()
        model.refresh_from_db()
        assert model.git_bytes > 1000
        wanted = model.git_bytes + len(b"weights") + len(b"older")
        assert client.get(f"/{model.api_path}").json()["usedStorage"] == wanted
        listed = client.get("/api/models?expand=usedStorage").json()
        assert listed == [{"id": model.repo_id, "usedStorage": wanted}]


STORAGE = "/api/settings/repositories"


class TestOverviews:
    def test_ones_own_repositories_and_their_size(self, api_for):
        user = make_user("ada")
        mine = made({}, namespace=user.namespace, name="mine", visibility=Visibility.PRIVATE)
        made({}, name="not-mine")
        stored(mine, b"weights")
        answer = api_for(user, scope="read").get("/api/settings/repositories").json()
        assert [(one["id"], one["type"], one["visibility"]) for one in answer] == [
            ("ada/mine", "model", "private")
        ]
        assert answer[0]["storage"] >= len(b"weights")

    def test_each_has_its_share_of_all_that_its_owner_stores_on_every_page(self, api_for):
        user = make_user("ada")
        for size in (300, 100, 0):
            model = made({}, namespace=user.namespace)
            if size:
                stored(model, b"x" * size)
        Repository.objects.update(git_bytes=0)
        member = api_for(user, scope="read")
        shares = [one["storagePercent"] for one in member.get(f"{STORAGE}?limit=2").json()]
        assert shares == [75, 25]
        shares = [one["storagePercent"] for one in member.get(STORAGE).json()]
        assert shares == [75, 25, 0]

    def test_an_organisations_are_for_its_members(self, api_for, settings):
        organization = make_organization()
        made_ids = [made({}, namespace=organization).repo_id for _ in range(3)]
        member = api_for(make_member(organization, access=Access.READ))
        path = f"/api/organizations/{organization.slug}/settings/repositories?limit=2"
        first = member.get(path)
        link = first["Link"].partition(">")[0].removeprefix(f"<{settings.PUBLIC_URL}")
        both = [*first.json(), *member.get(link).json()]
        assert [one["id"] for one in both] == made_ids
        assert api_for(make_user()).get(path).status_code == 403
        assert Client().get(path).status_code == 401

    def test_tags_by_type_are_those_of_public_repositories(self, client):
        cache.clear()
        made(card("license: mit\nlanguage: [en]\ntags: [tiny]\nlibrary_name: peft"))
        made(card("license: gpl-3.0\nlanguage: fr"), visibility=Visibility.PRIVATE)
        made(card("task_categories: [qa]\ntags: [old]"), kind=Kind.DATASET)
        found = client.get("/api/models-tags-by-type").json()
        assert found["license"] == [{"id": "license:mit", "label": "mit", "type": "license"}]
        assert [one["id"] for one in found["language"]] == ["en"]
        assert [one["id"] for one in found["library"]] == ["peft"]
        assert [one["id"] for one in found["other"]] == ["tiny"]
        found = client.get("/api/datasets-tags-by-type").json()
        assert [one["label"] for one in found["task_categories"]] == ["qa"]
        assert [one["id"] for one in found["other"]] == ["old"]


ROWS = 10_000
INDEXES = {
    "sort=likes&limit=20": "repository_liked",
    "sort=lastModified&limit=20": "repository_modified repository_recent",
    "sort=createdAt&limit=20": "repository_newest",
    "filter=topic-7&limit=20": "repository_tags",
    "search=model-00191&limit=20": "repository_name_trigrams",
}


def make_many() -> None:
    owners = [make_organization(f"owner{number}") for number in range(50)]
    Repository.objects.bulk_create(
        Repository(
            namespace=owners[number % 50],
            kind="model",
            name=f"model-{number * 7919 % ROWS:06d}",
            visibility="public" if number % 10 else "private",
            likes=number % 500,
            tags=["license:mit", f"topic-{number % 1001}"],
        )
        for number in range(ROWS)
    )
    with connection.cursor() as cursor:
        for name in ("repository_name_trigrams", "repository_tags"):  # as autovacuum does
            cursor.execute("SELECT gin_clean_pending_list(%s::regclass)", [name])
        cursor.execute("ANALYZE hub_repository, hub_namespace, hub_membership")


def test_indexes_serve_the_lists_and_pages_lose_nothing_where_many_tie(api_for, client, settings):
    make_many()
    user = make_user("ada")
    Membership.objects.create(
        namespace=Namespace.objects.get(slug="owner0"), user=user, access=Access.READ
    )
    member = api_for(user)
    for query, wanted in INDEXES.items():
        with CaptureQueriesContext(connection) as captured:
            assert member.get(f"/api/models?{query}").json()
        sql = next(one["sql"] for one in captured if '"hub_repository"."likes"' in one["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert any(index in plan for index in wanted.split()), (query, plan)
        assert "Seq Scan on hub_repository" not in plan, (query, plan)
    address, seen = "/api/models?sort=likes&limit=297&search=model-000", []
    while address:
        page = client.get(address)
        seen += [one["id"] for one in page.json()]
        link = page.headers.get("Link", "")
        address = link.partition(">")[0].removeprefix(f"<{settings.PUBLIC_URL}")
    held = Repository.objects.filter(name__startswith="model-000", visibility="public").count()
    assert len(seen) == len(set(seen)) == held > 297
