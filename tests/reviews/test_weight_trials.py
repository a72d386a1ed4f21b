# ruff: noqa: F811
"""What ways of merging would give is made, measured by distance, used once, and goes again."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from hub.actions.large_files import links
from hub.actions.lfs_files import remove_for_good
from hub.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    RevisionNotFoundError,
    ThrottledError,
)
from hub.gitstore import AddFile
from hub.jobs.working import due
from hub.models import Access, ObjectLink, TokenScope
from hub.models.work import WorkState
from reviews.actions.weight_merges import choice_of, start_weight_merge
from reviews.actions.weight_trials import (
    LIVE_LIMIT,
    barrier_of,
    choices_of,
    remove_trial,
    start_trials,
    use_trial,
)
from reviews.jobs import weight_making, weight_merging, weight_trials
from reviews.jobs.pushes import record_push
from reviews.models import WeightMerge, WeightTrial
from reviews.tasks import sweep_comparisons
from tests.factories import actor, make_member, make_token, make_user
from tests.races import at_once
from tests.reviews.factories import make_pull_request
from tests.reviews.test_weight_merges import NAME, moved, proposal, weights_at  # noqa: F401
from tests.reviews.test_weights_comparing import changed, model, tensors  # noqa: F401
from tests.training.factories import commit

pytestmark = pytest.mark.usefixtures("transactional_db")


def chosen(*methods: str, line: bool = False, **given: object) -> list[dict]:
    return choices_of(given, methods or ("linear",), line=line)


def tried(row, *methods: str, **given: object) -> list[WeightTrial]:
    made = start_trials(row, actor(row.author), chosen(*methods, **given))
    for trial in made:
        weight_trials.carry_out(trial.pk)
        trial.refresh_from_db()
    return made


def used(row, trial: WeightTrial, **how: bool) -> WeightMerge:
    merge = use_trial(row, actor(row.author), trial.pk, **how)
    weight_merging.carry_out(merge.pk)
    merge.refresh_from_db()
    row.refresh_from_db()
    return merge


def held(row) -> list[str]:
    return [ref for ref in row.repository.store().repository.references if "trials" in ref]


def test_each_way_is_made_and_told_by_its_distance_from_both_parents(proposal):
    head = proposal.head_oid
    linear, theirs = tried(proposal, "linear", "theirs", share="0.25")
    assert (linear.state, linear.error, theirs.state) == (WorkState.DONE, {}, WorkState.DONE)
    left, right = (weights_at(proposal.repository, o) for o in (linear.ours_oid, linear.theirs_oid))
    apart = np.linalg.norm(left[NAME] - right[NAME])
    norms = [np.sqrt(sum((w.astype(float) ** 2).sum() for w in s.values())) for s in (left, right)]
    assert linear.distances["ours"] == pytest.approx(0.25 * apart / norms[0], rel=1e-4)
    assert linear.distances["theirs"] == pytest.approx(0.75 * apart / norms[1], rel=1e-4)
    assert linear.distances["parents"]["theirs"] == pytest.approx(apart / norms[1], rel=1e-4)
    assert [each["tensor"] for each in linear.distances["farthest"]] == [NAME]
    assert theirs.distances["theirs"] == 0.0
    proposal.refresh_from_db()
    assert proposal.head_oid == head == proposal.repository.store().resolve(proposal.ref)


def test_equal_choices_are_one_row_whatever_makes_no_difference(proposal):
    first = start_trials(proposal, actor(proposal.author), chosen("linear", "slerp"))
    again = start_trials(
        proposal,
        actor(proposal.author),
        chosen("slerp", "linear", confirmed="on", **{"lambda": "3"}),
    )
    assert {each.pk for each in first} == {each.pk for each in again}
    (other,) = start_trials(proposal, actor(proposal.author), chosen("linear", share="0.4"))
    assert other.pk not in {each.pk for each in first}
    with pytest.raises(BadInputError, match="at least one"):
        choices_of({}, [], line=False)


def test_the_line_between_both_is_three_averages(proposal):
    choices = chosen("linear", line=True)
    assert sorted(each["weights"][1] for each in choices) == [0.25, 0.5, 0.75]


def test_the_barrier_is_told_of_a_whole_line_alone():
    losses = dict(zip([0.0, 0.25, 0.5, 0.75, 1.0], [2.0, 2.3, 2.5, 2.2, 2.1], strict=True))
    assert barrier_of(losses) == pytest.approx(0.45)
    del losses[0.75]
    assert barrier_of(losses) is None


def test_using_one_lands_the_same_bytes_as_a_direct_merge(proposal):
    store = proposal.repository.store()
    (trial,) = tried(proposal, "ties", density="0.5")
    merge = used(proposal, trial)
    assert (merge.state, merge.error) == (WorkState.DONE, {})
    assert proposal.head_oid == trial.result_oid == merge.result_oid
    tree, events = store.tree_oid(proposal.head_oid), proposal.timeline.count()
    kinds = [event.kind for event in proposal.timeline.order_by("pk")]
    # Back to where it was: the same choice, merged directly.
    author = actor(proposal.author)
    store.move_ref(proposal.ref, new=trial.theirs_oid, old=proposal.head_oid)
    record_push(proposal.repository, proposal.number, by=proposal.author)
    proposal.refresh_from_db()
    before = proposal.timeline.count()
    direct = start_weight_merge(proposal, author, choice_of({"method": "ties", "density": "0.5"}))
    weight_merging.carry_out(direct.pk)
    direct.refresh_from_db()
    assert store.tree_oid(direct.result_oid) == tree
    facts = ("base_oid", "ours_oid", "theirs_oid", "choice", "conditions", "state")
    assert [getattr(direct, f) for f in facts] == [getattr(merge, f) for f in facts]
    after = [event.kind for event in proposal.timeline.order_by("pk")][before:]
    assert after == kinds[-len(after) :] and events >= len(after) > 0


def test_a_trial_of_an_earlier_version_cannot_be_used_and_goes(proposal):
    repository, store = proposal.repository, proposal.repository.store()
    (trial,) = tried(proposal)
    assert held(proposal) == [f"refs/weighbridge/trials/{trial.pk}"]
    commit(repository, [AddFile("late.txt", b"x")], proposal.ref)
    record_push(repository, proposal.number, by=proposal.author)
    with pytest.raises(ConflictError, match="earlier version"):
        use_trial(proposal, actor(proposal.author), trial.pk)
    oid, sha256s = trial.result_oid, trial.files
    assert store.resolve(oid) == oid and set(links(repository, sha256s)) == set(sha256s)
    weight_trials.let_go_of_stale()
    weight_trials.remove_gone()
    assert not WeightTrial.objects.exists() and held(proposal) == []
    assert links(repository, sha256s) == {}
    with pytest.raises(RevisionNotFoundError):
        store.resolve(oid)
    with pytest.raises(ConflictError, match="earlier version"):
        use_trial(proposal, actor(proposal.author), trial.pk)


def test_a_target_that_moves_makes_it_stale_too(proposal):
    (trial,) = tried(proposal)
    commit(proposal.repository, [AddFile("late.txt", b"x")])
    with pytest.raises(ConflictError, match="earlier version"):
        use_trial(proposal, actor(proposal.author), trial.pk)
    assert weight_trials.let_go_of_stale() == 1


def test_a_decided_pull_request_keeps_none_and_files_in_use_stay(proposal):
    trials = tried(proposal, "theirs", "linear")
    store = proposal.repository.store()
    own = store.entry(proposal.head_oid, "model.safetensors").lfs.sha256
    type(proposal).objects.filter(pk=proposal.pk).update(status="closed")
    sweep_comparisons()
    assert not WeightTrial.objects.exists()
    assert links(proposal.repository, [s for each in trials for s in each.files]) == {}
    assert set(links(proposal.repository, [own])) == {own}, "the head names it"


def test_a_target_that_moves_while_one_lands_does_not_take_it_away(proposal):
    (trial,) = tried(proposal)
    merge = use_trial(proposal, actor(proposal.author), trial.pk)
    commit(proposal.repository, [AddFile("late.txt", b"x")])
    weight_trials.let_go_of_stale()
    weight_trials.remove_gone()
    assert held(proposal)
    weight_merging.carry_out(merge.pk)
    merge.refresh_from_db()
    assert merge.state == WorkState.DONE
    weight_trials.let_go_of_stale()
    weight_trials.remove_gone()
    assert held(proposal) == []
    assert set(links(proposal.repository, trial.files)) == set(trial.files)


def test_a_push_while_one_lands_is_not_lost(proposal):
    (trial,) = tried(proposal)
    merge = use_trial(proposal, actor(proposal.author), trial.pk)
    newer = commit(proposal.repository, [AddFile("late.txt", b"x")], proposal.ref)
    weight_merging.carry_out(merge.pk)
    merge.refresh_from_db()
    assert (merge.state, merge.error["code"]) == (WorkState.FAILED, "refused")
    assert proposal.repository.store().resolve(proposal.ref) == newer


def test_weights_that_were_removed_for_good_do_not_come_back(proposal):
    (trial,) = tried(proposal)
    merge = use_trial(proposal, actor(proposal.author), trial.pk)
    admin = actor(make_member(proposal.repository.namespace, access=Access.ADMIN))
    remove_for_good(proposal.repository, admin, trial.files, rewrite_history=False)
    weight_merging.carry_out(merge.pk)
    merge.refresh_from_db()
    assert merge.state == WorkState.FAILED and "for good" in merge.error["parameters"]["said"]
    assert links(proposal.repository, trial.files) == {}


def test_only_those_who_may_push_try_use_and_remove(proposal):
    (trial,) = tried(proposal)
    stranger, writer = make_user(), make_member(proposal.repository.namespace, access=Access.WRITE)
    for act in (
        lambda: start_trials(proposal, actor(stranger), chosen("slerp")),
        lambda: use_trial(proposal, actor(stranger), trial.pk),
        lambda: remove_trial(proposal, actor(stranger), trial.pk),
    ):
        with pytest.raises(ForbiddenError):
            act()
    remove_trial(proposal, actor(writer), trial.pk)
    assert WeightTrial.objects.kept().count() == 0


def test_so_many_are_kept_and_no_more(proposal):
    author = actor(proposal.author)
    shares = [f"0.{number}" for number in range(1, LIVE_LIMIT + 1)]
    for share in shares:
        start_trials(proposal, author, chosen(share=share))
    with pytest.raises(ConflictError, match="At most 8"):
        start_trials(proposal, author, chosen("slerp"))
    start_trials(proposal, author, chosen(share=shares[0]))  # the same again is none more
    assert WeightTrial.objects.count() == LIVE_LIMIT
    remove_trial(proposal, author, WeightTrial.objects.first().pk)
    start_trials(proposal, author, chosen("slerp"))


def test_one_person_has_so_much_under_way(proposal, settings):
    settings.WEIGHTS_WORK_LIMIT = 2
    author = actor(proposal.author)
    one, two = start_trials(proposal, author, chosen("linear", "slerp"))
    start_trials(proposal, author, chosen("linear", "slerp"))  # known ones are none more
    with pytest.raises(ThrottledError, match="You have 2 merges of models, trials"):
        start_trials(proposal, author, chosen("ties"))
    weight_trials.carry_out(one.pk)
    acts = [lambda share=share: start_trials(proposal, author, chosen(share=share)) for share in
            ("0.1", "0.2", "0.3")]  # fmt: skip
    assert sum(isinstance(each, list) for each in at_once(*acts)) == 1
    WeightTrial.objects.filter(pk=two.pk).update(state=WorkState.FAILED)
    start_trials(proposal, author, chosen("slerp"))
    with pytest.raises(ThrottledError):
        start_trials(proposal, author, chosen("ties"))


def test_of_two_who_ask_for_the_same_at_once_one_row_comes(proposal):
    author = actor(proposal.author)
    acts = [lambda: start_trials(proposal, author, chosen("linear", "slerp"))] * 4
    assert all(len(each) == 2 for each in at_once(*acts))
    assert WeightTrial.objects.count() == 2


def test_of_two_workers_one_makes_it_and_one_use_lands(proposal):
    (trial,) = start_trials(proposal, actor(proposal.author), chosen())
    at_once(*[lambda: weight_trials.carry_out(trial.pk)] * 2)
    trial.refresh_from_db()
    assert (trial.state, trial.fence) == (WorkState.DONE, 1)
    found = at_once(*[lambda: use_trial(proposal, actor(proposal.author), trial.pk)] * 3)
    assert sum(isinstance(each, WeightMerge) for each in found) == 1


def test_a_worker_that_died_is_followed_by_another(proposal):
    (trial,) = tried(proposal)
    expired = timezone.now() - timedelta(seconds=1)
    WeightTrial.objects.filter(pk=trial.pk).update(
        state=WorkState.RUNNING, result_oid="", files=[], lease_ends_at=expired
    )
    assert due(WeightTrial.objects.kept()) == [trial.pk]
    weight_trials.carry_out(trial.pk)
    again = WeightTrial.objects.get(pk=trial.pk)
    assert (again.state, again.files) == (WorkState.DONE, trial.files)
    assert len(held(proposal)) == 1


def test_one_that_was_let_go_while_it_was_made_holds_nothing(proposal, monkeypatch):
    (trial,) = start_trials(proposal, actor(proposal.author), chosen())
    make = weight_making.make

    def slowly(*args, **how):
        made = make(*args, **how)
        remove_trial(proposal, actor(proposal.author), trial.pk)
        return made

    monkeypatch.setattr(weight_trials, "make", slowly)
    weight_trials.carry_out(trial.pk)
    assert held(proposal) == []
    weight_trials.remove_gone()
    assert not WeightTrial.objects.exists()


def test_one_that_failed_is_tried_again_and_takes_no_place(proposal):
    (trial,) = start_trials(proposal, actor(proposal.author), chosen())
    WeightTrial.objects.update(state=WorkState.FAILED, error={"code": "internal"})
    assert WeightTrial.objects.live().count() == 0
    (again,) = tried(proposal)
    assert (again.pk, again.state, again.error) == (trial.pk, WorkState.DONE, {})


def test_opposite_changes_are_shown_and_used_only_when_that_is_confirmed(model):
    row = make_pull_request(model)
    changed(model, moved(1, scale=-0.01), row.ref)
    record_push(model, row.number, by=row.author)
    changed(model, moved(1, scale=0.01))
    row.refresh_from_db()
    row.repository = model
    (trial,) = tried(row)
    assert [each["code"] for each in trial.unmet()] == ["task_vectors_agree"]
    with pytest.raises(ConflictError, match="point away"):
        use_trial(row, actor(row.author), trial.pk)
    assert used(row, trial, confirmed=True).state == WorkState.DONE


def test_the_page_tries_shows_and_uses(proposal, client):
    url = f"{proposal.get_absolute_url()}/weights"
    assert "Try them" not in client.get(url).content.decode()
    client.force_login(proposal.author)
    page = client.get(url).content.decode()
    assert "Try them" in page and "Nothing has been tried" in page
    sent = {"methods": ["linear", "ties"], "share": "0.5", "density": "0.5", "lambda": "1"}
    client.post(f"{url}/trials", sent)
    assert 'hx-select="#trials-now"' in client.get(url).content.decode()
    for trial in WeightTrial.objects.all():
        weight_trials.carry_out(trial.pk)
    page = client.get(url).content.decode()
    first, second = WeightTrial.objects.order_by("pk")
    for oid in (first.ours_oid, first.theirs_oid):
        between = f"/weights?base={oid}&amp;candidate={first.result_oid}"
        assert between in page
        place = f"{proposal.repository.get_absolute_url()}{between}".replace("&amp;", "&")
        assert client.get(place).status_code == 200
    assert page.count("Use this one") == 2 and "not run" not in page
    assert NAME in page
    client.post(f"{url}/trials/{second.pk}/remove")
    client.post(f"{url}/trials/{first.pk}/use")
    merge = WeightMerge.objects.get()
    weight_merging.carry_out(merge.pk)
    page = client.get(url).content.decode()
    assert "had them merged by linear" in page and "Use this one" not in page
    said = client.post(f"{url}/trials/{first.pk}/use", follow=True).content.decode()
    assert "earlier version" in said
    said = client.post(f"{url}/trials", {"methods": ["ties"], "density": "9"}, follow=True)
    assert "density" in said.content.decode()


def test_the_api_tries_tells_and_uses(proposal, client):
    url = f"/{proposal.repository.api_path}/discussions/{proposal.number}/weights/trials"
    assert client.get(url).json() == {"trials": []}
    secret = make_token(proposal.author, scope=TokenScope.WRITE)
    api = Client(headers={"authorization": f"Bearer {secret}"})
    asked = {"methods": ["task_arithmetic"], "lambda": 0.5}
    made = api.post(url, asked, content_type="application/json")
    assert made.status_code == 202
    (told,) = made.json()["trials"]
    assert told["choice"]["parameters"] == {"lambda": 0.5} and told["commit"] is None
    weight_trials.carry_out(told["id"])
    (told,) = client.get(url).json()["trials"]
    used_now = api.post(f"{url}/{told['id']}/use", {}, content_type="application/json")
    assert (used_now.status_code, used_now.json()["commit"]) == (202, told["commit"])
    twice = api.post(f"{url}/{told['id']}/use", {}, content_type="application/json")
    assert twice.status_code == 409


def test_other_files_in_conflict_are_told_before_anything_is_stored(proposal):
    repository = proposal.repository
    commit(repository, [AddFile("notes.txt", b"of the target\n")])
    before = ObjectLink.objects.count()
    (trial,) = tried(proposal)
    assert (trial.state, trial.files) == (WorkState.FAILED, [])
    assert ObjectLink.objects.count() == before


def test_those_that_failed_count_too(proposal):
    choices = chosen(line=True) + chosen("ties", "slerp", "task_arithmetic", "ours", "theirs")
    for choice in choices[:8]:
        start_trials(proposal, actor(proposal.author), [choice])
    WeightTrial.objects.update(state=WorkState.FAILED)
    with pytest.raises(ConflictError, match="At most 8"):
        start_trials(proposal, actor(proposal.author), chosen("linear", share="0.125"))
