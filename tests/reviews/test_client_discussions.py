"""Discussions and pull requests as huggingface_hub and `hf` use them, against a running hub."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.community import DiscussionComment, DiscussionStatusChange
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from tests.hub.machines import hf
from tests.server import HubServer

pytestmark = pytest.mark.stack
REPO = "keeper/talk"


@pytest.fixture(scope="module")
def owner(hub_server: HubServer) -> HfApi:
    api = HfApi(endpoint=hub_server.url, token=hub_server.person("keeper"))
    api.create_repo(REPO)
    return api


@pytest.fixture(scope="module")
def other(hub_server: HubServer) -> HfApi:
    return HfApi(endpoint=hub_server.url, token=hub_server.person("passer-by"))


def test_a_discussion_from_its_start_to_its_end(owner: HfApi, other: HfApi):
    opened = other.create_discussion(REPO, "Why?", description="Tell *me*.")
    where = {"repo_id": REPO, "discussion_num": opened.num}
    assert (opened.status, opened.author, opened.is_pull_request) == ("open", "passer-by", False)
    assert (opened.diff, opened.target_branch, opened.conflicting_files) == (None, None, None)
    said = owner.comment_discussion(**where, comment="Because.")
    edited = owner.edit_discussion_comment(
        **where, comment_id=said.id.upper(), new_content="Because so."
    )
    assert edited.edited and edited.content == "Because so." and edited.id == said.id
    assert said.id == said.id.lower()
    hidden = other.comment_discussion(**where, comment="Oops")
    renamed = other.rename_discussion(**where, new_title="Why not?")
    assert (renamed.old_title, renamed.new_title) == ("Why?", "Why not?")
    with pytest.warns(UserWarning, match="irreversible"):
        gone = other.hide_discussion_comment(**where, comment_id=hidden.id)
    assert gone.hidden and gone.content == ""
    closed = other.change_discussion_status(**where, new_status="closed", comment="Clear now.")
    assert isinstance(closed, DiscussionStatusChange) and closed.new_status == "closed"
    details = owner.get_discussion_details(**where)
    assert [event.type for event in details.events] == [
        "comment", "comment", "comment", "title-change", "status-change", "comment",
    ]  # fmt: skip
    assert (details.title, details.status) == ("Why not?", "closed")
    events = {event.id: event for event in details.events}
    for answered in (edited, gone, renamed, closed):
        assert events[answered.id] == answered
    comment = events[edited.id]
    assert isinstance(comment, DiscussionComment)
    assert comment.number_of_edits == 1 and comment.last_edited_by == "keeper"
    with pytest.raises((HfHubHTTPError, BadRequestError)):
        other.change_discussion_status(**where, new_status="closed")
    with pytest.raises(HfHubHTTPError, match="403"):
        other.edit_discussion_comment(**where, comment_id=said.id, new_content="Not mine")
    for wrong in ("f" * 24, "xyz", "-1", "0"):
        with pytest.raises(HfHubHTTPError) as refused:
            owner.edit_discussion_comment(**where, comment_id=wrong, new_content="x")
        assert refused.value.response.status_code in {400, 404}


def test_a_pull_request_from_a_draft_to_its_merge(owner: HfApi):
    draft = owner.create_pull_request(REPO, "Say more")
    where = {"repo_id": REPO, "discussion_num": draft.num}
    assert (draft.status, draft.target_branch, draft.is_pull_request) == ("draft", "main", True)
    assert draft.conflicting_files == [] and draft.git_reference == f"refs/pr/{draft.num}"
    assert draft.num in {
        one.num for one in owner.get_repo_discussions(REPO, discussion_status="open")
    }
    owner.upload_file(
        path_or_fileobj=b"more\n",
        path_in_repo="more.txt",
        repo_id=REPO,
        revision=f"refs/pr/{draft.num}",
        commit_message="Add a file",
    )
    owner.change_discussion_status(**where, new_status="open")
    details = owner.get_discussion_details(**where)
    assert details.status == "open" and "+more" in (details.diff or "")
    assert "Add a file" in [getattr(event, "summary", "") for event in details.events]
    owner.merge_pull_request(**where, comment="Thanks")
    merged = owner.get_discussion_details(**where)
    assert merged.status == "merged"
    assert merged.merge_commit_oid == owner.model_info(REPO).sha
    assert "+more" in (merged.diff or "")
    with pytest.raises(HfHubHTTPError):
        owner.change_discussion_status(**where, new_status="open")


def test_conflicts_are_named(owner: HfApi):
    def write(text: bytes, **more: bool) -> int | None:
        operations = [CommitOperationAdd("clash.txt", text)]
        done = owner.create_commit(REPO, operations=operations, commit_message="Clash", **more)
        return done.pr_num

    number = write(b"theirs\n", create_pr=True)
    assert number is not None
    write(b"ours\n")
    assert owner.get_discussion_details(REPO, number).conflicting_files == ["clash.txt"]
    with pytest.raises(HfHubHTTPError, match="409"):
        owner.merge_pull_request(REPO, number)
    owner.change_discussion_status(REPO, number, "closed")


def test_lists_filter_and_read_every_page(owner: HfApi, other: HfApi):
    owner.create_repo("keeper/busy", exist_ok=True)
    for number in range(52):
        api = other if number == 0 else owner
        api.create_discussion("keeper/busy", f"Number {number}")
    owner.create_pull_request("keeper/busy", "A draft")
    owner.change_discussion_status("keeper/busy", 2, "closed")

    def numbers(**filters: str) -> list[int]:
        found = owner.get_repo_discussions("keeper/busy", **filters)  # type: ignore[arg-type]
        return [one.num for one in found]

    assert numbers() == list(range(53, 0, -1))
    assert numbers(discussion_type="pull_request") == [53]
    assert numbers(discussion_status="closed") == [2]
    assert numbers(discussion_status="open", discussion_type="all")[:2] == [53, 52]
    assert len(numbers(discussion_status="open")) == 52
    assert numbers(author="passer-by") == [1]
    assert numbers(author="nobody") == []


def test_discussions_of_hidden_repositories_are_hidden(owner: HfApi, other: HfApi):
    owner.create_repo("keeper/secret", private=True, exist_ok=True)
    made = owner.create_discussion("keeper/secret", "Between us")
    for api in (other, HfApi(endpoint=owner.endpoint, token=False)):
        with pytest.raises(RepositoryNotFoundError):
            list(api.get_repo_discussions("keeper/secret"))
        with pytest.raises(RepositoryNotFoundError):
            api.get_discussion_details("keeper/secret", made.num)
    with pytest.raises(RepositoryNotFoundError):
        other.comment_discussion("keeper/secret", made.num, comment="Hello?")


def test_a_gated_repository_is_discussed_without_its_files(owner: HfApi, other: HfApi):
    owner.create_repo("keeper/gated", exist_ok=True)
    proposal = owner.upload_file(
        path_or_fileobj=b"only for some\n",
        path_in_repo="some.txt",
        repo_id="keeper/gated",
        create_pr=True,
    )
    owner.update_repo_settings("keeper/gated", gated="manual")
    assert proposal.pr_num is not None
    seen = other.get_discussion_details("keeper/gated", proposal.pr_num)
    assert seen.diff is None and seen.is_pull_request
    full = owner.get_discussion_details("keeper/gated", proposal.pr_num)
    assert "only for some" in (full.diff or "")
    asked = other.create_discussion("keeper/gated", "May I?")
    assert asked.status == "open"


def test_the_command_line_reads_and_settles(owner: HfApi, tmp_path: Path):
    run = partial(hf, owner.endpoint, str(owner.token), tmp_path, "discussions")

    proposal = owner.upload_file(
        path_or_fileobj=b"line\n", path_in_repo="cli.txt", repo_id=REPO, create_pr=True
    )
    number = str(proposal.pr_num)
    assert number in run("list", REPO, "--kind", "pull_request")
    assert "+line" in run("diff", REPO, number)
    run("comment", REPO, number, "--body", "Fine.")
    run("rename", REPO, number, "A line")
    run("close", REPO, number, "--yes", "--comment", "Later")
    run("reopen", REPO, number, "--yes")
    assert "A line" in run("info", REPO, number)
    run("merge", REPO, number, "--yes")
    assert "merged" in run("info", REPO, number)
