"""Content through huggingface_hub: commits of every kind, revisions of every spelling, squash."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    hf_hub_download,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)

from tests.server import HubServer

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def api(hub_server: HubServer) -> HfApi:
    return HfApi(endpoint=hub_server.url, token=hub_server.person("coco"))


@pytest.fixture
def repo_id(api: HfApi, request: pytest.FixtureRequest) -> str:
    name = f"coco/{abs(hash(request.node.name))}"
    api.create_repo(name)
    return name


def add(path: str, content: bytes = b"x") -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def files(api: HfApi, repo_id: str, revision: str | None = None) -> set[str]:
    return set(api.list_repo_files(repo_id, revision=revision)) - {".gitattributes", "README.md"}


def test_deletions_and_additions_of_one_path_in_one_commit(api: HfApi, repo_id: str):
    first = [add("a/1.txt"), add("a/b/2.txt"), add("old.txt"), add("c/3.txt")]
    api.create_commit(repo_id, operations=first, commit_message="First")
    api.create_commit(
        repo_id,
        operations=[
            CommitOperationDelete("old.txt"),
            add("old.txt", b"new"),
            CommitOperationDelete("a/"),
            CommitOperationDelete("c", is_folder=False),  # a folder without its slash
        ],
        commit_message="Second",
    )
    assert files(api, repo_id) == {"old.txt"}
    assert HfFileSystem(endpoint=api.endpoint, token=api.token).cat(f"{repo_id}/old.txt") == b"new"
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("nope.txt", repo_id)


def test_a_thousand_files_are_one_commit_and_two_pages(api: HfApi, repo_id: str):
    operations = [add(f"many/{number:04}.txt", b"%d" % number) for number in range(1000)]
    operations += [add(f"many/{number:04}.txt") for number in range(1000, 1300)]
    api.create_commit(repo_id, operations=operations, commit_message="Thirteen hundred")
    assert len(api.list_repo_commits(repo_id)) == 2
    listed = [entry.path for entry in api.list_repo_tree(repo_id, "many")]
    assert listed == [f"many/{number:04}.txt" for number in range(1300)]
    asked = [f"many/{number:04}.txt" for number in (1299, 0, 7)]
    assert [one.path for one in api.get_paths_info(repo_id, [*asked, "many/no"])] == asked


def test_parents_full_short_and_stale(api: HfApi, repo_id: str):
    parent = api.repo_info(repo_id).sha
    assert parent
    for number, spelled in enumerate((parent, None, "short")):
        head = api.repo_info(repo_id).sha or ""
        api.create_commit(
            repo_id,
            operations=[add(f"{number}.txt")],
            commit_message="On a parent",
            parent_commit=head[:7] if spelled == "short" else spelled,
        )
    with pytest.raises(HfHubHTTPError, match="The branch was updated since you opened") as stale:
        api.create_commit(
            repo_id, operations=[add("late")], commit_message="Late", parent_commit=parent
        )
    assert stale.value.response.status_code == 412


@pytest.mark.parametrize("target", ["nope", "v1", "commit"])
def test_only_a_branch_is_committed_to(api: HfApi, repo_id: str, target: str):
    api.create_tag(repo_id, tag="v1")
    revision = api.repo_info(repo_id).sha if target == "commit" else target
    for create_pr in (False, True):
        with pytest.raises(RevisionNotFoundError):
            api.create_commit(
                repo_id,
                operations=[add("a")],
                commit_message="x",
                revision=revision,
                create_pr=create_pr,
            )


def test_odd_paths(api: HfApi, repo_id: str, tmp_path: Path):
    odd = ["subfolder/to?/my$file%20x", "folder/..\\..\\..\\file", "a 'b' \"c\"", "数据/é.txt"]
    api.create_commit(
        repo_id, operations=[add(name, name.encode()) for name in odd], commit_message="Odd"
    )
    assert files(api, repo_id) == set(odd)
    where = {"endpoint": api.endpoint, "token": api.token}
    for number, name in enumerate(odd):
        if ".." in name:
            continue  # which the client sends but does not fetch
        place = tmp_path / str(number)
        found = hf_hub_download(repo_id, name, cache_dir=place, **where)
        assert Path(found).read_bytes() == name.encode()
    with pytest.raises(HfHubHTTPError) as up:
        operation = add("fine")
        operation.path_in_repo = "../up"
        api.create_commit(repo_id, operations=[operation], commit_message="Up")
    assert up.value.response.status_code == 422


def test_large_files_are_copied_and_pointed_to(api: HfApi, repo_id: str):
    content = bytes(range(256)) * 5000
    api.create_commit(repo_id, operations=[add("w.safetensors", content)], commit_message="Weights")
    api.create_commit(
        repo_id,
        operations=[CommitOperationCopy("w.safetensors", "copy.safetensors"), add("more.txt")],
        commit_message="Copy",
    )
    first, second = api.get_paths_info(repo_id, ["w.safetensors", "copy.safetensors"])
    assert first.lfs and second.lfs and first.blob_id == second.blob_id
    assert first.lfs.pointer_size == len(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{first.lfs.sha256}\n"
        f"size {len(content)}\n"
    )
    assert (second.size, second.lfs.size) == (len(content), len(content))


def test_every_spelling_of_a_revision(api: HfApi, repo_id: str):
    pull_request = api.create_commit(
        repo_id, operations=[add("pr.txt")], commit_message="Propose", create_pr=True
    )
    api.create_branch(repo_id, branch="dev/x")
    api.create_branch(repo_id, branch="v1")  # a tag of the same name is no obstacle
    api.create_tag(repo_id, tag="v1", revision="refs/pr/1")
    head = api.repo_info(repo_id).sha or ""
    spelled = [head, head[:7], "refs/heads/main", "dev/x", "refs/heads/dev/x", "v1"]
    assert {api.repo_info(repo_id, revision=one).sha for one in spelled} == {head}
    for revision in ("refs/pr/1", "refs/tags/v1", pull_request.oid, pull_request.oid[:8]):
        assert files(api, repo_id, revision) == {"pr.txt"}
    found = api.list_repo_refs(repo_id, include_pull_requests=True)
    assert {one.ref for one in found.branches} == {
        "refs/heads/main", "refs/heads/dev/x", "refs/heads/v1",
    }  # fmt: skip
    assert [one.ref for one in found.pull_requests or []] == ["refs/pr/1"]
    assert found.converts == []
    with pytest.raises(HfHubHTTPError, match="refs/heads/dev/x already exists"):
        api.create_branch(repo_id, branch="dev/x")
    with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
        api.delete_branch(repo_id, branch="nope")
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(repo_id, tag="v2", revision="nope")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo_id, tag="nope")


def test_histories_are_squashed(api: HfApi, repo_id: str):
    for number in range(3):
        api.create_commit(repo_id, operations=[add(f"{number}")], commit_message=f"{number}")
    api.create_commit(repo_id, operations=[add("pr")], commit_message="Propose", create_pr=True)
    api.create_branch(repo_id, branch="dev")
    api.super_squash_history(repo_id, branch="dev", commit_message="One")
    assert [one.title for one in api.list_repo_commits(repo_id, revision="dev")] == ["One"]
    assert files(api, repo_id, "dev") == {"0", "1", "2"}
    api.super_squash_history(repo_id, branch="refs/pr/1")
    assert len(api.list_repo_commits(repo_id, revision="refs/pr/1")) == 1
    assert len(api.list_repo_commits(repo_id)) == 4
    formatted = api.list_repo_commits(repo_id, formatted=True)
    assert formatted[0].formatted_title == "2"
    assert formatted[-1].title == "initial commit"
