"""Two revisions side by side: what differs is what was changed, and both must be readable."""

from __future__ import annotations

import json
from urllib.parse import quote

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from safetensors.numpy import save

from hub.gitstore import AddFile, DeleteFile
from hub.models import Access, Kind, Visibility
from tests.factories import make_member, make_repository, make_user
from tests.training.factories import commit, large

pytestmark = pytest.mark.django_db
PAGE = "/-/compare-revisions"


def tokenizer(tokens: list[str]) -> bytes:
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}).encode()


def model(files: dict[str, bytes], tensors: dict[str, np.ndarray], **overrides):
    repository = make_repository(files=files, **overrides)
    commit(repository, [large(repository, "model.safetensors", save(tensors))])
    return repository


@pytest.fixture
def pair():
    """A model, and another that began as it."""
    first = model(
        {
            "config.json": b'{"hidden_size": 8, "rope": {"theta": 1}}',
            "tokenizer.json": tokenizer(["a", "b", "c"]),
            "notes.txt": b"one\ntwo\n",
        },
        {"a": np.zeros((2, 2), np.float32), "b": np.zeros(3, np.float32), "c": np.zeros(1)},
    )
    second = model(
        {
            "config.json": b'{"hidden_size": 16, "rope": {"theta": 1}, "new": null}',
            "tokenizer.json": tokenizer(["b", "a", "d"]),
            "notes.txt": b"one\n2\n",
        },
        {"a": np.zeros((2, 3), np.float32), "b": np.zeros(3, np.float16), "d": np.zeros(1)},
    )
    return first, second


def compared(client, a: str, b: str, more: str = "") -> str:
    response = client.get(f"{PAGE}?a={quote(a)}&b={quote(b)}{more}")
    assert response.status_code == 200 and len(response.content) < 100_000
    return response.content.decode()


def test_settings_tokens_and_tensors_of_two_models(pair, client_for):
    first, second = pair
    page = compared(client_for(), first.repo_id, f"{second.repo_id}@main")
    settings = page.split('id="settings"')[1].split("</section>")[0]
    assert "<code>8</code>" in settings and "<code>16</code>" in settings and ">new<" in settings
    assert "rope.theta" not in settings
    tokens = page.split('id="tokenizer"')[1].split("</section>")[0]
    assert (
        "1 token added" in tokens and "1 token removed" in tokens and "2 with another id" in tokens
    )
    tensors = page.split('id="tensors"')[1].split("</section>")[0]
    assert "2 × 2" in tensors and "2 × 3" in tensors and "F16" in tensors
    assert f"candidate={quote(second.repo_id, safe='')}%40main" in page
    lines = compared(client_for(), first.repo_id, second.repo_id, "&part=files")
    assert "<td>two</td>" in lines and "<td>2</td>" in lines
    assert not list(first.store().path.glob("objects/info/alternates"))


def test_two_commits_of_one_repository(pair, client_for):
    first, _second = pair
    before = first.store().resolve("main")
    commit(first, [AddFile("more.txt", b"x"), DeleteFile("notes.txt")])
    page = compared(client_for(), f"{first.repo_id}@{before}", f"{first.repo_id}@main")
    assert "more.txt" in page and "notes.txt" in page and 'id="settings"' not in page
    assert "Both have the same tokenizer." in page
    same = compared(client_for(), first.repo_id, first.repo_id)
    assert "All files are the same" in same
    data = make_repository(kind=Kind.DATASET)
    across = compared(client_for(), first.repo_id, f"datasets/{data.repo_id}")
    assert "config.json" in across and 'id="tensors"' not in across


def test_both_sides_must_be_readable(pair, client_for):
    first, _second = pair
    hidden = model({"secret.txt": b"s"}, {"z": np.zeros(1)}, visibility=Visibility.PRIVATE)
    gated = make_repository(files={"secret.txt": b"s"}, gated="manual")
    for person in (None, make_user()):
        for other in (hidden, gated):
            page = compared(client_for(person), first.repo_id, other.repo_id)
            assert 'id="problem-b"' in page and "secret.txt" not in page
        missing = compared(client_for(person), first.repo_id, "no/such")
        told = compared(client_for(person), first.repo_id, hidden.repo_id)
        assert told.replace(hidden.repo_id, "no/such").count("problem-b") == missing.count(
            "problem-b"
        )
    member = make_member(hidden.namespace, access=Access.READ)
    assert "secret.txt" in compared(client_for(member), first.repo_id, hidden.repo_id)


@pytest.mark.parametrize("text", ["x", "a/b/c", "@main", "a/b@" + "x" * 900, "'\"<script>"])
def test_what_names_nothing_is_told_beside_its_field(pair, client_for, text):
    page = compared(client_for(), text, pair[0].repo_id)
    assert 'id="problem-a"' in page and "<script>'" not in page


def test_a_comparison_asks_few_questions(pair, client_for):
    first, second = pair
    client = client_for()
    compared(client, first.repo_id, second.repo_id)
    with CaptureQueriesContext(connection) as queries:
        compared(client, first.repo_id, second.repo_id)
    assert len(queries) <= 14
