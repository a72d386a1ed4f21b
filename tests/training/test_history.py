"""The versions of a branch and what has been measured of each."""

from __future__ import annotations

import subprocess

import pytest
from django.core.cache import cache

from hub.models import Visibility
from tests.factories import commit_files, make_user
from tests.training.factories import commit, large
from tests.training.measuring import make_lab
from training.actions import history
from training.actions.history import (
    benchmarks_measured,
    branch_versions,
    digests_of,
    histories,
    names_of,
)
from training.jobs import inputs
from training.models import Evaluation, Origin, Run, RunStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab():
    """Five versions of which the first, third and fourth are measured; the fourth is worse."""
    lab = make_lab({1}, {1}, {1, 2}, set(range(40)), set(range(41)))
    for number in (0, 2, 3):
        lab.store(lab.oids[number])
    return lab


def shown(response) -> str:
    """The page with plain spaces."""
    return response.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def aim_at(lab, target: float | None, direction: str = "target") -> None:
    """The lab's benchmark as if its file said that its score should come close to `target`."""
    row = Evaluation.objects.first().benchmark
    metrics = [each | {"direction": direction, "target": target} for each in row.metrics]
    type(row).objects.update(metrics=metrics, direction=direction, target=target)


def only_history(lab):
    (found,) = histories(lab.model, branch_versions(lab.model), benchmarks_measured(lab.model))
    return found


def test_only_commits_that_change_the_model_are_versions(lab):
    commit_files(lab.model, {"README.md": b"# More\n"})
    assert [version.oid for version in branch_versions(lab.model)] == lab.oids


def test_a_model_without_weights_has_no_versions():
    assert branch_versions(make_lab().model) == []


def test_points_stand_at_their_versions_in_order(lab):
    found = only_history(lab)
    assert [point.number for point in found.points] == [0, 2, 3]
    assert [point.version.oid for point in found.points] == [lab.oids[n] for n in (0, 2, 3)]
    assert found.latest.number == 3
    assert not found.is_current
    assert not found.is_mixed


def test_digests_are_worked_out_once_a_commit_and_files_hashed_once(lab, monkeypatch):
    cache.clear()
    looked, hashed = [], []
    real_files, real_pin = history.model_files, inputs.pin
    monkeypatch.setattr(
        history, "model_files", lambda s, oid, k: looked.append(oid) or real_files(s, oid, k)
    )
    monkeypatch.setattr(
        inputs, "pin", lambda s, entry: hashed.append(entry.path) or real_pin(s, entry)
    )
    first = digests_of(lab.model, lab.oids)
    assert digests_of(lab.model, lab.oids) == first
    assert looked == lab.oids
    assert hashed.count("config.json") == 1
    assert hashed.count("model.safetensors") == 5


def test_a_version_is_called_by_its_tag_or_pull_request(lab):
    store = lab.model.store()
    later = commit_files(lab.model, {"README.md": b"# Tagged\n"})
    store.move_ref("refs/tags/v1", new=later, old=None)
    names = names_of(lab.model, branch_versions(lab.model))
    assert names[lab.oids[4]] == "v1", "the tag is on a later commit of the same model"
    assert names[lab.oids[0]] == lab.oids[0][:7]


def test_what_lies_on_another_branch_is_told_apart(lab):
    side = lab.add_version({5}, ref="refs/heads/side")
    lab.store("side")
    found = only_history(lab)
    assert [row.revision for row in found.elsewhere] == [side]
    assert len(found.points) == 3


def test_a_model_that_came_back_is_measured_at_both_places(lab):
    weights = f"weights 0 of {lab.model.repo_id}".encode()
    commit(lab.model, [large(lab.model, "model.safetensors", weights)])
    assert [point.number for point in only_history(lab).points] == [0, 2, 3, 5]


def test_another_digest_of_the_benchmark_is_another_history(lab):
    commit_files(
        lab.data, {"words.jsonl": lab.act.files()["words.jsonl"].replace(b"question 7", b"other 7")}
    )
    lab.store(lab.oids[4])
    found = only_history(lab)
    assert [point.number for point in found.points] == [4], "scores are never mixed"
    assert Evaluation.objects.values("benchmark").distinct().count() == 2


