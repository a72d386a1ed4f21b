"""Having anything measured: from the API, from a recipe, by whom, and what is never done twice."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest

from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    ForbiddenError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    ThrottledError,
    UnauthenticatedError,
)
from hub.gitstore import DeleteFile
from hub.models import Access, Visibility
from reviews.models import Discussion
from tests.factories import actor, commit_files, make_member, make_user
from tests.reviews.factories import make_pull_request
from tests.training.factories import commit, make_model
from tests.training.measuring import make_lab
from training.actions.evaluating import submit_evaluation
from training.actions.runs import run_again, submit_finetune
from training.jobs.execute import execute
from training.jobs.items import read_items, write_items
from training.models import Evaluation, Run, RunStatus
from training.policies import still_allowed

JSON = "application/json"
in_database = pytest.mark.django_db
by_worker = pytest.mark.usefixtures("transactional_db")


def ask(lab, person=None, **more) -> Run:
    wanted = {"benchmarks": [lab.reference], **more}
    return submit_evaluation(lab.model, actor(person or lab.owner), **wanted)


@by_worker
class TestARun:
    def test_branches_tags_commits_and_pull_requests_are_all_the_same_to_it(self):
        lab = make_lab({1}, {1, 2})
        lab.add_version({3}, ref="refs/heads/side")
        store = lab.model.store()
        store.move_ref("refs/tags/v1", new=lab.oids[0], old=None)
        pull = make_pull_request(lab.model, files={"generation_config.json": b"{}"})
        lab.oids.append(pull.head_oid)
        lab.wrong[3] = {1, 2}
        found = [lab.measure(r) for r in ("main", "v1", lab.oids[1], "side", pull.ref)]
        assert [row.revision for row in found] == [
            lab.oids[1], lab.oids[0], lab.oids[1], lab.oids[2], pull.head_oid,
        ]  # fmt: skip
        assert len({row.pk for row in found}) == 4, "the same commit is measured once"
        assert found[0].score == pytest.approx(118 / 120)

    def test_what_is_known_is_never_computed_again(self):
        lab = make_lab({1})
        first = lab.measure()
        lab.asked.clear()
        run = lab.carry_out(ask(lab))
        assert lab.asked == [] and run.cpu_seconds is None
        assert run.result["evaluations"][0]["evaluation"] == first.pk
        again = lab.carry_out(run_again(run, actor(lab.owner)))
        assert (again.status, lab.asked) == (RunStatus.SUCCEEDED, [])

    def test_a_gate_that_stopped_early_is_carried_on(self):
        lab = make_lab({1})
        row = lab.measure()
        blobs = lab.model.blobs()
        few = write_items(blobs, read_items(blobs, row.items_sha256)[:50])
        Evaluation.objects.filter(pk=row.pk).update(item_count=50, items_sha256=few.sha256)
        assert lab.measure().pk == row.pk
        row.refresh_from_db()
        assert row.item_count == 120

    def test_its_result_names_no_data_set_and_no_hidden_number(self):
        lab = make_lab({1}, data={"visibility": Visibility.PRIVATE})
        run = lab.carry_out(ask(lab))
        assert lab.data.repo_id not in json.dumps(run.result)
        lab = make_lab({1}, more=", hidden: true", data={"visibility": Visibility.PRIVATE})
        run = lab.carry_out(ask(lab))
        (told,) = run.result["evaluations"]
        assert (told["score"], told["scores"], told["hidden"]) == (None, {}, True)


@by_worker
@pytest.mark.timeout(900)
def test_a_recipe_has_its_result_measured_by_the_real_runner(settings):
    settings.RUN_THREADS = 1
    model = make_model(steps=1)
    model.access = Access.ADMIN
    owner = make_member(model.namespace, access=Access.ADMIN)
    reference = f"{model.namespace.slug}/data:benchmark.yaml"
    store = model.store()
    recipe = store.read(store.resolve("main"), "recipes/spam.yaml", limit_bytes=1 << 16)
    commit_files(
        model,
        {"recipes/spam.yaml": recipe + f"evaluate: ['{reference}']\n".encode()},
    )
    # Without a gate nothing else is started.
    commit(model, [DeleteFile(".weighbridge/gate.yaml")])
    run = submit_finetune(model, actor(owner), recipe_path="recipes/spam.yaml", title="Spot spam")
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED, run.error
    pull_request = Discussion.objects.get(repository=model, number=run.pull_request_number)
    measuring = Run.objects.get(kind="evaluate")
    assert measuring.pull_request_number == pull_request.number
    assert measuring.created_by == owner
    assert measuring.inputs("model")[0]["commit"] == pull_request.head_oid
    execute(measuring.pk)
    measuring.refresh_from_db()
    assert measuring.status == RunStatus.SUCCEEDED, measuring.error
    row = Evaluation.objects.get()
    assert (row.item_count, row.revision) == (100, pull_request.head_oid)
    assert row.scores["acc"]["lower"] < row.score <= row.scores["acc"]["upper"]


@in_database
class TestWhoMay:
    def test_whoever_reads_a_model_may_have_it_measured(self):
        lab = make_lab({1})
        lab.model.access = Access.READ
        stranger = make_user()
        assert ask(lab, stranger).created_by == stranger
        with pytest.raises(UnauthenticatedError):
            submit_evaluation(lab.model, actor(), benchmarks=[lab.reference])

    def test_the_files_of_a_proposal_run_at_a_maintainers_word_alone(self):
        lab = make_lab({1})
        author = make_user()
        pull = make_pull_request(lab.model, author=author, files={"config.json": b'{"a": 1}'})
        lab.model.access = Access.READ
        for revision in (pull.ref, pull.head_oid):
            with pytest.raises(ForbiddenError, match="write access"):
                ask(lab, author, revision=revision)
        lab.model.access = Access.WRITE
        maintainer = make_member(lab.model.namespace, access=Access.WRITE)
        run = ask(lab, maintainer, revision=pull.ref)
        assert run.spec["is_proposal"]

    def test_a_maintainer_who_is_none_any_more_gets_no_proposal_run(self):
        lab = make_lab({1})
        pull = make_pull_request(lab.model, files={"config.json": b'{"a": 1}'})
        maintainer = make_member(lab.model.namespace, access=Access.WRITE)
        run = ask(lab, maintainer, revision=pull.ref)
        run.repository = lab.model
        assert still_allowed(run)
        maintainer.memberships.filter(namespace=lab.model.namespace).update(access=Access.READ)
        assert not still_allowed(run)

    def test_data_sets_that_one_cannot_read_are_not_there(self):
        lab = make_lab({1}, data={"visibility": Visibility.PRIVATE})
        with pytest.raises(RepositoryNotFoundError):
            ask(lab, make_user())
        assert ask(lab, make_member(lab.model.namespace, access=Access.READ))

    def test_quotas_hold(self, settings):
        settings.RUN_QUEUED_LIMIT_PER_USER = 1
        lab = make_lab({1})
        ask(lab)
        with pytest.raises(ThrottledError):
            ask(lab)


@in_database
class TestWhatIsRefused:
    def test_revisions_and_benchmarks_that_are_not_there(self):
        lab = make_lab({1})
        with pytest.raises(RevisionNotFoundError):
            ask(lab, revision="nowhere")
        with pytest.raises(EntryNotFoundError, match="no benchmark"):
            ask(lab, benchmarks=[f"{lab.data.repo_id}:none.yaml"])
        with pytest.raises(BadInputError, match="1 to 20 benchmarks"):
            ask(lab, benchmarks=[" "])
        with pytest.raises(BadInputError):
            ask(lab, benchmarks=["words"])

    def test_models_without_weights_and_things_that_are_no_models(self):
        lab = make_lab()
        with pytest.raises(BadInputError, match="no safetensors weights"):
            ask(lab)
        lab.data.access = Access.ADMIN
        with pytest.raises(ForbiddenError, match="Only models"):
            submit_evaluation(lab.data, actor(lab.owner), benchmarks=[lab.reference])


@in_database
class TestTheApi:
    def test_one_is_asked_for_and_listed(self, api_for):
        lab = make_lab({1})
        person = make_user()
        body = {"benchmarks": [lab.reference], "revision": "main"}
        answer = api_for(person).post(f"{lab.api}/evaluations", body, content_type=JSON)
        assert answer.status_code == 201, answer.content
        assert (answer.json()["kind"], answer.json()["author"]["name"]) == (
            "evaluate",
            person.username,
        )
        assert answer.json()["title"] == "words at main"
        assert api_for().get(f"{lab.api}/evaluations").json() == {"evaluations": []}

    def test_a_measurement_tells_its_scores_and_digests(self, api_for):
        lab = make_lab({1}, {2, 3})
        rows = [lab.store(oid) for oid in lab.oids]
        listed = api_for().get(f"{lab.api}/evaluations").json()["evaluations"]
        assert [each["id"] for each in listed] == [rows[1].pk, rows[0].pk]
        one = api_for().get(f"{lab.api}/evaluations/{rows[0].pk}").json()
        assert one == listed[1]
        assert one["benchmark"] == lab.reference
        assert one["scores"]["acc"]["value"] == pytest.approx(119 / 120)
        assert one["scores"]["acc"]["lower"] < one["score"] < one["scores"]["acc"]["upper"]
        assert (one["items"], one["ofItems"], one["origin"]) == (120, 120, "here")
        assert one["modelDigest"] == rows[0].model_digest
        only = api_for().get(f"{lab.api}/evaluations?model={rows[0].model_digest}").json()
        assert [each["id"] for each in only["evaluations"]] == [rows[0].pk]
        older = api_for().get(f"{lab.api}/evaluations?before={rows[1].pk}").json()
        assert [each["id"] for each in older["evaluations"]] == [rows[0].pk]

    def test_the_list_costs_a_fixed_number_of_queries(self, api_for, django_assert_max_num_queries):
        lab = make_lab({1}, {2}, {3})
        for oid in lab.oids:
            lab.store(oid)
        with django_assert_max_num_queries(6):
            api_for().get(f"{lab.api}/evaluations")

    def test_items_come_as_lines_with_texts_or_as_parquet(self, api_for):
        lab = make_lab({1, 5})
        row = lab.store()
        lines = api_for().get(f"{lab.api}/evaluations/{row.pk}/items")
        items = [json.loads(line) for line in b"".join(lines.streaming_content).splitlines()]
        assert len(items) == 120
        wrong = [item for item in items if item["metric.acc"] == 0]
        assert {item["prompt"] for item in wrong} == {"question 1", "question 5"}
        assert wrong[0]["choices"] == ["yes", "no"] and wrong[0]["expected"] == "yes"
        assert len(items[0]["doc_hash"]) == 64
        stored = api_for().get(f"{lab.api}/evaluations/{row.pk}/items?format=parquet")
        table = pq.read_table(io.BytesIO(b"".join(stored.streaming_content)))
        assert table.num_rows == 120
        assert "prompt" not in table.column_names
        refused = api_for().get(f"{lab.api}/evaluations/{row.pk}/items?format=csv")
        assert refused.status_code == 400

    def test_items_are_for_readers_of_both_and_scores_for_readers_of_the_model(self, api_for):
        lab = make_lab({1}, data={"visibility": Visibility.PRIVATE})
        row = lab.store()
        stranger = make_user()
        one = api_for(stranger).get(f"{lab.api}/evaluations/{row.pk}").json()
        assert (one["benchmark"], one["mayReadItems"]) == (None, False)
        assert lab.data.repo_id not in json.dumps(one)
        for form in ("jsonl", "parquet"):
            answer = api_for(stranger).get(f"{lab.api}/evaluations/{row.pk}/items?format={form}")
            assert answer.status_code == 403
        insider = make_member(lab.model.namespace, access=Access.READ)
        items = api_for(insider).get(f"{lab.api}/evaluations/{row.pk}/items")
        assert items.status_code == 200
        items.getvalue()

    def test_items_of_a_gated_model_wait_at_its_gate(self, api_for):
        lab = make_lab({1}, gated="manual")
        row = lab.store()
        assert api_for(make_user()).get(f"{lab.api}/evaluations/{row.pk}/items").status_code == 403

    def test_hidden_scores_are_coarse_for_those_who_may_not_know_the_items(self, api_for):
        lab = make_lab(
            {1, 2}, more=", hidden: true, margin: 0.1", data={"visibility": Visibility.PRIVATE}
        )
        row = lab.store()
        one = api_for(make_user()).get(f"{lab.api}/evaluations/{row.pk}").json()
        assert one["scores"] == {"acc": {"value": 1.0, "is_coarse": True}}
        assert one["score"] == 1.0
        one = api_for(lab.owner).get(f"{lab.api}/evaluations/{row.pk}").json()
        assert one["score"] == pytest.approx(118 / 120)

    def test_a_measurement_is_not_found_through_another_repository(self, api_for):
        row = make_lab({1}).store()
        other = make_lab({1})
        assert api_for().get(f"{other.api}/evaluations/{row.pk}").status_code == 404
        assert api_for().get(f"{other.api}/evaluations/{row.pk}/items").status_code == 404
        assert api_for().get(f"{other.api}/evaluations/{10**30}").status_code == 404

    def test_a_search_is_asked_for_and_listed(self, api_for):
        lab = make_lab({1}, {2})
        body = {"benchmark": lab.reference, "good": lab.oids[0]}
        answer = api_for(make_user()).post(f"{lab.api}/bisects", body, content_type=JSON)
        assert answer.status_code == 201, answer.content
        assert answer.json()["kind"] == "bisect"
        (listed,) = api_for().get(f"{lab.api}/bisects").json()["bisects"]
        assert (listed["number"], listed["result"]) == (1, {})
        same = api_for(lab.owner).post(
            f"{lab.api}/bisects", body | {"bad": lab.oids[0]}, content_type=JSON
        )
        assert same.status_code == 400
        assert "same model files" in same.json()["error"]
