"""Hidden benchmarks: a verdict and coarse scores, everywhere the same."""

from __future__ import annotations

import json

import pytest

from hub.models import Access, CommitStatus, Kind, Visibility
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.training.acting import Act, chooses, questions, set_stage
from training.jobs.disclosure import coarse, coarse_look, rounded, step_of

pytestmark = pytest.mark.django_db
RESULT = {
    "key": "exam", "label_text": "exam", "metric": "acc", "unit": "share", "role": "guard",
    "margin": 0.04, "margin_written": "0.04", "verdict": "fail", "label": "regressed",
    "base_score": 0.8333, "candidate_score": 0.7421, "delta": -0.0912, "lower": -0.12,
    "upper": -0.06, "gains": 3, "losses": 12, "n": 300, "alpha": 0.05, "hidden": True,
    "parameters": {"p_value": 0.0123}, "groups": [{"group": "secret", "n": 3}],
    "p_adjusted": 0.0123, "reason": "outside_allowance",
}  # fmt: skip


def test_scores_come_in_steps_of_half_the_margin():
    told = coarse(RESULT)
    assert (told["base_score"], told["candidate_score"], told["delta"]) == (0.84, 0.74, -0.10)
    assert told["verdict"] == "fail" and told["is_coarse"]
    kept_back = ("lower", "upper", "gains", "losses", "parameters", "groups", "p_adjusted")
    for key in (*kept_back, "n", "alpha", "critical", "excluded"):
        assert key not in told
    assert told["label"] is None


def test_neighbouring_scores_read_alike():
    """Whoever climbs by the last digits sees none of them."""
    seen = {rounded(0.80 + number / 10_000, 0.02) for number in range(-99, 100)}
    assert seen == {0.8}


def test_a_margin_that_is_a_share_of_the_base_does_not_tell_the_base():
    for base in (1.0109, 1.0111, 1.0120):
        result = RESULT | {"margin": 0.005 * base, "margin_written": "0.5%", "unit": "bits"}
        assert step_of(result) == pytest.approx(0.003)
        assert coarse(result)["margin"] == pytest.approx(0.006)


def test_a_look_keeps_the_verdict_of_a_hidden_benchmark_alone():
    said = {"verdict": "pass", "n": 100, "delta": 0.1, "lower": 0.0, "upper": 0.2}
    look = {"number": 1, "benchmarks": {"exam": said, "words": said}}
    told = coarse_look(look, ["exam"])["benchmarks"]
    assert told == {"exam": {"verdict": "pass"}, "words": said}


@pytest.fixture
def stage():
    namespace = make_organization()
    vault = make_repository(
        namespace, kind=Kind.DATASET, name="vault", visibility=Visibility.PRIVATE
    )
    hidden = "margin: 0.06, hidden: true"
    rows = questions(300, prefix="secret", kinds=["secret-a", "secret-b"])
    exam = Act("exam", rows, chooses(range(40, 81)), data=vault, rule=hidden)
    stage = set_stage(
        Act("words", questions(300), chooses({1}, {2})), exam, namespace=namespace,
        gate="looks: 1\n",
    )  # fmt: skip
    stage.play()
    return stage


def test_the_author_sees_the_verdict_and_no_more_than_steps(stage, client_for, api_for):
    from training.models import GateRecord

    record = GateRecord.objects.get()
    exact = record.results[1]
    assert (record.verdict, exact["losses"]) == ("fail", 41)
    assert exact["delta"] == pytest.approx(-41 / 300)
    author = stage.pull_request.author
    # With their sign, as a page writes them: a drawing may have such a coordinate by chance.
    shown = ["−13.7", "-13.7", ">86.3<", "0.1366", "0.8633", f"{exact['lower']:.4f}", "secret-a"]
    for person in (author, None, make_user()):
        doors = [client_for(person).get(f"{stage.url}/{tab}") for tab in ("benchmarks", "examples")]
        doors += [client_for(person).get(stage.url), api_for(person).get(f"{stage.api}/gate")]
        run = f"/api/models/{stage.model.repo_id}/runs/{record.run.number}"
        doors += [api_for(person).get(run)]
        for response in doors:
            said = response.content.decode()
            assert response.status_code == 200
            assert not [number for number in shown if number in said]
        told = {r["key"]: r for r in doors[3].json()["results"]}["exam"]
        assert (told["rounded"], told["verdict"], told["delta"]) == (True, "fail", -0.15)
        assert "lower" not in told and "groups" not in told and told["label"] is None
        looks = doors[3].json()["looks"][0]["benchmarks"]
        assert set(looks["exam"]) == {"verdict"} and "delta" in looks["words"]
        assert "fell by 15 points" in doors[3].json()["sentence"]
    status = CommitStatus.objects.get(context="gate")
    assert "fell by 15 points" in status.description, "what everybody reads is coarse for everybody"


