"""Pages of measuring: the form, one measurement, the search form, runs of the new kinds."""

from __future__ import annotations

import pytest
from django.utils import timezone

from hub.models import Access, Visibility
from tests.factories import actor, commit_files, make_member, make_user
from tests.reviews.factories import make_pull_request
from tests.training.acting import Act, chooses, questions, set_stage
from tests.training.factories import make_run
from tests.training.measuring import Lab, make_lab
from training.actions.bisecting import submit_bisect
from training.models import Evaluation, Origin, Run, RunKind, RunStatus

pytestmark = pytest.mark.django_db


def shown(response) -> str:
    """The page with plain spaces."""
    return response.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def lab_with_groups() -> Lab:
    return make_lab({0, 2, 4, 6}, rows=lambda count: questions(count, kinds=("nouns", "verbs")))


class TestTheForm:
    def test_it_offers_revisions_and_the_benchmarks_that_one_may_read(self, client_for):
        lab = make_lab({1})
        make_pull_request(lab.model, files={"config.json": b'{"a": 1}'})
        page = shown(client_for(make_user()).get(f"{lab.url}/evaluate"))
        assert lab.reference in page
        assert "refs/pr/1" not in page, "only those who may have it run see it"
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate"))
        assert "#1 Raise the rank" in page
        lab.data.visibility = Visibility.PRIVATE
        lab.data.save()
        assert lab.reference not in shown(client_for(make_user()).get(f"{lab.url}/evaluate"))

    def test_files_that_are_no_benchmarks_are_not_offered(self, client_for):
        lab = make_lab({1})
        commit_files(lab.data, {"other.yaml": b"a: 1\n", "broken.yaml": b"task: [", "x.txt": b""})
        lab.data.head_oid = lab.data.store().resolve("main")
        lab.data.save()
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate"))
        assert page.count('name="benchmarks"') == 1

    def test_it_says_what_is_known_and_how_long_the_rest_will_take(self, client_for):
        lab = make_lab({1}, {2})
        lab.store(lab.oids[0])
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate?revision={lab.oids[0]}"))
        assert "nothing to run" in page and "120" in page
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate"))
        assert "nothing to run" not in page
        assert "6 s" in page, "120 items at the pace of before"

    def test_it_can_be_searched(self, client_for):
        lab = make_lab({1}, more=", language: zh")
        client = client_for(lab.owner)
        assert lab.reference in shown(client.get(f"{lab.url}/evaluate?q=zh+words"))
        page = shown(client.get(f"{lab.url}/evaluate?q=bleu"))
        assert "No benchmark matches" in page and lab.reference not in page

    def test_it_starts_a_run_of_what_is_ticked_and_written(self, client_for):
        lab = make_lab({1})
        commit_files(
            lab.data, {"again.yaml": lab.act.files()["words.yaml"].replace(b"task: w", b"task: x")}
        )
        form = {
            "revision": "main",
            "benchmarks": [lab.reference],
            "others": f"{lab.data.repo_id}:again.yaml\r\n\r\n",
        }
        response = client_for(make_user()).post(f"{lab.url}/evaluate", form)
        run = Run.objects.get()
        assert (response.status_code, response["Location"]) == (302, run.get_absolute_url())
        assert [each["label"] for each in run.spec["benchmarks"]] == ["words", "xords"]

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"revision": "nowhere"}, "There is no revision"),
            ({"benchmarks": []}, "Name 1 to 20 benchmarks"),
            ({"others": "no/where:x.yaml"}, "There is no data set no/where"),
            ({"others": "nonsense"}, "nonsense"),
        ],
    )
    def test_a_refusal_is_shown_and_what_was_ticked_stays(self, client_for, form, words):
        lab = make_lab({1})
        given = {"revision": "main", "benchmarks": [lab.reference], "others": ""} | form
        response = client_for(lab.owner).post(f"{lab.url}/evaluate", given)
        assert response.status_code == 422
        page = shown(response)
        assert words in page
        assert ("checked" in page) is bool(given["benchmarks"])
        assert not Run.objects.exists()

    def test_it_is_for_people_and_for_models(self, client_for):
        lab = make_lab({1})
        answer = client_for().get(f"{lab.url}/evaluate")
        assert answer.status_code == 302 and "/-/sign-in" in answer["Location"]
        url = lab.data.get_absolute_url()
        assert client_for(lab.owner).get(f"{url}/evaluate").status_code == 403

    def test_a_model_without_weights_says_so(self, client_for):
        lab = make_lab()
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate"))
        assert "There are no safetensors weights" in page and "disabled" in page
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluate?revision=nowhere"))
        assert "There is no revision" in page

    def test_its_queries_do_not_grow(self, client_for, django_assert_num_queries):
        lab = make_lab({1}, {2})
        client = client_for(lab.owner)
        client.get(f"{lab.url}/evaluate")
        with django_assert_num_queries(11):
            client.get(f"{lab.url}/evaluate")
        for name in ("a", "b", "c"):
            make_lab(namespace=None, data={"name": name})
        client.get(f"{lab.url}/evaluate")
        with django_assert_num_queries(11):
            client.get(f"{lab.url}/evaluate")


