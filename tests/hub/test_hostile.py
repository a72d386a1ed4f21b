"""Hostile input at the doors of the hub: the commit API and a push, where both exist.

Which test shows which line of the threats (sections 3, 4 and 9):

| threat | API | push |
| --- | --- | --- |
| G1 ref names | here, `TestNames` | here, `TestNames`; tests/gitstore/test_http.py |
| G2 replace refs | no door | tests/gitstore/test_http.py |
| G3 revisions | here, `TestNames`; test_downloads, test_commits | no door |
| G4 paths, modes | here, `TestPaths` | tests/gitstore/test_paths.py |
| G5 parallel commits | test_commits, test_squash | tests/gitstore/test_store.py |
| G6 service, hooks | no door | test_git_http; tests/gitstore/test_http.py |
| G7 bombs, sizes | test_commits, test_commit_bodies | tests/gitstore/test_bombs.py |
| G8 durability | tests/gitstore/test_store.py | tests/gitstore/test_http.py |
| torn and forged packs | no door | here, `TestPacks` |
| torn bodies | test_commit_bodies; test_uploads, test_lfs (hashes) | here, `TestPacks` |
| F4 cards | here, `TestCards`; tests/formats/test_card.py, test_bounded_yaml.py | `TestPacks` |
| F5 safetensors | here, `TestFiles`; tests/formats/test_safetensors_header.py | the same reader |
| F8 JSON | here, `TestBodies`; tests/formats/test_bounded_json.py | no door |
| 9 body, headers, address | test_commits; tests/supervisor/test_nginx.py | test_git_wire |
| 9 operations, file, depth | test_commits; here, `TestLimits` | tests/gitstore/test_bombs.py |
| 9 files, per folder | here, `TestLimits` | here, `TestLimits`; test_bombs |
| 9 refs per push, repository | here, `TestLimits` | here, `TestLimits`; test_bombs |
| 9 README, title, comment | here, `TestLimits` | test_git_http |
| 9 page size, search text | here, `TestLimits` | no door |
| 9 rates | test_rates | test_rates |
| 9 LFS batch, object | test_lfs | |
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.actions import refs as ref_actions
from hub.api.ndjson import read_commit
from hub.api.spool import Spool
from hub.errors import HubError
from hub.gitstore import AddFile, GitStore, KeptContent, inspection, receive, writing
from hub.gitstore.packets import FLUSH, packet
from hub.gitstore.pointers import format_pointer, parse_pointer
from hub.models import Access, Repository, User
from tests.factories import TESTER, commit_files, make_member, make_repository, make_token
from tests.formats.test_safetensors_header import CRAFTED
from tests.gitstore.test_paths import ACCEPTED, EXPRESSIONS, REFUSED, REFUSED_REFS
from tests.hub.wire import commit, deleted, file, large_file, send, send_json, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository() -> Repository:
    return make_repository(files={"a.txt": b"a"})


@pytest.fixture
def writer(repository) -> User:
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


def state(repository: Repository) -> tuple[Any, ...]:
    """What must not change: refs, and every object in git."""
    store = GitStore(repository.store().path)
    counted = subprocess.run(
        ["git", f"--git-dir={store.path}", "count-objects", "-v"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [(ref.name, ref.oid) for ref in store.refs()], counted.stdout


def refused(response: Any, *statuses: int) -> None:
    """A refusal as the contract wants it."""
    content = b"" if response.streaming else response.content
    assert response.status_code in statuses, (response.status_code, content[:500])
    assert response["X-Error-Code"]
    assert len(response["X-Error-Message"]) > 10
    assert json.loads(content)["error"]


class TestPaths:
    def test_the_api_refuses_what_a_push_refuses(self, client, repository):
        before = state(repository)
        for path in REFUSED:
            if "\udc80" in path:
                continue  # no JSON holds it; see TestBodies
            refused(commit(client, repository, file(path, b"x")), 400 if "\0" in path else 422)
        assert state(repository) == before

    def test_ordinary_names_are_read_back_by_every_door(self, client, repository):
        names = [name for name in ACCEPTED if name != ".gitattributes"]
        lines = [file(name, name.encode()) for name in names]
        assert commit(client, repository, *lines).status_code == 200
        for name in names:
            raw = quote(name)
            for way in ("resolve", "raw"):
                found = send(client, "GET", f"/{repository.path}/{way}/main/{raw}")
                assert found.getvalue() == name.encode(), name
            page = send(client, "GET", f"/{repository.path}/blob/main/{raw}")
            assert page.status_code == 200, name
            encoded = quote(name, safe="")
            tree = send(client, "GET", f"/{repository.api_path}/tree/main/{encoded}")
            refused(tree, 404)  # a file is no folder
        listed = client.get(f"/{repository.api_path}/tree/main?recursive=true").json()
        assert set(names) <= {one["path"] for one in listed}


class TestNames:
    def test_the_api_makes_no_branch_and_no_tag_of_such_a_name(self, client, repository):
        before = state(repository)
        odd = [ref.removeprefix("refs/heads/") for ref in REFUSED_REFS]
        odd += ["--upload-pack=x", "-x", "--output=/tmp/x", "refs/heads/-x", "refs/replace/x"]
        for name in filter(None, odd):
            if name == "main":
                continue
            path = f"/{repository.api_path}/branch/{quote(name, safe='')}"
            refused(send_json(client, "POST", path, {}), 400)
            tag = {"tag": name}
            refused(send_json(client, "POST", f"/{repository.api_path}/tag/main", tag), 400)
        assert state(repository) == before

    def test_no_expression_is_a_revision_at_any_door(self, client, repository):
        before = state(repository)
        for revision in filter(None, EXPRESSIONS):
            raw = quote(revision, safe="")
            for rest in (
                f"revision/{raw}", f"tree/{raw}", f"commits/{raw}", f"tree/{raw}/a.txt",
            ):  # fmt: skip
                found = send(client, "GET", f"/{repository.api_path}/{rest}")
                assert found.status_code in {400, 404}, (revision, rest)
                assert found["X-Error-Code"] in {"RevisionNotFound", "BadRequest"}, revision
            for rest in (f"commit/{raw}", f"preupload/{raw}", f"super-squash/{raw}"):
                body = {"files": [], "message": "x"}
                found = send_json(client, "POST", f"/{repository.api_path}/{rest}", body)
                assert found.status_code in {400, 404}, (revision, rest)
            start = {"startingPoint": revision}
            made = send_json(client, "POST", f"/{repository.api_path}/branch/new", start)
            refused(made, 400 if "\0" in revision else 404)
        assert state(repository) == before


@pytest.mark.django_db(transaction=True)
class TestPacks:
    """Requests of git-receive-pack, written by hand."""

    def push(self, repository: Repository, user: User, body: bytes) -> tuple[int, bytes]:
        response = Client().post(
            f"/{repository.path}.git/git-receive-pack",
            body,
            content_type="application/x-git-receive-pack-request",
            headers={"authorization": f"Bearer {make_token(user)}"},
        )
        if response.status_code != 200:
            assert response["X-Error-Code"] and response["X-Error-Message"]
            return response.status_code, response.content
        return 200, response.getvalue()

    def command(self, old: str, new: str, ref: str) -> bytes:
        return packet(f"{old} {new} {ref}\0report-status side-band-64k\n".encode()) + FLUSH

    def made(self, repository: Repository, tmp_path: Path, files: dict[str, bytes]) -> Any:
        """(old head, new head, the pack between them), made elsewhere."""
        there = GitStore(shutil.copytree(repository.store().path, tmp_path / "elsewhere.git"))
        old = there.resolve("main")
        operations = [AddFile(path, content) for path, content in files.items()]
        tree = there.write_tree_on(old, operations)
        new = there.commit_tree(tree, parents=[old], message="Work", author=TESTER)
        packed = subprocess.run(
            ["git", f"--git-dir={there.path}", "pack-objects", "--revs", "--stdout", "-q"],
            input=f"{new}\n^{old}\n".encode(),
            capture_output=True,
            check=True,
        )
        return old, new, packed.stdout

    def test_torn_and_forged_packs_leave_nothing(self, repository, writer, tmp_path):
        old, new, pack = self.made(repository, tmp_path, {"w.txt": b"work\n" * 1000})
        head, trailer = pack[:12], pack[-20:]

        def sealed(content: bytes) -> bytes:
            return content + hashlib.sha1(content, usedforsecurity=False).digest()

        forged = {
            "nothing": b"",
            "head only": head,
            "half": pack[: len(pack) // 2],
            "no checksum": pack[:-20],
            "part of the checksum": pack[:-1],
            "wrong checksum": pack[:-20] + trailer[::-1],
            "one object more": sealed(pack[:8] + (99).to_bytes(4, "big") + pack[12:-20]),
            "one object less": sealed(pack[:8] + (1).to_bytes(4, "big") + pack[12:-20]),
            "two thousand million objects": sealed(pack[:8] + b"\x7f\xff\xff\xff" + pack[12:-20]),
            "another version": sealed(pack[:4] + (9).to_bytes(4, "big") + pack[8:-20]),
            "no pack": sealed(b"KCAP" + pack[4:-20]),
            "a damaged object": sealed(pack[:30] + bytes([pack[30] ^ 255]) + pack[31:-20]),
            "an object of a petabyte": sealed(
                b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
                + b"\xbf" + b"\xff" * 6 + b"\x7f" + b"x\x9c\x03\0\0\0\0\x01"
            ),
            "a delta of nothing": sealed(
                b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
                + b"\x70" + b"\xab" * 20 + b"x\x9c\x03\0\0\0\0\x01"
            ),
        }  # fmt: skip
        before = state(repository)
        for name, content in forged.items():
            status, said = self.push(
                repository, writer, self.command(old, new, "refs/heads/main") + content
            )
            assert status in {200, 400}, name
            assert b"ok refs/heads/main" not in said, name
            assert state(repository) == before, name
        # The hub is well: the whole pack arrives.
        status, said = self.push(
            repository, writer, self.command(old, new, "refs/heads/main") + pack
        )
        assert b"ok refs/heads/main" in said, said

    def test_a_pack_without_its_parents_or_for_another_tip_is_refused(
        self, repository, writer, tmp_path
    ):
        old, new, pack = self.made(repository, tmp_path, {"w.txt": b"work"})
        before = state(repository)
        zero = "0" * 40
        for was, now, ref in (
            (old, "1" * 40, "refs/heads/main"),  # a tip that the pack does not hold
            ("1" * 40, new, "refs/heads/main"),  # from where it is not
            (zero, new, "refs/heads/main"),  # as if it were new
            (old, zero, "refs/heads/main"),  # the default branch stays
        ):
            status, said = self.push(repository, writer, self.command(was, now, ref) + pack)
            assert status in {200, 400}
            assert f"ok {ref}".encode() not in said
            assert state(repository)[0] == before[0]

    def test_names_that_git_takes_for_options_are_refused_one_by_one(
        self, repository, writer, tmp_path
    ):
        old, new, pack = self.made(repository, tmp_path, {"w.txt": b"work"})
        before = state(repository)
        names = [*REFUSED_REFS, "refs/heads/--upload-pack=x", "--all", "refs/heads/-x"]
        names += ["refs/replace/" + old, "refs/notes/x", "refs/keep/x", "refs/heads/MAIN"]
        for ref in names:
            if ref.endswith("\n"):
                continue  # the end of git's own line
            body = self.command("0" * 40, new, ref) + pack
            status, said = self.push(repository, writer, body)
            assert status in {200, 400}, ref
            assert b"ng " in said or status == 400, ref
        assert state(repository) == before

    @pytest.mark.parametrize("name", ["alias bomb", "nested", "tag", "wide"])
    def test_a_card_that_is_a_bomb_is_refused_in_words(self, repository, writer, tmp_path, name):
        old, new, pack = self.made(repository, tmp_path, {"README.md": CARDS[name]})
        before = state(repository)
        body = self.command(old, new, "refs/heads/main") + pack
        status, said = self.push(repository, writer, body)
        assert status == 200
        assert b"The metadata of README.md is invalid" in said.replace(b"\nremote: ", b" ")
        assert state(repository) == before


CARDS = {
    "alias bomb": b"---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\n---\n",
    "nested": b"---\na: " + b"[" * 2000 + b"]" * 2000 + b"\n---\n",
    "tag": b"---\na: !!python/object/apply:os.system [id]\n---\n",
    "wide": b"---\nlicense: mit\ntags: [" + b"a," * 6000 + b"]\n---\n",
    "merge": b"---\nbase: &base {a: 1}\nmore:\n  <<: *base\n---\n",
    "twice": b"---\nlicense: mit\nlicense: apache-2.0\n---\n",
    "long": b"---\nlicense: mit\nnote: " + b"x" * 65_536 + b"\n---\n",
    "not a map": b"---\n- a\n---\n",
    "not utf-8": b"---\nlicense: \xff\n---\n",
    "nul": b"---\nlicense: mit\nnote: \0\n---\n",
}


class TestCards:
    @pytest.mark.parametrize("name", CARDS)
    def test_a_card_that_is_a_bomb_changes_nothing(self, client, repository, name):
        before = state(repository)
        refused(commit(client, repository, file("README.md", CARDS[name])), 400)
        assert state(repository) == before

    @pytest.mark.parametrize("name", [name for name in CARDS if name != "not utf-8"])
    def test_validating_it_answers_in_json(self, client, name):
        body = {"content": CARDS[name].decode(), "repoType": "model"}
        answer = send_json(client, "POST", "/api/validate-yaml", body)
        refused(answer, 400)
        assert answer.json().get("errors") or name == "nul"  # which no body may hold

    def test_whoever_asks_for_text_reads_lines_and_no_json(self, client):
        body = {"content": "---\nlicense: nope\n---\n", "repoType": "model"}
        answer = client.post(
            "/api/validate-yaml", body, "application/json", headers={"accept": "text/plain"}
        )
        assert (answer.status_code, answer["X-Error-Code"]) == (400, "BadRequest")
        assert answer["Content-Type"].startswith("text/plain")
        assert answer.content.startswith(b'- Error: "license" must be one of [')


class TestFiles:
    def test_a_crafted_safetensors_is_a_file_and_no_fault(self, client, repository):
        lines = []
        for number, content in enumerate(CRAFTED):
            if 0 < len(content) < 1024**2:
                found = stored(repository, content)
                lines.append(large_file(f"{number}.safetensors", found.sha256))
        assert len(lines) > 20
        name = "model.safetensors"
        for line in lines[::4]:
            line["value"]["path"] = name
            assert commit(client, repository, line).status_code == 200
            assert client.get(f"/{repository.api_path}").json().get("safetensors") is None
        assert client.get(f"/{repository.path}/blob/main/{name}").status_code == 200

    @hypothesis_settings(deadline=None)
    @given(st.binary(max_size=1100) | st.text(max_size=200).map(str.encode))
    def test_any_text_is_a_pointer_or_none(self, content):
        found = parse_pointer(content)
        assert found is None or found.pointer_size_bytes == len(content)

    @hypothesis_settings(deadline=None)
    @given(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.integers(0, 2**59))
    def test_what_is_written_as_a_pointer_is_read_as_one(self, sha256, size):
        found = parse_pointer(format_pointer(sha256, size))
        assert found is not None
        assert (found.sha256, found.size_bytes) == (sha256, size)


HEADER = b'{"key": "header", "value": {"summary": "x"}}\n'
FILE = b'{"key": "file", "value": {"path": "a", "content": "%s", "encoding": "base64"}}'
BODIES = [
    HEADER + FILE.replace(b"%s", b"\\ud800"),
    HEADER + b'{"key": "file", "value": {"path": "\\udc80", "content": ""}}',
    HEADER + b'{"key": "file", "key": "deletedFile", "value": {"path": "a", "content": ""}}',
    HEADER + b'{"key": "file", "value": {"path": "a", "path": "b", "content": ""}}',
    HEADER + b'{"key": "lfsFile", "value": {"path": "a", "oid": "%s", "size": NaN}}' % (b"a" * 64),
    HEADER
    + b'{"key": "lfsFile", "value": {"path": "a", "oid": "%s", "size": 1e999}}' % (b"a" * 64),
    HEADER
    + b'{"key": "lfsFile", "value": {"path": "a", "oid": "%s", "size": %s}}'
    % (b"a" * 64, b"9" * 500),
    HEADER + b'{"key": "lfsFile", "value": {"path": "a", "oid": "%s", "size": -1}}' % (b"a" * 64),
    HEADER
    + b'{"key": "lfsFile", "value": {"path": "a", "oid": "%s", "algo": "md5"}}' % (b"a" * 64),
    HEADER + b'{"key": "file", "value": ' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}",
    HEADER + b"[" * 60_000,
    HEADER + b'{"key": "file", "value": [1]}',
    HEADER + b'{"key": 1, "value": {}}',
    HEADER + b'{"key": "file", "value": {"path": 1, "content": ""}}',
    HEADER + b'{"key": "file", "value": {"path": "a", "content": null}}',
    HEADER + b'{"key": "file", "value": {"path": "a", "content": "QQ=", "encoding": "base64"}}',
    HEADER + b'{"key": "file", "value": {"path": "a", "content": "", "encoding": "rot13"}}',
    HEADER + b'{"key": "file", "value": {"path": "a", "content": "\xff"}}',
    HEADER + FILE + b"\n{",
    HEADER + FILE + b"\n\0",
    b"\xef\xbb\xbf" + HEADER,
    b'{"key": "header", "value": {"summary": "\\ud83d"}}\n' + FILE,
    b'{"key": "header", "value": {"summary": "a\\u0000b"}}\n' + FILE.replace(b"%s", b""),
    b'{"key": "header", "value": {"summary": "x", "parentCommit": "--help"}}\n'
    + FILE.replace(b"%s", b""),
]


class OneByOne:
    """A body that arrives in pieces of any size."""

    def __init__(self, content: bytes, step: int) -> None:
        self.content, self.step = content, step

    def read(self, size: int, /) -> bytes:
        size = min(size, self.step)
        piece, self.content = self.content[:size], self.content[size:]
        return piece


class TestBodies:
    @pytest.mark.parametrize("number", range(len(BODIES)))
    def test_a_malformed_commit_changes_nothing(self, client, repository, number):
        before = state(repository)
        path = f"/{repository.api_path}/commit/main"
        answer = send(client, "POST", path, BODIES[number], content_type="application/x-ndjson")
        refused(answer, 400)
        assert state(repository) == before

    @hypothesis_settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_a_damaged_body_is_read_or_refused(self, data):
        whole = HEADER + FILE.replace(b"%s", b"A" * data.draw(st.sampled_from([8, 600_000])))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, min(len(whole), 400)))
            whole = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + 1 :]
        step = data.draw(st.sampled_from([1000, 10**6]))
        with Spool() as spool:
            try:
                found = read_commit(OneByOne(whole, step), spool)
            except HubError as error:
                assert 400 <= error.http_status < 500
            else:
                assert all(len(line.path) <= 4096 for line in found.lines)

    @hypothesis_settings(deadline=None, max_examples=30)
    @given(st.binary(max_size=100), st.sampled_from([1000, 4096, 10**6]))
    def test_a_long_content_is_kept_byte_for_byte_however_it_arrives(self, end, step):
        content = bytes(range(256)) * 1600 + end
        line = json.dumps(file("a", content)).encode()
        with Spool() as spool:
            (found,) = read_commit(OneByOne(HEADER + line, step), spool).lines
            assert isinstance(found, AddFile) and isinstance(found.content, KeptContent)
            assert found.read() == content

    @pytest.mark.parametrize(
        "body",
        [
            b'{"tag": "a", "tag": "b"}',
            b'{"tag": NaN}',
            b'{"tag": "\\ud800"}',
            b"[" * 100_000,
            b'{"a":' * 40 + b"1" + b"}" * 40,
            b'{"tag": "a"',
            b"\xff",
            b'"text"',
            b"[1]",
            b'{"tag": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_a_malformed_body_of_any_route_is_a_refusal(self, client, repository, body):
        before = state(repository)
        for rest in ("tag/main", "branch/x", "super-squash/main", "preupload/main"):
            path = f"/{repository.api_path}/{rest}"
            answer = send(client, "POST", path, body, content_type="application/json")
            refused(answer, 400)
        assert state(repository) == before


def test_a_commit_refused_at_its_last_line_leaves_no_object(client, repository):
    before = state(repository)
    good = file("good.txt", b"something new")
    for bad, status in (
        (deleted("nope.txt"), 404),
        (deleted("nope", "deletedFolder"), 404),
        (file("a.txt/below", b"x"), 422),
        (file("README.md/below", b"x"), 422),
        (large_file("w.bin", "ab" * 32), 400),
    ):
        refused(commit(client, repository, good, bad), status)
    long = {"summary": "x", "description": "é" * 40_000}
    refused(commit(client, repository, good, **long), 400)
    assert state(repository) == before


class TestLimits:
    def test_a_folder(self, client, repository, monkeypatch):
        monkeypatch.setattr(writing, "FOLDER_LIMIT", 5)
        lines = [file(f"folder/{number}", b"x") for number in range(6)]
        refused(commit(client, repository, *lines), 413)
        assert commit(client, repository, *lines[:5]).status_code == 200

    def test_a_repository(self, client, repository, monkeypatch):
        monkeypatch.setattr(writing, "FILES_LIMIT", 5)  # there are three already
        lines = [file(f"{number}/x", b"x") for number in range(3)]
        refused(commit(client, repository, *lines), 413)
        assert commit(client, repository, *lines[:2]).status_code == 200

    def test_both_doors_have_the_same_limits(self):
        for name in ("FILES_LIMIT", "FOLDER_LIMIT", "BLOB_LIMIT_BYTES"):
            assert getattr(writing, name) == getattr(inspection, name)
        assert (writing.FILES_LIMIT, writing.FOLDER_LIMIT) == (100_000, 10_000)
        assert (receive.REFS_PER_PUSH_LIMIT, receive.REFS_LIMIT) == (100, 10_000)

    def test_refs_of_a_repository(self, client, repository, monkeypatch):
        monkeypatch.setattr(ref_actions, "REFS_LIMIT", 3)
        monkeypatch.setattr(receive, "REFS_LIMIT", 3)
        address = f"/{repository.api_path}"
        assert send_json(client, "POST", f"{address}/branch/b", {}).status_code == 200
        assert send_json(client, "POST", f"{address}/tag/main", {"tag": "t"}).status_code == 200
        refused(send_json(client, "POST", f"{address}/branch/c", {}), 413)
        refused(send_json(client, "POST", f"{address}/tag/main", {"tag": "u"}), 413)
        head = repository.store().resolve("main")
        update = receive.RefUpdate("refs/heads/d", None, head)
        reasons = receive.check_updates(repository.store(), [update])
        assert reasons == {"refs/heads/d": "a repository holds at most 3 refs"}

    def test_depth_of_a_commit_line(self, client, repository):
        for depth, status in ((7, 200), (8, 400)):
            deep: Any = 1
            for _ in range(depth - 1):
                deep = {"a": deep}
            line = file("deep.txt", b"x")
            line["value"]["more"] = deep
            assert commit(client, repository, line).status_code == status, depth

    def test_a_readme(self, client, repository, settings):
        limit = settings.CARD_LIMIT_BYTES
        card = b"---\nlicense: mit\n---\n"
        assert limit == 1024**2
        above = file("README.md", card + b"x" * (limit + 1 - len(card)))
        refused(commit(client, repository, above), 413)
        at = file("README.md", card + b"x" * (limit - len(card)))
        assert commit(client, repository, at).status_code == 200

    def test_a_title_and_a_comment(self, client, repository):
        path = f"/{repository.api_path}/discussions"
        for title, body, status in (
            ("x" * 256, "y" * 65_536, 200),
            ("x" * 257, "y", 400),
            ("x", "y" * 65_537, 400),
        ):
            sent = {"title": title, "description": body, "pullRequest": False}
            assert send_json(client, "POST", path, sent).status_code == status
        for body, status in (("y" * 65_536, 200), ("y" * 65_537, 400)):
            answer = send_json(client, "POST", f"{path}/1/comment", {"comment": body})
            assert answer.status_code == status

    def test_a_page_and_a_search(self, client, repository):
        names = {f"many/{number}.txt": b"x" for number in range(1001)}
        commit_files(repository, names)
        address = f"/{repository.api_path}/tree/main/many"
        for query in ("", "?limit=1000", "?limit=1001", "?limit=999999999"):
            page = client.get(address + query)
            assert len(page.json()) == 1000, query
            assert 'rel="next"' in page["Link"]
        following = page["Link"].partition(">")[0].partition("/api/")[2]
        assert len(client.get(f"/api/{following}").json()) == 1
        for query in ("?limit=x", "?limit=-1", "?limit=9999999999", "?cursor=none"):
            refused(client.get(address + query), 400)
        assert client.get(f"/api/models?search={'x' * 256}").status_code == 200
        refused(client.get(f"/api/models?search={'x' * 257}"), 400)

    def test_files_asked_about_at_once(self, client, repository):
        path = f"/{repository.api_path}/preupload/main"
        files = [{"path": f"{n}.txt", "size": 1, "sample": "YQ=="} for n in range(1001)]
        refused(send_json(client, "POST", path, {"files": files}), 413)
        answer = send_json(client, "POST", path, {"files": files[:1000]})
        assert [one["path"] for one in answer.json()["files"]] == [
            one["path"] for one in files[:1000]
        ]


def test_a_refusal_of_django_itself_keeps_the_contract(client, repository):
    for method, path, status in (
        ("GET", f"/{repository.path}.git/git-upload-pack", 405),
        ("HEAD", f"/{repository.path}.git/info/refs?service=git-upload-pack", 405),
        ("POST", f"/{repository.path}.git/info/refs", 405),
        ("DELETE", f"/{repository.api_path}/refs", 405),
        ("GET", "/api/models/%1f", 400),
        ("GET", "/api/models/%ff", 400),
        ("GET", "/api/nope", 404),
        ("HEAD", "/api/nope", 404),
    ):
        answer = send(client, method, path)
        assert answer.status_code == status, (method, path)
        assert answer["X-Error-Code"] and len(answer["X-Error-Message"]) > 10, (method, path)
        if method != "HEAD":
            assert json.loads(answer.content)["error"]
