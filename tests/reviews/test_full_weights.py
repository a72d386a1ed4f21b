"""Full weights: asked for, written out by a worker, kept while used, put in place of a patch."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from safetensors.numpy import load, load_file, save

from hub.errors import (
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    ThrottledError,
    UnauthenticatedError,
)
from hub.gitstore import AddFile, DeleteFile
from hub.jobs import garbage
from hub.jobs.working import due
from hub.models import Access, DerivedObject, Repository, StoredObject, Visibility
from hub.models.leases import ATTEMPTS
from hub.models.work import WorkState
from reviews.actions.full_weights import (
    IDLE_AFTER,
    full_file,
    full_weights_of,
    request_full_weights,
    start_writing,
)
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from reviews.actions.weights import side_at
from reviews.jobs import full_weights, weights_writing
from reviews.jobs.pushes import record_push
from reviews.models import Discussion, FullWeights, WeightsWriting
from reviews.weights.patch_writing import make_patch
from reviews.weights.patches import PATCH
from tests.factories import actor, make_user
from tests.races import at_once
from tests.reviews.factories import make_maintainer, make_pull_request, read_weights
from tests.reviews.test_weights_comparing import model, tensors  # noqa: F401
from tests.training.factories import TINY, commit, large
from tests.weights.folders import opened

pytestmark = pytest.mark.usefixtures("transactional_db")
NAME = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """The weights that the proposal is meant to be, as its author has them."""
    content = (TINY / "model.safetensors").read_bytes()
    held = load(content)
    held[NAME][3, 5:60] += 1
    start = content.index(b"{")
    (tmp_path / "whole").mkdir()
    path = tmp_path / "whole" / "model.safetensors"
    with opened(TINY) as base:
        place = base.tensors[NAME].offset  # type: ignore[attr-defined]
    raw = held[NAME].tobytes()
    assert start == 8
    path.write_bytes(content[:place] + raw + content[place + len(raw) :])
    return path.read_bytes()


@pytest.fixture
def patch(whole: bytes, tmp_path: Path) -> bytes:
    with opened(TINY) as base, opened(tmp_path / "whole") as candidate:
        make_patch(base, candidate, tmp_path / PATCH)
    return (tmp_path / PATCH).read_bytes()


@pytest.fixture
def proposal(model: Repository, patch: bytes) -> Discussion:  # noqa: F811
    row = make_pull_request(model)
    commit(model, [large(model, PATCH, patch)], row.ref)
    record_push(model, row.number, by=row.author)
    row.refresh_from_db()
    row.repository = model
    return row


def side(row: Discussion):
    return side_at(row.repository, row.repository.store().resolve(row.ref))


def made(row: Discussion):
    """Asked for and written by a worker."""
    found = request_full_weights(side(row), actor(row.author))
    assert found.row is not None
    full_weights.carry_out(found.row.pk)
    return full_weights_of(side(row))


def line(row: Discussion, key: str) -> tuple[str, str]:
    (found,) = [each for each in checklist(row).lines if each.key == key]
    return found.state.value, str(found.detail)


def test_they_are_the_bytes_that_the_author_had_and_lie_in_no_commit(proposal, whole):
    before = set(proposal.repository.object_links.values_list("stored_object__sha256", flat=True))
    found = made(proposal)
    assert (found.state, list(found.made)) == ("done", ["model.safetensors"])
    sha256 = hashlib.sha256(whole).hexdigest()
    assert found.made["model.safetensors"].sha256 == sha256
    with proposal.repository.blobs().open(sha256) as stream:
        assert stream.read() == whole
    after = set(proposal.repository.object_links.values_list("stored_object__sha256", flat=True))
    assert after == before, "readers may read it; nobody may commit it"


def test_an_adapter_gives_full_weights_too(model):  # noqa: F811
    generator = np.random.default_rng(1)
    rows, columns = tensors()[NAME].shape
    place = f"base_model.model.{NAME.removesuffix('.weight')}"
    a = generator.normal(size=(2, columns)).astype(np.float32)
    b = generator.normal(size=(rows, 2)).astype(np.float32)
    adapter = save({f"{place}.lora_A.weight": a, f"{place}.lora_B.weight": b})
    config = b'{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}'
    row = make_pull_request(model)
    files = [large(model, "adapter_model.safetensors", adapter)]
    commit(model, [*files, AddFile("adapter_config.json", config)], row.ref)
    found = made(row)
    with model.blobs().open(found.made["model.safetensors"].sha256) as stream:
        held = load(stream.read())
    np.testing.assert_allclose(held[NAME], tensors()[NAME] + 2 * b @ a, atol=1e-4)
    assert {n for n in held if not (held[n] == tensors()[n]).all()} == {NAME}
    assert "full-weights" not in [each.key for each in checklist(row).lines]


def test_commits_with_the_same_weights_share_them(proposal):
    made(proposal)
    commit(proposal.repository, [AddFile("more.txt", b"x")], proposal.ref)
    assert full_weights_of(side(proposal)).state == "done"
    assert FullWeights.objects.count() == 1


def test_a_revision_whose_files_are_whole_has_none(model):  # noqa: F811
    with pytest.raises(EntryNotFoundError):
        request_full_weights(side_at(model, model.store().resolve("main")), actor(make_user()))
    assert FullWeights.objects.count() == 0


def test_only_people_ask_and_of_many_at_once_one_row_comes(proposal):
    with pytest.raises(UnauthenticatedError):
        request_full_weights(side(proposal), actor())
    found = side(proposal)

    def ask() -> object:
        return request_full_weights(found, actor(proposal.author))

    at_once(*[ask] * 4)
    assert FullWeights.objects.count() == 1


def test_a_worker_that_died_is_followed_by_another_and_three_give_up(proposal):
    found = request_full_weights(side(proposal), actor(proposal.author))
    expired = timezone.now() - timedelta(seconds=1)
    rows = FullWeights.objects.filter(pk=found.row.pk)
    assert rows.claim(found.row.pk) is not None
    full_weights.carry_out(found.row.pk)
    assert full_weights_of(side(proposal)).state == "running", "somebody is at it"
    rows.update(lease_ends_at=expired)
    assert due(FullWeights.objects.all()) == [found.row.pk]
    full_weights.carry_out(found.row.pk)
    assert full_weights_of(side(proposal)).state == "done"
    rows.update(state=WorkState.RUNNING, lease_ends_at=expired, attempts_left=0)
    assert due(FullWeights.objects.all()) == []
    assert full_weights_of(side(proposal)).state == "failed"
    again = request_full_weights(side(proposal), actor(proposal.author))
    assert (again.state, again.row.attempts_left) == ("waiting", ATTEMPTS)


def test_what_nobody_uses_is_let_go_and_made_again(proposal, settings):
    sha256 = made(proposal).made["model.safetensors"].sha256
    long_ago = timezone.now() - settings.DERIVED_LIFETIME - timedelta(minutes=1)
    DerivedObject.objects.update(used_at=long_ago)
    assert full_weights_of(side(proposal)).state == "absent", "before anything is collected, too"
    settings.GARBAGE_QUARANTINE = settings.UPLOAD_GRACE = timedelta(0)
    assert garbage.collect().objects == 1
    assert not StoredObject.objects.filter(sha256=sha256).exists()
    assert proposal.repository.blobs().stat(sha256) is None
    assert made(proposal).made["model.safetensors"].sha256 == sha256
    FullWeights.objects.update(asked_at=long_ago - settings.DERIVED_LIFETIME)
    assert full_weights.forget() == 1


def test_what_is_used_stays_when_garbage_is_collected(proposal, settings):
    sha256 = made(proposal).made["model.safetensors"].sha256
    settings.GARBAGE_QUARANTINE = settings.UPLOAD_GRACE = timedelta(0)
    garbage.collect()
    garbage.collect()
    assert proposal.repository.blobs().stat(sha256) is not None


def other(row: Discussion, number: int):
    """Another revision of the proposal with other weights beside the base."""
    repository = row.repository
    extra = save({"extra.weight": np.full((2, 2), number, np.float32)})
    oid = commit(repository, [large(repository, f"extra-{number}.safetensors", extra)], row.ref)
    return side_at(repository, oid)


def ask(found, person) -> str:
    try:
        return request_full_weights(found, actor(person)).state
    except ThrottledError as error:
        return str(error)


def test_one_person_has_so_much_under_way(proposal, settings):
    settings.WEIGHTS_WORK_LIMIT, settings.FULL_WEIGHTS_LIMIT = 2, 9
    person, sides = make_user(), [side(proposal), *(other(proposal, each) for each in range(3))]
    told = at_once(*[partial(ask, each, person) for each in sides])
    assert told.count("waiting") == 2
    assert sum("You have 2 merges of models, trials and full weights" in each for each in told) == 2
    waiting, *_ = [each for each, state in zip(sides, told, strict=True) if state == "waiting"]
    refused = [each for each, state in zip(sides, told, strict=True) if state != "waiting"]
    assert ask(waiting, person) == "waiting", "what is under way may be asked for again"
    assert ask(refused[0], make_user()) == "waiting", "others may ask"
    full_weights.carry_out(full_weights_of(waiting).row.pk)
    assert ask(refused[1], person) == "waiting", "one is finished"
    assert FullWeights.objects.filter(asked_by=person).count() == 3


def test_a_repository_keeps_so_many_and_the_longest_unused_makes_place(proposal, settings):
    settings.FULL_WEIGHTS_LIMIT = 2
    repository = proposal.repository
    repository.access = Access.READ
    first = side(proposal)
    made(proposal)
    second, third = other(proposal, 1), other(proposal, 2)
    FullWeights.objects.update(asked_at=timezone.now() - IDLE_AFTER + timedelta(minutes=5))
    told = at_once(*[partial(ask, each, make_user()) for each in (second, third)])
    assert sorted(each == "waiting" for each in told) == [False, True], "one place was left"
    assert any("at most 2 revisions are kept here" in each for each in told)
    late = second if told[1] == "waiting" else third
    FullWeights.objects.filter(digest=first.digest).update(
        asked_at=timezone.now() - IDLE_AFTER - timedelta(minutes=5)
    )
    assert ask(late, make_user()) == "waiting"
    assert full_weights_of(first).state == "absent" and not DerivedObject.objects.exists()
    assert "at most 2" in ask(first, make_user()), "those under way stay"
    repository.access = Access.WRITE
    assert "at most 2" in ask(first, make_user())


def test_who_may_write_makes_place_at_any_time_and_shared_files_stay(proposal, settings):
    settings.FULL_WEIGHTS_LIMIT = 2
    proposal.repository.access = Access.READ
    first = side(proposal)
    made(proposal)
    shared = FullWeights.objects.get().results
    second, third = other(proposal, 1), other(proposal, 2)
    ask(second, make_user())
    FullWeights.objects.filter(digest=second.digest).update(state=WorkState.DONE, results=shared)
    assert "at most 2" in ask(third, make_user())
    third.repository.access = Access.WRITE
    assert ask(third, make_user()) == "waiting"
    assert full_weights_of(first).state == "absent"
    assert full_weights_of(second).state == "done"


def test_a_download_keeps_them_on(proposal, settings):
    made(proposal)
    nearly = timezone.now() - settings.DERIVED_LIFETIME + timedelta(hours=2)
    DerivedObject.objects.update(used_at=nearly)
    FullWeights.objects.update(asked_at=nearly)
    full_file(proposal.repository, proposal.head_oid, "model.safetensors")
    assert DerivedObject.objects.get().used_at > nearly + timedelta(days=1)
    assert FullWeights.objects.get().asked_at > nearly + timedelta(days=1)


def test_a_full_disk_refuses_before_anything_is_written(proposal, settings, client):
    settings.FREE_DISK_RESERVE_BYTES = 1 << 60
    settings.OBJECTS_DIR.mkdir(parents=True, exist_ok=True)
    from hub.blobstore import landing
    from hub.errors import StorageFullError

    share, landing.RESERVED_SHARE = landing.RESERVED_SHARE, 1.0
    try:
        with pytest.raises(StorageFullError):
            request_full_weights(side(proposal), actor(proposal.author))
    finally:
        landing.RESERVED_SHARE = share
    assert FullWeights.objects.count() == 0


def test_a_patch_for_other_weights_gives_none_and_says_why(proposal, client: Client):
    held = tensors()
    held[NAME] = held[NAME] * 2
    repository = proposal.repository
    commit(repository, [large(repository, "model.safetensors", save(held))], proposal.ref)
    record_push(repository, proposal.number, by=proposal.author)
    proposal.refresh_from_db()
    found = made(proposal)
    assert (found.state, found.row.error["code"]) == ("failed", "patch_other_base")
    read_weights(proposal)
    state, detail = line(proposal, "weights")
    assert state == "failed" and NAME in detail
    page = client.get(f"{proposal.get_absolute_url()}/weights").content.decode()
    assert f"The patch was made for another {NAME}" in page


# Doors --------------------------------------------------------------------------------------------


def test_the_api_asks_shows_and_sends(proposal, whole, api_for):
    repository = proposal.repository
    url = f"/{repository.api_path}/full-weights/{proposal.head_oid}"
    mine, anybody = api_for(proposal.author), Client()
    assert anybody.get(url).json()["state"] == "absent"
    assert anybody.post(url).status_code == 401
    assert mine.post(url).json()["state"] == "waiting"
    full_weights.carry_out(FullWeights.objects.get().pk)
    told = anybody.get(url).json()
    assert told["state"] == "done" and told["error"] is None
    (file,) = told["files"]
    assert (file["path"], file["changed"]) == ("model.safetensors", True)
    path = "/" + file["url"].split("/", 3)[3]
    answer = anybody.get(path)
    assert b"".join(answer.streaming_content) == whole
    assert answer["ETag"] == f'"{hashlib.sha256(whole).hexdigest()}"'
    part = anybody.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, whole[100:200])
    missing = anybody.get(path.replace("model.safetensors", "config.json"))
    assert missing.status_code == 404


def test_gated_and_private_weights_stay_so(proposal, api_for):
    made(proposal)
    repository, stranger = proposal.repository, api_for(make_user())
    base = f"/{repository.api_path}/full-weights/{proposal.head_oid}"
    file = f"{repository.get_absolute_url()}/full-weights/{proposal.head_oid}/model.safetensors"
    assert stranger.get(file).status_code == 200
    Repository.objects.filter(pk=repository.pk).update(gated="manual")
    for url in (base, file):
        assert stranger.get(url).status_code == 403
    assert stranger.post(base).status_code == 403
    Repository.objects.filter(pk=repository.pk).update(gated="", visibility=Visibility.PRIVATE)
    for url in (base, file):
        assert stranger.get(url).status_code == 404


# In place of a patch ------------------------------------------------------------------------------


def test_a_patch_does_not_merge_and_full_weights_do(proposal, whole):
    repository, store = proposal.repository, proposal.repository.store()
    maintainer = make_maintainer(repository)
    read_weights(proposal)
    assert line(proposal, "weights")[0] == "met"
    assert line(proposal, "full-weights")[0] == "unmet"
    by = actor(maintainer)
    repository.access = Access.WRITE
    with pytest.raises(ConflictError, match="Full weights"):
        merge_pull_request(proposal, by)
    patched = proposal.head_oid
    row = start_writing(proposal, actor(proposal.author))
    assert line(proposal, "full-weights")[0] == "running"
    weights_writing.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error) == (WorkState.DONE, {})
    proposal.refresh_from_db()
    proposal.repository = repository
    assert proposal.head_oid == row.result_oid
    assert store.commit_info(row.result_oid).parents == (patched,)
    names = [entry.path for entry in store.tree(row.result_oid, "")]
    assert PATCH not in names
    pointer = store.entry(row.result_oid, "model.safetensors").lfs
    assert pointer.sha256 == hashlib.sha256(whole).hexdigest()
    assert proposal.patch_sets.count() >= 2
    read_weights(proposal)
    assert "full-weights" not in [each.key for each in checklist(proposal).lines]
    merge_pull_request(proposal, by)
    assert store.entry(store.resolve("main"), "model.safetensors").lfs.sha256 == pointer.sha256


def test_a_worker_that_died_after_the_move_is_settled_by_the_next(proposal):
    row = start_writing(proposal, actor(proposal.author))
    weights_writing.carry_out(row.pk)
    head = proposal.repository.store().resolve(proposal.ref)
    expired = timezone.now() - timedelta(seconds=1)
    WeightsWriting.objects.update(state=WorkState.RUNNING, lease_ends_at=expired)
    assert due(WeightsWriting.objects.all()) == [row.pk]
    weights_writing.carry_out(row.pk)
    row.refresh_from_db()
    assert row.state == WorkState.DONE
    assert proposal.repository.store().resolve(proposal.ref) == head == row.result_oid


def test_a_push_meanwhile_is_not_lost(proposal):
    row = start_writing(proposal, actor(proposal.author))
    newer = commit(proposal.repository, [AddFile("late.txt", b"x")], proposal.ref)
    weights_writing.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error["code"]) == (WorkState.FAILED, "refused")
    assert proposal.repository.store().resolve(proposal.ref) == newer


def test_only_those_who_may_push_write_and_one_at_a_time(proposal):
    with pytest.raises(ForbiddenError):
        start_writing(proposal, actor(make_user()))

    def start() -> object:
        return start_writing(proposal, actor(proposal.author))

    started = at_once(*[start] * 4)
    assert sum(isinstance(each, WeightsWriting) for each in started) == 1
    commit(proposal.repository, [DeleteFile(PATCH)], proposal.ref)
    WeightsWriting.objects.all().delete()
    record_push(proposal.repository, proposal.number, by=proposal.author)
    with pytest.raises(ConflictError, match="no sparse patch"):
        start_writing(proposal, actor(proposal.author))


def test_the_tab_tells_the_patch_and_offers_both(proposal, client: Client):
    read_weights(proposal)
    url = f"{proposal.get_absolute_url()}/weights"
    stranger = client.get(url).content.decode()
    count = sum(held.size for held in load_file(TINY / "model.safetensors").values())
    assert "A sparse patch replaces 55 of " in stranger and count > 1e6
    assert "elements, in 1 tensor." in stranger
    assert "can have them written here" in stranger and "Sign in" in stranger
    client.force_login(proposal.author)
    assert "Write full weights" in client.get(url).content.decode()
    page = f"{proposal.repository.get_absolute_url()}/full-weights/{proposal.head_oid}"
    client.post(page)
    assert 'hx-select="#full-weights"' in client.get(url).content.decode()
    full_weights.carry_out(FullWeights.objects.get().pk)
    shown = client.get(page).content.decode()
    assert f"{page}/model.safetensors" in shown
    client.post(f"{url}/write-full")
    weights_writing.carry_out(WeightsWriting.objects.get().pk)
    told = client.get(url).content.decode()
    assert "had full weights written in place of the sparse patch" in told
