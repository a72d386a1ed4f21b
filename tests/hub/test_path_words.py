"""Why a path is refused is told at the door, in the reader's language."""

from __future__ import annotations

import json

import pytest

from hub.errors import PathRefusedError
from hub.gitstore import check_path
from hub.gitstore.paths import below_a_file, is_a_folder
from hub.http.path_words import PATH_WORDS, sentence_of
from hub.models import Access
from tests.factories import commit_files, make_member, make_repository

REFUSED = {
    "too_long": "x/" * 600,
    "too_deep": "/".join(["d"] * 33),
    "dots_first": "..a",
    "empty_part": "a//b",
    "hidden_sign": "模型\u202etxt",
    "colon": "模型:b",
    "part_too_long": "x" * 256,
    "gits_own": "a/.git/config",
}


def refused(reason: str) -> PathRefusedError:
    if reason in REFUSED:
        with pytest.raises(PathRefusedError) as caught:
            check_path(REFUSED[reason])
        return caught.value
    return {"below_a_file": below_a_file, "is_a_folder": is_a_folder}[reason]("模型")


@pytest.mark.parametrize("reason", PATH_WORDS)
def test_the_words_of_the_door_are_those_of_the_rule(reason):
    error = refused(reason)
    assert error.reason == reason
    assert sentence_of(error) == str(error)


def test_names_are_readable_and_what_is_hidden_is_written_out():
    assert "'模型:b'" in sentence_of(refused("colon"))
    assert "模型\\u202etxt" in sentence_of(refused("hidden_sign"))


@pytest.mark.django_db
def test_every_door_says_the_sentence(client_for):
    repository = make_repository()
    commit_files(repository, {"file": b"x"})
    client = client_for(make_member(repository.namespace, access=Access.WRITE))
    asked = {"files": [{"path": path, "size": 1} for path in ("a:b", "file/x")]}
    api = f"/{repository.api_path}"
    answer = client.post(f"{api}/preupload/main", json.dumps(asked), "application/json").json()
    said = [each["refused"] for each in answer["files"]]
    assert said == [
        "The path 'a:b' has a colon.",
        "file/x would lie below a file; delete that file first.",
    ]
    fields = {"parent": repository.store().resolve("main"), "title": "x", "way": "branch"}
    page = client.post(
        f"/{repository.path}/new/main", fields | {"path": "a:b", "text": "x", "do": "save"}
    )
    assert "The path &#x27;a:b&#x27; has a colon." in page.text
    lines = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": "a:b", "content": "aGk=", "encoding": "base64"}},
    ]
    body = "\n".join(map(json.dumps, lines))
    commit = client.post(f"{api}/commit/main", body, content_type="application/x-ndjson")
    assert (commit.status_code, commit.json()["error"]) == (422, said[0])
