"""Files written, moved and deleted through pages: what is done, refused, raced for, proposed."""

from __future__ import annotations

from typing import Any

import pytest

from hub.gitstore import AddFile, AddPointer, DeleteFile
from hub.gitstore.pointers import format_pointer
from hub.models import Access, BranchProtection, Membership, ObjectLink
from reviews.models import Discussion
from tests.factories import TESTER, commit_files, make_member, make_repository, make_user
from tests.hub.wire import stored

pytestmark = pytest.mark.django_db
TEXT = b"one\ntwo\nthree\n"


@pytest.fixture
def repository():
    return make_repository(files={"docs/notes.txt": TEXT, "docs/more.txt": b"more\n"})


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, client_for):
    return client_for(writer)


def send(client, repository, what, place, *, parent=None, **fields) -> Any:
    """Post the form of the page `what` as it was filled in on the head, or on `parent`."""
    parent = parent or head(repository)
    values = {"parent": parent, "way": "branch", "do": "save"} | fields
    return client.post(f"/{repository.path}/{what}/main/{place}", values)


def head(repository) -> str:
    return repository.store().resolve("main")


def proposal(repository) -> str:
    return repository.store().resolve("refs/pr/1")


def read(repository, path, revision="main") -> bytes:
    store = repository.store()
    return store.read(store.resolve(revision), path, limit_bytes=1 << 20)


def paths(repository) -> set[str]:
    return set(repository.store().paths(head(repository)))


def edited(client, repository, text, **fields) -> Any:
    fields = {"path": "docs/notes.txt", "text": text} | fields
    return send(client, repository, "edit", "docs/notes.txt", **fields)


def test_a_text_is_edited_and_keeps_its_line_breaks(client, repository, writer):
    page = client.get(f"/{repository.path}/edit/main/docs/notes.txt")
    assert "one\ntwo\nthree" in page.text
    answer = edited(client, repository, "one\r\n2\r\nthree\r\n", title="Count", description="Why")
    assert answer.status_code == 302
    assert answer.url == f"/{repository.path}/blob/main/docs/notes.txt"
    assert read(repository, "docs/notes.txt") == b"one\n2\nthree\n"
    made = repository.store().commit_info(head(repository))
    assert (made.subject, made.body.strip(), made.author.name) == ("Count", "Why", writer.username)
    # The same form once more, its answer lost: nothing new.
    again = edited(client, repository, "one\r\n2\r\nthree\r\n", parent=made.parents[0],
                   title="Count", description="Why")  # fmt: skip
    assert (again.status_code, head(repository)) == (302, made.oid)


def test_a_file_of_windows_stays_one(client, repository):
    commit_files(repository, {"docs/notes.txt": b"a\r\nb\r\n"})
    edited(client, repository, "a\r\nc\r\n")
    assert read(repository, "docs/notes.txt") == b"a\r\nc\r\n"


def test_a_letter_that_is_changed_leaves_other_line_ends_alone(client, repository):
    commit_files(repository, {"docs/notes.txt": b"a\r\nb\nc\rd\r\ne"})
    assert " data-changed" not in client.get(f"/{repository.path}/edit/main/docs/notes.txt").text
    edited(client, repository, "a\r\nB\r\nc\r\nd\r\nnew\r\ne")
    assert read(repository, "docs/notes.txt") == b"a\r\nB\nc\rd\r\nnew\r\ne"


def test_what_comes_back_from_a_refusal_is_told_from_what_lies_there(client, repository):
    refused = send(client, repository, "new", "docs", path="../bad", text="kept words")
    assert (refused.status_code, " data-changed" in refused.text) == (422, True)
    assert " data-changed" not in client.get(f"/{repository.path}/new/main/docs").text
    look = edited(client, repository, "other words", do="changes")
    assert (look.status_code, " data-changed" in look.text) == (200, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("你好，世界".encode("gbk"), "It is written in GB18030"),
        (b"weights\0\1\2", "It is a binary file"),
        (b"only letters", "kept outside git, as large files are"),
    ],
)
def test_a_small_file_beside_git_says_what_it_is(client, repository, writer, content, said):
    kept = stored(repository, content)
    pointer = format_pointer(kept.sha256, kept.size_bytes)
    commit_files(repository, {"docs/old.txt": pointer})
    assert said in client.get(f"/{repository.path}/edit/main/docs/old.txt").text
    other = make_repository(files={"docs/old.txt": pointer})  # it was never sent there
    Membership.objects.create(namespace=other.namespace, user=writer, access=Access.WRITE)
    page = client.get(f"/{other.path}/edit/main/docs/old.txt").text
    assert "kept outside git, as large files are" in page


