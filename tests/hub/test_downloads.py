"""resolve and raw: the bytes, their names, their headers."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest
from django.test import Client

from hub.models import Access, Repository, Visibility
from tests.factories import commit_files, make_member, make_repository, make_user
from tests.hub.wire import body_of, send, stored

pytestmark = pytest.mark.django_db
WEIGHTS = bytes(range(256)) * 10_000
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
# What browsers say when they fetch an <img>, and when they open an address.
FOR_PICTURES = (
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "image/webp,*/*",
)
FOR_PAGES = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,image/svg+xml,*/*;q=0.8",
    "*/*",
    "",
)


def pointer(repository: Repository, content: bytes) -> bytes:
    sha256 = stored(repository, content).sha256
    size = len(content)
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


@pytest.fixture
def repository() -> Repository:
    repository = make_repository(files={"a.txt": b"0123456789", "folder/b.json": b"{}"})
    commit_files(repository, {"model.safetensors": pointer(repository, WEIGHTS)})
    return repository


def url(repository: Repository, path: str, revision: str = "main", way: str = "resolve") -> str:
    return f"/{repository.path}/{way}/{revision}/{path}"


class TestIdentity:
    def test_a_file_in_git_is_named_by_its_blob(self, client, repository):
        store = repository.store()
        head = store.resolve("main")
        response = client.get(url(repository, "a.txt"))
        assert body_of(response) == b"0123456789"
        assert response["ETag"] == f'"{store.entry(head, "a.txt").oid}"'
        assert response["X-Repo-Commit"] == head
        assert response["Content-Length"] == "10"
        assert "X-Linked-Etag" not in response

    def test_a_large_file_is_named_by_its_sha256(self, client, repository):
        response = client.get(url(repository, "model.safetensors"))
        assert body_of(response) == WEIGHTS
        sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        assert response["ETag"] == response["X-Linked-Etag"] == f'"{sha256}"'
        assert response["X-Linked-Size"] == response["Content-Length"] == str(len(WEIGHTS))

    def test_head_says_the_same_without_the_bytes(self, client, repository):
        for path in ("a.txt", "model.safetensors"):
            got, head = (getattr(client, m)(url(repository, path)) for m in ("get", "head"))
            assert body_of(head) == b""
            for name in ("ETag", "X-Repo-Commit", "Content-Length", "Content-Type"):
                assert got[name] == head[name], name

    def test_raw_gives_the_text_of_the_pointer(self, client, repository):
        text = body_of(client.get(url(repository, "model.safetensors", way="raw")))
        assert text.startswith(b"version https://git-lfs")

    @pytest.mark.parametrize("name", ["to?/my$file%20x", 'a "b".txt', "ü/数据.txt", "a\\b", "x;y"])
    def test_any_name_makes_the_round_trip(self, client, repository, name):
        commit_files(repository, {name: b"here"})
        response = send(client, "GET", url(repository, quote(name)))
        assert body_of(response) == b"here"
        assert "\n" not in response["Content-Disposition"]

    def test_every_spelling_of_a_revision_is_one(self, client, repository):
        store = repository.store()
        head = store.resolve("main")
        store.move_ref("refs/tags/v1", new=head, old=None)
        store.move_ref("refs/pr/1", new=head, old=None)
        for revision in ("v1", "refs%2Fpr%2F1", "refs%2Fheads%2Fmain", head, head[:7]):
            response = send(client, "GET", url(repository, "a.txt", revision))
            assert (response.status_code, response["X-Repo-Commit"]) == (200, head), revision


class TestRefusals:
    def test_a_missing_file_names_the_commit_too(self, client, repository):
        for method in ("get", "head"):
            response = getattr(client, method)(url(repository, "nope.json"))
            assert (response.status_code, response["X-Error-Code"]) == (404, "EntryNotFound")
            assert response["X-Repo-Commit"] == repository.store().resolve("main")

    def test_a_folder_is_no_file(self, client, repository):
        response = client.get(url(repository, "folder"))
        assert (response.status_code, response["X-Error-Code"]) == (404, "EntryNotFound")

    @pytest.mark.parametrize("revision", ["nope", "main~1", "main^{tree}", "@{u}", ":a.txt", "-x"])
    def test_a_revision_is_a_name_and_never_an_expression(self, client, repository, revision):
        response = client.get(url(repository, "a.txt", revision))
        assert (response.status_code, response["X-Error-Code"]) == (404, "RevisionNotFound")

    def test_a_hidden_repository_reads_as_missing(self, api_for, client):
        private = make_repository(visibility=Visibility.PRIVATE)
        for reader, status in ((client, 401), (api_for(make_user()), 404)):
            for path in (url(private, "README.md"), "/nobody/none/resolve/main/README.md"):
                response = reader.head(path)
                assert (response.status_code, response["X-Error-Code"]) == (status, "RepoNotFound")

    def test_a_bad_token_says_so_in_the_words_that_clients_look_for(self, repository):
        client = Client(headers={"authorization": "Bearer wb_nonsense"})
        response = client.head(url(repository, "a.txt"))
        assert response.status_code == 401
        assert response["X-Error-Message"] == "Invalid credentials in Authorization header"

    def test_headers_say_what_the_body_says_in_any_script(self, client, repository):
        response = client.get(url(repository, quote("权重 “x”.txt")))
        said = response["X-Error-Message"].encode("latin-1").decode()
        assert "权重 “x”.txt" in said
        assert said == response.json()["error"]

    def test_a_sentence_in_a_header_is_cut_between_signs(self, client, repository):
        response = client.get(url(repository, quote("权" * 500)))
        said = response["X-Error-Message"].encode("latin-1")
        assert len(said) <= 1000
        assert "权" * 200 in said.decode()

    def test_a_pointer_without_a_link_gives_nothing(self, client, repository):
        foreign = make_repository(visibility=Visibility.PRIVATE)
        commit_files(repository, {"stolen.bin": pointer(foreign, b"secret")})
        response = client.get(url(repository, "stolen.bin"))
        assert (response.status_code, response["X-Error-Code"]) == (404, "EntryNotFound")

    def test_a_commit_of_another_repository_cannot_be_read_through_this_one(
        self, client, repository
    ):
        private = make_repository(visibility=Visibility.PRIVATE, files={"s.txt": b"secret"})
        response = client.get(url(repository, "s.txt", private.store().resolve("main")))
        assert (response.status_code, response["X-Error-Code"]) == (404, "RevisionNotFound")

    def test_a_gated_repository_shows_its_files_to_members_only(self, api_for, client, repository):
        repository.gated = "manual"
        repository.save()
        stranger = api_for(make_user()).head(url(repository, "a.txt"))
        assert (stranger.status_code, stranger["X-Error-Code"]) == (403, "GatedRepo")
        assert "you are not in the authorized list." in stranger["X-Error-Message"]
        assert client.head(url(repository, "a.txt")).status_code == 401
        member = make_member(repository.namespace, access=Access.READ)
        assert api_for(member).head(url(repository, "a.txt")).status_code == 200
        assert client.get(f"/{repository.api_path}").status_code == 200


class TestRanges:
    @pytest.mark.parametrize("path", ["a.txt", "model.safetensors"])
    @pytest.mark.parametrize(
        ("asked", "start", "end"), [("2-4", 2, 5), ("7-", 7, None), ("-3", -3, None)]
    )
    def test_a_part(self, client, repository, path, asked, start, end):
        whole = body_of(client.get(url(repository, path)))
        response = client.get(url(repository, path), headers={"range": f"bytes={asked}"})
        assert response.status_code == 206
        assert body_of(response) == whole[start:end]
        assert response["Content-Range"].endswith(f"/{len(whole)}")
        assert int(response["Content-Length"]) == len(whole[start:end])

    @pytest.mark.parametrize("path", ["a.txt", "model.safetensors"])
    def test_past_the_end(self, client, repository, path):
        size = len(body_of(client.get(url(repository, path))))
        response = client.get(url(repository, path), headers={"range": f"bytes={size}-"})
        assert response.status_code == 416
        assert response["Content-Range"] == f"bytes */{size}"
        assert response["X-Error-Code"] == "RangeNotSatisfiable"

    @pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=5-2"])
    def test_what_is_no_single_range_gives_the_whole(self, client, repository, asked):
        response = client.get(url(repository, "a.txt"), headers={"range": asked})
        assert (response.status_code, body_of(response)) == (200, b"0123456789")

    def test_a_file_that_the_client_has_is_not_sent(self, client, repository):
        etag = client.head(url(repository, "a.txt"))["ETag"]
        response = client.get(url(repository, "a.txt"), headers={"if-none-match": etag})
        assert (response.status_code, body_of(response)) == (304, b"")
        assert response["X-Repo-Commit"] and response["ETag"] == etag

    @pytest.mark.parametrize("path", ["a.txt", "model.safetensors"])
    def test_a_range_of_another_version_gives_the_whole(self, client, repository, path):
        address = url(repository, path)
        whole, etag = body_of(client.get(address)), client.head(address)["ETag"]
        asked = {"range": "bytes=2-4"}
        same = client.get(address, headers=asked | {"if-range": etag})
        assert (same.status_code, body_of(same)) == (206, whole[2:5])
        for other in ('"other"', f"W/{etag}", "Sun, 22 Nov 2026 15:00:00 GMT"):
            response = client.get(address, headers=asked | {"if-range": other})
            assert (response.status_code, body_of(response)) == (200, whole)

    def test_conditions_that_hold_send_nothing_and_dates_are_no_condition(self, client, repository):
        address = url(repository, "a.txt")
        etag = client.head(address)["ETag"]
        for known in (f"W/{etag}", f'"x", {etag}', "*"):
            response = client.get(address, headers={"if-none-match": known})
            assert (response.status_code, body_of(response)) == (304, b"")
        later = {"if-modified-since": "Sun, 22 Nov 2099 15:00:00 GMT"}
        assert body_of(client.get(address, headers=later)) == b"0123456789"

    def test_head_says_the_size_of_the_whole_whatever_range_is_asked(self, client, repository):
        for path, size in (("a.txt", 10), ("model.safetensors", len(WEIGHTS))):
            for asked in ("bytes=2-4", f"bytes={size}-"):
                head = client.head(url(repository, path), headers={"range": asked})
                assert (head.status_code, head["Content-Length"]) == (200, str(size))
                assert "Content-Encoding" not in head and "Content-Range" not in head

    def test_an_empty_file(self, client, repository):
        commit_files(repository, {"empty.txt": b""})
        response = client.get(url(repository, "empty.txt"))
        assert (response.status_code, body_of(response)) == (200, b"")
        assert (
            response["Content-Length"]
            == client.head(url(repository, "empty.txt"))["Content-Length"]
            == "0"
        )


class TestBrowsers:
    @pytest.mark.parametrize(
        ("name", "content_type", "way"),
        [
            ("a.html", "text/plain; charset=utf-8", "inline"),
            ("a.svg", "text/plain; charset=utf-8", "inline"),
            ("a.js", "text/plain; charset=utf-8", "inline"),
            ("a.xhtml", "text/plain; charset=utf-8", "inline"),
            ("a.xml", "text/plain; charset=utf-8", "inline"),
            ("a.ipynb", "text/plain; charset=utf-8", "inline"),
            ("LICENSE", "text/plain; charset=utf-8", "inline"),
            ("a.png", "image/png", "inline"),
            ("a.pdf", "application/octet-stream", "attachment"),
            ("a.exe", "application/octet-stream", "attachment"),
        ],
    )
    def test_nothing_of_a_user_runs(self, client, repository, name, content_type, way):
        commit_files(repository, {name: b"<script>alert(1)</script>"})
        for kind in ("resolve", "raw"):
            response = client.get(url(repository, name, way=kind))
            assert response["Content-Type"] == content_type
            assert response["Content-Disposition"].startswith(way)
            assert response["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response["Content-Security-Policy"]
            assert "default-src 'none'" in response["Content-Security-Policy"]
            assert not response.cookies


class TestDrawings:
    @pytest.fixture(autouse=True)
    def drawings(self, repository):
        files = {"a.svg": SVG, "large.SVG": pointer(repository, SVG + b" " * 9_000), "b.txt": SVG}
        commit_files(repository, files)

    @pytest.mark.parametrize("name", ["a.svg", "large.SVG"])
    @pytest.mark.parametrize("accept", FOR_PICTURES)
    def test_one_is_seen_where_nothing_of_it_runs(self, client, repository, name, accept):
        response = client.get(url(repository, name), headers={"accept": accept})
        assert response["Content-Type"] == "image/svg+xml"
        assert body_of(response).startswith(SVG)
        assert "sandbox" in response["Content-Security-Policy"]
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert "allow-" not in response["Content-Security-Policy"]
        assert response["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("accept", FOR_PAGES)
    def test_opened_alone_or_downloaded_it_is_no_page(self, client, repository, accept):
        headers = {"accept": accept}
        small = client.get(url(repository, "a.svg"), headers=headers)
        assert small["Content-Type"] == "text/plain; charset=utf-8"
        large = client.get(url(repository, "large.SVG"), headers=headers)
        assert large["Content-Type"] == "application/octet-stream"
        for response in (small, large):
            body_of(response)

    def test_a_cache_takes_neither_form_for_the_other(self, client, repository):
        address = url(repository, "a.svg")
        accepts = {"drawn": FOR_PICTURES[0], "text": "*/*"}
        tags = {}
        for form, accept in accepts.items():
            response = client.get(address, headers={"accept": accept})
            body_of(response)
            assert "Accept" in response["Vary"]
            tags[form] = response["ETag"]
        assert tags["drawn"] != tags["text"]
        for form, accept in accepts.items():
            for known, tag in tags.items():
                headers = {"accept": accept, "if-none-match": tag}
                response = client.get(address, headers=headers)
                assert response.status_code == (304 if known == form else 200)
                body_of(response)

    def test_other_files_are_what_they_were(self, client, repository):
        response = client.get(url(repository, "b.txt"), headers={"accept": FOR_PICTURES[0]})
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert "Accept," not in response["Vary"]
        body_of(response)


class TestProxy:
    @pytest.fixture(autouse=True)
    def behind_nginx(self, settings):
        settings.FRONT = "nginx"

    def test_the_proxy_is_told_which_file_to_send(self, client, repository, settings):
        response = client.get(url(repository, "model.safetensors"), headers={"range": "bytes=0-9"})
        place = response["X-Accel-Redirect"].removeprefix("/-/internal/objects/")
        assert (settings.OBJECTS_DIR / place).read_bytes() == WEIGHTS
        assert place.startswith("public/")
        assert response["ETag"] and response["X-Repo-Commit"]
        assert response.status_code == 200  # nginx answers the range itself

    def test_small_files_and_heads_need_no_proxy(self, client, repository):
        assert "X-Accel-Redirect" not in client.get(url(repository, "a.txt"))
        assert "X-Accel-Redirect" not in client.head(url(repository, "model.safetensors"))


def test_a_download_by_xet_is_counted_where_it_begins(client, repository):
    path = f"/{repository.api_path}/xet-read-token/main"
    for headers in ({}, {"x-hf-download-counter": "1"}):
        assert client.get(path, headers=headers).status_code == 200
    repository.refresh_from_db()
    assert repository.downloads == 1


def test_downloads_are_counted_once(client, repository):
    counted = {"x-hf-download-counter": "1"}
    path = url(repository, "model.safetensors")
    client.head(path, headers=counted)
    for headers in ({}, counted, counted | {"range": "bytes=5-"}):
        body_of(client.get(path, headers=headers))
    repository.refresh_from_db()
    assert repository.downloads == 1