def test_verified_scores_go_before_reported_ones_and_whole_before_partial(lab):
    row = Evaluation.objects.get(model_digest=branch_versions(lab.model)[0].digest)
    reported = Evaluation.objects.get(pk=row.pk)
    reported.pk, reported.settings_digest, reported.origin = None, "9" * 64, Origin.REPORTED
    reported.save()
    partial = Evaluation.objects.get(pk=row.pk)
    partial.pk, partial.settings_digest, partial.item_count = None, "8" * 64, 60
    partial.save()
    found = only_history(lab)
    assert found.points[0].evaluation.pk == row.pk
    assert [each.pk for each in found.reports[row.model_digest]] == [reported.pk]
    row.delete()
    assert only_history(lab).points[0].evaluation.pk == reported.pk


class TestTheTab:
    def test_a_report_stands_beside_the_measurement_that_contradicts_it(self, lab, client_for):
        row = Evaluation.objects.get(model_digest=branch_versions(lab.model)[3].digest)
        row.pk, row.settings_digest, row.origin = None, "9" * 64, Origin.REPORTED
        row.save()
        page = shown(client_for().get(f"{lab.url}/benchmarks"))
        assert "self-reported" in page and "contradicts the measurement" not in page
        row.scores = {"acc": {"value": 0.99, "lower": 0.98, "upper": 1.0}}
        row.save()
        page = shown(client_for().get(f"{lab.url}/benchmarks"))
        assert page.count("contradicts the measurement: outside of its interval") == 2
        assert "99.0 %" in page and "66.7 %" in page

    def test_it_shows_versions_scores_and_where_they_stand(self, lab, client_for):
        page = shown(client_for().get(f"{lab.url}/benchmarks"))
        assert "66.7 %" in page and "57.8 – 74.5 %" in page
        assert "measured 1 version ago" in page
        assert "1 version before it not run" in page
        assert "fell" in page
        assert page.count('class="dot') == 3
        assert "Measure the newest version" not in page, "nobody is signed in"

    def test_people_are_led_to_measuring_and_to_the_culprit(self, lab, client_for):
        lab.add_version(set(range(42)))
        lab.store()
        page = client_for(make_user()).get(f"{lab.url}/benchmarks").content.decode()
        assert "the newest version" in page
        assert f"good={lab.oids[0]}&amp;bad={lab.oids[5]}" in page

    @pytest.mark.parametrize(
        ("direction", "target", "is_offered"),
        [("higher", None, True), ("lower", None, False), ("target", 0.5, False),
         ("target", 1.0, True)],
    )  # fmt: skip
    def test_the_culprit_is_looked_for_only_after_a_fall(
        self, lab, client_for, direction, target, is_offered
    ):
        aim_at(lab, target, direction)
        client, first = client_for(make_user()), Evaluation.objects.order_by("pk")[0]
        for path in ("benchmarks", f"benchmarks?benchmark={first.benchmark_id}"):
            page = client.get(f"{lab.url}/{path}").content.decode()
            assert ("Which commit broke this?" in page) is is_offered
        page = client.get(f"{lab.url}/evaluations/{first.pk}").content.decode()
        assert ("Was it better here?" in page) is is_offered

    def test_the_score_aimed_at_has_a_line_and_a_row(self, lab, client_for):
        key = Evaluation.objects.first().benchmark_id
        pages = (f"{lab.url}/benchmarks", f"{lab.url}/benchmarks?benchmark={key}", lab.url)
        assert not any('class="ideal"' in shown(client_for().get(url)) for url in pages)
        aim_at(lab, 0.5)
        for url in pages:
            page = shown(client_for().get(url))
            assert 'class="ideal"' in page and "target: 50.0 %" in page
            assert '<th scope="row">Target</th>' in page

    def test_one_benchmark_shows_every_metric_and_other_revisions(self, lab, client_for):
        lab.add_version({5}, ref="refs/heads/side")
        evaluation = lab.store("side")
        page = (
            client_for(make_user())
            .get(f"{lab.url}/benchmarks?benchmark={evaluation.benchmark_id}")
            .content.decode()
        )
        assert "Other revisions" in page and "Find the commit" in page
        assert lab.data.repo_id in page

    def test_its_queries_do_not_grow_with_versions_and_no_git_starts(
        self, lab, client_for, monkeypatch, django_assert_num_queries
    ):
        client = client_for()
        client.get(f"{lab.url}/benchmarks")

        def starts(*_args, **_more):
            raise AssertionError("a process was started")

        monkeypatch.setattr(subprocess, "Popen", starts)
        with django_assert_num_queries(6):
            client.get(f"{lab.url}/benchmarks")
        for number in (1, 4):
            with monkeypatch.context() as patched:
                patched.undo()
                lab.store(lab.oids[number])
        with django_assert_num_queries(6):
            client.get(f"{lab.url}/benchmarks")

    def test_a_page_of_many_versions_stays_small(self, client_for):
        lab = make_lab(*({n} for n in range(40)))
        for oid in lab.oids:
            lab.store(oid)
        first = client_for().get(f"{lab.url}/benchmarks")
        assert len(first.content) < 60_000
        key = Evaluation.objects.first().benchmark_id
        assert len(client_for().get(f"{lab.url}/benchmarks?benchmark={key}").content) < 100_000

    def test_nothing_measured_says_what_to_do(self, client_for):
        lab = make_lab(set())
        page = client_for().get(f"{lab.url}/benchmarks").content.decode()
        assert "Nothing has been measured yet" in page
        assert client_for().get(f"{lab.url}/benchmarks?benchmark=77").status_code == 404
        assert client_for().get(f"{lab.url}/benchmarks?benchmark=x").status_code == 404

    def test_a_private_data_set_is_not_named_and_hidden_scores_are_coarse(self, client_for):
        lab = make_lab(
            {1, 2}, more=", hidden: true, margin: 0.1", data={"visibility": Visibility.PRIVATE}
        )
        evaluation = lab.store()
        for path in (f"benchmarks?benchmark={evaluation.benchmark_id}", "benchmarks"):
            page = shown(client_for(make_user()).get(f"{lab.url}/{path}"))
            assert lab.data.repo_id not in page
            assert "98.3 %" not in page and ": 98.33" not in page
            assert "100.0 %" in page
            assert "rounded: its items are hidden" in page
        assert "98.3 %" in shown(client_for(lab.owner).get(f"{lab.url}/benchmarks"))

    def test_a_data_set_has_no_such_page_and_no_tab(self, lab, client_for):
        url = lab.data.get_absolute_url()
        assert f'href="{url}/benchmarks"' not in client_for().get(url).content.decode()
        assert client_for().get(f"{url}/benchmarks").status_code == 404


