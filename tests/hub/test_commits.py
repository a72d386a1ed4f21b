"""POST …/commit: what lands, what is refused, who wins."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from django.test import Client

from hub import events
from hub.models import Access, AuditEntry, BranchProtection, Repository, User
from tests.factories import (
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.hub.wire import commit, deleted, file, large_file, send, send_json, stored
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository() -> Repository:
    return make_repository(files={"old.txt": b"old", "folder/a.txt": b"a", "folder/b.txt": b"b"})


@pytest.fixture
def writer(repository) -> User:
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


def read(repository: Repository, path: str, revision: str = "main") -> bytes:
    store = repository.store()
    return store.read(store.resolve(revision), path, limit_bytes=1_000_000)


def paths(repository: Repository, revision: str = "main") -> set[str]:
    store = repository.store()
    entries = store.tree(store.resolve(revision), recursive=True)
    return {entry.path for entry in entries if entry.kind == "file"}


def test_a_commit_carries_every_kind_of_line(client, repository):
    weights = stored(repository, b"weights")
    response = commit(
        client,
        repository,
        deleted("old.txt"),
        file("old.txt", b"new"),
        large_file("model.safetensors", weights.sha256, size=7),
        large_file("copy.safetensors", weights.sha256),
        deleted("folder/", "deletedFolder"),
        summary="Change all",
        description="Because.",
    )
    assert response.status_code == 200, response.content
    oid = response.json()["commitOid"]
    assert response.json()["commitUrl"] == f"{repository.public_url()}/commit/{oid}"
    store = repository.store()
    assert store.branch_head("main") == oid
    assert read(repository, "old.txt") == b"new"
    assert not any(path.startswith("folder/") for path in paths(repository))
    copy = store.entry(oid, "copy.safetensors")
    assert (copy.lfs.sha256, copy.size) == (weights.sha256, 7)
    info = store.commit_info(oid)
    assert (info.subject, info.body) == ("Change all", "Because.")


def test_a_deleted_file_may_name_a_folder(client, repository):
    assert commit(client, repository, deleted("folder")).status_code == 200
    assert "folder/a.txt" not in paths(repository)


def test_a_commit_is_recorded_and_told(
    client, repository, writer, django_capture_on_commit_callbacks
):
    told: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        told.append(kwargs)

    old = repository.store().branch_head("main")
    events.revision_pushed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            oid = commit(client, repository, file("a.txt", b"a")).json()["commitOid"]
    finally:
        events.revision_pushed.disconnect(listen)
    assert [(one["ref"], one["old"], one["new"]) for one in told] == [("refs/heads/main", old, oid)]
    entry = AuditEntry.objects.get(action="ref.move")
    assert (entry.actor_name, entry.old, entry.new) == (writer.username, old, oid)
    assert entry.token_hint
    assert repository.events.get().data["new"] == oid
    repository.refresh_from_db()
    assert repository.head_oid == oid


def test_the_card_of_a_commit_shows_in_lists(client, repository):
    card = b"---\nlicense: apache-2.0\ntags: [tiny]\npipeline_tag: text-generation\n---\n"
    commit(client, repository, file("README.md", card))
    repository.refresh_from_db()
    assert repository.card_data["license"] == "apache-2.0"
    assert {"tiny", "license:apache-2.0", "text-generation"} <= set(repository.tags)
    assert repository.pipeline_tag == "text-generation"


def test_a_card_that_clients_cannot_read_is_refused(client, repository):
    response = commit(client, repository, file("README.md", b"---\nlicense: nobody\n---\n"))
    assert response.status_code == 400
    assert '"license" must be one of' in response.json()["error"]


def test_text_that_the_database_cannot_keep_does_not_break_a_commit(client, repository):
    card = b'---\nlicense: mit\ntags: ["a\\0b", "\\uD800"]\n---\n'
    assert commit(client, repository, file("README.md", card)).status_code in {200, 400}
    config = b'{"model_type": "a\\u0000b", "architectures": 7}'
    assert commit(client, repository, file("config.json", config)).status_code == 200
    repository.refresh_from_db()
    assert repository.config == {"model_type": "ab"}


@pytest.mark.parametrize(
    ("lines", "status", "words"),
    [
        ([large_file("w.bin", "a" * 64, size=3)], 400, "was never uploaded"),
        ([large_file("w.bin", "a" * 63, size=3)], 400, "64 hex digits"),
        ([deleted("nope.txt")], 404, "A file with this name doesn't exist"),
        ([file("../up.txt", b"x")], 422, "'..'"),
        ([file(".git/config", b"x")], 422, "git keeps for itself"),
        ([{"key": "odd", "value": {"path": "a"}}], 400, "There is no line"),
        ([{"key": "file", "value": {"path": "a", "content": "*", "encoding": "base64"}}], 400, ""),
        ([{"key": "header", "value": {"summary": "again"}}], 400, "one “header”"),
        ([file("big.txt", b"x" * (10 * 1024**2 + 1))], 413, "LFS"),
    ],
)
def test_what_cannot_be_committed_is_refused_and_changes_nothing(
    client, repository, lines, status, words
):
    head = repository.store().branch_head("main")
    response = commit(client, repository, *lines)
    assert response.status_code == status, response.content
    assert words in response.json()["error"]
    assert response["X-Error-Code"] and response["X-Error-Message"]
    assert repository.store().branch_head("main") == head


def test_a_backslash_is_an_ordinary_character(client, repository):
    assert commit(client, repository, file("folder/..\\..\\file", b"x")).status_code == 200
    assert "folder/..\\..\\file" in paths(repository)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"[]",
        b'{"key": "file", "value": {"path": "a", "content": ""}}',
        b'{"key": "header", "value": {}}',
        b'{"key": "header", "value": {"summary": "a", "summary": "b"}}',
        b'{"key": "header", "value": {"summary": NaN}}',
        b'{"key": "header", "value": ' + b"[" * 100,
        b"\xff\xfe",
    ],
)
def test_a_malformed_body_is_refused(client, repository, body):
    path = f"/{repository.api_path}/commit/main"
    response = send(client, "POST", path, body, content_type="application/x-ndjson")
    assert response.status_code == 400, response.content


def test_a_commit_above_the_limits_is_refused(client, repository, settings):
    settings.COMMIT_OPERATIONS_LIMIT = 2
    lines = [file(f"{number}.txt", b"x") for number in range(3)]
    assert commit(client, repository, *lines).status_code == 413
    assert commit(client, repository, *lines[:2]).status_code == 200
    settings.COMMIT_BODY_LIMIT_BYTES = 1000
    assert commit(client, repository, file("a.txt", b"x" * 1000)).status_code == 413


def test_a_pointer_written_as_text_needs_its_content_too(client, repository):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 3\n" % (b"b" * 64)
    response = commit(client, repository, file("w.bin", pointer))
    assert (response.status_code, response["X-Error-Code"]) == (400, "BadRequest")


def test_the_large_file_of_another_repository_cannot_be_committed(api_for, repository, client):
    secret = make_repository(visibility="private")
    sha256 = stored(secret, b"secret").sha256
    response = commit(client, repository, large_file("stolen.bin", sha256, size=6))
    assert response.status_code == 400
    own = make_repository(repository.namespace, visibility="private")
    assert commit(client, own, large_file("stolen.bin", sha256, size=6)).status_code == 400


class TestParents:
    def test_an_old_parent_is_refused(self, client, repository):
        old = repository.store().branch_head("main")
        commit(client, repository, file("a.txt", b"1"))
        response = commit(client, repository, file("a.txt", b"2"), parentCommit=old)
        assert response.status_code == 412
        assert "The branch was updated since you opened this page" in response["X-Error-Message"]
        assert read(repository, "a.txt") == b"1"

    def test_an_abbreviated_parent_is_enough(self, client, repository):
        head = repository.store().branch_head("main")
        response = commit(client, repository, file("a.txt", b"1"), parentCommit=head[:7])
        assert response.status_code == 200

    def test_a_request_sent_again_after_a_lost_answer_is_answered_alike(self, client, repository):
        head = repository.store().branch_head("main")
        lines = (file("a.txt", b"1"), deleted("old.txt"))
        first = commit(client, repository, *lines, parentCommit=head).json()
        again = commit(client, repository, *lines, parentCommit=head)
        assert (again.status_code, again.json()) == (200, first)

    def test_nothing_changed_is_no_commit(self, client, repository):
        head = repository.store().branch_head("main")
        assert commit(client, repository, file("old.txt", b"old")).json()["commitOid"] == head

    @pytest.mark.parametrize("parent", ["HEAD~1", "main", "zzzzz", "abc"])
    def test_a_parent_that_is_no_commit_id_is_refused(self, client, repository, parent):
        response = commit(client, repository, file("a.txt", b"1"), parentCommit=parent)
        assert response.status_code == 400


class TestTargets:
    @pytest.mark.parametrize("revision", ["nope", "v1", "HEAD", "main~1", "main%5Etree"])
    def test_only_branches_can_be_committed_to(self, client, repository, revision):
        store = repository.store()
        store.move_ref("refs/tags/v1", new=store.resolve("main"), old=None)
        response = commit(client, repository, file("a.txt", b"1"), revision=revision)
        assert (response.status_code, response["X-Error-Code"]) == (404, "RevisionNotFound")

    def test_a_commit_id_is_no_target(self, client, repository):
        oid = repository.store().branch_head("main")
        assert commit(client, repository, file("a", b"1"), revision=oid).status_code == 404

    def test_a_branch_with_a_slash_is_one(self, client, repository):
        made = send_json(client, "POST", f"/{repository.api_path}/branch/dev%2Fx")
        assert made.status_code == 200
        assert commit(client, repository, file("a", b"1"), revision="dev%2Fx").status_code == 200
        assert "a" in paths(repository, "dev/x")
        assert "a" not in paths(repository)

    def test_a_protected_branch_moves_for_nobody(self, api_for, repository):
        BranchProtection.objects.create(repository=repository, branch="main")
        admin = make_member(repository.namespace, access=Access.ADMIN)
        response = commit(api_for(admin), repository, file("a", b"1"))
        assert response.status_code == 403
        assert response.json()["error"] == ("main is protected: open a pull request (create_pr=1).")

    def test_a_stranger_proposes_what_they_may_not_push(self, api_for, repository):
        BranchProtection.objects.create(repository=repository, branch="main")
        stranger = api_for(make_user())
        assert commit(stranger, repository, file("a", b"1")).status_code == 403
        head = repository.store().branch_head("main")
        response = commit(stranger, repository, file("a", b"1"), query="?create_pr=1")
        assert response.status_code == 200, response.content
        assert "/discussions/" in response.json()["pullRequestUrl"]
        store = repository.store()
        assert store.branch_head("main") == head
        assert store.ref_oid("refs/pr/1") == response.json()["commitOid"]
        more = commit(stranger, repository, file("b", b"2"), revision="refs%2Fpr%2F1")
        assert more.status_code == 200
        other = commit(api_for(make_user()), repository, file("b", b"3"), revision="refs%2Fpr%2F1")
        assert other.status_code == 403

    def test_a_proposal_needs_an_account(self, api_for, repository):
        response = commit(api_for(None), repository, file("a", b"1"), query="?create_pr=1")
        assert response.status_code == 401

    def test_a_proposal_that_changes_nothing_is_refused(self, api_for, repository):
        same = file("old.txt", b"old")
        response = commit(api_for(make_user()), repository, same, query="?create_pr=1")
        assert response.status_code == 400


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def run(self, repository: Repository, headers: list[dict[str, Any]]) -> list[Any]:
        user = make_member(repository.namespace, access=Access.WRITE)
        secrets = [make_token(user) for _ in headers]

        def write(number: int) -> Any:
            client = Client(headers={"authorization": f"Bearer {secrets[number]}"})
            line = file(f"{number}.txt", str(number).encode())
            return commit(client, repository, line, **headers[number])

        return at_once(*(partial(write, number) for number in range(len(headers))))

    def test_of_six_commits_on_one_parent_exactly_one_lands(self):
        repository = make_repository(make_organization())
        head = repository.store().branch_head("main")
        answers = self.run(repository, [{"parentCommit": head}] * 6)
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 412, 412, 412, 412, 412]
        winner = next(answer for answer in answers if answer.status_code == 200)
        assert repository.store().branch_head("main") == winner.json()["commitOid"]
        repository.refresh_from_db()
        assert repository.head_oid == winner.json()["commitOid"]

    def test_commits_without_a_parent_all_land_or_are_told_to_retry(self):
        repository = make_repository(make_organization())
        answers = self.run(repository, [{}] * 6)
        assert {answer.status_code for answer in answers} <= {200, 412}
        landed = [number for number, one in enumerate(answers) if one.status_code == 200]
        assert {f"{number}.txt" for number in landed} <= paths(repository)
        repository.refresh_from_db()
        assert repository.head_oid == repository.store().branch_head("main")


class TestPreupload:
    def ask(self, client: Client, repository: Repository, files: list[Any], **more: Any) -> Any:
        path = f"/{repository.api_path}/preupload/main"
        response = send_json(client, "POST", path, {"files": files, **more})
        assert response.status_code == 200, response.content
        return {one["path"]: one for one in response.json()["files"]}

    def test_each_path_is_answered_with_its_way(self, client, repository):
        answers = self.ask(
            client,
            repository,
            [
                {"path": "a.txt", "size": 3, "sample": "YWJj"},
                {"path": "w.safetensors", "size": 3, "sample": "YWJj"},
                {"path": "sub/w.safetensors", "size": 3, "sample": "YWJj"},
                {"path": "blob", "size": 3, "sample": "AAEC"},
                {"path": "huge.txt", "size": 10 * 1024**2 + 1, "sample": "YWJj"},
                {"path": "empty.safetensors", "size": 0, "sample": ""},
            ],
        )
        assert {path: one["uploadMode"] for path, one in answers.items()} == {
            "a.txt": "regular",
            "w.safetensors": "lfs",
            "sub/w.safetensors": "lfs",
            "blob": "lfs",
            "huge.txt": "lfs",
            "empty.safetensors": "regular",
        }
        assert all(one["shouldIgnore"] is False and "oid" not in one for one in answers.values())

    def test_what_is_there_is_named_by_the_hash_clients_compare(self, client, repository):
        weights = stored(repository, b"weights")
        commit(client, repository, large_file("w.bin", weights.sha256))
        answers = self.ask(
            client,
            repository,
            [
                {"path": "old.txt", "size": 3, "sample": "b2xk"},
                {"path": "w.bin", "size": 7, "sample": "AA=="},
                {"path": "folder", "size": 7, "sample": ""},
            ],
        )
        store = repository.store()
        assert answers["old.txt"]["oid"] == store.entry(store.resolve("main"), "old.txt").oid
        assert answers["w.bin"]["oid"] == weights.sha256
        assert [answers[name]["size"] for name in ("old.txt", "w.bin")] == [3, 7]
        assert "oid" not in answers["folder"]

    def test_a_path_that_no_commit_takes_is_told_before_its_bytes_are_sent(
        self, client, repository
    ):
        bad = (".git/config", "a/../b", "folder", "old.txt/below", "x:y")
        files = [{"path": name, "size": 1, "sample": "YQ=="} for name in (*bad, "folder/new.txt")]
        answers = self.ask(client, repository, files)
        for path in bad:
            refused = commit(client, repository, file(path, b"x"))
            assert (refused.status_code, refused.json()["error"]) == (422, answers[path]["refused"])
        assert "refused" not in answers["folder/new.txt"]

    def test_a_gitignore_in_the_upload_wins(self, client, repository):
        commit_files(repository, {".gitignore": b"*.txt\n"})
        files = [{"path": name, "size": 1, "sample": "YQ=="} for name in ("a.txt", "b.log")]
        ignored = self.ask(client, repository, files)
        assert [one["shouldIgnore"] for one in ignored.values()] == [True, False]
        ignored = self.ask(client, repository, files, gitIgnore="*.log")
        assert [one["shouldIgnore"] for one in ignored.values()] == [False, True]

    def test_a_stranger_may_ask_for_a_proposal_only(self, api_for, repository):
        stranger = api_for(make_user())
        path = f"/{repository.api_path}/preupload/main"
        assert send_json(stranger, "POST", path, {"files": []}).status_code == 403
        proposal = send_json(stranger, "POST", f"{path}?create_pr=1", {"files": []})
        assert proposal.status_code == 200

    @pytest.mark.parametrize("files", [None, "x", [1], [{"path": "a"}], [{"path": 1, "size": 1}]])
    def test_nonsense_is_refused(self, client, repository, files):
        path = f"/{repository.api_path}/preupload/main"
        body = json.loads(json.dumps({"files": files}))
        assert send_json(client, "POST", path, body).status_code == 400


class TestRepeats:
    """A client that missed the answer sends the same request again."""

    def test_a_deletion_sent_again_is_answered_alike(self, client, repository):
        lines = (deleted("old.txt"), file("new.txt", b"1"))
        first = commit(client, repository, *lines)
        again = commit(client, repository, *lines)
        assert (again.status_code, again.json()) == (200, first.json())
        other = commit(client, repository, *lines, summary="Something else")
        assert other.status_code == 404

    def test_a_proposal_sent_again_is_the_same_pull_request(self, api_for, repository):
        stranger = api_for(make_user())
        first = commit(stranger, repository, file("a", b"1"), query="?create_pr=1")
        again = commit(stranger, repository, file("a", b"1"), query="?create_pr=1")
        assert (again.status_code, again.json()) == (200, first.json())
        another = commit(api_for(make_user()), repository, file("a", b"1"), query="?create_pr=1")
        assert another.json()["pullRequestUrl"] != first.json()["pullRequestUrl"]


class TestLongLines:
    """Contents too long to be parsed in memory lie in a file meanwhile."""

    CONTENT = bytes(range(256)) * 3000

    def post(self, client: Client, repository: Repository, line: bytes) -> Any:
        header = b'{"key": "header", "value": {"summary": "Long"}}\n'
        path = f"/{repository.api_path}/commit/main"
        return send(client, "POST", path, header + line, content_type="application/x-ndjson")

    @pytest.mark.parametrize("spelling", ["plain", "escaped slashes", "text", "content last"])
    def test_every_spelling_of_a_content_arrives(self, client, repository, spelling):
        line = file("long.txt", self.CONTENT)
        content = self.CONTENT
        if spelling == "text":
            content = ('"quoted" \\ and 数据\n' * 20_000).encode()
            line["value"] |= {"content": content.decode(), "encoding": "utf-8"}
        if spelling == "content last":
            line["value"]["content"] = line["value"].pop("content")
        text = json.dumps(line).encode()
        if spelling == "escaped slashes":
            text = text.replace(b"/", b"\\/")
        response = self.post(client, repository, text + b"\n")
        assert response.status_code == 200, response.content
        assert read(repository, "long.txt") == content

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            (b'{"key": "file", "value": {"path": "%s", "content": ""}}', 413),
            (b'{"key": "file", "value": {"%s": "", "path": "a", "content": ""}}', 413),
            (b'{"key": "%s", "value": {"path": "a", "content": ""}}', 413),
            (b'{"key": "lfsFile", "value": {"path": "a", "content": "%s"}}', 413),
            (b'{"key": "file", "value": {"path": "a", "content": "%s', 400),
            (b'{"key": "file", "value": {"path": "a", "content": "%s\n"}}', 400),
            (b'{"key": "file", "value": {"path": "a", "content": "%s\\\n"}}', 400),
            (b'{"key": "file", "value": {"path":"a","encoding":"base64", "content": "%s*"}}', 400),
            (b'{"key": "file", "value": {"path":"a","encoding":"base64","content":"%s=AA="}}', 400),
            (b'{"key": "file", "value": {"path": "a", "content": "%s", "content": "%s"}}', 413),
            (b'{"key": "file", "value": {"path": "a", "content": ""}, "more": [%s]}', 413),
        ],
    )  # fmt: skip
    def test_only_a_content_may_be_long(self, client, repository, line, status):
        head = repository.store().branch_head("main")
        response = self.post(client, repository, line.replace(b"%s", b"A" * 700_000) + b"\n")
        assert response.status_code == status, response.content[:300]
        assert response["X-Error-Code"] and response["X-Error-Message"]
        assert repository.store().branch_head("main") == head

    def test_a_file_far_above_the_limit_is_refused_while_it_arrives(self, client, repository):
        response = self.post(
            client, repository, json.dumps(file("a", bytes(15 * 1024**2))).encode()
        )
        assert response.status_code == 413
        assert "LFS" in response.json()["error"]
