"""What the API says about repositories, their files and their history."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from safetensors.numpy import save

from hub.api.representation import FIELDS
from hub.gitstore.pointers import format_pointer
from hub.jobs.refresh import refresh
from hub.models import Access, Kind, Repository, Visibility
from tests.factories import (
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.hub.wire import commit, large_file, send, stored

pytestmark = pytest.mark.django_db
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CONFIG = b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'


@pytest.fixture
def repository() -> Repository:
    repository = make_repository(
        files={"config.json": CONFIG, "a/b/c.txt": b"c", "a/d.txt": b"d", "z.txt": b"z"}
    )
    refresh(repository.pk)
    repository.refresh_from_db()
    return repository


def safetensors() -> bytes:
    return save({"w": np.zeros((3, 4), dtype="float32"), "b": np.zeros(5, dtype="float16")})


class TestInfo:
    def test_the_whole_of_it(self, client, repository):
        answer = client.get(f"/{repository.api_path}").json()
        assert answer["id"] == answer["modelId"] == repository.repo_id
        assert answer["sha"] == repository.store().resolve("main")
        assert answer["private"] is False and answer["gated"] is False
        assert MOMENT.fullmatch(answer["createdAt"]) and MOMENT.fullmatch(answer["lastModified"])
        assert answer["cardData"] == {"license": "mit"}
        assert answer["library_name"] == "transformers"
        assert answer["pipeline_tag"] == "text-generation"
        assert {"llama", "license:mit", "transformers"} <= set(answer["tags"])
        assert {"rfilename": "a/b/c.txt"} in answer["siblings"]

    def test_files_with_sizes_and_hashes(self, api_for, repository):
        writer = api_for(make_member(repository.namespace, access=Access.WRITE))
        content = safetensors()
        sha256 = stored(repository, content).sha256
        commit(writer, repository, large_file("model.safetensors", sha256))
        answer = writer.get(f"/{repository.api_path}?blobs=true").json()
        files = {one["rfilename"]: one for one in answer["siblings"]}
        assert files["z.txt"]["size"] == 1 and len(files["z.txt"]["blobId"]) == 40
        lfs = files["model.safetensors"]["lfs"]
        assert (lfs["sha256"], lfs["size"]) == (sha256, len(content))
        assert lfs["pointerSize"] == len(format_pointer(sha256, len(content)))
        assert answer["safetensors"] == {"parameters": {"F32": 12, "F16": 5}, "total": 17}

    def test_another_revision_is_described_as_it_was(self, client, repository):
        old = repository.store().resolve("main")
        commit_files(repository, {"README.md": b"---\nlicense: apache-2.0\n---\n"})
        refresh(repository.pk)
        now = client.get(f"/{repository.api_path}").json()
        then = client.get(f"/{repository.api_path}/revision/{old[:8]}").json()
        assert (now["cardData"]["license"], then["cardData"]["license"]) == ("apache-2.0", "mit")
        assert then["sha"] == old

    def test_only_what_is_expanded(self, client, repository):
        answer = client.get(f"/{repository.api_path}?expand=sha&expand=tags").json()
        assert set(answer) == {"id", "sha", "tags"}

    @pytest.mark.parametrize("kind", Kind.values)
    def test_an_unknown_expansion_lists_the_known_ones(self, client, kind):
        repository = make_repository(kind=kind)
        response = client.get(f"/{repository.api_path}?expand=nope")
        assert response.status_code == 400
        choices = "|".join(f'"{name}"' for name in sorted(FIELDS[kind]))
        assert f"expected one of {choices}" in response.json()["error"]

    def test_every_expansion_can_be_asked_for(self, client, repository):
        query = "&".join(f"expand={name}" for name in FIELDS[Kind.MODEL])
        answer = client.get(f"/{repository.api_path}?{query}").json()
        assert set(answer) == {"id", *FIELDS[Kind.MODEL]}

    def test_ids_are_matched_in_any_case_and_answered_in_one(self, client, repository):
        answer = client.get(f"/api/models/{repository.repo_id.upper()}").json()
        assert answer["id"] == repository.repo_id

    def test_a_broken_card_does_not_break_the_info(self, client, repository):
        commit_files(repository, {"README.md": b"---\na: [\n---\n"})
        refresh(repository.pk)
        assert client.get(f"/{repository.api_path}").json()["cardData"] is None
        repository.refresh_from_db()
        assert repository.card_problem


class TestLists:
    def ids(self, client: Any, query: str, kind: str = "models") -> list[str]:
        response = client.get(f"/api/{kind}?{query}")
        assert response.status_code == 200, response.content
        return [one["id"] for one in response.json()]

    def test_only_what_the_caller_may_see(self, api_for, client):
        private = make_repository(visibility=Visibility.PRIVATE)
        public = make_repository()
        member = api_for(make_member(private.namespace, access=Access.READ))
        assert self.ids(client, "") == [public.repo_id]
        assert self.ids(member, "sort=createdAt") == [public.repo_id, private.repo_id]
        assert self.ids(api_for(make_user()), "") == [public.repo_id]

    def test_search_author_and_filters_must_all_match(self, client):
        ada, bob = make_organization("ada"), make_organization("bob")
        make_repository(ada, name="tiny-llama", tags=["text-generation", "license:mit"])
        make_repository(ada, name="tiny-bert", tags=["fill-mask", "license:mit"])
        make_repository(bob, name="big-llama", tags=["text-generation"])
        assert self.ids(client, "search=LLAMA&author=ada") == ["ada/tiny-llama"]
        assert self.ids(client, "search=ada/tiny-b") == ["ada/tiny-bert"]
        assert self.ids(client, "filter=text-generation&filter=license:mit") == ["ada/tiny-llama"]
        assert self.ids(client, "search=100%25_") == []
        assert self.ids(client, "", "datasets") == []

    def test_pages_are_linked_absolutely_and_lose_nothing(self, client, settings):
        made = {make_repository(likes=number % 3).repo_id for number in range(7)}
        seen, address = [], "/api/models?sort=likes&limit=3"
        while address:
            response = client.get(address, headers={"host": "localhost"})
            seen += [one["id"] for one in response.json()]
            link = response.headers.get("Link", "")
            found = re.fullmatch(r'<([^>]+)>; rel="next"', link) if link else None
            assert found is None or found[1].startswith(f"{settings.PUBLIC_URL}/api/models?")
            address = found[1].removeprefix(settings.PUBLIC_URL) if found else ""
        assert len(seen) == 7 and set(seen) == made

    def test_heavy_keys_only_when_asked_for(self, client, repository):
        plain = client.get("/api/models").json()[0]
        heavy = {"siblings", "cardData", "config", "sha", "safetensors"}
        assert not heavy & set(plain)
        full = client.get("/api/models?full=true&cardData=true&config=true").json()[0]
        assert {"siblings", "cardData", "config", "sha", "lastModified"} <= set(full)

    @pytest.mark.parametrize(
        "query", ["sort=nope", "limit=x", "cursor=!!", "cursor=e30=", "expand=nope"]
    )
    def test_nonsense_is_refused(self, client, query):
        assert client.get(f"/api/models?{query}").status_code == 400

    def test_a_cursor_of_another_order_is_refused(self, client):
        for _ in range(3):
            make_repository()
        link = client.get("/api/models?sort=likes&limit=1")["Link"]
        cursor = re.search(r"cursor=([^&>]+)", link)[1]
        response = client.get(f"/api/models?sort=createdAt&limit=1&cursor={cursor}")
        assert response.status_code == 400


class TestTree:
    def test_one_folder(self, client, repository):
        entries = client.get(f"/{repository.api_path}/tree/main/a").json()
        assert [(one["type"], one["path"]) for one in entries] == [
            ("directory", "a/b"),
            ("file", "a/d.txt"),
        ]
        assert entries[0]["size"] == 0 and len(entries[0]["oid"]) == 40

    def test_all_folders_and_the_commits_that_changed_them(self, client, repository):
        response = client.get(f"/{repository.api_path}/tree/main?recursive=true&expand=true")
        entries = {one["path"]: one for one in response.json()}
        assert {"a", "a/b", "a/b/c.txt"} <= set(entries)
        last = entries["a/b/c.txt"]["lastCommit"]
        assert last["title"] == "Change files" and MOMENT.fullmatch(last["date"])
        assert entries["README.md"]["lastCommit"]["title"] == "initial commit"

    def test_paths_with_an_encoded_slash(self, client, repository):
        path = f"/{repository.api_path}/tree/refs%2Fheads%2Fmain/a%2Fb"
        assert [one["path"] for one in send(client, "GET", path).json()] == ["a/b/c.txt"]

    def test_pages(self, client, repository, settings):
        seen, address = [], f"/{repository.api_path}/tree/main?recursive=true&limit=2"
        while address:
            response = client.get(address)
            seen += [one["path"] for one in response.json()]
            link = response.headers.get("Link", "")
            address = link[1 : link.index(">")].removeprefix(settings.PUBLIC_URL) if link else ""
        store = repository.store()
        entries = store.tree(store.resolve("main"), recursive=True)
        assert seen == [entry.path for entry in entries]

    @pytest.mark.parametrize(
        ("rest", "code"), [("main/nope", "EntryNotFound"), ("nope", "RevisionNotFound")]
    )
    def test_what_is_missing_is_named(self, client, repository, rest, code):
        response = client.get(f"/{repository.api_path}/tree/{rest}")
        assert (response.status_code, response["X-Error-Code"]) == (404, code)

    def test_paths_info_leaves_missing_paths_out(self, client, repository):
        response = client.post(
            f"/{repository.api_path}/paths-info/main",
            "paths=z.txt&paths=nope&paths=a&expand=true",
            content_type="application/x-www-form-urlencoded",
        )
        entries = response.json()
        assert [(one["type"], one["path"]) for one in entries] == [
            ("file", "z.txt"),
            ("directory", "a"),
        ]
        assert entries[0]["lastCommit"]["id"]


class TestHistory:
    def test_refs(self, client, repository):
        store = repository.store()
        head = store.resolve("main")
        store.move_ref("refs/pr/1", new=head, old=None)
        store.move_ref("refs/tags/v1", new=head, old=None)
        answer = client.get(f"/{repository.api_path}/refs").json()
        assert answer == {
            "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": head}],
            "tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": head}],
            "converts": [],
        }
        with_prs = client.get(f"/{repository.api_path}/refs?include_prs=1").json()
        assert with_prs["pullRequests"] == [{"name": "1", "ref": "refs/pr/1", "targetCommit": head}]

    def test_commits_page(self, client, repository):
        for number in range(4):
            commit_files(repository, {"n.txt": b"%d" % number}, message=f"Commit {number}")
        path = f"/{repository.api_path}/commits/main?limit=3&expand[]=formatted"
        first = client.get(path)
        assert [one["title"] for one in first.json()] == ["Commit 3", "Commit 2", "Commit 1"]
        assert first.json()[0]["formatted"]["title"] == "Commit 3"
        assert first.json()[0]["authors"] == [{"user": "tester"}]
        assert "p=1" in first["Link"]
        rest = client.get(f"/{repository.api_path}/commits/main?limit=3&p=1")
        assert [one["title"] for one in rest.json()][-1] == "initial commit"
        assert "Link" not in rest


class TestCost:
    """Numbers of queries that must not grow with what is listed, and no git process."""

    def queries(self, client: Any, path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            response = client.get(path)
            assert response.status_code == 200
            if response.streaming:
                response.getvalue()
        return len(captured)

    @pytest.mark.parametrize(
        ("path", "queries"),
        [
            ("{api}", 1),
            ("{api}/revision/main", 1),
            ("{api}/tree/main?recursive=true", 2),  # and the Xet hashes
            ("{api}/refs", 1),
            ("{web}/resolve/main/z.txt", 1),
            ("{web}/resolve/main/large.bin", 2),
        ],
    )
    def test_reading_costs_few_queries_and_no_process(
        self, client, repository, path, queries, monkeypatch
    ):
        sha256 = stored(repository, b"large").sha256
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 5\n"
        commit_files(repository, {"large.bin": text.encode()})
        refresh(repository.pk)

        def refused(*args: Any, **kwargs: Any) -> None:
            raise AssertionError("a process was started")

        monkeypatch.setattr("subprocess.Popen", refused)
        address = path.format(api=f"/{repository.api_path}", web=f"/{repository.path}")
        assert self.queries(client, address) == queries

    def test_lists_cost_the_same_for_one_and_for_many(self, client):
        make_repository()
        one = self.queries(client, "/api/models?full=true")
        for _ in range(5):
            make_repository()
        assert self.queries(client, "/api/models?full=true") == one == 1
