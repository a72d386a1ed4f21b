"""Two proposals moved the same weights: they are made one, by a recipe that is kept."""

from __future__ import annotations

import io
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from safetensors.numpy import load

from hub.errors import ConflictError, ForbiddenError
from hub.gitstore import AddFile
from hub.jobs.working import due
from hub.models import ObjectLink, Repository
from hub.models.work import WorkState
from reviews.actions.weight_merges import choice_of, start_weight_merge
from reviews.changes import change_of
from reviews.jobs import weight_merging
from reviews.jobs.pushes import record_push
from reviews.models import Discussion, WeightMerge
from reviews.weights.merging.recipe_file import parse_recipe
from tests.factories import actor, make_user
from tests.races import at_once
from tests.reviews.factories import make_pull_request
from tests.reviews.test_weights_comparing import changed, model, tensors  # noqa: F401
from tests.training.factories import commit

pytestmark = pytest.mark.usefixtures("transactional_db")
NAME = "model.layers.0.mlp.up_proj.weight"


def moved(seed: int, scale: float = 0.01):
    def edit(held: dict[str, np.ndarray]) -> None:
        generator = np.random.default_rng(seed)
        step = generator.normal(size=held[NAME].shape) + 1.0  # the two agree a little
        held[NAME] = (held[NAME] + scale * step).astype(np.float32)

    return edit


@pytest.fixture
def proposal(model: Repository) -> Discussion:  # noqa: F811
    """Its weights conflict with what has landed on main meanwhile."""
    row = make_pull_request(model)
    changed(model, moved(1), row.ref)
    record_push(model, row.number, by=row.author)
    changed(model, moved(2))
    row.refresh_from_db()
    row.repository = model
    return row


def weights_at(repository: Repository, oid: str) -> dict[str, np.ndarray]:
    pointer = repository.store().entry(oid, "model.safetensors").lfs
    assert pointer is not None
    with repository.blobs().open(pointer.sha256) as stream:
        return load(stream.read())


def merged(row: Discussion, **given: object) -> WeightMerge:
    made = start_weight_merge(row, actor(row.author), choice_of(given))
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    return made


def test_weights_that_conflict_are_averaged_and_the_proposal_merges_cleanly(proposal):
    repository, store = proposal.repository, proposal.repository.store()
    assert change_of(proposal).merge_tree is None
    ours, theirs = store.resolve("main"), proposal.head_oid
    made = merged(proposal, method="linear", share="0.25")
    assert (made.state, made.error) == (WorkState.DONE, {})
    proposal.refresh_from_db()
    assert proposal.head_oid == made.result_oid == store.resolve(proposal.ref)
    assert store.commit_info(made.result_oid).parents == (theirs, ours)
    assert change_of(proposal).merge_tree is not None
    got, left, right = (weights_at(repository, oid) for oid in (made.result_oid, ours, theirs))
    np.testing.assert_allclose(got[NAME], 0.75 * left[NAME] + 0.25 * right[NAME], atol=1e-7)
    assert all((got[name] == left[name]).all() for name in got if name != NAME)
    assert store.read(made.result_oid, "notes.txt", limit_bytes=100) == b"better\n"


def test_the_recipe_in_the_commit_gives_the_same_bytes_again(proposal):
    made = merged(proposal, method="ties", density="0.5", share="0.5")
    assert made.error == {}
    store = proposal.repository.store()
    text = store.read(made.result_oid, ".weighbridge/merge.yaml", limit_bytes=1 << 16)
    recipe = parse_recipe(text)
    assert recipe.base.revision == made.base_oid
    assert [each.source.revision for each in recipe.models] == [made.ours_oid, made.theirs_oid]
    out = io.StringIO()
    name = f"{proposal.repository.repo_id}@{made.result_oid}"
    call_command("rerun_merge", name, "--as", proposal.author.username, stdout=out)
    assert out.getvalue() == "model.safetensors: the same bytes\n"


def test_weights_that_no_recipe_gives_are_told_by_the_command(proposal):
    made = merged(proposal, method="linear")
    repository = proposal.repository
    proposal.refresh_from_db()
    changed(repository, moved(1, scale=0.02), proposal.ref)
    name = f"{repository.repo_id}@{proposal.ref}"
    with pytest.raises(CommandError, match="does not give"):
        call_command("rerun_merge", name, "--as", made.by.username)
    with pytest.raises(CommandError, match=r"merge\.yaml"):
        call_command("rerun_merge", repository.repo_id, "--as", made.by.username)
    with pytest.raises(CommandError, match="nobody"):
        call_command("rerun_merge", name, "--as", "no-such-person")


def test_rules_choose_by_layer_and_name(proposal):
    rules = "- {tensors: ['*.mlp.*'], merge_method: theirs}\n"
    made = merged(proposal, method="ours", rules=rules)
    theirs = weights_at(proposal.repository, made.theirs_oid)
    got = weights_at(proposal.repository, made.result_oid)
    assert (got[NAME] == theirs[NAME]).all()


