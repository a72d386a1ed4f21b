"""Pages about files over HTTP: folders, viewers, blame, go to file, revisions, archives."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from html import unescape
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from safetensors.numpy import save

from hub.gitstore import AddFile, AddPointer, DeleteFile
from hub.jobs import scans
from hub.models import FileScan, Repository, Visibility
from hub.web import viewers
from tests.factories import TESTER, commit_files, make_repository, make_user
from tests.hub.wire import body_of, stored

pytestmark = pytest.mark.django_db
OLD_PATH = "旧/old.txt"
NASTY = '<img src=x onerror="alert(1)">'
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    + (3).to_bytes(4, "big")
    + (2).to_bytes(4, "big")
    + b"\x08\2\0\0\0"
)


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


FILES = {
    "src/deep/model.py": b"import os\n\n\ndef run():\n    return 1\n",
    "src/README.md": f"# Sources\n\n{NASTY}\n\n[up](../a.txt)\n".encode(),
    "a.txt": b"one\ntwo\n",
    "empty.txt": b"",
    f"{NASTY.replace('/', '')}.txt": b"x",
    "picture.png": PNG,
    "broken.png": b"not a picture",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "sound.mp3": b"ID3" + b"\1" * 50,
    "film.mp4": b"\0\0\0\x18ftypmp42",
    "paper.pdf": b"%PDF-1.7\n",
    "fake.pdf": b"<script>alert(1)</script>",
    "bytes.dat": bytes(range(256)),
    "book.ipynb": json.dumps(
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "source": NASTY}]}
    ).encode(),
    "broken.ipynb": b"{",
    "weights.safetensors": save({"w": np.zeros(3, dtype="float32")}),
    "lying.safetensors": b"\xff" * 20,
    "harmful.bin": pickle.dumps(Harmful()),
    "plain.pt": pickle.dumps({"a": 1}),
    "odd.pkl": pickle.dumps(TESTER),
}


@pytest.fixture
def repository() -> Repository:
    return make_repository(files=FILES)


def page(client: Any, repository: Repository, path: str, **query: str) -> str:
    response = client.get(f"/{repository.path}/{path}", query)
    assert response.status_code == 200, (path, response.status_code)
    html = response.content.decode()
    assert NASTY not in html and "<script>alert" not in html
    return html


class TestFolder:
    def test_it_shows_sizes_badges_totals_and_the_readme(self, client, repository):
        scans.scan(repository.pk)
        html = page(client, repository, "tree/main")
        for word in ("suspicious", "not readable", "safe", "ZIP without large files", "A model"):
            assert word in html
        assert "20 files, 1 folder" in html.replace("\n", " ")
        assert "Sources" in page(client, repository, "tree/main/src")
        assert f'href="/{repository.path}/blob/main/a.txt"' in page(
            client, repository, "tree/main/src"
        )

    def test_queries_do_not_grow_with_files(
        self, client, repository, django_assert_max_num_queries
    ):
        scans.scan(repository.pk)
        with django_assert_max_num_queries(8):
            page(client, repository, "tree/main")

    def test_a_wide_folder_comes_in_pages(self, client, repository):
        files = {f"many/{number:04}.txt": b"x" for number in range(102)}
        commit_files(repository, files | {"many/inner/x": b"x"})
        first = page(client, repository, "tree/main/many")
        assert first.count('class="file-name"') == 100 and "inner" in first
        last = page(client, repository, "tree/main/many", page="2")
        assert last.count('class="file-name"') == 3 and "0101.txt" in last

    def test_the_menu_keeps_the_path(self, client, repository):
        store = repository.store()
        store.move_ref("refs/heads/next/one", new=store.resolve("main"), old=None)
        store.move_ref("refs/tags/v1", new=store.resolve("main"), old=None)
        html = page(client, repository, "tree/main/src")
        assert f'href="/{repository.path}/tree/next%2Fone/src"' in html
        assert f'href="/{repository.path}/tree/v1/src"' in html
        found = page(client, repository, "refs/main/src", q="next", view="blob")
        assert f'href="/{repository.path}/blob/next%2Fone/src"' in found
        assert "No revision is called so" in page(client, repository, "refs/main", q="zzz")


VIEWS = {
    "src/deep/model.py": 'id="L5"',
    "a.txt": ">two<",
    "empty.txt": "An empty file",
    "picture.png": 'width="3" height="2"',
    "broken.png": "This picture is broken",
    "drawing.svg": '/resolve/main/drawing.svg" alt="drawing.svg"></figure>',
    "sound.mp3": "<audio controls",
    "film.mp4": "<video controls",
    "paper.pdf": 'data-pdf="/-/pdf"',
    "fake.pdf": "This is no PDF",
    "bytes.dat": "00 01 02 03",
    "book.ipynb": "nb-cell--markdown",
    "broken.ipynb": "This notebook cannot be shown",
    "weights.safetensors": "float32".replace("float", "F"),
    "lying.safetensors": "These tensors cannot be read",
    "harmful.bin": "not scanned",
}


class TestViewers:
    @pytest.mark.parametrize("path", VIEWS)
    def test_each_kind_has_a_view(self, client, repository, path):
        assert VIEWS[path] in page(client, repository, f"blob/main/{path}")

    def test_a_large_pdf_is_downloaded(self, client, repository, monkeypatch):
        size = len(FILES["paper.pdf"])
        for limit, shown in ((size, 'data-pdf="/-/pdf"'), (size - 1, "too large to show")):
            monkeypatch.setattr(viewers, "PDF_LIMIT_BYTES", limit)
            assert shown in page(client, repository, "blob/main/paper.pdf")

    def test_every_file_can_be_opened_at_its_permalink(self, client, repository):
        oid = repository.store().resolve("main")
        for path in FILES:
            page(client, repository, f"blob/{oid}/{quote(path)}")
            page(client, repository, f"blob/main/{quote(path)}", plain="")

    @pytest.mark.parametrize(
        ("path", "kind"),
        [("film.mp4", "video/mp4"), ("sound.mp3", "audio/mpeg"), ("drawing.svg", "text/plain"),
         ("paper.pdf", "application/octet-stream"), ("book.ipynb", "text/plain")],
    )  # fmt: skip
    def test_what_browsers_get_is_never_active(self, client, repository, path, kind):
        response = client.get(
            f"/{repository.path}/resolve/main/{path}", headers={"range": "bytes=0-1"}
        )
        assert (response.status_code, len(body_of(response))) == (206, 2)
        assert response["Content-Type"].partition(";")[0] == kind
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]

    def test_long_files_come_in_pages_of_lines(self, client, repository):
        commit_files(repository, {"long.txt": b"".join(b"%d\n" % one for one in range(1, 4502))})
        assert "Lines 1 to 2000 of 4501" in page(client, repository, "blob/main/long.txt")
        last = page(client, repository, "blob/main/long.txt", page="3")
        assert 'id="L4501"' in last and 'id="L4000"' not in last

    def test_of_a_large_text_the_beginning_is_shown(self, client, repository):
        file = stored(repository, b"a line\n" * 200_000)
        point_at(repository, "big.txt", file.sha256, 1_400_000)
        html = page(client, repository, "blob/main/big.txt")
        assert "Only the beginning" in html and "LFS" in html

    def test_bytes_that_are_gone_are_said_to_be(self, client, repository):
        point_at(repository, "gone.bin", "ab" * 32, 5)
        assert "are not here" in page(client, repository, "blob/main/gone.bin")
        point_at(repository, "gone.png", "ab" * 32, 5)
        assert "are not here" in page(client, repository, "blob/main/gone.png")


def point_at(repository: Repository, path: str, sha256: str, size: int) -> None:
    store = repository.store()
    head = store.resolve("main")
    store.commit(
        ref="refs/heads/main", parent=head, operations=[AddPointer(path, sha256, size)],
        message="Point", author=TESTER, expect=head,
    )  # fmt: skip


class TestScans:
    def test_each_file_is_looked_into_once(self, repository, django_assert_max_num_queries):
        scans.scan(repository.pk)
        found = {row.verdict for row in FileScan.objects.filter(repository=repository)}
        assert found == {"safe", "suspicious", "unreadable"}
        assert FileScan.objects.count() == 5
        with django_assert_max_num_queries(3):
            scans.scan(repository.pk)  # a second delivery finds nothing to do

    def test_the_page_tells_what_loading_would_import(self, client, repository):
        scans.scan(repository.pk)
        html = unescape(page(client, repository, "blob/main/harmful.bin"))
        assert "can run commands" in html and f"{os.system.__module__}.system" in html
        assert "imports only what puts" in page(client, repository, "blob/main/plain.pt")
        assert "hub.gitstore.values.Author" in page(client, repository, "blob/main/odd.pkl")

    def test_a_large_file_is_looked_into_by_its_hash(self, client, repository):
        content = pickle.dumps([Harmful()] * 3)
        file = stored(repository, content)
        point_at(repository, "big.pt", file.sha256, len(content))
        scans.scan(repository.pk)
        assert FileScan.objects.get(digest=file.sha256).verdict == "suspicious"
        assert "suspicious" in page(client, repository, "blob/main/big.pt")

    def test_new_rules_look_again(self, repository, monkeypatch):
        scans.scan(repository.pk)
        FileScan.objects.update(verdict="safe", imports={})
        monkeypatch.setattr(scans, "VERSION", scans.VERSION + 1)
        scans.scan(repository.pk)
        assert FileScan.objects.filter(verdict="suspicious", version=scans.VERSION).count() == 2

    def test_what_is_gone_is_no_error(self, repository):
        scans.scan(repository.pk, "no-such-branch")
        scans.scan(repository.pk, "", "no/such/folder")
        scans.scan(0)
        assert not FileScan.objects.exists()


class TestCommit:
    def test_it_says_how_much_changed_where_and_since_when(self, client, repository):
        first = repository.store().resolve("main")
        oid = commit_files(repository, {"a.txt": b"one\nTWO\nthree\n", "new.txt": b"x\n"})
        html = page(client, repository, f"commit/{oid}")
        assert "2 changed files" in html
        assert f'href="{repository.get_absolute_url()}/commit/{first}"' in html
        assert 'href="#file-1"' in html and 'id="file-1"' in html

    def test_lines_beyond_a_page_are_shown_file_by_file(self, client, repository):
        many = b"".join(b"%d\n" % number for number in range(800))
        oid = commit_files(repository, {"long/a.txt": many, "long/b.txt": many, "z.txt": b"end\n"})
        html = page(client, repository, f"commit/{oid}")
        assert html.count("Show the lines of this file") == 2, "b.txt, and z.txt after it"
        assert "?file=long%2Fb.txt" in html and html.count('class="is-added"') == 800
        alone = page(client, repository, f"commit/{oid}?file=long%2Fb.txt")
        assert alone.count('class="is-added"') == 800 and "All changed files" in alone
        assert "long/a.txt" not in alone

    def test_a_file_that_it_does_not_change_is_not_asked_for(self, client, repository):
        oid = commit_files(repository, {"z.txt": b"end\n"})
        assert "1 changed file" in page(client, repository, f"commit/{oid}?file=no.txt")


class TestMissing:
    @pytest.mark.parametrize("path", ["blob/main/nope.txt", "tree/main/nope", "blob/nope/a.txt"])
    def test_what_is_not_there_leaves_the_way_on(self, client, repository, path):
        address = repository.get_absolute_url()
        response = client.get(f"{address}/{path}", headers={"accept": "text/html"})
        assert response.status_code == 404
        assert response["X-Error-Code"] in {"EntryNotFound", "RevisionNotFound"}
        html = response.content.decode()
        assert f'href="{address}/tree/main"' in html and "Community" in html

    def test_a_program_is_told_in_its_own_way(self, client, repository):
        response = client.get(f"{repository.get_absolute_url()}/blob/main/nope.txt")
        assert response.status_code == 404 and "application/json" in response["Content-Type"]


class TestBlame:
    def test_lines_name_the_commits_that_brought_them(self, client, repository):
        second = commit_files(repository, {"a.txt": b"one\nTWO\nthree\n"}, message="Shout <b>")
        html = page(client, repository, "blame/main/a.txt")
        assert f"/{repository.path}/commit/{second}" in html and "Shout &lt;b&gt;" in html
        assert html.count("blame-start") == 2 and "What stood here before" in html
        again = page(client, repository, "blame/main/a.txt")  # from what was kept
        assert again.count("blame-start") == 2

    def test_a_renamed_file_keeps_its_authors_and_leads_to_its_older_path(self, client):
        text = b"".join(b"a line of its own, number %d\n" % n for n in range(12))
        repository = make_repository()
        first = commit_files(repository, {OLD_PATH: text}, message="Write it")
        store = repository.store()
        moved = store.commit(
            ref="refs/heads/main", parent=first, message="Move it", author=TESTER, expect=first,
            operations=[DeleteFile(OLD_PATH), AddFile("new.txt", text + b"one more\n")],
        )  # fmt: skip
        html = page(client, repository, "blame/main/new.txt")
        assert html.count("blame-start") == 2
        assert f"/{repository.path}/commit/{first}" in html and "Write it" in html
        assert f"/{repository.path}/blob/{first}/{quote(OLD_PATH)}" in html
        assert f"It stood in {OLD_PATH}" in html
        assert f"/{repository.path}/commit/{moved}" in html
        assert f"/blame/{first}/{quote(OLD_PATH)}" in html

    def test_lines_moved_out_of_another_file_keep_their_authors(self, client):
        text = b"".join(b"def function_%d(value): return value + %d\n" % (n, n) for n in range(20))
        repository = make_repository()
        first = commit_files(repository, {"all.py": text}, message="Write it")
        half = len(text) // 2
        half = text.rfind(b"\n", 0, half) + 1
        parts = {"all.py": text[:half], "rest.py": b"import math\n" + text[half:]}
        commit_files(repository, parts, message="Part it")
        html = page(client, repository, "blame/main/rest.py")
        assert f"/{repository.path}/blob/{first}/all.py" in html and "Part it" in html
        assert html.count("blame-start") == 2

    @pytest.mark.parametrize(
        ("path", "why"), [("bytes.dat", "binary"), ("empty.txt", "An empty file")]
    )
    def test_what_has_no_lines_says_so(self, client, repository, path, why):
        assert why in page(client, repository, f"blame/main/{path}")

    def test_large_ones_are_refused_in_words(self, client, repository):
        commit_files(repository, {"huge.txt": b"x\n" * 300_000})
        assert "too large" in page(client, repository, "blame/main/huge.txt")
        commit_files(repository, {"lines.txt": b"x\n" * 6000})
        assert "too many lines" in page(client, repository, "blame/main/lines.txt")


class TestFinder:
    @pytest.mark.parametrize(
        ("word", "first"),
        [("model", "src/deep/model.py"), ("sdmo", "src/deep/model.py"), ("", "a.txt")],
    )
    def test_letters_in_order_find_a_path(self, client, repository, word, first):
        html = page(client, repository, "find/main", q=word)
        assert f"/blob/main/{first}" in html

    def test_whoever_types_gets_a_fragment(self, client, repository):
        response = client.get(
            f"/{repository.path}/find/main", {"q": "zzzz"}, headers={"hx-request": "true"}
        )
        html = response.content.decode()
        assert "No path holds these letters" in html and "<html" not in html
        assert "HX-Request" in response["Vary"]

    def test_a_hundred_thousand_paths_are_searched_at_once(self):
        from hub.web.finding import best

        paths = [f"data/part-{n % 97}/shard-{n:06}.parquet" for n in range(100_000)]
        assert best(paths, "shard-012345")[0][0].endswith("shard-012345.parquet")
        assert best(paths, "p8s99999")[0][0].endswith("shard-099999.parquet")


class TestArchive:
    def get(self, client: Any, repository: Repository, path: str = "", **query: str) -> bytes:
        response = client.get(f"/{repository.path}/archive/main{path}", query)
        assert response.status_code == 200
        assert response["Content-Disposition"].startswith("attachment")
        return body_of(response)

    def test_a_zip_holds_every_file_whole(self, client, repository):
        content = os.urandom(3_000_000)
        file = stored(repository, content)
        point_at(repository, "big.bin", file.sha256, len(content))
        with zipfile.ZipFile(io.BytesIO(self.get(client, repository))) as archive:
            assert archive.testzip() is None
            names = {name.partition("/")[2] for name in archive.namelist()}
            assert names == {*FILES, "README.md", ".gitattributes", "big.bin"}
            root = archive.namelist()[0].partition("/")[0]
            assert root == f"{repository.name}-main"
            assert archive.read(f"{root}/big.bin") == content
            assert archive.read(f"{root}/a.txt") == FILES["a.txt"]
        with zipfile.ZipFile(io.BytesIO(self.get(client, repository, large="0"))) as archive:
            assert b"oid sha256:" in archive.read(f"{root}/big.bin")

    def test_a_tar_of_a_folder(self, client, repository):
        content = self.get(client, repository, "/src", format="tar.gz")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            root = f"{repository.name}-main-src"
            assert archive.getnames() == [f"{root}/README.md", f"{root}/deep/model.py"]
            member = archive.extractfile(f"{root}/deep/model.py")
            assert member and member.read() == FILES["src/deep/model.py"]

    def test_links_become_plain_files(self, client, repository):
        store = repository.store()
        head = store.resolve("main")
        tree = store.repository.TreeBuilder(store.repository[store.tree_oid(head)])
        tree.insert("link", store.repository.create_blob(b"/etc/passwd"), 0o120000)
        oid = store.commit_tree(str(tree.write()), parents=[head], message="Link", author=TESTER)
        store.move_ref("refs/heads/main", new=oid, old=head)
        content = self.get(client, repository, format="tar.gz")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            assert all(member.isreg() for member in archive.getmembers())

    def test_what_is_too_much_is_refused_before_it_begins(self, client, repository, settings):
        settings.ARCHIVE_LIMIT_BYTES = 10
        response = client.get(f"/{repository.path}/archive/main")
        assert response.status_code == 413
        assert client.get(f"/{repository.path}/archive/main?format=rar").status_code == 400

    def test_missing_bytes_are_refused_before_it_begins(self, client, repository):
        point_at(repository, "gone.bin", "ab" * 32, 5)
        assert client.get(f"/{repository.path}/archive/main").status_code == 404

    def test_it_is_rationed(self, client, repository, settings):
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"archive": 2}
        answers = [client.get(f"/{repository.path}/archive/main/src") for _ in range(3)]
        assert [each.status_code for each in answers][-1] == 429

    def test_closed_files_stay_closed(self, client, client_for):
        gated = make_repository(files={"secret.txt": b"s"}, gated="manual")
        for door in ("archive/main", "blame/main/secret.txt", "blob/main/secret.txt"):
            assert client.get(f"/{gated.path}/{door}").status_code in {401, 403}
            assert client_for(make_user()).get(f"/{gated.path}/{door}").status_code == 403
        private = make_repository(visibility=Visibility.PRIVATE)
        for door in ("archive/main", "find/main", "refs/main", "blame/main/README.md"):
            assert client.get(f"/{private.path}/{door}").status_code in {401, 404}


def test_alerts_are_titled_in_the_reader_s_language_on_every_page(client_for):
    alert = b"> [!WARNING]\n> Mind the gap.\n"
    files = {"README.md": alert, "docs/README.md": alert, "docs/use.md": alert}
    repository = make_repository(visibility=Visibility.PUBLIC)
    commit_files(repository, files)
    client = client_for(None)
    pages = ["", "/tree/main/docs", "/blob/main/README.md", "/blob/main/docs/use.md"]
    for language, word in (("en", "Warning"), ("zh-hans", "警告")):
        client.cookies["language"] = language
        for page in pages:
            shown = client.get(f"/{repository.path}{page}").content.decode()
            assert f'<p class="alert-title">{word}</p>' in shown
