"""git over HTTP as people use it: the real client, over loopback."""

import hashlib
import os
import re
import subprocess
import threading
import zlib

import pytest

from hub.errors import BadInputError, BranchMovedError, RevisionNotFoundError, TooLargeError
from hub.gitstore import AddFile, GitStore, Pointer
from hub.gitstore.bodies import request_body
from hub.gitstore.http import Limits, advertise, serve
from hub.gitstore.pointers import format_pointer
from hub.gitstore.process import HOOKS, GitFailedError
from hub.gitstore.refs import kept_name
from tests.gitstore.conftest import ANN


def head(store: GitStore, branch: str = "main") -> str | None:
    return GitStore(store.path).branch_head(branch)


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_clone_holds_what_the_hub_holds(server, git, store, version):
    git("config", "--global", "protocol.version", version)
    work = git.clone()
    assert (work / "README.md").read_bytes() == b"# A model\n"
    assert git("-C", str(work), "rev-parse", "HEAD").strip() == head(store)


def test_shallow_and_partial_clones_fetch_less(server, git, store):
    for number in range(3):
        parent = head(store)
        store.commit(
            ref="refs/heads/main",
            parent=parent,
            operations=[AddFile("README.md", b"# %d\n" % number)],
            message=f"Step {number}",
            author=ANN,
            expect=parent,
        )
    shallow = git.clone("shallow", "--depth=1")
    assert git("-C", str(shallow), "rev-list", "--count", "HEAD").strip() == "1"
    partial = git.clone("partial", "--filter=blob:none", "--no-checkout")
    missing = git("-C", str(partial), "rev-list", "--objects", "--missing=print", "HEAD")
    assert len([line for line in missing.splitlines() if line.startswith("?")]) == 5
    assert git("-C", str(partial), "show", "HEAD:README.md") == "# 2\n"  # fetched on demand


def test_a_gzipped_request_is_understood(server, git, store):
    refs = {f"b{number}": head(store) for number in range(60)}
    for name, oid in refs.items():
        store.move_ref(f"refs/heads/{name}", new=oid, old=None)
    work = git.clone()
    for number in range(40):  # many `have` lines make the request long enough to be packed
        git("-C", str(work), "commit", "--allow-empty", "--quiet", "-m", f"local {number}")
    oid = store.commit(
        ref="refs/heads/main",
        parent=head(store),
        operations=[AddFile("new.txt", b"new")],
        message="new",
        author=ANN,
        expect=head(store),
    )
    git("-C", str(work), "fetch", "--quiet", "origin")
    assert git("-C", str(work), "rev-parse", "origin/main").strip() == oid
    assert any(headers.get("Content-Encoding") == "gzip" for headers in server.requests)


def test_a_push_of_five_megabytes_in_chunks_arrives(server, git, store):
    work = git.clone()
    content = os.urandom(5 * 1024**2)
    oid = git.commit(work, "weights.dat", content)
    git("-C", str(work), "push", "--quiet", "origin", "main")
    assert any(headers.get("Transfer-Encoding") == "chunked" for headers in server.requests)
    assert head(store) == oid
    with store.open_blob(store.entry(oid, "weights.dat").oid) as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
    assert [(one.ref, one.new) for one in server.moved] == [("refs/heads/main", oid)]
    assert git("--git-dir", str(store.path), "fsck", "--full", "--strict").strip() == ""


def test_a_protected_branch_refuses_with_its_reason_and_stays(server, git, store):
    store.move_ref("refs/heads/protected", new=head(store), old=None)
    work = git.clone()
    git.commit(work, "big.dat", os.urandom(2 * 1024**2))
    said = git("-C", str(work), "push", "origin", "HEAD:protected", ok=False)
    assert "[remote rejected] HEAD -> protected (main is protected)" in said
    assert head(store, "protected") == head(store)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/--upload-pack=x",
        "refs/heads/-x",
        "refs/heads/HEAD",
        "refs/heads/" + "a" * 40,
        "refs/notes/commits",
        "refs/replace/" + "a" * 40,
        "refs/keep/pr/1/" + "a" * 40,
        "refs/weighbridge/trials/1",
        "refs/hidden/x",
        "refs/convert/parquet",
        "refs/pr/x",
        "refs/heads/refs/heads/x",
        "refs/heads/MAIN",
    ],
)
def test_a_ref_outside_the_rules_is_refused_with_a_reason(server, git, store, ref):
    work = git.clone()
    before = set(store.repository.references)
    said = git("-C", str(work), "push", "origin", f"HEAD:{ref}", ok=False)
    assert re.search(r"\[remote rejected\] .*\(.{10,}\)", said), said
    assert set(store.repository.references) == before