def test_opposite_changes_are_averaged_only_when_that_is_confirmed(model):  # noqa: F811
    row = make_pull_request(model)
    changed(model, moved(1, scale=-0.01), row.ref)
    record_push(model, row.number, by=row.author)
    changed(model, moved(1, scale=0.01))
    row.refresh_from_db()
    row.repository = model
    refused = merged(row, method="linear")
    assert (refused.state, refused.error["code"]) == (WorkState.FAILED, "not_to_be_averaged")
    assert refused.error["parameters"]["condition"] == "task_vectors_agree"
    assert model.store().resolve(row.ref) == row.head_oid, "nothing has moved"
    assert merged(row, method="linear", confirmed="on").state == WorkState.DONE


def test_only_those_who_may_push_start_it_and_only_once(proposal):
    choice = choice_of({"method": "linear"})
    with pytest.raises(ForbiddenError):
        start_weight_merge(proposal, actor(make_user()), choice)
    start_weight_merge(proposal, actor(proposal.author), choice)
    with pytest.raises(ConflictError, match="being merged already"):
        start_weight_merge(proposal, actor(proposal.author), choice)


def test_nothing_is_merged_where_the_target_has_not_moved_the_weights(model):  # noqa: F811
    row = make_pull_request(model)
    changed(model, moved(1), row.ref)
    record_push(model, row.number, by=row.author)
    commit(model, [AddFile("more.txt", b"x")])
    row.refresh_from_db()
    row.repository = model
    with pytest.raises(ConflictError, match="nothing to merge"):
        start_weight_merge(row, actor(row.author), choice_of({"method": "linear"}))


def test_a_push_meanwhile_is_not_lost(proposal):
    made = start_weight_merge(proposal, actor(proposal.author), choice_of({"method": "linear"}))
    newer = commit(proposal.repository, [AddFile("late.txt", b"x")], proposal.ref)
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error["code"]) == (WorkState.FAILED, "refused")
    assert proposal.repository.store().resolve(proposal.ref) == newer


def test_a_worker_that_died_after_the_move_is_settled_by_the_next(proposal):
    made = merged(proposal, method="linear")
    expired = timezone.now() - timedelta(seconds=1)
    WeightMerge.objects.filter(pk=made.pk).update(state=WorkState.RUNNING, lease_ends_at=expired)
    assert due(WeightMerge.objects.all()) == [made.pk]
    weight_merging.carry_out(made.pk)
    again = WeightMerge.objects.get(pk=made.pk)
    assert (again.state, again.result_oid) == (WorkState.DONE, made.result_oid)


def test_the_page_offers_it_and_shows_what_came_of_it(proposal, client):
    url = f"{proposal.get_absolute_url()}/weights"
    stranger = client.get(url).content.decode()
    assert "Both this and main moved the weights" in stranger
    assert "Its author, or somebody with write access" in stranger
    assert f'href="{url}"' in client.get(proposal.get_absolute_url()).content.decode()
    client.force_login(proposal.author)
    assert "Merge the weights" in client.get(url).content.decode()
    wrong = client.post(f"{url}/merge", {"method": "ties", "density": "7"}, follow=True)
    assert "density" in wrong.content.decode()
    assert WeightMerge.objects.count() == 0
    client.post(f"{url}/merge", {"method": "task_arithmetic", "lambda": "0.5"})
    made = WeightMerge.objects.get()
    assert 'hx-select="#weight-merge"' in client.get(url).content.decode()
    weight_merging.carry_out(made.pk)
    page = client.get(url).content.decode()
    assert "had them merged by task_arithmetic" in page
    assert "Both this and main moved" not in page
    recipe = f"{proposal.repository.get_absolute_url()}/blob/"
    assert recipe in page


def test_of_two_who_start_it_at_once_one_does(proposal):
    choice = choice_of({"method": "linear"})

    def start() -> WeightMerge:
        return start_weight_merge(proposal, actor(proposal.author), choice)

    started = at_once(*[start] * 4)
    assert sum(isinstance(each, WeightMerge) for each in started) == 1
    assert WeightMerge.objects.count() == 1


def test_what_was_asked_for_before_the_proposal_was_closed_moves_nothing(proposal):
    made = start_weight_merge(proposal, actor(proposal.author), choice_of({"method": "linear"}))
    Discussion.objects.filter(pk=proposal.pk).update(status="closed")
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error["code"]) == (WorkState.FAILED, "refused")
    assert proposal.repository.store().resolve(proposal.ref) == proposal.head_oid


def test_a_head_that_moved_without_its_transaction_gets_its_links_back(proposal):
    """Killed between git's move and the commit: links made in that transaction are gone."""
    made = merged(proposal, method="linear")
    repository = proposal.repository
    sha256 = repository.store().entry(made.result_oid, "model.safetensors").lfs.sha256
    links = ObjectLink.objects.filter(repository=repository, stored_object__sha256=sha256)
    links.delete()
    WeightMerge.objects.update(
        state=WorkState.RUNNING, lease_ends_at=timezone.now() - timedelta(minutes=5)
    )
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert made.state == WorkState.DONE and links.count() == 1
