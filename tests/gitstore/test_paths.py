"""One rule for paths, held by both doors: the commit API and a push."""

import re
import subprocess

import pytest

from hub.errors import BadInputError, RevisionNotFoundError, UnprocessableError
from hub.gitstore import AddFile, GitStore, check_path, check_ref_name
from tests.gitstore.conftest import ANN

ACCEPTED = [
    "README.md",
    "folder/..\\..\\..\\file",
    "back\\slash",
    "subfolder/to?/my$file%20x",
    "模型/权重.safetensors",
    "e\u0301 and é",
    "quote\"d name's",
    ".gitattributes",
    ".github/workflows/x.yml",
    "a/..b/c",
    "x" * 255,
    "/".join(["d"] * 32),
]
REFUSED = [
    "",
    "/absolute",
    "a//b",
    "a/",
    "./a",
    "a/./b",
    "../a",
    "a/../b",
    "..",
    "..\\a",
    "..a",
    ".git/config",
    "a/.GIT/hooks/x",
    "a/.git",
    "git~1/x",
    "GIT~2",
    ".git /x",
    ".git./x",
    "a\\.git\\config",
    "c:\\x",
    "a:b",
    "line\nbreak",
    "nul\0byte",
    "bell\x07",
    "bidi\u202etxt",
    "zero\u200bwidth",
    "bom\ufeff",
    "soft\u00adhyphen",
    "separator\u2028x",
    "lone\udc80",
    "x" * 256,
    "/".join(["d"] * 33),
    "/".join(["x" * 200] * 6),
]


@pytest.mark.parametrize("path", ACCEPTED)
def test_both_doors_accept_an_ordinary_path(server, git, store, path):
    assert check_path(path) == path
    git.clone()
    assert "rejected" not in push_path(git, server, path.encode())
    assert GitStore(store.path).entry(store.resolve("pushed"), path).size == 1


def write_object(store: GitStore, kind: str, content: bytes) -> str:
    """A loose object as it is, also one that git itself would not make."""
    arguments = ["git", f"--git-dir={store.path}", "hash-object", "-w", "--literally", "--stdin"]
    done = subprocess.run([*arguments, "-t", kind], input=content, capture_output=True, check=True)
    return done.stdout.decode().strip()


def push_path(git, server, path: bytes) -> str:
    """What git says to a push of a commit that holds one file at exactly `path`."""
    work = git.home / "work"
    local = GitStore(work / ".git")
    oid = write_object(local, "blob", b"x")
    mode = b"100644"
    for part in reversed(path.split(b"/")):
        oid = write_object(local, "tree", mode + b" " + part + b"\0" + bytes.fromhex(oid))
        mode = b"40000"
    people = b"Ben <ben@example.org> 1700000000 +0000"
    text = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (oid.encode(), people, people)
    commit = write_object(local, "commit", text)
    done = subprocess.run(
        ["git", "-C", str(work), "push", git.url, f"{commit}:refs/heads/pushed"],
        capture_output=True,
    )
    return done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("path", REFUSED)
def test_the_api_refuses_a_path_and_nothing_moves(store, path):
    before = store.branch_head("main")
    with pytest.raises(UnprocessableError):
        store.commit(
            ref="refs/heads/main",
            parent=before,
            operations=[AddFile(path, b"x")],
            message="bad",
            author=ANN,
            expect=before,
        )
    assert store.branch_head("main") == before


@pytest.mark.parametrize("path", [path for path in REFUSED if path and "\0" not in path])
def test_a_push_of_the_same_path_is_refused_with_a_sentence(server, git, store, path):
    git.clone()
    said = push_path(git, server, path.encode("utf-8", "surrogateescape"))
    assert re.search(r"\[remote rejected\]|remote unpack failed|failed to push", said)
    assert GitStore(store.path).branch_head("pushed") is None


@pytest.mark.parametrize("mode", ["120000", "160000", "100664"])
def test_links_submodules_and_odd_modes_are_refused_in_a_push(server, git, store, mode):
    work = git.clone()
    oid = write_object(GitStore(work / ".git"), "blob", b"x")
    target = git("-C", str(work), "rev-parse", "HEAD").strip() if mode == "160000" else oid
    content = mode.encode() + b" link\0" + bytes.fromhex(target)
    tree = write_object(GitStore(work / ".git"), "tree", content)
    commit = git("-C", str(work), "commit-tree", tree, "-m", "x").strip()
    said = git("-C", str(work), "push", "origin", f"{commit}:refs/heads/pushed", ok=False)
    assert "remote rejected" in said
    assert GitStore(store.path).branch_head("pushed") is None


@pytest.mark.parametrize("entry", [b"120000 data", b"160000 data", b"100644 .git"])
def test_a_tree_as_long_as_its_predecessor_is_checked_anew(server, git, store, entry):
    """What is known of one version of a folder says nothing about other modes and names."""
    local = GitStore(git.clone() / ".git")
    oid = write_object(local, "blob", b"x")
    target = local.resolve("main") if entry.startswith(b"160000") else oid
    good = write_object(local, "tree", b"100644 data\0" + bytes.fromhex(oid))
    bad = write_object(local, "tree", entry + b"\0" + bytes.fromhex(target))
    commit = git("-C", str(git.home / "work"), "commit-tree", good, "-m", "good").strip()
    for tree, ref, arrives in [(bad, "bad", False), (good, "good", True)]:
        made = git("-C", str(git.home / "work"), "commit-tree", tree, "-p", commit, "-m", "x")
        git(
            "-C",
            str(git.home / "work"),
            "push",
            "origin",
            f"{made.strip()}:refs/heads/{ref}",
            ok=arrives,
        )
        assert (GitStore(store.path).branch_head(ref) is not None) is arrives


@pytest.mark.parametrize(
    "name",
    ["main", "v1.0", "feature/x_y-z", "a" * 39, "0" * 39, "x" * 201],
)
def test_a_plain_name_is_accepted(name):
    assert check_ref_name(f"refs/heads/{name}") == f"refs/heads/{name}"


REFUSED_REFS = [
    "refs/heads/",
    "refs/heads/-x",
    "refs/heads/a..b",
    "refs/heads/a//b",
    "refs/heads/a.lock",
    "refs/heads/a.lock/b",
    "refs/heads/.a",
    "refs/heads/a/.b",
    "refs/heads/a.",
    "refs/heads/a/",
    "refs/heads/HEAD",
    "refs/heads/" + "f" * 40,
    "refs/heads/" + "x" * 202,
    "refs/heads/a b",
    "refs/heads/a\n",
    "refs/heads/é",
    "refs/pr/0",
    "refs/pr/01",
    "refs/pr/1\n",
    "refs/notes/x",
    "refs/keep/x",
    "HEAD",
    "main",
]


@pytest.mark.parametrize("ref", REFUSED_REFS)
def test_a_name_outside_the_rules_is_refused(ref):
    with pytest.raises(BadInputError):
        check_ref_name(ref)


EXPRESSIONS = [
    "main^{tree}",
    "main~1",
    "main^",
    ":/initial",
    "main@{u}",
    "@",
    "HEAD",
    "main..main",
    "--all",
    "--output=/tmp/x",
    "-x",
    "main:README.md",
    "refs/heads/main^0",
    "refs/../../etc/passwd",
    "heads/main",
    "",
    "\0",
    "main\n",
    "abc",
    "0" * 40,
    "refs/keep/x",
]


@pytest.mark.parametrize("revision", EXPRESSIONS)
def test_expressions_and_options_are_no_revisions(store, revision):
    with pytest.raises(RevisionNotFoundError):
        store.resolve(revision)
