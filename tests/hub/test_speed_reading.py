"""What a metadata request may cost: queries by number, and not one process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub.jobs.refresh import refresh
from hub.models import Access, Repository, Visibility
from tests.factories import commit_files, make_member, make_repository
from tests.hub.wire import stored

pytestmark = pytest.mark.django_db
_started: list[str] = []
_counting = [False]


def _heard(event: str, arguments: Any) -> None:
    if _counting[0] and event in {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.system"}:
        _started.append(f"{event} {arguments}")


sys.addaudithook(_heard)  # the interpreter tells of every start, whoever asks for it


@pytest.fixture
def processes() -> Iterator[list[str]]:
    """The processes that were started while the test ran."""
    _started.clear()
    _counting[0] = True
    yield _started
    _counting[0] = False


@pytest.fixture
def repository() -> Repository:
    repository = make_repository(
        visibility=Visibility.PRIVATE,
        files={f"{folder}/{name}.txt": b"text" for folder in "abc" for name in range(5)},
    )
    sha256 = stored(repository, b"large").sha256
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 5\n"
    commit_files(repository, {"large.bin": pointer.encode()})
    refresh(repository.pk)
    repository.refresh_from_db()
    return repository


LARGE = "one more for what is known of large files"
READS = [
    ("GET", "{api}"),
    ("GET", "{api}?blobs=true"),
    ("GET", "{api}/revision/{sha}"),
    ("GET", "{api}/tree/main?recursive=true&expand=true", LARGE),
    ("GET", "{api}/tree/{sha}/a?expand=true"),
    ("POST", "{api}/paths-info/main"),
    ("GET", "{api}/commits/main"),
    ("GET", "{api}/commits/{old}"),
    ("GET", "{api}/refs"),
    ("HEAD", "{web}/resolve/main/a/1.txt"),
    ("HEAD", "{web}/resolve/{old}/a/1.txt"),
    ("HEAD", "{web}/resolve/main/large.bin", LARGE),
]


@pytest.mark.parametrize("read", READS, ids=lambda read: " ".join(read[:2]))
def test_metadata_costs_one_query_for_the_token_and_one_for_the_repository(
    api_for, repository, processes, read
):
    method, path, *large = read
    reader = api_for(make_member(repository.namespace, access=Access.READ))
    store = repository.store()
    commits = store.commits(store.resolve("main"))
    address = path.format(
        api=f"/{repository.api_path}",
        web=f"/{repository.path}",
        sha=commits[0].oid,
        old=commits[1].oid,
    )
    more: dict[str, Any] = {}
    if method == "POST":
        more = {"data": {"paths": ["a/1.txt", "b"], "expand": True}}
        more["content_type"] = "application/json"
    ask = getattr(reader, method.lower())
    ask(address, **more)  # writes down that the token was used
    with CaptureQueriesContext(connection) as captured:
        assert ask(address, **more).status_code == 200
    assert len(captured) <= 2 + len(large), [query["sql"] for query in captured]
    assert processes == []


@pytest.mark.parametrize("recursive", ["", "&recursive=true"])
@pytest.mark.parametrize("folder", ["", "/a"])
def test_every_page_goes_on_behind_its_cursor(api_for, repository, recursive, folder):
    reader = api_for(make_member(repository.namespace, access=Access.READ))
    path = f"/{repository.api_path}/tree/main{folder}"
    whole = reader.get(f"{path}?limit=1000{recursive}").json()
    assert len(whole) >= 5
    for place, entry in enumerate(whole):
        rest = reader.get(f"{path}?limit=1000{recursive}&cursor={entry['path']}").json()
        assert rest == whole[place + 1 :]


@pytest.mark.parametrize(
    "cursor", ["nope", "a/nope", "a/1.txt/x", "/", "a/", "a//1.txt", "../a", "b/1.txt/", "%FF"]
)
@pytest.mark.parametrize("recursive", ["", "&recursive=true"])
def test_a_cursor_that_names_nothing_is_refused(api_for, repository, recursive, cursor):
    reader = api_for(make_member(repository.namespace, access=Access.READ))
    response = reader.get(f"/{repository.api_path}/tree/main?cursor={cursor}{recursive}")
    assert response.status_code == 400


def test_a_cursor_of_another_folder_is_refused(api_for, repository):
    reader = api_for(make_member(repository.namespace, access=Access.READ))
    for cursor in ("b/1.txt", "a", "a/1.txt/1"):
        response = reader.get(f"/{repository.api_path}/tree/main/a?cursor={cursor}")
        assert response.status_code == 400


def test_a_token_for_some_repositories_shows_no_other(api_for, repository):
    member = make_member(repository.namespace, access=Access.READ)
    reader = api_for(member)
    other = make_repository(namespace=repository.namespace, visibility=Visibility.PRIVATE)
    member.access_tokens.get().repositories.add(other)
    assert reader.get(f"/{other.api_path}").status_code == 200
    assert reader.get(f"/{repository.api_path}").status_code == 404