def test_a_look_at_the_changes_commits_nothing(client, repository):
    before = head(repository)
    page = edited(client, repository, "one\ntwo\n<b>4</b>\n", do="changes")
    assert "&lt;b&gt;4&lt;/b&gt;" in page.text
    assert "is-removed" in page.text
    fields = {"path": "a.md", "text": "# Hi <script>x</script>", "parent": before, "do": "preview"}
    part = client.post(f"/{repository.path}/new/main", fields, headers={"HX-Request": "true"})
    assert ">Hi </h1>" in part.text
    assert "<script>x" not in part.text
    assert "<html" not in part.text
    assert head(repository) == before


def test_what_others_did_elsewhere_is_kept_and_the_same_file_is_asked_about(client, repository):
    seen = head(repository)
    commit_files(repository, {"other.txt": b"x"})
    assert edited(client, repository, "mine\n", parent=seen).status_code == 302
    assert read(repository, "other.txt") == b"x"

    seen = head(repository)
    theirs = commit_files(repository, {"docs/notes.txt": b"theirs\n"})
    page = edited(client, repository, "mine again\n", parent=seen)
    assert page.status_code == 422
    assert "mine again" in page.text
    assert "theirs" in page.text
    assert f'value="{theirs}"' in page.text
    assert head(repository) == theirs
    # Way out one: on top of theirs. Way out two: a pull request from where it began.
    asked = edited(client, repository, "mine again\n", parent=theirs, began=seen, way="propose")
    assert "/discussions/1" in asked.url or "/pull" in asked.url
    assert repository.store().commit_info(proposal(repository)).parents == (seen,)
    assert edited(client, repository, "mine again\n", parent=theirs, began=seen).status_code == 302
    assert read(repository, "docs/notes.txt") == b"mine again\n"


def test_a_file_deleted_meanwhile_loses_no_text(client, repository):
    seen = head(repository)
    send(client, repository, "delete", "docs/notes.txt")
    page = edited(client, repository, "still mine\n", parent=seen)
    assert page.status_code == 422
    assert "still mine" in page.text
    assert edited(client, repository, "still mine\n", parent=head(repository)).status_code == 302
    assert read(repository, "docs/notes.txt") == b"still mine\n"


def test_a_renamed_file_is_one_commit_and_takes_no_place_that_is_taken(client, repository):
    taken = edited(client, repository, "x", path="docs/more.txt")
    assert taken.status_code == 422
    assert edited(client, repository, "x\n", path="new/place.txt").status_code == 302
    assert "docs/notes.txt" not in paths(repository)
    assert read(repository, "new/place.txt") == b"x\n"


def test_new_files_are_written_and_bad_paths_refused(client, repository):
    new = {"path": "docs/a.txt", "text": "hello"}
    assert send(client, repository, "new", "docs", **new).status_code == 302
    assert read(repository, "docs/a.txt") == b"hello"
    for path in ("", "docs/a.txt", "../up", ".git/config", "docs/a.txt/below"):
        refused = send(client, repository, "new", "docs", **new | {"path": path})
        assert refused.status_code == 422, path
        assert "hello" in refused.text


def test_a_card_with_broken_metadata_is_refused_with_the_text_kept(client, repository):
    fields = {"path": "README.md", "text": "---\nlicense: [\n---\nkept words"}
    page = send(client, repository, "edit", "README.md", **fields)
    assert page.status_code == 422
    assert "kept words" in page.text


def test_binaries_large_files_and_long_texts_are_refused_in_words(client, repository):
    large = AddPointer("w.bin", "ab" * 32, 5)
    store, parent = repository.store(), head(repository)
    store.commit(ref="refs/heads/main", parent=parent, operations=[large], message="w",
                 author=TESTER, expect=parent)  # fmt: skip
    commit_files(repository, {"b.dat": b"\0\1", "long.txt": b"x" * (512 * 1024 + 1)})
    for path in ("w.bin", "b.dat", "long.txt"):
        page = client.get(f"/{repository.path}/edit/main/{path}")
        assert "This file is not edited here" in page.text
        assert f"/move/main/{path}" in page.text
    assert edited(client, repository, "y" * (512 * 1024 + 1)).status_code == 422
    # A pointer written as text to a file that this repository does not hold.
    pointer = store.read(head(repository), "w.bin", limit_bytes=200).decode()
    assert not ObjectLink.objects.filter(repository=repository).exists()
    assert edited(client, repository, pointer).status_code == 422