class TestOneMeasurement:
    def test_it_shows_scores_groups_settings_and_digests(
        self, client_for, django_assert_max_num_queries
    ):
        lab = lab_with_groups()
        row = lab.store()
        with django_assert_max_num_queries(12):
            page = shown(client_for().get(f"{lab.url}/evaluations/{row.pk}"))
        assert "96.7 %" in page and "91.7 – 98.7 %" in page
        assert "nouns" in page and "93.3 %" in page and "verbs" in page
        for name in ("float32", "batch_tokens", row.model_digest[:7], row.settings_digest):
            assert name in page
        assert "transformers" in page, "the libraries it was run with"

    def test_items_can_be_filtered_by_answer_and_group(self, client_for):
        lab = lab_with_groups()
        url = f"{lab.url}/evaluations/{lab.store().pk}"
        page = shown(client_for().get(url))
        assert page.count('class="answer"') == 20 and "Page 1 of 6" in page
        wrong = shown(client_for().get(f"{url}?answer=wrong"))
        assert wrong.count('class="answer"') == 4
        assert "question 2" in wrong and "question 3<" not in wrong
        assert "-1.400" in wrong and "−0.40" in wrong
        verbs = shown(client_for().get(f"{url}?answer=wrong&group=verbs"))
        assert "No item matches" in verbs and 'class="answer"' not in verbs
        assert client_for().get(f"{url}?item=zz&page=99&metric=none").status_code == 200

    def test_items_and_groups_are_for_readers_of_the_data_set(self, client_for):
        lab = lab_with_groups()
        lab.data.visibility = Visibility.PRIVATE
        lab.data.save()
        url = f"{lab.url}/evaluations/{lab.store().pk}"
        page = shown(client_for(make_user()).get(f"{url}?answer=wrong"))
        assert "96.7 %" in page
        for secret in ("question", "nouns", lab.data.repo_id, "Parquet"):
            assert secret not in page
        assert "Its items are not shown" in page
        insider = make_member(lab.model.namespace, access=Access.READ)
        assert "question 2" in shown(client_for(insider).get(f"{url}?answer=wrong"))

    def test_texts_of_items_are_escaped(self, client_for):
        lab = make_lab({1}, rows=lambda n: questions(n, prefix="<script>alert(1)</script>"))
        page = shown(client_for().get(f"{lab.url}/evaluations/{lab.store().pk}"))
        assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page

    def test_it_says_where_its_version_stands(self, client_for):
        lab = make_lab({1}, {2}, {3})
        first, last = lab.store(lab.oids[0]), lab.store()
        assert "the newest version" in shown(client_for().get(f"{lab.url}/evaluations/{last.pk}"))
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluations/{first.pk}"))
        assert "2 versions before the newest" in page
        assert "Was it better here?" not in page, "the newest is as good"
        worse = lab.add_version(set(range(40)))
        lab.store()
        page = shown(client_for(lab.owner).get(f"{lab.url}/evaluations/{first.pk}"))
        assert f"good={lab.oids[0]}" in page and f"bad={worse}" in page

    def test_partial_and_reported_ones_say_what_they_are(self, client_for):
        lab = make_lab({1})
        row = lab.store()
        Evaluation.objects.filter(pk=row.pk).update(
            item_count=60, origin=Origin.REPORTED, reported_by=lab.owner
        )
        page = shown(client_for().get(f"{lab.url}/evaluations/{row.pk}"))
        assert "60 of 120 items" in page and "A gate stopped after these items" in page
        assert "self-reported" in page and "measured elsewhere" in page
        Evaluation.objects.filter(pk=row.pk).update(items_sha256="")
        assert "No items are kept" in shown(client_for().get(f"{lab.url}/evaluations/{row.pk}"))

    def test_a_page_of_long_prompts_stays_small(self, client_for):
        lab = make_lab({1}, rows=lambda n: questions(n, prefix="word " * 700))
        response = client_for().get(f"{lab.url}/evaluations/{lab.store().pk}")
        assert len(response.content) < 60_000


