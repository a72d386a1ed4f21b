"""The tensors of a model over the API: right, bounded, and plain about broken files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.test import Client
from safetensors.numpy import save

from hub.models import Repository
from tests.factories import commit_files, make_repository, make_user
from tests.hub.wire import stored

pytestmark = pytest.mark.django_db
INDEX = "model.safetensors.index.json"
WEIGHTS = {"a": np.zeros((2, 3), np.float32), "b": np.ones(4, np.float16)}


def model(index: object, **files: bytes) -> Repository:
    repository = make_repository()
    found = {INDEX: index if isinstance(index, bytes) else json.dumps(index).encode()}
    for name, content in files.items():
        row = stored(repository, content)
        pointer = (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{row.sha256}\nsize {len(content)}\n"
        )
        found[f"{name}.safetensors"] = pointer.encode()
    commit_files(repository, found)
    return repository


def ask(repository: Repository, path: str = INDEX, client: Client | None = None):
    address = f"/{repository.api_path}/safetensors-metadata/{path}"
    return (client or Client()).get(address)


def test_the_headers_of_all_shards_come_at_once():
    index = {"metadata": {"total_size": 32}, "weight_map": {}}
    for name in WEIGHTS:
        index["weight_map"][name] = f"{name}.safetensors"
    shards = {name: save({name: tensor}, {"format": "pt"}) for name, tensor in WEIGHTS.items()}
    said = ask(model(index, **shards)).json()
    assert said["index"] == {"metadata": {"total_size": 32}}
    assert said["headers"] == {
        f"{name}.safetensors": json.loads(
            shards[name][8 : 8 + int.from_bytes(shards[name][:8], "little")]
        )
        for name in WEIGHTS
    }


def test_a_single_file_has_one_header():
    said = ask(model({}, one=save(WEIGHTS)), "one.safetensors").json()
    assert set(said["headers"]["one.safetensors"]) == {"a", "b"}
    assert said["headers"]["one.safetensors"]["a"]["shape"] == [2, 3]


@pytest.mark.parametrize(
    ("index", "status"),
    [
        (b"[1]", 400),
        (b"{", 400),
        ({"weight_map": ["x"]}, 400),
        ({"weight_map": {"a": 1}}, 400),
        ({"weight_map": {"a": "none.safetensors"}}, 404),
        ({"weight_map": {"a": "../../README.md"}}, 404),
        ({"weight_map": {"a": "README.md"}}, 400),
        ({"weight_map": {str(n): f"{n}.safetensors" for n in range(1001)}}, 413),
    ],
)
def test_a_broken_index_is_refused_plainly(index, status):
    answer = ask(model(index))
    assert answer.status_code == status
    assert answer.json()["error"]


def test_files_of_a_gated_model_are_not_described():
    repository = model({}, one=save(WEIGHTS))
    Repository.objects.filter(pk=repository.pk).update(gated="manual")
    client = Client()
    client.force_login(make_user())
    assert ask(repository, "one.safetensors", client)["X-Error-Code"] == "GatedRepo"
    assert ask(repository, "none.safetensors").status_code == 401