def test_folders_are_moved_and_deleted_whole(client, repository):
    assert client.get(f"/{repository.path}/move/main/docs").status_code == 200
    inside = send(client, repository, "move", "docs", new_path="docs/deeper")
    assert inside.status_code == 422
    assert send(client, repository, "move", "docs", new_path="text/en").status_code == 302
    assert {"text/en/notes.txt", "text/en/more.txt"} <= paths(repository)
    assert read(repository, "text/en/notes.txt") == TEXT
    assert "2 files go from main" in client.get(f"/{repository.path}/delete/main/text").text
    gone = send(client, repository, "delete", "text/en")
    assert gone.url == f"/{repository.path}/tree/main"  # an emptied folder is gone too
    assert paths(repository) == {"README.md", ".gitattributes"}


def test_the_history_of_what_was_moved_leads_to_its_older_one(client, repository):
    def history(revision, path):
        return client.get(f"/{repository.path}/commits/{revision}/{path}").text

    before = head(repository)
    assert send(client, repository, "move", "docs", new_path="text/en").status_code == 302
    for old, new in (("docs", "text/en"), ("docs/notes.txt", "text/en/notes.txt")):
        page = history("main", new)
        assert f'href="/{repository.path}/commits/{before}/{old}"' in page
        assert "Moved here from" not in history(before, old)
    fields = {"path": "other/named.txt", "text": "one\ntwo\nfour\n"}
    assert send(client, repository, "edit", "text/en/notes.txt", **fields).status_code == 302
    assert "/text/en/notes.txt" in history("main", "other/named.txt")
    fields = {"path": "other/new.txt", "text": "nothing of that kind"}
    assert send(client, repository, "new", "other", **fields).status_code == 302
    assert "Moved here from" not in history("main", "other/new.txt")


def test_one_large_file_does_not_come_from_another_that_went(client, repository):
    def pointer(content):
        kept = stored(repository, content)
        return format_pointer(kept.sha256, kept.size_bytes)

    parent = commit_files(repository, {"old.bin": pointer(b"old")})
    store = repository.store()
    operations = [DeleteFile("old.bin"), AddFile("new.bin", pointer(b"new"))]
    oid = store.commit(ref="refs/heads/main", parent=parent, operations=operations, message="w",
                       author=TESTER, expect=parent)  # fmt: skip
    assert store.moved_from(oid, "new.bin") is None


def test_a_folder_that_changed_since_is_not_deleted(client, repository):
    seen = head(repository)
    commit_files(repository, {"docs/new.txt": b"new"})
    assert send(client, repository, "delete", "docs", parent=seen).status_code == 422
    assert "docs/new.txt" in paths(repository)


def test_a_protected_branch_says_why_and_takes_proposals(client, repository):
    BranchProtection.objects.create(repository=repository, branch="main")
    page = client.get(f"/{repository.path}/edit/main/docs/notes.txt")
    assert "main is protected" in page.text
    assert "Commit to main" not in page.text
    before = head(repository)
    assert edited(client, repository, "x\n").status_code == 422
    assert edited(client, repository, "x\n", way="propose", title="Say x").status_code == 302
    assert head(repository) == before
    assert Discussion.objects.get().title == "Say x"
    assert read(repository, "docs/notes.txt", proposal(repository)) == b"x\n"


def test_readers_propose_and_strangers_do_not_see(client_for, repository):
    reader = client_for(make_user())
    assert edited(reader, repository, "x\n").status_code == 422
    assert edited(reader, repository, "x\n", way="propose").status_code == 302
    assert Discussion.objects.count() == 1
    visitor = client_for(None)
    assert visitor.get(f"/{repository.path}/edit/main/README.md").status_code in (302, 401)
    repository.visibility = "private"
    repository.save()
    assert reader.get(f"/{repository.path}/edit/main/README.md").status_code == 404


def test_only_branches_change_and_buttons_show_where_one_may(client, client_for, repository):
    oid = head(repository)
    assert client.get(f"/{repository.path}/edit/{oid}/README.md").status_code == 404
    folder = f"/{repository.path}/tree/main/docs"
    assert f"/{repository.path}/upload/main/docs" in client.get(folder).text
    assert "/upload/" not in client.get(f"/{repository.path}/tree/{oid}/docs").text
    assert "/upload/" not in client_for(None).get(folder).text


@pytest.mark.parametrize("what", ["edit", "move", "delete"])
def test_pages_ask_few_questions(client, repository, what, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        assert client.get(f"/{repository.path}/{what}/main/docs/notes.txt").status_code == 200
