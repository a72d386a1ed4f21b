"""The catalogue: shipped benchmarks become data sets, task files become benchmarks."""

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.models import Access, Kind, Repository, Visibility
from tests.factories import (
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from training.actions.catalogue import SHELF, catalogue
from training.specs.benchmark import parse_benchmark

pytestmark = pytest.mark.django_db
TASKS = Path(__file__).parents[1] / "specs" / "tasks"


def client_of(person):
    client = Client()
    client.force_login(person)
    return client


def api_of(person):
    return Client(headers={"authorization": f"Bearer {make_token(person)}"})


def page(client, query=""):
    return client.get(f"/-/benchmarks{query}").content.decode()


def post(client, path, body):
    return client.post(path, json.dumps(body), content_type="application/json")


def data_set(person, name="maths", **more):
    return make_repository(person.namespace, name=name, kind=Kind.DATASET, **more)


def test_everybody_sees_what_each_benchmark_measures():
    text = page(Client())
    for dataset in catalogue():
        assert dataset.title in text
        for shipped in dataset.benchmarks:
            assert shipped.digest[:7] in text
            assert shipped.path in text
    assert "Sign in to import" in text
    assert 'name="name" value="blimp"' not in text


def test_a_language_keeps_its_own():
    chinese = page(Client(), "?language=zh")
    assert "XCOPA Chinese" in chinese
    assert "BLiMP" not in chinese
    assert "MGSM English and Chinese" in chinese


def test_importing_makes_a_data_set_with_every_file():
    person = make_user()
    answer = client_of(person).post("/-/benchmarks/import", {"name": "songci"})
    repository = Repository.objects.get(namespace=person.namespace, name="songci")
    assert answer["Location"] == repository.get_absolute_url()
    store = repository.store()
    head = store.resolve("main")
    for path in ("README.md", "benchmark.yaml", "test.jsonl"):
        assert store.read(head, path, limit_bytes=10**7) == (SHELF / "songci" / path).read_bytes()
    assert store.read(head, ".gitattributes", limit_bytes=10**6)
    assert (
        store.commits(head, limit=1)[0].subject == "Import Song ci poems (宋词) from the catalogue"
    )
    text = page(client_of(person))
    assert f'href="{repository.get_absolute_url()}"' in text
    assert 'name="name" value="songci"' not in text
    assert 'name="name" value="blimp"' in text


def test_everything_of_the_catalogue_is_told_in_both_languages():
    for dataset in catalogue():
        assert dataset.about and dataset.about_zh, dataset.name
        for each in dataset.benchmarks:
            assert each.definition.labels.summary and each.summary_zh, (dataset.name, each.path)
        for suite in dataset.suites:
            assert suite.suite.summary and suite.summary_zh, (dataset.name, suite.path)
    client = Client()
    assert "Poems of the Song dynasty" in page(client)
    client.cookies["language"] = "zh-hans"
    text = page(client)
    assert "宋词，以每字节比特数计。" in text and "简体中文宋词" in text
    assert "Poems of the Song dynasty" not in text
    listed = Client().get("/api/benchmarks").json()["datasets"]
    (songci,) = [each for each in listed if each["name"] == "songci"]
    assert songci["aboutZh"].startswith("简体中文宋词")
    assert songci["benchmarks"][0]["summaryZh"] == "宋词，以每字节比特数计。"


def test_one_chooses_the_namespace():
    organization = make_organization()
    person = make_member(organization, access=Access.WRITE)
    client = client_of(person)
    assert f'name="namespace" value="{person.namespace.slug}"' in page(client)
    there = page(client, f"?into={organization.slug}")
    assert f'name="namespace" value="{organization.slug}"' in there
    client.post("/-/benchmarks/import", {"name": "bbq", "namespace": organization.slug})
    assert Repository.objects.filter(namespace=organization, name="bbq").exists()
    assert "value=&quot;secret&quot;" not in page(client, "?into=secret")


def test_what_is_there_already_stays():
    person = make_user()
    data_set(person, "songci", files={"README.md": b"mine"})
    answer = client_of(person).post("/-/benchmarks/import", {"name": "songci"}, follow=True)
    assert "You already have a dataset called" in answer.content.decode()
    answer = post(api_of(person), "/api/benchmarks/import", {"name": "songci"})
    assert answer.status_code == 409
    assert answer.json()["url"].endswith("/songci")


def test_the_api_lists_and_imports():
    person = make_user()
    listed = Client().get("/api/benchmarks").json()["datasets"]
    bbq = next(each for each in listed if each["name"] == "bbq")
    assert {each["path"]: each["direction"] for each in bbq["benchmarks"]} == {
        "benchmark.yaml": "higher", "bias.yaml": "target",
    }  # fmt: skip
    assert bbq["benchmarks"][0]["clusters"] == 65
    suites = next(each for each in listed if each["name"] == "suites")["suites"]
    assert "bbq:bias.yaml" in next(each for each in suites if each["name"] == "bias")["benchmarks"]
    made = post(api_of(person), "/api/benchmarks/import", {"name": "bbq", "visibility": "private"})
    assert made.status_code == 201
    assert made.json()["name"] == f"{person.namespace.slug}/bbq"
    assert Repository.objects.get(name="bbq").visibility == Visibility.PRIVATE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "none"}, 404),
        ({"name": "../bbq"}, 404),
        ({"name": "bbq", "namespace": "not-mine"}, 403),
        ({}, 400),
    ],
)
def test_an_import_that_cannot_be_is_refused(body, status):
    assert post(api_of(make_user()), "/api/benchmarks/import", body).status_code == status
    assert not Repository.objects.exists()