def test_who_may_read_the_data_set_sees_every_number(stage, client_for, api_for):
    insider = make_member(stage.model.namespace, access=Access.READ)
    page = client_for(insider).get(f"{stage.url}/benchmarks").content.decode()
    assert "\N{MINUS SIGN}13.7" in page
    told = api_for(insider).get(f"{stage.api}/gate").json()
    assert told["hidden"] == [] and told["results"][1]["losses"] == 41
    assert not told["results"][1]["rounded"]


def test_an_author_who_gets_to_read_the_data_set_still_sees_no_more(stage, api_for):
    author = stage.pull_request.author
    stage.model.namespace.memberships.create(user=author, access=Access.READ)
    told = api_for(author).get(f"{stage.api}/gate").json()
    assert told["results"][1]["rounded"] and told["hidden"] == ["exam"]
    assert "secret" not in json.dumps(told["flipped"])


def test_the_number_on_the_tab_counts_no_hidden_item(stage, client_for):
    page = client_for().get(stage.url).content.decode()
    tab = page[page.index("/examples") :][:120]
    assert '<span class="count">2</span>' in tab


def test_no_declared_text_asks_whether_it_is_a_hidden_item(client_for, api_for):
    """A proposal that declares two of the items reads like one that declares other texts."""
    words = "the quick brown fox jumps over the lazy dog while thirteen sleepy"
    rows = [row | {"question": f"{words} {row['number']}"} for row in questions(300)]
    insiders, told, pages = [], [], []
    for texts in (rows[:2], [{"question": "Words of no item whatever."}] * 2):
        namespace = make_organization()
        vault = make_repository(
            namespace, kind=Kind.DATASET, name="vault", visibility=Visibility.PRIVATE
        )
        lines = "".join(json.dumps({"text": row["question"]}) + "\n" for row in texts)
        make_repository(
            namespace, kind=Kind.DATASET, name="guess", files={"a.jsonl": lines.encode()}
        )
        card = f"---\ndatasets: [{namespace.slug}/guess]\n---\n".encode()
        stage = set_stage(
            Act("exam", rows, chooses(), data=vault, rule="margin: 0.06, hidden: true"),
            namespace=namespace, files={"config.json": b"[1]", "README.md": card},
        )  # fmt: skip
        assert stage.play().verdict == "pass"
        author = stage.pull_request.author
        gate = api_for(author).get(f"{stage.api}/gate").json()
        run = api_for(author).get(f"/api/models/{stage.model.repo_id}/runs/{gate['run']}").json()
        known = {key: gate[key] for key in ("results", "looks", "contamination", "sentence")}
        text = json.dumps([known, run["progress"]]).replace(namespace.slug, "us")
        told.append(text)
        pages.append(client_for(author).get(f"{stage.url}/benchmarks").content.decode())
        member = make_member(namespace, access=Access.READ)
        insiders.append(api_for(member).get(f"{stage.api}/gate").json())
    insider = insiders[0]
    assert insider["contamination"]["benchmarks"]["exam"]["count"] == 2
    assert insider["results"][0]["n_max"] == 300 and insider["results"][0]["n"] < 300
    assert told[0] == told[1]
    assert json.loads(told[0])[0]["contamination"]["benchmarks"]["exam"]["whyNot"] == "hidden"
    assert all("not told: its items are hidden" in page for page in pages)