def test_replace_refs_change_neither_content_nor_listing(server, git, store):
    oid = head(store)
    other = store.commit_tree(store.tree_oid(oid), parents=[], message="false", author=ANN)
    for one, two in ((oid, other), (other, oid)):  # put there behind the hub's back
        target = store.path / "refs" / "replace" / one
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(two + "\n")
    assert store.commit_info(oid).subject == "initial commit"
    assert [one.subject for one in store.commits(oid)] == ["initial commit"]
    assert oid in git("ls-remote", server.url)
    assert (git.clone() / "README.md").exists()


def test_what_the_hub_holds_for_itself_is_neither_listed_nor_cloned_nor_named(server, git, store):
    first = head(store)
    made = store.commit_tree(store.tree_oid(first), parents=[first], message="tried", author=ANN)
    store.hold("trials/7", made)
    store.hold("trials/7", made)
    assert store.resolve(made) == made, "people who read the repository compare it by its id"
    assert "weighbridge" not in git("ls-remote", server.url)
    work = git.clone()
    git("-C", str(work), "fetch", "origin", "refs/weighbridge/trials/7", ok=False)
    with pytest.raises(RevisionNotFoundError):
        store.resolve("refs/weighbridge/trials/7")
    store.let_go("trials/7")
    store.let_go("trials/7")
    with pytest.raises(RevisionNotFoundError):
        store.resolve(made)
    assert "no ref" in git("-C", str(work), "fetch", "origin", made, ok=False)
    with pytest.raises(BadInputError):
        store.hold("../heads/main", made)


def test_a_pull_request_head_is_pushed_replaced_and_kept(server, git, store):
    work = git.clone()
    first = git.commit(work, "a.txt", b"1")
    git("-C", str(work), "push", "--quiet", "origin", "HEAD:refs/pr/1")
    git("-C", str(work), "commit", "--quiet", "--amend", "-m", "second try")
    git("-C", str(work), "push", "--quiet", "--force", "origin", "HEAD:refs/pr/1")
    assert store.resolve("refs/pr/1") != first
    assert store.resolve(first) == first
    assert store.repository.references.get(kept_name("refs/pr/1", first)) is not None
    assert "refs/keep" not in git("ls-remote", server.url)
    said = git("-C", str(work), "push", "origin", ":refs/pr/1", ok=False)
    assert "pull requests keep their heads" in said


def test_a_branch_that_is_pushed_away_is_gone(server, git, store):
    store.move_ref("refs/heads/old", new=head(store), old=None)
    work = git.clone()
    git("-C", str(work), "push", "--quiet", "origin", ":old")
    assert head(store, "old") is None
    assert server.moved[0].new is None


def test_pointers_are_asked_about_before_anything_moves(server, git, store):
    work, before = git.clone(), head(store)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    git.commit(work, "model.bin", format_pointer(sha256, 7))
    server.problem = "model.bin names a large file that was not uploaded here: git lfs push first."
    said = git("-C", str(work), "push", "origin", "main", ok=False)
    assert server.problem in said.replace("\nremote: ", " ")
    assert head(store) == before
    assert server.moved == []
    server.problem = None
    git("-C", str(work), "push", "--quiet", "origin", "main")
    size = len(format_pointer(sha256, 7))
    assert server.asked == [Pointer(sha256, 7, size)] * 2
    assert head(store) != before


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_commit_that_no_ref_reaches_cannot_be_fetched_by_its_id(server, git, store, version):
    git("config", "--global", "protocol.version", version)
    first = head(store)
    reached = store.commit(
        ref="refs/heads/main",
        parent=first,
        operations=[AddFile("a", b"1")],
        message="reached",
        author=ANN,
        expect=first,
    )
    secret = store.commit_tree(store.tree_oid(reached), parents=[first], message="x", author=ANN)
    store.move_ref("refs/heads/gone", new=secret, old=None)
    store.delete_ref("refs/heads/gone", old=secret)
    empty = git.home / "empty"
    git("init", "--quiet", str(empty))
    said = git("-C", str(empty), "fetch", git.url, secret, ok=False)
    assert "reaches" in said or "unadvertised" in said
    git("-C", str(empty), "fetch", "--quiet", git.url, first, ok=version == "2")
    git("-C", str(empty), "fetch", "--quiet", git.url, reached)