def test_a_task_file_is_looked_at_and_then_committed():
    person = make_user()
    repository = data_set(
        person, files={"main/test.jsonl": b'{"question": "1+1", "answer": "2"}\n'}
    )
    client = client_of(person)
    looked = client.post(
        "/-/benchmarks/task", {"do": "look", "content": (TASKS / "gsm8k.yaml").read_text()}
    )
    text = looked.content.decode()
    assert looked.status_code == 200
    assert "It imports" in text
    assert "every item gets the same ones" in text
    made = looked.context["benchmark_form"].initial
    assert made["path"] == "gsm8k.yaml"
    answer = client.post(
        "/-/benchmarks/task",
        {"do": "commit", "repository": repository.repo_id, "path": "", "text": made["text"]},
        follow=True,
    )
    assert answer.redirect_chain[0][0].endswith("/blob/main/gsm8k.yaml")
    assert "gates can name it" in answer.content.decode()
    head = repository.store().resolve("main")
    content = repository.store().read(head, "gsm8k.yaml", limit_bytes=10**5)
    assert parse_benchmark(content).task == "gsm8k"


def test_files_may_be_uploaded_with_what_they_include():
    files = {name: (TASKS / name).read_bytes() for name in ("mgsm_direct_en.yaml", "direct_yaml")}
    answer = client_of(make_user()).post(
        "/-/benchmarks/task",
        {
            "do": "look",
            "upload": SimpleUploadedFile("task.yaml", files["mgsm_direct_en.yaml"]),
            "includes": [SimpleUploadedFile("direct_yaml", files["direct_yaml"])],
        },
    )
    assert answer.status_code == 200
    assert "mgsm_direct_en" in answer.context["benchmark_form"].initial["text"]


def test_a_task_that_names_code_is_refused_with_its_key():
    answer = client_of(make_user()).post(
        "/-/benchmarks/task", {"do": "look", "content": (TASKS / "hellaswag.yaml").read_text()}
    )
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "process_docs: !function utils.process_docs names code" in text
    assert answer.context["benchmark_form"] is None


@pytest.mark.parametrize(
    ("content", "reason"), [("- a", "not a map"), ("a: [", "not valid YAML"), ("", "not a map")]
)
def test_what_is_no_task_file_is_said_in_the_form(content, reason):
    answer = client_of(make_user()).post("/-/benchmarks/task", {"do": "look", "content": content})
    assert answer.status_code == 422
    assert reason in answer.content.decode()


def task(**more):
    return {
        "content": "task: t\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n"
    } | more


