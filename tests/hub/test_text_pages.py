"""Text that is not UTF-8, and text that is read in another order than it runs."""

from __future__ import annotations

import pytest

from hub.gitstore import AddFile, Author
from hub.models import Access, Repository
from reviews.models import Discussion
from tests.factories import commit_files, make_member, make_repository
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db
CHINESE = "标签,文本\n一号,垃圾短信\n"
FRENCH = "# Le modèle\n\nIl est entraîné.\n"
OVERRIDE, ISOLATE = "\u202e", "\u2066"
TROJAN = f'allowed = "user{OVERRIDE} {ISOLATE}# only admins"\nnext = 1\n'
SUBJECT = f"Mend {OVERRIDE}evil"
WARNING = "marks that change the order"


def files() -> dict[str, bytes]:
    return {
        "chinese.txt": CHINESE.encode("gb18030"),
        "wide.txt": CHINESE.encode("utf-16"),
        "french.md": FRENCH.encode("latin-1"),
        "plain.txt": CHINESE.encode(),
        "data.bin2": bytes(range(256)),
        "trojan.py": TROJAN.encode(),
        "arabic.txt": "السلام عليكم\n".encode(),
    }


@pytest.fixture
def repository() -> Repository:
    repository = make_repository(files=files())
    store = repository.store()
    head = store.resolve("main")
    store.commit(
        ref="refs/heads/main",
        parent=head,
        operations=[AddFile("trojan.py", (TROJAN + "more = 2\n").encode())],
        message=f"{SUBJECT}\n\nAnd {OVERRIDE} more",
        author=Author("Eve", "eve@example.org"),
        expect=head,
    )
    return repository


def page(client, repository, address, **query):
    answer = client.get(f"/{repository.path}/{address}", query)
    assert answer.status_code == 200
    return answer.content.decode()


class TestEncodings:
    @pytest.mark.parametrize(
        ("path", "shown", "named"),
        [
            ("chinese.txt", "垃圾短信", ">GB18030</span>"),
            ("wide.txt", "垃圾短信", ">UTF-16</span>"),
            ("french.md", "entraîné", ">Latin-1</span>"),
        ],
    )
    def test_a_text_is_shown_and_its_encoding_named(self, client, repository, path, shown, named):
        for query in ({}, {"plain": "1"}):
            html = page(client, repository, f"blob/main/{path}", **query)
            assert shown in html and named in html

    def test_utf_8_is_not_mentioned_and_bytes_stay_bytes(self, client, repository):
        assert "The encoding of this text" not in page(client, repository, "blob/main/plain.txt")
        assert "A binary file" in page(client, repository, "blob/main/data.bin2")

    def test_blame_reads_it_too(self, client, repository):
        html = page(client, repository, "blame/main/chinese.txt")
        assert "垃圾短信" in html and ">GB18030</span>" in html
        assert "Git tells no lines" in page(client, repository, "blame/main/wide.txt")

    @pytest.mark.parametrize(
        ("path", "named"), [("chinese.txt", "GB18030"), ("wide.txt", "UTF-16")]
    )
    def test_the_editor_leaves_it_as_it_is(self, client_for, repository, path, named):
        client = client_for(make_member(repository.namespace, access=Access.WRITE))
        before = repository.store().resolve("main")
        form = {"do": "save", "path": path, "text": "x", "title": "x", "seen": before}
        for answer in (
            client.get(f"/{repository.path}/edit/main/{path}"),
            client.post(f"/{repository.path}/edit/main/{path}", form),
        ):
            html = answer.content.decode()
            assert f"It is written in {named}" in html and "<textarea" not in html
        assert repository.store().resolve("main") == before
        assert "/edit/" not in page(client, repository, f"blob/main/{path}")


class TestMarksOfDirection:
    @pytest.mark.parametrize(
        "address",
        [
            "blob/main/trojan.py",
            "blame/main/trojan.py",
            "commit/{oid}",
            "commits/main",
            "tree/main",
        ],
    )
    def test_none_reaches_a_page(self, client, repository, address):
        html = page(client, repository, address.format(oid=repository.store().resolve("main")))
        assert OVERRIDE not in html and ISOLATE not in html
        assert "U+202E" in html

    @pytest.mark.parametrize("view", ["blob/main/trojan.py", "blame/main/trojan.py", "commit/main"])
    def test_a_file_is_warned_of_once(self, client, repository, view):
        view = view.replace("commit/main", f"commit/{repository.store().resolve('main')}")
        assert page(client, repository, view).count(WARNING) == 1

    def test_nor_by_a_pull_request(self, client, repository):
        opened = make_pull_request(repository, files={"more.py": TROJAN.encode()})
        Discussion.objects.filter(pk=opened.pk).update(title=SUBJECT)
        url = f"/{repository.path}"
        for address in (url, f"{url}/discussions", f"{url}/discussions/{opened.number}"):
            html = client.get(address).content.decode()
            assert OVERRIDE not in html and "⟨U+202E⟩" in html
        files = page(client, repository, f"discussions/{opened.number}/files")
        assert OVERRIDE not in files and files.count(WARNING) == 1

    def test_letters_that_run_right_to_left_are_letters(self, client, repository):
        html = page(client, repository, "blob/main/arabic.txt")
        assert "السلام" in html and WARNING not in html

    def test_no_path_holds_one(self, repository):
        with pytest.raises(Exception, match="text-direction"):
            commit_files(repository, {f"a{OVERRIDE}b.py": b"x"})
