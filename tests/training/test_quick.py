"""A quick look: several commits on the same few items, told apart from every full result."""

from __future__ import annotations

from itertools import groupby

import pytest

from hub.errors import ConflictError, ForbiddenError
from hub.extensions import Change, registries
from hub.gitstore import AddFile
from hub.models import Access
from hub.policies import repository_by_key
from tests.factories import actor, make_member
from tests.races import at_once
from tests.training.factories import commit
from tests.training.measuring import Lab, make_lab
from training.actions.quick import QUICK_ITEMS, measure_quickly, quick_labels
from training.actions.runs import run_again
from training.jobs.benchmarks import benchmarks_of
from training.jobs.items import Item
from training.jobs.preparing import asked_from_the_end, asked_in_order
from training.jobs.quick import loss_of
from training.models import Evaluation, Run, RunKind, RunStatus
from training.policies import still_allowed

pytestmark = pytest.mark.usefixtures("transactional_db")


def looked(lab: Lab, *oids: str, more: str = "") -> tuple[Run, Change]:
    """A quick look at commits with a rule on main that names the lab's benchmark."""
    change = ruled(lab, more)
    measure_quickly(lab.model, actor(lab.owner), change, [change.base_oid, *oids])
    return lab.carry_out(Run.objects.latest("pk")), change


def ruled(lab: Lab, more: str = "") -> Change:
    rule = f"benchmarks:\n- {{benchmark: '{lab.reference}', margin: 0.1{more}}}\n"
    base = commit(lab.model, [AddFile(".weighbridge/gate.yaml", rule.encode())])
    lab.wrong[len(lab.oids)] = lab.wrong[len(lab.oids) - 1]  # the same weights
    lab.oids.append(base)
    return Change(1, "/x", lab.owner.pk, "main", lab.oids[0], base)


def test_all_answer_the_same_few_items_and_are_told_beside_the_first():
    lab = make_lab(set(range(0, 600, 2)), {1, 2}, items=600)
    run, _change = looked(lab, lab.oids[0])
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, "")
    (told,) = run.result["quick"]
    assert QUICK_ITEMS <= told["n"] < told["of"] == 600
    first, second = (told["sides"][name] for name in ("side-0", "side-1"))
    assert first["difference"] == {} and second["difference"]["value"] < 0
    assert second["difference"]["lower"] < second["difference"]["value"]
    assert second["value"] - first["value"] == pytest.approx(second["difference"]["value"])
    assert first["loss"] < second["loss"] and told["loss_unit"] == "nats"


def test_nothing_of_it_counts_as_a_measurement(client):
    lab = make_lab({1}, {2, 3}, items=600)
    run, _change = looked(lab, lab.oids[0])
    assert not Evaluation.objects.exists()
    page = client.get(run.get_absolute_url()).content.decode()
    assert "no verdict" in page and "of 600 items" in page
    assert client.get(f"{lab.url}/benchmarks").status_code == 200
    board = client.get(f"{lab.data.get_absolute_url()}/leaderboard/words.yaml").content.decode()
    assert lab.model.repo_id not in board


def test_what_was_measured_in_full_is_taken_and_stays_whole():
    lab = make_lab({1}, {2, 3}, items=600)
    whole = lab.measure(lab.oids[0])
    run, _change = looked(lab, lab.oids[0])
    assert run.status == RunStatus.SUCCEEDED
    (row,) = Evaluation.objects.filter(model_digest=whole.model_digest)
    assert (row.pk, row.item_count, row.score) == (whole.pk, 600, whole.score)


def test_its_items_come_from_the_end_of_the_gates_order():
    lab = make_lab({1}, {2}, items=600)
    run, _change = looked(lab, lab.oids[0])
    (pinned,) = benchmarks_of(run.spec)
    seed = run.spec["quick"]["seed"]
    quick = asked_from_the_end(pinned, seed=seed, limit=100)
    asked = [item.id for item in quick.order[: quick.count]]
    gate = [item.id for item in asked_in_order(pinned, seed=seed).order]
    assert set(asked) == set(gate[-quick.count :])
    assert sorted(item.id for item in quick.order) == sorted(gate)
    chunks = [item.chunk for item in quick.order]
    assert [chunk for chunk, _ in groupby(chunks)] == list(dict.fromkeys(chunks)), "none is cut"


def test_equal_models_are_one_side_and_pages_find_each_commit():
    lab = make_lab({1}, {2, 3}, items=600)
    run, change = looked(lab, lab.oids[0], lab.oids[1])
    assert list(run.spec["quick"]["sides"]) == ["side-0", "side-1"]
    look = registries.quick_look(lab.model, change)
    assert look is not None and (look.state, look.is_live) == ("succeeded", False)
    (found,) = look.benchmarks
    assert found.scores.keys() == {change.base_oid, lab.oids[0], lab.oids[1]}
    assert found.scores[change.base_oid] == found.scores[lab.oids[1]]
    assert found.scores[lab.oids[0]].difference
    again = lab.carry_out(run_again(run, actor(lab.owner)))
    assert again.result == run.result and again.kind == RunKind.QUICK


def test_hidden_benchmarks_are_the_gates_alone():
    lab = make_lab({1}, {2})
    change = ruled(lab, ", hidden: true")
    assert quick_labels(lab.model, change.base_oid) == []
    with pytest.raises(ConflictError, match="no open benchmark"):
        measure_quickly(lab.model, actor(lab.owner), change, [change.base_oid])


def test_running_a_proposals_files_needs_write_access_then_and_when_it_starts():
    lab = make_lab({1}, {2})
    change = ruled(lab)
    reader = make_member(lab.model.namespace, access=Access.READ)
    seen = repository_by_key(actor(reader), lab.model.pk)
    assert seen is not None
    with pytest.raises(ForbiddenError, match="write access"):
        measure_quickly(seen, actor(reader), change, [change.base_oid])
    measure_quickly(lab.model, actor(lab.owner), change, [change.base_oid, lab.oids[1]])
    run = Run.objects.get(kind=RunKind.QUICK)
    assert still_allowed(run)
    run.created_by = reader
    assert not still_allowed(run)


def test_the_same_look_that_is_under_way_comes_back():
    lab = make_lab({1}, {2})
    change = ruled(lab)
    wanted = [change.base_oid, lab.oids[0]]
    paths = at_once(*[lambda: measure_quickly(lab.model, actor(lab.owner), change, wanted)] * 3)
    assert len(set(paths)) == 1 and Run.objects.count() == 1


def test_a_loss_is_told_only_where_every_answer_has_one():
    read = Item("a", {}, nll=8.0, size_bytes=4), Item("b", {}, nll=4.0, size_bytes=2)
    assert loss_of(read) == (pytest.approx(2 / 0.6931471805599453), "bits")
    chosen = [Item("a", {}, target=1, loglikelihoods=(-3.0, -1.0))]
    assert loss_of([*chosen, Item("b", {}, target=0, loglikelihoods=(-2.0, -1.0))]) == (1.5, "nats")
    assert loss_of([*chosen, Item("b", {})]) == (None, "")
    assert loss_of([]) == (None, "")