def test_the_api_says_what_becomes_of_a_task():
    person = make_user()
    client = api_of(person)
    found = post(client, "/api/benchmarks/tasks", task()).json()
    assert (found["imports"], found["rows"], found["commit"]) == (True, "test.jsonl", None)
    refused = post(client, "/api/benchmarks/tasks", task(content="task: t\nprocess_docs: x"))
    assert refused.status_code == 200
    assert (refused.json()["imports"], refused.json()["benchmark"]) == (False, "")
    assert "process_docs changes the rows" in " ".join(refused.json()["refusals"])
    repository = data_set(person)
    made = post(
        client, "/api/benchmarks/tasks", task(repository=repository.repo_id, path="x/t.yaml")
    )
    assert made.status_code == 201
    assert made.json()["commit"] == repository.store().resolve("main")
    again = post(
        client, "/api/benchmarks/tasks", task(repository=repository.repo_id, path="x/t.yaml")
    )
    assert again.status_code == 409


def test_a_data_set_with_the_rows_is_one_the_reader_sees():
    owner, person = make_user(), make_user()
    hidden = data_set(owner, "hidden", visibility=Visibility.PRIVATE)
    content = (
        "task: t\ndataset_path: {}\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: a"
    )
    named = post(api_of(person), "/api/benchmarks/tasks", task(dataset=hidden.repo_id))
    assert named.status_code == 404
    inside = task(content=content.format(hidden.repo_id))
    assert (
        post(api_of(person), "/api/benchmarks/tasks", inside).json()["missingDataset"]
        == hidden.repo_id
    )
    assert post(api_of(owner), "/api/benchmarks/tasks", inside).json()["missingDataset"] is None


@pytest.mark.parametrize(("held", "status"), [(None, 404), (Access.READ, 403), (Access.WRITE, 201)])
def test_committing_needs_write_access(held, status):
    repository = make_repository(kind=Kind.DATASET, visibility=Visibility.PRIVATE)
    person = make_member(repository.namespace, access=held) if held else make_user()
    answer = post(api_of(person), "/api/benchmarks/tasks", task(repository=repository.repo_id))
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["../t.yaml", "t.txt", "/t.yaml"])
def test_a_benchmark_is_a_yaml_file_in_the_repository(path):
    person = make_user()
    body = task(repository=data_set(person).repo_id, path=path)
    assert post(api_of(person), "/api/benchmarks/tasks", body).status_code == 400


ASKED = "task: t\noutput_type: generate_until\ndoc_to_text: {}\ndoc_to_target: a\n"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("\"{{ ''.__class__.__mro__ }}\"", "reaches for __class__"),
        ('"{{ 9 ** 9 ** 9 }}"', "the operator **"),
        ('"{% for i in range(100000000) %}x{% endfor %}"', "counts to 100000000"),
        ('"{{ q"', "not a valid template"),
        ('"{{ q }} {{ nowhere }}"', "nowhere, which is no column"),
    ],
)
def test_a_task_that_could_not_be_asked_is_refused_before_it_is_kept(template, said):
    person = make_user()
    rows = b'{"q": "How many?", "a": "Two."}\n'
    repository = data_set(person, files={"test.jsonl": rows})
    before = repository.store().resolve("main")
    body = task(content=ASKED.format(template), repository=repository.repo_id)
    answer = post(api_of(person), "/api/benchmarks/tasks", body)
    found = answer.json()
    assert (answer.status_code, found["imports"], found["benchmark"]) == (200, False, "")
    assert said in " ".join(found["refusals"])
    assert repository.store().resolve("main") == before
    optional = '"{{ q }}{% if hint is defined %} {{ hint }}{% endif %}"'
    body = task(content=ASKED.format(optional), repository=repository.repo_id)
    assert post(api_of(person), "/api/benchmarks/tasks", body).status_code == 201


def test_rows_that_the_named_data_set_lacks_are_said():
    person = make_user()
    repository = data_set(person)
    body = task(dataset=repository.repo_id, data_file="nowhere.jsonl")
    found = post(api_of(person), "/api/benchmarks/tasks", body).json()
    assert (found["imports"], "nowhere.jsonl" in " ".join(found["refusals"])) == (False, True)