def test_an_annotated_tag_travels_and_a_tag_of_a_blob_does_not(server, git, store):
    work = git.clone()
    git("-C", str(work), "tag", "-a", "v1", "-m", "First")
    git("-C", str(work), "push", "--quiet", "origin", "v1")
    assert store.resolve("v1") == head(store)
    with pytest.raises(BranchMovedError):
        store.delete_ref("refs/tags/v1", old="0" * 40)
    store.delete_ref("refs/tags/v1", old=head(store))  # the commit it leads to, as lists name it
    assert store.ref_oid("refs/tags/v1") is None
    git("-C", str(work), "tag", "blob", "HEAD:README.md")
    said = git("-C", str(work), "push", "origin", "blob", ok=False)
    assert "must lead to a commit" in said


def test_a_push_without_the_hub_is_refused(store, git):
    git.url = str(store.path)
    work = git.clone()
    git.commit(work, "a", b"1")
    program = f"git -c core.hooksPath={HOOKS} receive-pack"
    arguments = [f"--receive-pack={program}", "origin", "main"]
    said = git("-C", str(work), "push", *arguments, ok=False)
    assert "through its hub only" in said


class Slow:
    """A client that sends the head of its request and then nothing."""

    def __init__(self) -> None:
        self.head, self.gone = b"0098want ", threading.Event()

    def read(self, size: int, /) -> bytes:
        if self.head:
            head, self.head = self.head, b""
            return head
        self.gone.wait(20)
        return b""


def children_of(store: GitStore) -> str:
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    )
    return "\n".join(line for line in listed.stdout.splitlines() if str(store.path) in line)


def test_a_silent_client_is_given_up_and_git_is_gone(store):
    slow = Slow()
    with pytest.raises(GitFailedError, match="Nothing moved"):
        list(serve(store, "git-receive-pack", slow, None, limits=Limits(idle_seconds=1)))
    slow.gone.set()
    assert children_of(store) == ""


def test_closing_the_answer_ends_git(store):
    operations = [AddFile(f"f{number}", os.urandom(1024**2)) for number in range(8)]
    oid = store.commit(
        ref="refs/heads/main",
        parent=head(store),
        operations=operations,
        message="8 MiB",
        author=ANN,
        expect=head(store),
    )
    request = f"0032want {oid}\n00000009done\n".encode()
    body = type(
        "Body", (), {"read": lambda self, size, parts=[request]: parts.pop() if parts else b""}
    )
    answer = serve(store, "git-upload-pack", body(), None)
    next(answer)
    assert "upload-pack" in children_of(store)
    answer.close()
    assert children_of(store) == ""


def test_the_service_and_protocol_are_from_a_list(store):
    with pytest.raises(BadInputError):
        advertise(store, "git-upload-archive", None)
    plain = advertise(store, "git-upload-pack", None)
    assert advertise(store, "git-upload-pack", "version=2:--evil") == plain
    assert b"version 2" in advertise(store, "git-upload-pack", "version=2")


def gzipped(content: bytes):
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(content) + packer.flush()
    parts = [data[at : at + 1000] for at in range(0, len(data), 1000)][::-1]
    return type("Packed", (), {"read": lambda self, size: parts.pop() if parts else b""})()


def test_a_gzip_bomb_stops_at_the_limit():
    body = request_body(gzipped(bytes(50 * 1024**2)), content_encoding="gzip", limit_bytes=1024**2)
    with pytest.raises(TooLargeError):
        while body.read(65536):
            pass
    assert request_body(gzipped(b"x" * 5000), content_encoding="gzip").read(9999) == b"x" * 5000
    with pytest.raises(BadInputError):
        request_body(gzipped(b""), content_encoding="br")