class TestTheSearchForm:
    def test_it_is_filled_in_from_a_drop(self, client_for):
        lab = make_lab(set(), {1}, set(range(40)))
        for number in (0, 2):
            lab.store(lab.oids[number])
        tab = shown(client_for(lab.owner).get(f"{lab.url}/benchmarks"))
        assert "1 version between: find the commit" in tab
        wanted = f"benchmark={Evaluation.objects.first().benchmark_id}&metric=acc"
        ends = f"good={lab.oids[0]}&bad={lab.oids[2]}"
        page = shown(client_for(lab.owner).get(f"{lab.url}/bisect?{wanted}&{ends}"))
        assert f'value="{lab.oids[0]}"' in page and f'value="{lab.oids[2]}"' in page
        assert f'value="{lab.reference}@' in page

    def test_it_starts_the_search(self, client_for):
        lab = make_lab(set(), {1}, set(range(40)))
        row = lab.store(lab.oids[0])
        Run.objects.all().delete()
        reference = f"{lab.reference}@{row.benchmark.revision}"
        form = {"benchmark": reference, "metric": "acc", "good": lab.oids[0], "alpha": "0.05"}
        response = client_for(make_user()).post(f"{lab.url}/bisect", form)
        run = Run.objects.get()
        assert (run.kind, response["Location"]) == ("bisect", run.get_absolute_url())
        assert run.spec["benchmarks"][0]["digest"] == row.benchmark_digest

    def test_a_refusal_stands_at_its_field(self, client_for):
        lab = make_lab(set(), {1})
        row = lab.store(lab.oids[0])
        reference = f"{lab.reference}@{row.benchmark.revision}"
        form = {"benchmark": reference, "good": lab.oids[1], "bad": lab.oids[0], "alpha": "0.05"}
        response = client_for(make_user()).post(f"{lab.url}/bisect", form)
        assert response.status_code == 422
        assert "earlier commit of the same branch" in str(response.context["form"].errors["good"])
        form |= {"benchmark": "some/other:x.yaml@main"}
        assert client_for(make_user()).post(f"{lab.url}/bisect", form).status_code == 422

    def test_without_measurements_it_says_what_comes_first(self, client_for):
        lab = make_lab(set(), {1})
        page = shown(client_for(lab.owner).get(f"{lab.url}/bisect"))
        assert "Measure two versions with a benchmark first" in page

    def test_benchmarks_of_others_are_not_offered(self, client_for):
        lab = make_lab(set(), {1}, data={"visibility": Visibility.PRIVATE})
        lab.store()
        assert lab.data.repo_id not in shown(client_for(make_user()).get(f"{lab.url}/bisect"))