class TestThePanel:
    def test_the_first_page_shows_every_version(
        self, lab, client_for, django_assert_max_num_queries
    ):
        client = client_for()
        client.get(lab.url)
        with django_assert_max_num_queries(24):
            page = client.get(lab.url).content.decode()
        assert "Every version, weighed" in page
        assert page.count('class="dot') == 3
        assert "words, acc" in page

    def test_it_lets_one_choose_a_benchmark_and_a_metric(self, lab, client_for):
        key = Evaluation.objects.first().benchmark_id
        page = client_for().get(f"{lab.url}?benchmark={key}&metric=acc").content.decode()
        assert 'aria-current="true">words' in page
        assert client_for().get(f"{lab.url}?benchmark=99999&metric=zz").status_code == 200

    def test_a_model_without_measurements_has_none(self, client_for):
        page = client_for().get(make_lab(set()).url).content.decode()
        assert "Every version, weighed" not in page


def test_a_run_that_ended_without_a_log_has_no_card_for_it(lab, client_for):
    run = Run.objects.latest("pk")
    assert "<h2>Log</h2>" not in shown(client_for().get(run.get_absolute_url()))
    Run.objects.filter(pk=run.pk).update(status=RunStatus.QUEUED, finished_at=None)
    page = shown(client_for().get(run.get_absolute_url()))
    assert "<h2>Log</h2>" in page and "once it says something" in page