class TestRuns:
    def test_a_live_search_shows_what_it_knows(self, client_for):
        lab = make_lab()
        versions = [
            {"role": f"c{n}", "oid": f"{n}" * 40, "digest": f"{n}", "subject": f"Version {n}"}
            for n in range(8)
        ]
        steps = [
            {"place": n, "oid": f"{n}" * 40, "subject": "", "score": 0.9 - n / 10, "lower": 0.1,
             "upper": 0.95, "evaluation": 5, "new": n == 4, "broken": n > 3, "clear": n != 4}
            for n in (0, 4, 7)
        ]  # fmt: skip
        make_run(
            lab.model,
            kind=RunKind.BISECT,
            status=RunStatus.RUNNING,
            lease_ends_at=timezone.now(),
            spec={"inputs": [], "benchmarks": [], "versions_between": versions,
                  "settings": {}, "versions": {}},
            progress={"search": {"low": 0, "high": 4, "next": 2, "unit": "share", "steps": steps}},
        )  # fmt: skip
        page = shown(client_for().get(f"{lab.url}/runs/1?part=live"))
        assert "3 of 8 left in question" in page
        assert "measuring" in page and "nearer, not shown" in page
        assert "90.0 %" in page and "50.0 %" in page
        assert "hx-get" in page

    def test_a_live_gate_shows_its_looks(self, client_for):
        lab = make_lab()
        looks = [{"number": 1, "benchmarks": {"words": {"verdict": "inconclusive", "n": 40}}}]
        make_run(
            lab.model,
            kind=RunKind.COMPARE,
            spec={"inputs": [], "benchmarks": [{"key": "words", "label": "Words"}],
                  "settings": {}, "versions": {}},
            progress={"looks": looks, "look_count": 3},
        )  # fmt: skip
        page = shown(client_for().get(f"{lab.url}/runs/1?part=live"))
        assert "1 of 3 taken" in page and "inconclusive" in page and "Words" in page


@pytest.mark.usefixtures("transactional_db")
def test_runs_of_both_kinds_show_their_results(client_for):
    lab = make_lab(set(), {1}, {2}, {3}, set(range(40)), set(range(41)))
    lab.measure(lab.oids[0])
    page = shown(client_for(make_user()).get(f"{lab.url}/runs/1"))
    assert "100.0 %" in page and "96.9 – 100.0 %" in page
    assert f"{lab.url}/evaluations/" in page and "/runs/1/again" in page
    run = submit_bisect(lab.model, actor(lab.owner), benchmark=lab.reference, good=lab.oids[0])
    lab.carry_out(run)
    page = shown(client_for().get(f"{lab.url}/runs/{run.number}"))
    assert "words went from 100.0 % to 65.8 %." in page
    assert "It came with this commit:" in page and lab.oids[4][:7] in page
    assert "one-sided at α = 0.05" in page
    assert page.count("model.safetensors") == 0, "versions have a table of their own"
    nothing = submit_bisect(lab.model, actor(lab.owner), benchmark=lab.reference, good=lab.oids[4])
    lab.carry_out(nothing)
    page = shown(client_for().get(f"{lab.url}/runs/{nothing.number}"))
    assert "is not shown to be worse at the later version" in page
    again = client_for(lab.owner).post(f"{lab.url}/runs/{nothing.number}/again")
    assert again["Location"].endswith(f"/runs/{nothing.number + 1}")


@pytest.mark.usefixtures("transactional_db")
def test_a_gate_tells_its_looks_while_it_works():
    stage = set_stage(Act("words", questions(300), chooses(lost=range(3))), gate="looks: 3\n")
    run = stage.play().run
    run.refresh_from_db()
    looks = run.progress["looks"]
    assert [look["number"] for look in looks] == list(range(1, len(looks) + 1))
    assert looks[0]["benchmarks"]["words"]["n"] < 300
    assert run.progress["look_count"] == 3
